from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.similarity import fingerprint

LONG = "The notice period is three months and begins with the end of the month in which notice was given in writing to the department."


def near(one: str, other: str) -> bool:
    return fingerprint(one).is_near(fingerprint(other))


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (LONG, LONG.upper(), True),
        (LONG, f"  {LONG.replace(' ', chr(10))}!", True),
        (LONG * 4, LONG * 4 + " Thanks", True),
        (LONG, LONG.replace("three", "six"), False),
        ("The period is 3 months. " * 5, "The period is 6 months. " * 5, False),
        (LONG + " 2023", LONG + " 2024", False),
        (LONG, LONG[: len(LONG) // 2], False),
        ("解約は書面で行います。期間は三ヶ月です。", "解約は書面で行います。 期間は三ヶ月です", True),
        ("解約は書面で行います。", "予約は電話で行います。", False),
        ("words", "words", True),
        ("words", "other", False),
        ("", "", False),
        ("!!!", "???", False),
        ("👩‍🚀", "👩‍🚀", False),
    ],
)
def test_texts_are_near_if_they_say_the_same(one: str, other: str, expected: bool) -> None:
    assert near(one, other) is expected and near(other, one) is expected


@given(st.text(max_size=200), st.text(max_size=200))
def test_it_is_the_same_from_both_sides_and_each_text_is_near_itself(one: str, other: str) -> None:
    assert near(one, other) == near(other, one)
    assert near(one, one) == bool(fingerprint(one).shingles)
