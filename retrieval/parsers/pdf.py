"""PDF: the words of every page with their boxes, by PDFium. Pages are places; tables drawn with lines become lines "a | b | c".

The words stand in the order of the page's content. A word that is parted by a hyphen at a line's end is joined again, with a box for
each part. What lies outside the page is not read: nobody sees it there. Pictures of text (scans) are not read.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import pypdfium2 as pdfium
from pypdfium2 import raw

from retrieval.errors import Encrypted, TooLarge, Unreadable
from retrieval.parsers import load
from retrieval.parsers.cleaning import Draft
from retrieval.parsers.pdf_lines import lines
from retrieval.parsers.pdf_words import Token, clamped, on_page, tokens
from retrieval.parsers.properties import describe
from retrieval.types import Parsed, Word

MAX_PAGES: Final = 5000
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


def parse(data: bytes) -> Parsed:
    document = open_pdf(data)
    draft, reader = Draft("application/pdf"), _Reader(document)
    words: list[Word] = []
    for number in range(1, len(document) + 1):
        found = reader.read(number)
        draft.paragraph()
        first = draft.length
        for place, token in enumerate(found):
            draft.write(token.before if place else "")
            start, end = draft.write(token.text)
            if start < end:
                words.append(Word(start, end, number, token.box))
        draft.place("page", str(number), first, draft.length)
    draft.title = document.get_metadata_value("Title")
    author, created, updated = map(document.get_metadata_value, ("Author", "CreationDate", "ModDate"))
    describe(draft, authors=[author], created=created, updated=updated)
    reader.write_notes(draft)
    which = f"its {len(document)} pages hold" if len(document) > 1 else "its page holds"
    return draft.parsed(words=words, pages=len(document), nothing=f"{which} pictures only, or nothing")


class _Reader:
    """Reads one document's pages, and remembers what could not be read."""

    def __init__(self, document: pdfium.PdfDocument) -> None:
        self._document = document
        self._has_form = document.get_formtype() not in (raw.FORMTYPE_NONE, raw.FORMTYPE_XFA_FULL)
        if self._has_form:
            document.init_forms()
        self._pictures: list[int] = []
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
        if not found and next(page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=3), None) is not None:
            self._pictures.append(number)
        ruled = lines(page) if found else []
        if sum(line.upright for line in ruled) >= 3 and sum(not line.upright for line in ruled) >= 3:
            found = load(TABLES)(found, ruled, page.get_size())
        page.close()
        return found

    def _page(self, number: int) -> pdfium.PdfPage:
        page = self._document[number - 1]
        if self._has_form:
            raw.FPDFPage_Flatten(page, raw.FLAT_NORMALDISPLAY)  # What was filled into a form becomes text of the page.
            page.close()
            page = self._document[number - 1]
        return page

    def write_notes(self, draft: Draft) -> None:
        for pages, what in (
            (self._pictures, "no text (scans)"),
            (self._broken, "damaged content that could not be read"),
            (self._outside, "text outside the page, which was left out"),
        ):
            if pages:
                draft.note(f"Page {pages[0]} holds {what}." if len(pages) == 1 else f"Pages {_ranges(pages)} hold {what}.")


def _ranges(pages: Sequence[int]) -> str:
    """3, 4, 5, 8 as "3-5, 8"."""
    runs: list[list[int]] = []
    for page in pages:
        if runs and runs[-1][1] == page - 1:
            runs[-1][1] = page
        else:
            runs.append([page, page])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
