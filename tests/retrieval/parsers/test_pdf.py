from __future__ import annotations

from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from reportlab.lib.pagesizes import A4
from reportlab.pdfbase.pdfmetrics import stringWidth
from reportlab.pdfgen.canvas import Canvas

from retrieval.errors import Encrypted, NoText, TooLarge, Unreadable
from retrieval.parsers.cleaning import clean
from retrieval.parsers.pdf import MAX_PAGES, parse
from retrieval.parsers.pdf_drawing import draw_page
from retrieval.types import Parsed
from tests.retrieval import files

LATIN = st.text(st.characters(codec="latin-1", exclude_categories=("Cc", "Cf")), max_size=30)
LINES = ["Notice period", "The notice period is three months.", "Call 030 1234."]


def check(parsed: Parsed) -> None:
    """What every parsed PDF keeps."""
    assert clean(parsed.text) == parsed.text
    pages = [place.label for place in parsed.places if place.kind == "page"]
    assert pages == sorted(set(pages), key=int)
    for word in parsed.words:
        left, top, right, bottom = word.box
        assert 0 <= left <= right <= 1 and 0 <= top <= bottom <= 1
        assert parsed.text[word.start : word.end].strip() == parsed.text[word.start : word.end] != ""
        page = next(place for place in parsed.places if (place.kind, place.label) == ("page", str(word.page)))
        assert page.start <= word.start < word.end <= page.end
    covered = {spot for word in parsed.words for spot in range(word.start, word.end)}
    assert all(letter.isspace() or letter == "|" or spot in covered for spot, letter in enumerate(parsed.text))


def ink(picture: Image.Image, box: tuple[float, float, float, float]) -> int:
    """How many dark dots are in the box."""
    corners = box[0] * picture.width, box[1] * picture.height, box[2] * picture.width, box[3] * picture.height
    return sum(picture.convert("L").crop(tuple(map(round, corners))).histogram()[:128])  # type: ignore[arg-type]


def test_words_stand_on_their_pages_with_their_boxes() -> None:
    parsed = parse(files.pdf(LINES, ["Second page"]))
    check(parsed)
    assert parsed.text == "Notice period\nThe notice period is three months.\nCall 030 1234.\n\nSecond page"
    assert [parsed.text[place.start : place.end] for place in parsed.places] == ["\n".join(LINES), "Second page"]
    assert (parsed.pages, parsed.title) == (2, "A sample")
    notice = parsed.words[0]
    assert parsed.text[notice.start : notice.end] == "Notice"
    assert notice.box[0] == pytest.approx(72 / A4[0], abs=0.002)
    assert notice.box[1] < 1 - 765 / A4[1] < 1 - 760 / A4[1] < notice.box[3]


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("crop", [None, (60, 500, 400, 800)])
def test_boxes_lie_on_the_drawn_words_however_the_page_is_turned_and_cropped(rotation: int, crop: tuple[int, int, int, int] | None) -> None:
    data = files.pdf(LINES, rotation=rotation, crop=crop)
    parsed = parse(data)
    check(parsed)
    assert len(parsed.words) == 11
    picture = Image.open(BytesIO(draw_page(data, 1)))
    assert picture.width == 1200
    dots = [ink(picture, word.box) for word in parsed.words]
    assert min(dots) > 5
    assert sum(dots) >= 0.97 * ink(picture, (0, 0, 1, 1))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(LATIN, max_size=5), min_size=1, max_size=3))
def test_every_word_of_any_page_is_itself(pages: list[list[str]]) -> None:
    try:
        parsed = parse(files.pdf(*pages))
    except NoText:
        assert not "".join("".join(page) for page in pages).strip()
        return
    check(parsed)


def test_a_table_drawn_with_lines_is_read_row_by_row() -> None:
    data = files.pdf_with_table([["Item", "Unit price", "Left"], ["Pen", "2.50", ""], ["Large desk", "300", "four"]])
    parsed = parse(data)
    check(parsed)
    assert parsed.text == "Item | Unit price | Left\nPen | 2.50\nLarge desk | 300 | four"
    assert [(place.kind, parsed.text[place.start : place.end]) for place in parsed.places if place.kind != "page"] == [
        ("table", parsed.text)
    ]
    picture = Image.open(BytesIO(draw_page(data, 1)))
    assert all(ink(picture, word.box) > 5 for word in parsed.words)


