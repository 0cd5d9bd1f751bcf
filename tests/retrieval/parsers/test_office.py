from __future__ import annotations

import io

import docx
import pytest

from retrieval.errors import NoText, ParseError, TooLarge, Unreadable
from retrieval.parsers.office import parse_docx, parse_rtf
from tests.retrieval import files

PARTS = [
    ("Heading 1", "Leave"),
    ("Normal", "Thirty days a year – for all."),
    ("List Bullet", "apply early"),
    ("Heading 2", "Sick leave"),
    ("table", [["Day", "Note"], ["1", "call us\ntwice"], ["", "3 *stars* 2**3"]]),
    ("Normal", "有給休暇"),
]
ENTITIES = (
    '<!DOCTYPE x [<!ENTITY a0 "lol">'
    + "".join(f'<!ENTITY a{level} "{f"&a{level - 1};" * 10}">' for level in range(1, 10))
    + '<!ENTITY f SYSTEM "file:///etc/passwd">]>'
).encode()


def test_headings_lists_and_tables_of_a_docx() -> None:
    parsed = parse_docx(files.docx(PARTS))
    for line in ("Leave", "Thirty days a year – for all.", "Day | Note", "1 | call us twice", "有給休暇"):
        assert f"{line}\n" in parsed.text
    assert "apply early" in parsed.text
    assert [(place.kind, place.label, place.level) for place in parsed.places] == [
        ("heading", "Leave", 1),
        ("heading", "Sick leave", 2),
        ("table", "Day | Note", 0),
    ]
    assert parsed.text[parsed.places[1].start :].startswith("Sick leave\n")
    assert parsed.title == "Leave"


def test_hidden_words_of_a_docx_are_left_out_and_said() -> None:
    parsed = parse_docx(files.docx([("Normal", "seen"), ("hidden", "SECRET"), ("Normal", "too")]))
    assert "SECRET" not in parsed.text and "seen" in parsed.text and "too" in parsed.text
    assert parsed.notes == ("Hidden text of the document was left out.",)


def test_a_table_in_a_frame_stays_a_table() -> None:
    """A table of one cell is how many letters draw a box, also around another such box."""
    whole = docx.Document()
    whole.add_paragraph("before")
    frame = whole.add_table(1, 1).cell(0, 0)
    frame.paragraphs[0].text = "Prices"
    inner = frame.add_table(1, 1).cell(0, 0).add_table(2, 2)
    for number, text in enumerate(("Part", "Price", "Pump", "9 EUR")):
        inner.cell(number // 2, number % 2).text = text
    whole.add_paragraph("after")
    file = io.BytesIO()
    whole.save(file)
    parsed = parse_docx(file.getvalue())
    assert [line for line in parsed.text.splitlines() if line] == ["before", "Prices", "Part | Price", "Pump | 9 EUR", "after"]
    assert [place.label for place in parsed.places if place.kind == "table"] == ["Part | Price"]


def test_a_docx_without_words_has_no_text() -> None:
    with pytest.raises(NoText):
        parse_docx(files.docx([]))


def test_entities_of_a_docx_are_not_expanded() -> None:
    data = files.replaced(files.docx(PARTS), "word/document.xml", b"<w:document", ENTITIES + b"<w:document")
    data = files.replaced(data, "word/document.xml", b"Thirty", b"&a9;&f;Thirty")
    try:
        text = parse_docx(data).text
    except Unreadable:
        return
    assert "lol" not in text and "root:" not in text


def test_a_docx_bomb_is_refused() -> None:
    data = files.replaced(files.docx(PARTS), "word/document.xml", b"<w:body>", b"<w:body>" + b"<w:p/>" * 6_000_000)
    with pytest.raises(TooLarge):
        parse_docx(data)


def test_a_damaged_docx_is_unreadable() -> None:
    data = files.docx(PARTS)
    with pytest.raises(ParseError):
        parse_docx(files.replaced(data, "word/document.xml", b"</w:body>", b"</w:broken>"))
    with pytest.raises(Unreadable):
        parse_docx(data[:-200])


def test_rich_text_is_read() -> None:
    parsed = parse_rtf(rb"{\rtf1\ansi\deff0 {\fonttbl{\f0 Arial;}} Thirty days \b a year\b0 .\par M\'fcller\par}")
    assert "Thirty days" in parsed.text and "Müller" in parsed.text and "Arial" not in parsed.text
