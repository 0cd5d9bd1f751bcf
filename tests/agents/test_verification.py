"""What the verifier says of sentences whose support is known."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agents.citations import cite
from agents.contradiction import dates, names, negated, opposites
from agents.events import ClaimCheck
from agents.verification import verify
from retrieval.types import Passage
from tests.agents.conftest import embed_letters

RULES = (
    "Employees receive 28 days of paid annual leave a year. Unused leave is lost on 31 March 2024. "
    "Flights within Europe are not paid in business class. The budget of the Berlin office increased by 12 percent. "
    "Anna Schmidt leads the travel desk."
)


def checked(answer: str, judge: object = None, text: str = RULES) -> list[ClaimCheck]:
    passages = [Passage("leave", "Leave policy.md", 0, 100, 100 + len(text), text, 1.0)]
    citations, _ = cite(answer, passages, embed_letters)
    return list(verify(answer, citations, passages, [], judge))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("sentence", "support"),
    [
        ("Employees receive 28 days of paid annual leave a year.", "supported"),
        ("Employees receive 30 days of paid annual leave a year.", "contradicted"),
        ("Unused leave is lost on 31 March 2024.", "supported"),
        ("Unused leave is lost on March 31st.", "supported"),
        ("Unused leave is lost on 31 May 2024.", "contradicted"),
        ("Flights within Europe are paid in business class.", "contradicted"),
        ("Flights within Europe are not paid in business class.", "supported"),
        ("The budget of the Berlin office decreased by 12 percent.", "contradicted"),
        ("The budget of the Berlin office, led by Otto, increased by 12 percent.", "partly"),
        ("The canteen opens at noon on workdays.", "unsupported"),
    ],
)
def test_a_sentence_is_told_for_what_it_is(sentence: str, support: str) -> None:
    (found,) = checked(sentence)
    assert (found.support, found.text) == (support, sentence)
    assert bool(found.reasons) == (support != "supported")


def test_offsets_are_those_of_the_answer_and_citations_are_counted() -> None:
    answer = "Employees receive 28 days of paid annual leave a year. The canteen opens at noon. Anna Schmidt leads the travel desk."
    found = checked(answer)
    assert [answer[claim.start : claim.end] for claim in found] == [claim.text for claim in found]
    assert [(claim.support, claim.citation) for claim in found] == [("supported", 0), ("unsupported", -1), ("supported", 1)]


def test_a_name_that_begins_a_sentence_must_stand_in_its_source_like_any_other() -> None:
    texts = {"acme": "Net cash from operations was 7,730 million.", "globex": "All products of Globex are sold worldwide."}
    passages = [Passage(name, f"{name}.pdf", 0, 0, len(text), text, 1.0) for name, text in texts.items()]
    for answer, support in (
        ("Globex net cash from operations was 7,730 million.", "partly"),
        ("Net cash from operations was 7,730 million.", "supported"),
    ):
        citations, _ = cite(answer, passages, embed_letters)
        (found,) = verify(answer, citations, passages, [], None)
        assert found.support == support, found.reasons


def test_whom_the_question_names_must_stand_in_the_source_though_no_passage_names_them() -> None:
    text = "Net cash from operations was 7,730 million."
    passages = [Passage("acme", "acme.pdf", 0, 0, len(text), text, 1.0)]
    answer = "Globex reported that net cash from operations was 7,730 million."
    citations, _ = cite(answer, passages, embed_letters)
    for question, support in (("What did Globex report as net cash?", "partly"), ("What was the net cash?", "supported")):
        (found,) = verify(answer, citations, passages, [], lambda claim, texts: [9.0] * len(texts), question)
        assert found.support == support, found.reasons


LOOSE = "Every year, staff get 28 days of annual leave with full pay."


def test_other_words_without_another_model_are_not_verified_and_never_supported() -> None:
    assert checked(LOOSE)[0].support == "not verified"
    assert checked(LOOSE, judge=lambda claim, texts: None)[0].support == "not verified"


@pytest.mark.parametrize(("logit", "support"), [(2.0, "supported"), (-3.0, "partly")])
def test_another_model_decides_on_other_words(logit: float, support: str) -> None:
    asked: list[str] = []

    def judge(claim: str, texts: Sequence[str]) -> list[float]:
        asked.append(claim)
        return [logit] * len(texts)

    assert checked(LOOSE, judge)[0].support == support
    assert asked == [LOOSE]


def test_no_model_overrules_a_number() -> None:
    found = checked("Employees receive 30 days of paid annual leave a year.", judge=lambda claim, texts: [9.0] * len(texts))
    assert found[0].support == "contradicted"


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("on 2024-03-31", (2024, 3, 31)),
        ("am 31.03.2024", (2024, 3, 31)), ("31 March 2024", (2024, 3, 31)),
        ("March 31st, 2024", (2024, 3, 31)),
        ("31. März 2024", (2024, 3, 31)), ("le 31 mars", (0, 3, 31)), ("31 de marzo de 2024", (2024, 3, 31)),
        ("in March 2024", (2024, 3, 0)),
    ],
)  # fmt: skip
def test_a_date_is_the_same_however_it_is_written(text: str, date: tuple[int, int, int]) -> None:
    assert date in dates(text)


@pytest.mark.parametrize("word", ["Acme-based", "ACMEs", "Friday"])
def test_a_compound_a_plural_and_a_weekday_are_no_unknown_names(word: str) -> None:
    (found,) = checked(f"The desk of {word} people opens at noon.", text="The desk of acme people opens at noon. ACME.")
    assert not any("not named" in reason for reason in found.reasons)


def test_cues_are_seen_where_they_are_and_not_where_they_are_not() -> None:
    assert negated("It is not allowed") and not negated("It is noted") and not negated("It is not without merit")
    assert opposites("Sales increased", "Sales fell sharply") and not opposites("Sales increased and fell", "Sales fell")
    assert names("Yesterday Anna Schmidt of IBM left.") == {"Anna", "Schmidt", "IBM"}
    assert names("Die Mitarbeiter haben ist der Urlaub") == set()