def test_lines_between_the_words_of_a_sentence_are_no_table() -> None:
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4)
    canvas.setFont("Helvetica", 10)
    borders = [72 + stringWidth("the notice period is three months"[:end], "Helvetica", 10) - 1 for end in (0, 4, 11, 18, 21, 27, 35)]
    for row in range(4):
        canvas.drawString(72, 700 - 20 * row, "the notice period is three months")
    canvas.grid(borders, [632, 652, 672, 692, 712])
    canvas.save()
    assert "|" not in parse(out.getvalue()).text


def test_a_word_parted_at_a_lines_end_is_joined_with_a_box_for_each_part() -> None:
    parsed = parse(files.pdf(["The agree-", "ment ends in May."]))
    check(parsed)
    assert "The agreement ends in May." in parsed.text
    parts = [word for word in parsed.words if parsed.text[word.start : word.end] in ("agree", "ment")]
    assert len(parts) == 2 and parts[0].end == parts[1].start and parts[0].box[1] < parts[1].box[1]


def test_words_outside_the_page_are_left_out_and_said() -> None:
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4)
    canvas.drawString(72, 700, "seen")
    canvas.drawString(-300, 700, "SECRET")
    canvas.drawString(72, 2000, "SECRET")
    canvas.save()
    parsed = parse(out.getvalue())
    assert parsed.text.strip() == "seen"
    assert parsed.notes == ("Page 1 holds text outside the page, which was left out.",)


def test_what_was_filled_into_a_form_is_read() -> None:
    assert "Ada Lovelace" in " ".join(parse(files.pdf_with_form("Ada Lovelace")).text.split())


def test_a_scan_has_no_text_and_says_why() -> None:
    with pytest.raises(NoText, match="its 2 pages hold pictures only"):
        parse(files.pdf_of_pictures(2))


def test_scanned_pages_among_others_are_named() -> None:
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for page in range(1, 7):
        if page in (2, 3, 5):
            canvas.drawInlineImage(Image.new("RGB", (20, 20), "grey"), 72, 600)
        else:
            canvas.drawString(72, 700, f"page {page}")
        canvas.showPage()
    canvas.save()
    assert parse(out.getvalue()).notes == ("Pages 2-3, 5 hold no text (scans).",)


def test_a_password_is_needed() -> None:
    with pytest.raises(Encrypted):
        parse(files.pdf(LINES, password="open sesame"))


@pytest.mark.parametrize("data", [b"%PDF-1.7\nnothing", b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>"])
def test_a_broken_pdf_is_unreadable(data: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(data)


def many_pages(count: int) -> bytes:
    kids = " ".join("3 0 R" for _ in range(count))
    return (
        "%PDF-1.4\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
        f"2 0 obj<</Type/Pages/Count {count}/Kids[{kids}]>>endobj\n"
        "3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]>>endobj\ntrailer<</Root 1 0 R>>"
    ).encode()


def test_a_hundred_thousand_pages_are_refused() -> None:
    with pytest.raises(TooLarge, match="100,000 pages"):
        parse(many_pages(100_000))
    with pytest.raises(NoText):
        parse(many_pages(MAX_PAGES // 10))


def test_a_page_is_drawn_as_wide_as_asked_within_limits() -> None:
    data = files.pdf(LINES)
    assert Image.open(BytesIO(draw_page(data, 1, width=300))).size == (300, 425)
    assert Image.open(BytesIO(draw_page(data, 1, width=10**9))).width == 4000
    high = files.pdf(LINES, crop=(0, 0, 1, 800))
    assert Image.open(BytesIO(draw_page(high, 1, width=4000))).height <= 12_000


@pytest.mark.parametrize("page", [0, 2, -1])
def test_a_page_that_is_not_there_is_not_drawn(page: int) -> None:
    with pytest.raises(Unreadable, match="has no page"):
        draw_page(files.pdf(LINES), page)


def test_the_table_of_contents_gives_the_headings() -> None:
    out = BytesIO()
    canvas = Canvas(out, pagesize=A4)
    for number, (level, heading) in enumerate([(0, "1  Leave"), (1, "Parental leave"), (0, "Pay")]):
        canvas.bookmarkPage(str(number))
        canvas.addOutlineEntry(heading, str(number), level)
        canvas.drawString(72, 700, f"Before. {heading}: words.")
        canvas.showPage()
    canvas.save()
    parsed = parse(out.getvalue())
    headings = [(place.label, place.level, parsed.text[place.start :].split(":")[0]) for place in parsed.places if place.kind == "heading"]
    assert headings == [("1 Leave", 1, "1 Leave"), ("Parental leave", 2, "Parental leave"), ("Pay", 1, "Pay")]
