"""What the figures of correctness count, on answers whose scores are plain to see."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.bench.correctness.scoring import Amount, amounts_in, citing, correctness, f1, stands_in


def test_a_name_stands_in_a_sentence_whatever_its_case_articles_and_points() -> None:
    assert stands_in("the G. Stanley Hall", "It was g stanley hall, the first president.")
    assert not stands_in("35", "There are 350 stores.")
    assert not stands_in("", "Anything.")
    assert f1("The Denver Broncos won", "Denver Broncos") == pytest.approx(0.8)


def test_amounts_are_told_from_years_and_pages() -> None:
    found = amounts_in("$82,959 million in 2022, up 8 % or 1.5 points on page 12")
    assert found == {Amount(Decimal(82959), 6), Amount(Decimal(8), share=True), Amount(Decimal("1.5"))}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("82,959 million", "$82.96 billion"), ("82,959 million", "$82,959"),
        ("$82.959bn", "82,959 million"), ("83.0 billion", "82,959 million"),
        ("82,959", "82.96 billion"), ("27.3 %", "27.32 %"), ("1.5 thousand", "1,500"), ("8 percent", "8 %"),
    ],
)  # fmt: skip
def test_equal_amounts_are_the_same_in_other_scales_and_rounded(one: str, other: str) -> None:
    (ours,), (theirs,) = amounts_in(one), amounts_in(other)
    assert ours.same(theirs) and theirs.same(ours)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("82,959 million", "82.95 billion"), ("82,959 million", "82.96 million"), ("82,959 million", "$82.96"),
        ("80 billion", "82,959 million"),
        ("82,960 million", "82,959 million"), ("82,959", "82,960"), ("5.3 %", "5.26 %"), ("8 %", "8 million"), ("1,230", "1,234"),
    ],
)  # fmt: skip
def test_other_amounts_are_not(one: str, other: str) -> None:
    (ours,), (theirs,) = amounts_in(one), amounts_in(other)
    assert not ours.same(theirs) and not theirs.same(ours)


def test_an_answer_is_right_where_a_reference_stands_in_it_and_a_refusal_never_is() -> None:
    said = correctness("He was Stanley Hall.", ["G. Stanley Hall", "Stanley Hall"], "", refused=False)
    assert (said["right"], said["exact"], said["refused"]) == (1.0, 0.0, 0.0)
    assert correctness("Stanley Hall", ["Stanley Hall"], "", refused=True) == {"right": 0.0, "f1": 0.0, "exact": 0.0, "refused": 1.0}


def test_of_a_reference_in_sentences_the_share_of_its_amounts_counts() -> None:
    reference = "Net sales were $82,959 million, then $117,154 million."
    assert correctness("They were 82,959 million.", (), reference, refused=False)["right"] == 0.5
    assert correctness("They were $82.96 billion.", (), reference, refused=False)["right"] == 0.5
    assert correctness("They fell.", (), "Sales fell.", refused=False)["right"] is None


def cite(document: str, words: str, resolves: bool = True) -> dict[str, Any]:
    return {"document": document, "words": words, "resolves": resolves}


def test_a_citation_supports_by_its_document_or_by_its_words() -> None:
    good, by_words, bad = cite("a", "He led it."), cite("x", "Stanley Hall led it."), cite("x", "It rained.", resolves=False)
    line = {"refused": False, "answer": "He did.", "claims": [[good, bad], [bad], []], "citations": [good, by_words, bad]}
    said = citing(line, ["Stanley Hall"], (), {"a", "b"})
    assert said == {
        "precise": pytest.approx(2 / 3), "holds": pytest.approx(1 / 3), "claims": pytest.approx(1 / 3), "gold": 0.5,
        "resolves": pytest.approx(2 / 3),
    }  # fmt: skip


def test_an_answer_without_citations_has_no_precision_and_no_recall() -> None:
    said = citing({"refused": False, "answer": "Paris", "claims": [], "citations": []}, ["Paris"], (), {"a"})
    assert said == {"precise": None, "holds": None, "claims": 0.0, "gold": 0.0, "resolves": None}
    assert citing({"refused": True, "answer": "No.", "claims": [], "citations": []}, ["Paris"], (), {"a"}) == {}
