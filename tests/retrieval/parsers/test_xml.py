from __future__ import annotations

import pytest

from retrieval.errors import NoText, Unreadable
from retrieval.parsers.xml import parse

LAUGHS = """<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;">]><x>&c; words</x>"""
FETCHES = """<!DOCTYPE x [<!ENTITY secret SYSTEM "file:///etc/passwd">]><x>&secret; words</x>"""


def test_blocks_are_lines_titles_headings_and_rows_of_a_table_lines_of_cells() -> None:
    parsed = parse(
        b"<article><title>Leave</title><sec><title>Parental</title><p>Sixteen <b>whole</b> weeks.</p>"
        b"<table><tr><td>Who</td><td>Weeks</td></tr><tr><td>Ann</td><td>16</td></tr></table></sec></article>"
    )
    assert parsed.title == "Leave"
    assert [line for line in parsed.text.split("\n") if line] == ["Leave", "Parental", "Sixteen whole weeks.", "Who | Weeks", "Ann | 16"]
    assert [(place.label, place.level) for place in parsed.places if place.kind == "heading"] == [("Leave", 1), ("Parental", 2)]
    table = next(place for place in parsed.places if place.kind == "table")
    assert parsed.text[table.start : table.end] == "Who | Weeks\nAnn | 16" and table.label == "Who | Weeks"


def test_entities_fetch_and_unpack_nothing() -> None:
    assert parse(FETCHES.encode()).text.strip() == "words"
    with pytest.raises(Unreadable, match="entities"):
        parse(LAUGHS.encode())


@pytest.mark.parametrize(("data", "error"), [(b"<x><y/></x>", NoText), (b"<?xml", Unreadable), (b"<!DOCTYPE x>", Unreadable)])
def test_what_holds_no_words_is_refused(data: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        parse(data)


def test_damaged_xml_gives_what_can_be_read() -> None:
    assert "half" in parse(b"<a><b>half a document</b>").text
