from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrieval.similarity import EDITIONS, editions, fingerprint, resemblance, sketch

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


@given(st.lists(st.sampled_from(LONG.split()) | st.text("abcdef", min_size=1), min_size=60, max_size=200), st.integers(0, 199))
def test_a_sketch_tells_how_alike_two_documents_are(words: list[str], change: int) -> None:
    other = [*words[: change % len(words)], "something", "else", *words[change % len(words) :]]
    one, two = fingerprint(" ".join(words)).shingles, fingerprint(" ".join(other)).shingles
    looks = sketch(" ".join(words)), sketch(" ".join(other))
    if all(looks):
        assert abs(resemblance(*looks) - len(one & two) / len(one | two)) < 0.3
        assert resemblance(looks[0], looks[0]) == 1.0


def test_editions_are_known_by_the_newest_and_strangers_stay_apart() -> None:
    contract = " ".join(f"Clause {number} says what holds between the parties." for number in range(40))
    other = " ".join(f"Chapter {number} tells of ships and whales at sea." for number in range(40))
    sketches = {
        "new": sketch(contract.replace("Clause 7", "Clause 77")),
        "old": sketch(contract),
        "novel": sketch(other),
        "note": sketch("Few words."),
    }
    assert EDITIONS < resemblance(sketches["new"], sketches["old"]) < 1
    assert editions(sketches) == {"new": "new", "old": "new"}
