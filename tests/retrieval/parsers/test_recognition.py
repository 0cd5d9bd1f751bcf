from __future__ import annotations

from io import BytesIO

import pytest
from PIL import Image

from retrieval.errors import NoText
from retrieval.parsers import pdf, pictures, recognition
from retrieval.parsers.pdf_drawing import draw_page
from retrieval.types import Parsed, Way
from tests.retrieval import files
from tests.retrieval.parsers.test_pdf import ink

LINES = (
    "Notice period",
    "The notice period is three months.",
    "It begins on the day after the letter came.",
    "Whoever works shorter hours has the same period.",
    "Exceptions are agreed upon in writing.",
    "Questions are answered by the office.",
)
installed = pytest.mark.skipif(not recognition.installed(), reason="text recognition is not installed: apt-get install tesseract-ocr")


def said(parsed: Parsed) -> list[str]:
    return [line for line in parsed.text.split("\n") if line]


@installed
@pytest.mark.parametrize("turned", [0, 90])
def test_a_scan_is_read_where_it_lies_on_the_page(turned: int) -> None:
    data = files.pdf_of_scans(files.picture(*LINES, turned=turned))
    parsed = pdf.parse(data)
    assert said(parsed) == list(LINES)
    assert "recognised" in parsed.notes[0]
    picture = Image.open(BytesIO(draw_page(data, 1)))
    assert sum(ink(picture, word.box) for word in parsed.words) > 0.9 * ink(picture, (0, 0, 1, 1))
    assert all(parsed.text[word.start : word.end] in " ".join(LINES).split() for word in parsed.words)


@installed
def test_only_the_pages_without_text_are_recognised() -> None:
    written, scanned = files.pdf(["Written words."]), files.pdf_of_scans(files.picture("Scanned words."))
    parsed = pdf.parse(files.joined(written, scanned))
    assert said(parsed) == ["Written words.", "Scanned words."]
    assert parsed.notes[0].startswith("Page 2 holds pictures of text")


@installed
def test_a_person_may_switch_it_off_or_force_it() -> None:
    scan = files.pdf_of_scans(files.picture("Scanned words."))
    with pytest.raises(NoText):
        pdf.parse(scan, Way(recognise="never"))
    written = pdf.parse(files.pdf(["Written words."]), Way(recognise="always"))
    assert said(written) == ["Written words."] and "recognised" in written.notes[0]


@installed
def test_what_time_does_not_suffice_for_is_said() -> None:
    parsed = pdf.parse(files.joined(files.pdf(["Written."]), files.pdf_of_scans(files.picture("Scanned."))), Way(seconds=0))
    assert said(parsed) == ["Written."]
    assert parsed.notes == ("Page 2 holds scans for which there was no time left.",)


def test_a_page_that_is_left_out_leaves_no_word() -> None:
    parsed = pdf.parse(files.pdf(["First."], ["Second."], ["Third."]), Way(without=frozenset({2})))
    assert said(parsed) == ["First.", "Third."] and parsed.pages == 3
    assert [place.label for place in parsed.places] == ["1", "3"]


@installed
def test_a_picture_is_a_page() -> None:
    data = files.picture("Thirty days.", kind="JPEG")
    parsed = pictures.parse(data, Way())
    assert (said(parsed), parsed.pages, parsed.media_type) == (["Thirty days."], 1, "image/jpeg")
    drawn = Image.open(BytesIO(pictures.draw_page(data, 1)))
    assert sum(ink(drawn, word.box) for word in parsed.words) > 0.9 * ink(drawn, (0, 0, 1, 1))


@installed
def test_each_sheet_of_a_tiff_is_a_page() -> None:
    sheets = [Image.open(BytesIO(files.picture(words))) for words in ("First sheet.", "Second sheet.")]
    out = BytesIO()
    sheets[0].save(out, "TIFF", save_all=True, append_images=sheets[1:])
    parsed = pictures.parse(out.getvalue(), Way())
    assert [parsed.text[place.start : place.end] for place in parsed.places] == ["First sheet.", "Second sheet."]


def test_a_missing_language_is_said_with_what_to_install() -> None:
    words = recognition.missing(["en", "xx", "yi"])
    assert "apt-get install" in words and "tesseract-ocr-yid" in words
