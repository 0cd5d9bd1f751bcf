from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.sentences import sentences


def parts(text: str) -> list[str]:
    return [text[start:end] for start, end in sentences(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("One day. Two days! Three?", ["One day.", "Two days!", "Three?"]),
        ("Dr. Solheim signs. See p. 4 of it.", ["Dr. Solheim signs.", "See p. 4 of it."]),
        ("Das gilt z. B. am 31. März. Danach nicht.", ["Das gilt z. B. am 31. März.", "Danach nicht."]),
        ("J. Smith measured 48 V. The rest is open.", ["J. Smith measured 48 V.", "The rest is open."]),
        ("The answer is no. Ask again.", ["The answer is no.", "Ask again."]),
        ("It costs 4.80 euros at shop.example.com now.", ["It costs 4.80 euros at shop.example.com now."]),
        ("勤務時間は9時からです。昼休みは1時間です。", ["勤務時間は9時からです。", "昼休みは1時間です。"]),
        ("Il dit : « Oui. » Puis il part.", ["Il dit : « Oui. »", "Puis il part."]),
        ("- first point\n- second point\n1. third", ["first point", "second point", "third"]),
        ("# Leave\n\nYou have 28 days.", ["Leave", "You have 28 days."]),
        ("**Note:** it is so.", ["Note:** it is so."]),
        ("| a | 1 |\n| b | 2 |", ["a | 1", "b | 2"]),
        ("", []),
        ("…\n--\n**", []),
    ],
)
def test_it_finds_the_sentences(text: str, expected: list[str]) -> None:
    assert parts(text) == expected


def test_a_line_that_was_only_wrapped_goes_on() -> None:
    text = "Leave that is not taken by the end of March of the following\nyear lapses without notice. Ask first."
    assert parts(text) == [text.split(" Ask")[0], "Ask first."]


def test_rows_of_a_sheet_stay_apart() -> None:
    assert parts("Anna\t40\nBert\t50") == ["Anna\t40", "Bert\t50"]


@given(st.text(alphabet='ab .!?。\n-*|1[]()"é「」', max_size=200))
def test_they_are_in_order_apart_and_lose_no_word(text: str) -> None:
    spans = sentences(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(one[1] <= two[0] for one, two in itertools.pairwise(spans))
    lost = [i for i, c in enumerate(text) if c.isalpha() and not any(s <= i < e for s, e in spans)]
    assert not lost


@given(st.text(max_size=300))
def test_any_text_at_all_can_be_split(text: str) -> None:
    assert all(text[start:end].strip() == text[start:end] != "" for start, end in sentences(text))
