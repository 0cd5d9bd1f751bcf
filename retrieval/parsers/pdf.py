"""PDF: the words of every page with their boxes, by PDFium. Pages are places; tables drawn with lines become lines "a | b | c".

The words stand in the order of the page's content. A word that is parted by a hyphen at a line's end is joined again, with a box for
each part. What lies outside the page is not read: nobody sees it there. A page that is a picture of text (a scan), or whose letters say
nothing, is read by text recognition.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any, Final

import pypdfium2 as pdfium
from pypdfium2 import raw

from retrieval.errors import Encrypted, TooLarge, Unreadable
from retrieval.parsers import load
from retrieval.parsers.cleaning import Draft, one_line
from retrieval.parsers.pdf_lines import lines
from retrieval.parsers.pdf_words import Token, clamped, on_page, tokens
from retrieval.parsers.properties import describe
from retrieval.types import AS_USUAL, Parsed, Way, Word

MAX_PAGES: Final = 5000
RESOLUTION: Final = 240
"""Dots an inch, in which a page is drawn for text recognition; fewer for a page of more than MAX_PIXELS."""
MAX_PIXELS: Final = 12_000_000
FEW_WORDS: Final = 20
MIN_COVERED: Final = 0.5
MIN_LETTERS: Final = 0.3
MAX_HEADINGS: Final = 5000
RECOGNISER: Final = "retrieval.parsers.recognition.Recogniser"
LACKING: Final = "retrieval.parsers.recognition.missing"
TABLES: Final = "retrieval.parsers.pdf_tables.in_rows"
"""Named, not imported: pdfplumber takes longer to import than most PDFs to read, and most have no table drawn with lines."""


def open_pdf(data: bytes) -> pdfium.PdfDocument:
    """Raises Encrypted, Unreadable, or TooLarge (pages)."""
    try:
        document = pdfium.PdfDocument(data)
    except pdfium.PdfiumError as error:
        if error.err_code in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise Encrypted from error
        raise Unreadable("its PDF structure is damaged") from error
    if len(document) > MAX_PAGES:
        raise TooLarge(f"The PDF has {len(document):,} pages", f"{MAX_PAGES:,}")
    if len(document) == 0:
        raise Unreadable("it has no pages")
    return document


def parse(data: bytes, way: Way = AS_USUAL) -> Parsed:
    document = open_pdf(data)
    draft, reader = Draft("application/pdf"), _Reader(document, way)
    words, outline = list[Word](), outline_of(document)
    for number in range(1, len(document) + 1):
        found = reader.read(number) if number not in way.without else []
        draft.paragraph()
        first = draft.length
        tables: dict[int, int] = {}
        for place, token in enumerate(found):
            if place and token.table != found[place - 1].table and found[place - 1].table:
                draft.table(tables[found[place - 1].table])
            draft.write(token.before if place else "")
            start, end = draft.write(token.text)
            tables.setdefault(token.table, start)
            if start < end:
                words.append(Word(start, end, number, token.box))
        if found and found[-1].table:
            draft.table(tables[found[-1].table])
        draft.place("page", str(number), first, draft.length)
        draft.mark(outline.get(number, ()), first)
    draft.title = document.get_metadata_value("Title")
    author, created, updated = map(document.get_metadata_value, ("Author", "CreationDate", "ModDate"))
    describe(draft, authors=[author], created=created, updated=updated)
    reader.write_notes(draft)
    which = f"its {len(document)} pages hold" if len(document) > 1 else "its page holds"
    nothing = f"{which} pictures only, or nothing. {reader.lacking}".rstrip(" .")
    return draft.parsed(words=words, pages=len(document), nothing=nothing)


def outline_of(document: pdfium.PdfDocument) -> dict[int, list[tuple[str, int]]]:
    """The headings that the document's own table of contents names, and their levels, by page."""
    found: dict[int, list[tuple[str, int]]] = {}
    for mark in islice(document.get_toc(max_depth=6), MAX_HEADINGS):
        target = mark.get_dest()
        page = target.get_index() if target else None
        if page is not None and (label := one_line(mark.get_title())):
            found.setdefault(page + 1, []).append((label, mark.level + 1))
    return found


