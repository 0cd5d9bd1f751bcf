from __future__ import annotations

import time
import unicodedata
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from retrieval.chunking import chunk
from retrieval.types import Parsed, Place

PIECES = [
    "word",
    "a",
    "Leave is granted. ",
    "! ",
    "\n",
    "\n\n",
    "  ",
    "\t",
    "\u3000",
    "。",
    "日本語",
    "の文",
    "한국어 ",
    "नमस्ते ",
    "e\u0301",
    "👩‍👩‍👧",
    "।",
    "x" * 30,
]
TEXTS = st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=80).map("".join).filter(lambda text: "\r" not in text)
CELLS = st.sampled_from(["Anna", "12.50", "3. ", "\n", "営業部。", "x" * 9])
ROWS = st.lists(CELLS, min_size=1, max_size=8).map(" | ".join)
SIZES = st.integers(4, 60).flatmap(lambda size: st.tuples(st.just(size), st.integers(0, size // 4)))


def parsed(text: str, *places: Place, title: str = "") -> Parsed:
    return Parsed(text, "text/plain", title, places)


@given(TEXTS, SIZES)
def test_it_keeps_every_character_of_the_text_and_invents_none(text: str, sizes: tuple[int, int]) -> None:
    characters, overlap = sizes
    chunks = chunk(parsed(text), characters=characters, overlap=overlap)
    assert [one.ordinal for one in chunks] == list(range(len(chunks)))
    assert all(one.text == text[one.start : one.end] and one.text.strip() == one.text != "" for one in chunks)
    assert all(len(one.text) <= characters for one in chunks)
    held = {place for one in chunks for place in range(one.start, one.end)}
    assert all(place in held for place, letter in enumerate(text) if not letter.isspace())


@given(TEXTS, SIZES)
@example("word👩\u200d👩\u200d👧", (4, 1))
def test_chunks_move_on_and_repeat_no_more_than_the_overlap(text: str, sizes: tuple[int, int]) -> None:
    chunks = chunk(parsed(text), characters=sizes[0], overlap=sizes[1])
    for before, after in pairwise(chunks):
        assert before.start < after.start
        assert before.end < after.end
        assert before.end - after.start <= sizes[1]


@given(st.lists(ROWS, max_size=30), SIZES)
def test_a_row_that_fits_is_whole_in_some_chunk(rows: list[str], sizes: tuple[int, int]) -> None:
    text, places = "", []
    for number, row in enumerate(rows):
        places.append(Place(len(text), len(text) + len(row), "row", f"Prices!{number}"))
        text += row + "\n"
    chunks = chunk(parsed(text, *places), characters=sizes[0], overlap=sizes[1])
    for row in rows:
        if 0 < len(row.strip()) <= sizes[0]:
            assert any(row.strip() in one.text for one in chunks)


def test_it_cuts_between_paragraphs_rather_than_sentences() -> None:
    text = "One. Two. Three.\n\nFour. Five. Six. Seven."
    assert [one.text for one in chunk(parsed(text), characters=30, overlap=0)] == ["One. Two. Three.", "Four. Five. Six. Seven."]


def test_it_cuts_after_sentences_rather_than_words() -> None:
    text = "The notice period is long. It is three months in all cases."
    assert [one.text for one in chunk(parsed(text), characters=40, overlap=0)] == [
        "The notice period is long.",
        "It is three months in all cases.",
    ]


def test_it_cuts_japanese_after_sentences() -> None:
    text = "契約期間は三年です。解約は書面で行います。" * 3
    for one in chunk(parsed(text), characters=24, overlap=0):
        assert one.text.endswith("。")


def test_it_cuts_text_without_any_space_and_overlaps_it() -> None:
    chunks = chunk(parsed("x" * 2500))
    assert [len(one.text) for one in chunks[:2]] == [1000, 1000]
    assert chunks[1].start == 880


def test_it_does_not_part_a_letter_from_its_marks() -> None:
    for one in chunk(parsed("नि" * 200 + "e\u0301" * 200), characters=21, overlap=3):
        assert not unicodedata.category(one.text[0]).startswith("M")


def test_a_cut_inside_a_paragraph_is_overlapped_by_whole_words() -> None:
    words = " ".join(f"word{number}" for number in range(100))
    first, second = chunk(parsed(words), characters=400, overlap=60)[:2]
    assert 0 < first.end - second.start <= 60
    assert second.text.split()[0] in words.split()


def test_a_heading_begins_a_new_chunk_and_names_it() -> None:
    text = "Intro text of some length here.\nLeave\nThirty days a year are granted to all."
    at = text.index("Leave")
    places = Place(0, 5, "heading", "Intro"), Place(at, at + 5, "heading", "4.2 Leave")
    chunks = chunk(parsed(text, *places, title="Handbook"), characters=50, overlap=0)
    assert [one.heading for one in chunks] == ["Handbook > Intro", "Handbook > 4.2 Leave"]
    assert chunks[1].text.startswith("Leave")


@pytest.mark.parametrize(
    ("kind", "label", "heading"),
    [
        ("row", "Prices!7", "Prices"),
        ("slide", "2", ""),
        ("slide", "2: Goals", "2: Goals"),
        ("page", "3", ""),
        ("heading", " A \n B ", "A B"),
    ],
)
def test_the_heading_is_what_a_reader_would_call_the_place(kind: str, label: str, heading: str) -> None:
    assert chunk(parsed("words", Place(0, 5, kind, label)))[0].heading == heading


def test_a_title_that_is_also_the_heading_is_said_once() -> None:
    assert chunk(parsed("words", Place(0, 5, "heading", "Leave"), title="Leave"))[0].heading == "Leave"


@pytest.mark.parametrize("text", ["", " \n\t \u3000", "\n" * 5000])
def test_white_space_alone_gives_no_chunk(text: str) -> None:
    assert chunk(parsed(text)) == []


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="overlap"):
        chunk(parsed("x"), characters=100, overlap=50)


@pytest.mark.parametrize("piece", ["a", " ", "\n", ".", ".'", "\n ", "a\u0301\u0301", "。", "\u200d", "a \n"])
def test_a_line_of_millions_takes_time_in_proportion(piece: str) -> None:
    text = piece * (2_000_000 // len(piece))
    began = time.process_time()
    chunk(parsed(text))
    assert time.process_time() - began < 3


def test_a_table_that_fits_is_not_parted() -> None:
    table = "Who | Days\nAnn | 30\nBob | 28"
    text = f"{'Some words before it. ' * 3}\n{table}"
    start = text.index(table)
    chunks = chunk(parsed(text, Place(start, len(text), "table", "Who | Days")), characters=80, overlap=0)
    assert [one.text for one in chunks][-1] == table


def test_a_row_of_a_long_table_is_whole_and_stands_under_the_columns() -> None:
    table = "\n".join(["Who | Days", *(f"Person {number} | {number}" for number in range(40))])
    chunks = chunk(parsed(table, Place(0, len(table), "table", "Who | Days"), title="Leave"), characters=120, overlap=20)
    assert all(f"Person {number} | {number}" in " ".join(one.text for one in chunks) for number in range(40))
    assert all(line.startswith(("Who", "Person")) and line.count("|") == 1 for one in chunks for line in one.text.split("\n"))
    assert [one.heading for one in chunks] == ["Leave"] + ["Leave > Who | Days"] * (len(chunks) - 1)


def test_a_chunk_stands_under_all_the_headings_above_it() -> None:
    text = "Leave\nParental\nweeks\nPay\nmonthly"
    places = [Place(0, 6, "heading", "Leave", 1), Place(6, 21, "heading", "Parental", 2), Place(21, len(text), "heading", "Pay", 1)]
    assert [one.heading for one in chunk(parsed(text, *places, title="Handbook"), characters=12, overlap=0)][1:] == [
        "Handbook > Leave > Parental",
        "Handbook > Pay",
    ]
