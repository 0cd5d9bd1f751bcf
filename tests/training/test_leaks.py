"""What a model will be judged by is found in what it learns from, however it is written there."""

from __future__ import annotations

from pathlib import Path

import pytest

from north.evaluation import folders
from north.training.errors import Leak
from north.training.examples import Example
from north.training.leaks import Judged, folded, found, judged, refuse
from tests.training import made

PASSAGE = "Each employee of the company has thirty days of paid leave a year, and more with age."
UNASKED = "Nobody is asked about this passage, which is in the corpus."


@pytest.fixture
def against(tmp_path: Path) -> Judged:
    golden = [Example("How many days of leave?", (PASSAGE,), (UNASKED,)), Example("Syntax", ("Syntax",))]
    folder = made.folder(tmp_path / "golden", golden)
    return judged([folders.read(folder)])


@pytest.mark.parametrize("query", ["How many days of leave?", "how many  days of LEAVE", "Ｈow many days — of leave?!"])
def test_a_question_is_the_same_in_other_case_width_and_punctuation(against: Judged, query: str) -> None:
    with pytest.raises(Leak, match="1 questions and 0 passages"):
        refuse([Example("another", ("x",)), Example(query, ("y",))], against)


def test_a_passage_is_found_among_positives_and_negatives(against: Judged) -> None:
    same = PASSAGE.upper().replace(",", " -")
    for example in (Example("q", (same,)), Example("q", ("y",), (same,))):
        with pytest.raises(Leak, match=r"0 questions and 1 passages .*'EACH EMPLOYEE.*Take them out"):
            refuse([example], against)


def test_a_short_text_and_a_passage_that_answers_nothing_there_are_no_leaks(against: Judged) -> None:
    refuse([Example("other", ("Syntax", UNASKED))], against)
    assert found([Example("Syntax", ("x",))], against) == (["Syntax"], []), "but a short question is one"


def test_every_document_counts_where_that_is_asked_for(tmp_path: Path) -> None:
    folder = folders.read(
        made.folder(tmp_path, [Example("q", (PASSAGE,), ("The canteen of the company opens at noon on every day of the week.",))])
    )
    few, many = judged([folder]), judged([folder], every=True)
    assert len(few.passages) == 1 and len(many.passages) == 2


def test_a_part_of_a_long_document_is_a_leak(tmp_path: Path) -> None:
    long = " ".join(f"Rule {n} says that the canteen opens at noon on day {n}." for n in range(60))
    folder = made.folder(tmp_path / "golden", [Example("noon?", (long,))])
    against = judged([folders.read(folder)])
    part = long[: long.index("Rule 15")].strip()
    assert found([Example("q", (long,))], against)[1]
    assert not found([Example("q", (part,))], against)[1], "any part is not: only the chunks that North itself would make"


def test_marks_of_indic_scripts_are_kept_when_folding() -> None:
    assert folded("छुट्टी?") == "छुट्टी" and folded("छुट्टी") != folded("छटट")
