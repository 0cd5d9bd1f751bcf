from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.errors import NoText, TooLarge, Unreadable
from retrieval.parsers.cleaning import clean
from retrieval.parsers.sheets import MAX_ROWS, parse_csv, parse_xls, parse_xlsx
from tests.retrieval import files

PRICES = [["Item", "Price", "From"], ["Pen", 2.5, date(2026, 1, 1)], ["Desk", 300, datetime(2026, 2, 1, 9, 30)]]


def test_each_row_says_its_headers_and_has_its_place() -> None:
    parsed = parse_xlsx(files.xlsx({"Prices": PRICES, "Staff": [["Name", "Remote"], ["Ann", True]]}))
    assert parsed.text == (
        "Prices\nItem | Price | From\nItem: Pen; Price: 2.5; From: 2026-01-01\nItem: Desk; Price: 300; From: 2026-02-01 09:30\n"
        "\nStaff\nName | Remote\nName: Ann; Remote: yes\n"
    )
    rows = {place.label: parsed.text[place.start : place.end] for place in parsed.places if place.kind == "row"}
    assert rows["Prices!2"] == "Item: Pen; Price: 2.5; From: 2026-01-01"
    assert rows["Staff!2"] == "Name: Ann; Remote: yes"
    assert [place.label for place in parsed.places if place.kind == "heading"] == ["Prices", "Staff"]


def test_row_numbers_count_empty_rows_and_titles_are_no_headers() -> None:
    parsed = parse_xlsx(files.xlsx({"A": [[], ["Sales 2026"], [], ["City", "2025", "2026"], ["Bonn", 1, 2]]}))
    assert [place.label for place in parsed.places if place.kind == "row"] == ["A!2", "A!4", "A!5"]
    assert parsed.text.endswith("City: Bonn; 2025: 1; 2026: 2\n")


def test_rows_of_numbers_are_no_headers() -> None:
    assert parse_csv(b"1,2\n3,4\n").text == "1 | 2\n3 | 4\n"


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(delimiter: str) -> None:
    lines = [["Name", "Note"], ["Ann", '"a, b; c"'], ["Bob", "x"]]
    parsed = parse_csv("\r\n".join(delimiter.join(line) for line in lines).encode())
    assert parsed.text == "Name | Note\nName: Ann; Note: a, b; c\nName: Bob; Note: x\n"
    assert [(place.kind, place.label) for place in parsed.places] == [("row", "1"), ("row", "2"), ("row", "3")]


def test_a_cell_of_many_lines_stays_one_row() -> None:
    assert parse_csv(b'a,b\n"one\ntwo",3\n').text == "a | b\na: one two; b: 3\n"


def test_csv_in_other_encodings_is_read() -> None:
    assert "Name: Jürgen" in parse_csv("Name;Ort\nJürgen;Köln\n".encode("cp1252")).text
    assert "Name: Jürgen" in parse_csv("Name;Ort\nJürgen;Köln\n".encode("utf-16")).text


def test_a_hidden_sheet_is_left_out_and_named() -> None:
    parsed = parse_xlsx(files.xlsx({"A": [["a", "b"]], "Secret": [["SECRET", "x"]]}, hidden="Secret"))
    assert "SECRET" not in parsed.text and parsed.notes == ('The hidden sheet "Secret" was left out.',)


def test_very_many_rows_are_cut_with_a_note() -> None:
    parsed = parse_csv(b"a,b\n" + b"1,2\n" * (MAX_ROWS + 10))
    assert sum(place.kind == "row" for place in parsed.places) == MAX_ROWS
    assert parsed.notes == ("Only the first 50,000 filled rows of a sheet were read.",)


def test_very_many_rows_of_a_workbook_are_cut_with_a_note() -> None:
    parsed = parse_xlsx(files.xlsx({"A": [["a"]] * (MAX_ROWS + 2)}))
    assert parsed.notes == ("Only the first 50,000 filled rows of a sheet were read.",)


def test_an_empty_workbook_has_no_text() -> None:
    with pytest.raises(NoText):
        parse_xlsx(files.xlsx({"A": []}))


def test_a_damaged_workbook_is_unreadable() -> None:
    data = files.xlsx({"A": PRICES})
    with pytest.raises(Unreadable):
        parse_xlsx(files.replaced(data, "xl/workbook.xml", b"<sheets>", b"<sheets"))
    with pytest.raises(Unreadable):
        parse_xls(b"\xd0\xcf\x11\xe0" + bytes(600))


def test_a_workbook_that_unpacks_to_far_more_is_refused() -> None:
    data = files.replaced(files.xlsx({"A": PRICES}), "xl/workbook.xml", b"<sheets>", b" " * 30_000_000 + b"<sheets>")
    with pytest.raises(TooLarge):
        parse_xlsx(data)


def test_entities_of_a_workbook_are_not_expanded() -> None:
    doctype = b'<!DOCTYPE x [<!ENTITY a "lol"><!ENTITY f SYSTEM "file:///etc/passwd">]><worksheet'
    data = files.replaced(files.xlsx({"A": PRICES}), "xl/worksheets/sheet1.xml", b"<worksheet", doctype)
    with suppress(Unreadable):
        assert "root:" not in parse_xlsx(data).text


@pytest.mark.parametrize("data", [b'"","\0"', b"a,b\n" + b"\0" * 40])
def test_a_sheet_of_binary_data_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable, match="binary data"):
        parse_csv(data)


@settings(deadline=None)
@given(st.lists(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=8), max_size=4), max_size=15))
def test_every_cell_of_any_sheet_is_in_its_row(rows: list[list[str]]) -> None:
    data = "\n".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows).encode(errors="replace")
    try:
        parsed = parse_csv(data)
    except NoText:
        return
    assert clean(parsed.text) == parsed.text
    for place in parsed.places:
        assert parsed.text[place.start : place.end].strip() and "\n" not in parsed.text[place.start : place.end]
