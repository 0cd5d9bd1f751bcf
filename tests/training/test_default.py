"""The recipe of the reranker that North ships: its questions, what is kept apart, and what is taken out."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from north.evaluation import folders
from north.training import leaks
from north.training.default import development, lists, questions
from north.training.examples import Example
from tests.training import made

TEXT = "The wizard number {n} creates a form of {n} fields for every table. Its second page shows the fields in their order."


@pytest.fixture
def data(tmp_path: Path) -> Path:
    passages = [
        {"_id": f"{lang}/{n}", "lang": lang, "group": f"g{n}", "title": f"Title {n}", "heading": f"Heading {n}",
         "text": f"{lang} {TEXT.format(n=n)}", "src": "help"}
        for n in range(400) for lang in ("en", "de")
    ]  # fmt: skip
    pairs = [
        {"query": f"Heading {n}", "lang": "en", "kind": "heading", "pos": f"en/{n}", "neg": [f"en/{(n + 1) % 400}"]} for n in range(400)
    ]
    cross = [{"query": f"Kopf {n}", "lang": "de", "kind": "heading-x", "pos": f"en/{n}", "neg": []} for n in range(400)]
    for name, rows in (("passages", passages), ("pairs.mono", pairs), ("pairs.cross", cross)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_no_group_is_learnt_from_and_kept_in_another_language(data: Path) -> None:
    known = lists.library(data)
    kept = {known.passages[key].group for key in known.passages if known.kept(key)}
    learnt = {known.passages[key].group for key in known.passages if not known.kept(key)}
    assert kept and not kept & learnt and len(kept) < 40


def test_made_questions_name_what_a_sentence_answers(data: Path) -> None:
    known = lists.library(data)
    asked = lists.made(known, random.Random(1))
    assert {"asked", "asked-x"} <= {each.kind for each in asked}
    one = next(each for each in asked if each.kind == "asked" and each.lang == "en")
    assert one.query.startswith(("What creates a form", "What shows the fields")) and one.query.endswith("?")
    assert all(known.passages[each.answer].lang != each.lang for each in asked if each.kind.endswith("-x"))


@pytest.mark.parametrize(
    ("sentence", "found"),
    [("The wizard creates a form for you.", "What creates a form for you?"), ("If the wizard creates a form, stop.", None),
     ("A page that shows the fields in order.", None), ("Nothing of that shape here at all.", None)],
)  # fmt: skip
def test_only_a_sentence_with_a_plain_subject_becomes_a_question(sentence: str, found: str | None) -> None:
    assert questions.asked(sentence, "en") == found


@pytest.mark.parametrize(
    ("sentence", "found"),
    [("To insert a row, press Enter.", "How do I insert a row?"), ("You can also sort a list by name.", "How can I sort a list by name?"),
     ("If the file is locked by others, a copy is made.", "What happens if the file is locked by others?"),
     ("Choose Insert to add a chart of this table.", "How do I add a chart of this table?"), ("To the left, a bar appears.", None),
     ("The table has five rows.", None)],
)  # fmt: skip
def test_a_sentence_of_help_becomes_what_one_might_have_asked(sentence: str, found: str | None) -> None:
    assert questions.natural(sentence) == found


def test_what_the_open_sets_hold_leaves_the_library_and_the_questions(data: Path, tmp_path: Path) -> None:
    known = lists.library(data)
    golden = made.folder(tmp_path / "golden", [Example("Kopf 7", ("An answer",)), Example("other", (known.passages["en/3"].text,))])
    asked, leaked = lists.without_leaks(lists.given(data, known), known, leaks.judged([folders.read(golden)], every=True))
    assert leaked == 3, "the question Kopf 7, and two questions whose answer is there"
    assert "en/3" not in known.passages and not any("en/3" in (each.answer, *each.others) for each in asked)


def test_kept_questions_become_folders_that_can_be_measured(data: Path, tmp_path: Path) -> None:
    known = lists.library(data)
    kept = [each for each in lists.given(data, known) if known.kept(each.answer)]
    counts = development.write(kept * 3, known, tmp_path / "development", seed=1)
    assert set(counts) == {"help-heading", "help-heading-x"}
    folder = folders.read(tmp_path / "development" / "help-heading-x")
    assert len(folder.questions) == counts["help-heading-x"] and all(one.language == "en" for one in folder.documents.values())
