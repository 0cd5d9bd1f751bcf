"""A paper becomes the file that was asked for: readable by other programs, its notes where they belong, and nothing in it runs."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from xml.etree import ElementTree

import docx
import openpyxl
import pypdfium2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from north.exports import charts, markdown, xlsx
from north.exports import docx as word
from north.exports import pdf as portable
from north.exports.making import ExportFailed, file_name, made, offered
from north.exports.paper import Block, Note, Paper, Piece, from_plain, plain

CHART = {"kind": "bar", "title": "Units", "labels": ["North", "South"], "series": [{"name": "2025", "values": [1200, -5.5]},
         {"name": "2026", "values": [12, None]}]}  # fmt: skip


def cell(text: str, *notes: int) -> tuple[Piece, ...]:
    return (Piece(text, notes=notes),)


PAPER = Paper(
    "Notice: a/report",
    "Written by North.",
    (
        Block("heading", cell("Kündigung"), level=2),
        Block("text", (Piece("The notice period is "), Piece("thirty days", bold=True, notes=(1,)), Piece(" <b>& more*."))),
        Block("item", cell("Über Öfen", 2), marker="•"),
        Block("table", rows=((cell("Who"), cell("Days")), (cell("=HYPERLINK(1)"), cell("1,200.5", 1)), (cell("-3"), cell("n/a")))),
        Block("chart", chart=CHART),
    ),
    (Note(1, "handbook.txt", "The notice period is thirty days."), Note(2, "")),
)


def text_of(content: bytes) -> str:
    with pypdfium2.PdfDocument(content) as document:
        return "\n".join(page.get_textpage().get_text_range() for page in document)


@pytest.mark.parametrize("kind", ["docx", "pdf", "md", "xlsx", "svg"])
def test_it_is_made_in_a_process_of_its_own_and_named_after_its_title(kind: str) -> None:
    file = made(PAPER, kind)
    assert file.name == f"Notice a report.{kind}"
    assert file.content


def test_no_library_of_a_format_is_loaded_by_who_asks_for_it() -> None:
    code = "import sys, north.exports.making; assert not {'docx', 'openpyxl', 'reportlab', 'PIL'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2], check=True)


def test_what_takes_too_long_or_is_not_offered_is_said_in_words() -> None:
    with pytest.raises(ExportFailed, match="longer than"):
        made(PAPER, "pdf", seconds=0.01)
    only_text = Paper("T", "", (Block("text", cell("x")),))
    assert offered(only_text.blocks) == ["docx", "pdf", "md"]
    with pytest.raises(ExportFailed, match="cannot be had as xlsx"):
        made(only_text, "xlsx")


def test_a_paper_survives_its_journey_to_the_other_process() -> None:
    assert from_plain(plain(PAPER)) == PAPER


def test_word_gets_real_footnotes_and_a_list_of_sources() -> None:
    content = word.written(PAPER)
    paragraphs = [one.text for one in docx.Document(BytesIO(content)).paragraphs]
    assert paragraphs[:2] == ["Notice: a/report", "Written by North."]
    assert "The notice period is thirty days <b>& more*." in paragraphs
    assert paragraphs[-2:] == ["1. handbook.txt: “The notice period is thirty days.”", "2. A source you may no longer open"]
    with zipfile.ZipFile(BytesIO(content)) as parts:
        notes = ElementTree.fromstring(parts.read("word/footnotes.xml"))
        body = parts.read("word/document.xml").decode()
    said = ["".join(note.itertext()).strip() for note in notes]
    assert said == ["", "", "handbook.txt: “The notice period is thirty days.”", "A source you may no longer open",
                    "handbook.txt: “The notice period is thirty days.”"]  # fmt: skip
    assert body.count("footnoteReference") == 3


def test_a_sheet_holds_numbers_as_numbers_and_runs_nothing() -> None:
    book = openpyxl.load_workbook(BytesIO(xlsx.written(PAPER)))
    assert book.sheetnames == ["Table 1", "Table 2", "Sources"]
    sheet = book["Table 1"]
    assert (sheet["A2"].value, sheet["A2"].data_type, sheet["A2"].quotePrefix) == ("=HYPERLINK(1)", "s", True)
    assert (sheet["B2"].value, sheet["A3"].value, sheet["B3"].value) == (1200.5, -3, "n/a")
    assert "handbook.txt" in sheet["B2"].comment.text
    assert [cell.value for cell in book["Table 2"][3]] == ["South", -5.5, None]
    assert [cell.value for cell in book["Sources"][2]] == [1, "handbook.txt", "The notice period is thirty days."]


def test_a_pdf_has_its_notes_on_the_page_and_its_sources_at_the_end() -> None:
    long = [Block("text", cell("Lorem ipsum dolor. " * 60, 1)) for _ in range(9)]
    many = Paper("T", "", (*PAPER.blocks, *long, Block("text", cell("End", 2))), PAPER.notes)
    with pypdfium2.PdfDocument(portable.written(many)) as document:
        pages = [page.get_textpage().get_text_range() for page in document]
    assert len(pages) >= 2
    assert "handbook.txt" in pages[0]
    assert "Sources" in pages[-1]
    assert "".join(pages).count("handbook.txt") == 2, "once as a footnote, once in the list"


@pytest.mark.parametrize(
    ("text", "shown", "warned"),
    [
        ("Kündigungsfrist, préavis, período, výpověď, Привет, Ελλάδα – €", True, ""),
        ("就業規則は大阪で", True, "your reader's program"),
        ("नमस्ते", False, "Devanagari"),
        ("مرحبا", False, "Arabic"),
    ],
)
def test_a_pdf_shows_a_script_or_says_that_it_cannot(text: str, shown: bool, warned: str) -> None:
    said = text_of(portable.written(Paper("T", "", (Block("text", cell(text)),))))
    assert (text in said) is shown
    assert warned in said
    assert ("▯" in said) is not shown


def test_a_cell_that_is_longer_than_a_page_ends_somewhere() -> None:
    rows = ((cell("A"),), (cell("words and more " * 2000, 1),))
    assert "words and more" in text_of(portable.written(Paper("T", "", (Block("table", rows=rows),), PAPER.notes)))


def test_markdown_keeps_its_marks_apart_from_what_was_written() -> None:
    said = markdown.written(PAPER).decode()
    assert "The notice period is **thirty days**[^1] \\<b\\>& more\\*." in said
    assert "[^1]: handbook.txt: “The notice period is thirty days.”" in said
    assert "| =HYPERLINK(1) | 1,200.5[^1] |" in said
    assert "| South | -5.5 |  |" in said


@settings(max_examples=12)
@given(st.text(max_size=60), st.text(max_size=60))
def test_any_words_can_be_exported(title: str, text: str) -> None:
    paper = Paper(title, "", (Block("text", cell(text, 1)), Block("table", rows=((cell(text),), (cell(title),)))), (Note(1, text, title),))
    for written in (markdown.written, word.written, xlsx.written, portable.written):
        assert written(from_plain(plain(paper)))


@given(st.text(max_size=200))
def test_a_files_name_is_no_path_and_no_command(title: str) -> None:
    name = file_name(title)
    assert name
    assert len(name) <= 80
    assert not set(name) & set('/\\:*?"<>|\r\n\0')
    assert not name.startswith(".")


def test_a_chart_says_its_numbers_in_the_picture_and_escapes_its_words() -> None:
    drawn = charts.svg({**CHART, "title": "<script>alert(1)</script>"})
    assert "<script" not in drawn
    root = ElementTree.fromstring(drawn)
    bars = [one for one in root.iter("{http://www.w3.org/2000/svg}rect") if len(one)]
    assert [one[0].text for one in bars] == ["North, 2025: 1,200", "North, 2026: 12", "South, 2025: -5.5"]


@given(st.lists(st.one_of(st.none(), st.floats(-1e12, 1e12)), min_size=1, max_size=30), st.sampled_from(["bar", "line"]))
def test_every_value_is_drawn_inside_the_picture(values: list[float | None], kind: str) -> None:
    chart = {"kind": kind, "title": "", "labels": [str(place) for place in range(len(values))], "series": [{"name": "n", "values": values}]}
    drawn = charts.plot(chart)
    assert len(drawn.bars) + len(drawn.dots) == sum(value is not None for value in values)
    for one in (*drawn.bars, *drawn.dots):
        assert charts.LEFT <= one.x <= charts.WIDTH
        assert 0 <= one.y
        assert one.y + one.height <= charts.HEIGHT