class _Reader:
    """Reads one document's pages, and remembers what could not be read."""

    def __init__(self, document: pdfium.PdfDocument, way: Way) -> None:
        self._document, self._way = document, way
        self._has_form = document.get_formtype() not in (raw.FORMTYPE_NONE, raw.FORMTYPE_XFA_FULL)
        if self._has_form:
            document.init_forms()
        self._recogniser: Any = None
        self.lacking = ""
        self._pictures: list[int] = []
        self._recognised: list[int] = []
        self._late: list[int] = []
        self._broken: list[int] = []
        self._outside: list[int] = []

    def read(self, number: int) -> list[Token]:
        """The page's tokens; those of a table row by row."""
        try:
            page = self._page(number)
            every = tokens(page)
        except pdfium.PdfiumError:
            self._broken.append(number)
            return []
        found = [Token(token.text, clamped(token.box), token.before) for token in every if on_page(token)]
        if len(found) < len(every):
            self._outside.append(number)
        if self._way.recognise == "always" or is_scan(page, found):
            found = self._seen(page, number, found)
        ruled = lines(page) if found and self._way.tables else []
        if sum(line.upright for line in ruled) >= 3 and sum(not line.upright for line in ruled) >= 3:
            found = load(TABLES)(found, ruled, page.get_size())
        page.close()
        return found

    def _seen(self, page: pdfium.PdfPage, number: int, found: list[Token]) -> list[Token]:
        """What is recognised on the drawn page; what its text layer says, where that is more or nothing can be recognised."""
        if self._way.recognise == "never" or not self._can_recognise():
            if not found:
                self._pictures.append(number)
            return found
        if self._recogniser.spent:
            self._late.append(number)
            return found
        across, down = page.get_size()
        scale = min(RESOLUTION / 72, (MAX_PIXELS / max(across * down, 1)) ** 0.5)
        picture = page.render(scale=scale, grayscale=True).to_pil()
        seen = [Token(token.text, clamped(token.box), token.before) for token in self._recogniser.read(picture, round(scale * 72))]
        if found and self._way.recognise != "always" and len(seen) <= len(found):
            return found
        (self._recognised if seen else self._pictures).append(number)
        return seen or found

    def _can_recognise(self) -> bool:
        """Makes the recogniser when the first page needs it: its libraries are of no use to other files."""
        if self._recogniser is None:
            self._recogniser = load(RECOGNISER)(self._way.languages, self._way.seconds)
            self.lacking = load(LACKING)(self._way.languages)
        return bool(self._recogniser.ready)

    def _page(self, number: int) -> pdfium.PdfPage:
        page = self._document[number - 1]
        if self._has_form:
            raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)  # What was filled into a form becomes text of the page.
            page.close()
            page = self._document[number - 1]
        return page

    def write_notes(self, draft: Draft) -> None:
        if self.lacking:
            draft.note(self.lacking)
        for pages, what in (
            (self._recognised, "pictures of text, which was recognised: look at the picture where a letter or figure matters"),
            (self._late, "scans for which there was no time left"),
            (self._pictures, "no text (scans)"),
            (self._broken, "damaged content that could not be read"),
            (self._outside, "text outside the page, which was left out"),
        ):
            if pages:
                draft.note(f"Page {pages[0]} holds {what}." if len(pages) == 1 else f"Pages {_ranges(pages)} hold {what}.")


def is_scan(page: pdfium.PdfPage, found: Sequence[Token]) -> bool:
    """Whether a page's words stand in a picture: it has none or hardly any beside one that covers it; or its letters say nothing."""
    if sum(letter.isalnum() for token in found for letter in token.text) < sum(len(token.text) for token in found) * MIN_LETTERS:
        return True
    if len(found) >= FEW_WORDS:
        return False
    across, down = page.get_size()
    pictures = list(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3))
    return bool(pictures) and (not found or any(_area(picture) >= MIN_COVERED * across * down for picture in pictures))


def _area(picture: pdfium.PdfObject) -> float:
    left, bottom, right, top = picture.get_bounds()
    return float((right - left) * (top - bottom))


def _ranges(pages: Sequence[int]) -> str:
    """3, 4, 5, 8 as "3-5, 8"."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and runs[-1][1] == page - 1:
            runs[-1][1] = page
        else:
            runs.append([page, page])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
