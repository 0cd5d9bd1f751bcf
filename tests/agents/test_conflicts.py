"""Two documents that give another amount or date for the same thing; and much that only looks like it."""

from __future__ import annotations

import pytest

from agents.citations import cite
from agents.conflicts import conflicts
from retrieval.types import Passage
from tests.agents.conftest import embed_letters


def found(answer: str, *texts: str, documents: tuple[str, ...] = ("a", "b")) -> list[str]:
    passages = [
        Passage(document, f"{document}.md", 0, 10, 10 + len(text), text, 1.0) for document, text in zip(documents, texts, strict=True)
    ]
    told = conflicts(passages, cite(answer, passages, embed_letters)[0])
    assert all(one["end"] - one["start"] == len(one["text"]) and one["start"] >= 10 for one in told)
    return [one["text"] for one in told]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Everybody has 30 days of paid leave a year.", "Everybody has 28 days of paid leave a year."),
        ("Der Zuschuss beträgt 450 Euro.", "Der Zuschuss beträgt 500 Euro."),
        ("The contract ends on 31 March 2026.", "The contract ends on 2026-04-30."),
        ("Le délai moyen est de cinq jours.", "Le délai moyen est de 7 jours."),
    ],
)
def test_another_amount_of_the_same_is_a_conflict(one: str, other: str) -> None:
    assert found(one, one, other) == [one, other] and found(other, one, other) == [one, other]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Leave is 24 months at most.", "Leave is 2 years at most."),
        ("The price is 1,200 euros.", "The price is 1.2 thousand euros."),
        ("The contract ends on 31 March 2026.", "The contract ends on 2026-03-31."),
        ("Revenue in Lyon was 12 million.", "Revenue in Osaka was 9 million."),
        ("Revenue was 12 million in March 2025.", "Revenue was 13 million in March 2026."),
        ("The hotel costs 140 euros a night.", "The hotel costs 12 minutes of walking."),
        ("A chair is paid up to 450 euros.", "A chair and a desk in the office weigh 80 kg."),
    ],
)
def test_what_may_both_be_true_is_none(one: str, other: str) -> None:
    assert not found(one, one, other)


def test_one_document_and_what_the_answer_does_not_rest_on_is_none() -> None:
    one, other = "Everybody has 30 days of paid leave a year.", "Everybody has 28 days of paid leave a year."
    assert not found(one, one, other, documents=("a", "a"))
    assert not found("The canteen opens at noon.", one, other, "The canteen opens at noon.", documents=("a", "b", "c"))
