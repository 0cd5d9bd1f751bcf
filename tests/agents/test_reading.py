from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import reading
from agents.context import Limits
from agents.reading import choose, merged, tokens_in
from retrieval.types import Passage
from tests.agents.conftest import embed_letters, handbook

BOOK = handbook()
LONG = Passage("long", "long.txt", 0, 50, 0, " ".join(p.text for p in BOOK[:8]), 1.0)
LONG = replace(LONG, end=50 + len(LONG.text))


def cost(passages: Sequence[Passage]) -> int:
    return sum(map(reading.cost, passages))


def test_what_fits_is_read_whole_and_nothing_is_embedded() -> None:
    def none(texts: object) -> np.ndarray:
        raise AssertionError("nothing should be embedded")

    assert choose(["leave"], [BOOK[:2]], none, Limits()) == BOOK[:2]


def test_a_long_passage_is_narrowed_to_the_sentences_that_matter() -> None:
    chosen = choose(["What may a hotel in Zurich cost?"], [[LONG]], embed_letters, Limits(reading_tokens=150))
    assert any("Hotels may cost up to 140 euros" in p.text for p in chosen)
    assert sum(len(p.text) for p in chosen) < len(LONG.text) / 3
    assert all(p.text == LONG.text[p.start - LONG.start : p.end - LONG.start] and p.text.endswith(".") for p in chosen)


def test_two_sentences_far_apart_are_both_read() -> None:
    text = "Calibration is due every year. " + "The housing weighs little and is grey all over. " * 8 + "Calibration costs 80 euros."
    chosen = choose(["calibration"], [[Passage("x", "x", 0, 0, len(text), text, 1.0)]], embed_letters, Limits(reading_tokens=100))
    assert [p.text for p in chosen] == ["Calibration is due every year.", "Calibration costs 80 euros."]


def test_each_search_gets_something_read() -> None:
    chosen = choose(["Compare leave and pension"], [[LONG], [BOOK[18]], [BOOK[20]]], embed_letters, Limits(reading_tokens=300))
    assert {"long", "teletravail", "tokyo"} == {p.document for p in chosen}


def test_a_search_whose_first_is_another_ones_gets_its_next_read() -> None:
    chosen = choose(["Compare leave and pension"], [[LONG, BOOK[19]], [LONG, BOOK[18]]], embed_letters, Limits(reading_tokens=200))
    assert {"long", "teletravail"} <= {p.document for p in chosen}


def test_a_sentence_longer_than_the_budget_is_cut_rather_than_left_out() -> None:
    endless = Passage("x", "x", 0, 0, 5000, "word " * 1000, 1.0)
    (passage,) = choose(["word"], [[endless]], embed_letters, Limits(reading_tokens=100))
    assert 0 < len(passage.text) == passage.end - passage.start
    assert tokens_in(passage.text) <= 100


def test_what_says_the_same_is_read_once() -> None:
    copy = replace(BOOK[0], document="copy of leave")
    part = replace(BOOK[1], start=BOOK[1].start + 5, text=BOOK[1].text[5:])
    assert merged([[BOOK[0], BOOK[1]], [copy, part, BOOK[2]]]) == [BOOK[0], BOOK[1], BOOK[2]]


def test_the_first_of_every_search_comes_before_the_second_of_any() -> None:
    assert merged([[BOOK[0], BOOK[1]], [BOOK[5], BOOK[6]]]) == [BOOK[0], BOOK[5], BOOK[1], BOOK[6]]


def test_nothing_found_is_nothing_to_read() -> None:
    assert choose(["leave"], [[], []], embed_letters, Limits()) == []


@given(st.lists(st.lists(st.integers(0, len(BOOK)), max_size=6, unique=True), max_size=3), st.integers(40, 500), st.integers(1, 8))
@settings(max_examples=60, deadline=None)
def test_it_keeps_to_the_budget_and_to_the_documents_words(places: list[list[int]], budget: int, most: int) -> None:
    found = [[[*BOOK, LONG][place] for place in some] for some in places]
    limits = Limits(reading_tokens=budget, passages=most)
    chosen = choose(["How many days of leave?"], found, embed_letters, limits)
    assert bool(chosen) == any(found)
    assert len({(p.document, p.ordinal) for p in chosen}) <= most
    assert len(chosen) == 1 or cost(chosen) <= budget
    originals = {(p.document, p.ordinal): p for results in found for p in results}
    for p in chosen:
        whole = originals[p.document, p.ordinal]
        assert p.text == whole.text[p.start - whole.start : p.end - whole.start]
        assert len(p.text) <= limits.passage_characters
