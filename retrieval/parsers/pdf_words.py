"""The words of one PDF page, each with its box on the drawn page. Knows PDFium's letters, and no document."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import pypdfium2 as pdfium
from pypdfium2 import raw

from retrieval.parsers.cleaning import clean

HYPHEN: Final = "\x02"
"""What PDFium gives for a hyphen that parts a word at a line's end."""
UNITS: Final = 1_000_000
"""PDFium gives places on a page in whole units: as many as the page's width and height are cut into."""

ALONE: Final = (("\u3040", "\u30ff"), ("\u3400", "\u9fff"), ("\uf900", "\ufaff"), ("\U00020000", "\U0003ffff"))

Box = tuple[float, float, float, float]
"""Left, top, right, bottom; of a word, as fractions of the drawn page from its top left."""


@dataclass(slots=True)
class Token:
    """A run of letters on a page; `before` is what stands between it and the token before."""

    text: str
    box: Box
    before: str
    table: int = 0
    """Which table of the page it stands in, 1 being the first; 0: none."""

    @property
    def middle(self) -> tuple[float, float]:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


def tokens(page: pdfium.PdfPage) -> list[Token]:
    """The runs of letters between white space, in the order of the page's content; a Chinese or Japanese letter is a run of its own."""
    placing = Placing(page)
    found: list[Token] = []
    letters: list[str] = []
    boxes: list[Box] = []
    before, joined = "", False

    def end_token() -> None:
        nonlocal before
        if letters:
            found.append(Token("".join(letters), placing.placed(boxes), before))
            letters.clear()
            boxes.clear()
            before = ""

    for letter, box in _letters(page.get_textpage()):
        if letter == HYPHEN:
            end_token()
            joined = True
        elif letter.isspace():
            end_token()
            if not joined:
                before = "\n" if letter in "\r\n" or before == "\n" else " "
        else:
            if letters and (_stands_alone(letter) or _stands_alone(letters[-1])):
                end_token()
            letters.append(letter)
            boxes.append(box)
            joined = False
    end_token()
    return found


def on_page(token: Token) -> bool:
    across, down = token.middle
    return 0 <= across <= 1 and 0 <= down <= 1


def clamped(box: Box) -> Box:
    left, top, right, bottom = (min(1.0, max(0.0, round(edge, 5))) for edge in box)
    return left, top, right, bottom


def _letters(textpage: pdfium.PdfTextPage) -> Iterator[tuple[str, Box]]:
    """Each character of the page with its box in the page's own units: left, bottom, right, top."""
    box = raw.FS_RECTF()
    reference = ctypes.byref(box)
    high = 0
    for index in range(raw.FPDFText_CountChars(textpage)):
        code = raw.FPDFText_GetUnicode(textpage, index)
        if 0xD800 <= code < 0xDC00:
            high = code
            continue
        if 0xDC00 <= code < 0xE000:
            code = 0x10000 + ((high - 0xD800) << 10) + (code - 0xDC00) if high else 0
        high = 0
        letter = chr(code) if code < 0x110000 else ""
        if letter == HYPHEN or clean(letter):
            raw.FPDFText_GetLooseCharBox(textpage, index, reference)
            yield letter, (box.left, box.bottom, box.right, box.top)


class Placing:
    """Where PDFium draws what: takes boxes in a page's own units to fractions of the drawn page, whatever its rotation and crop."""

    def __init__(self, page: pdfium.PdfPage) -> None:
        self._origin = self._drawn(page, 0, 0)
        self._by_x = self._step(self._drawn(page, 1000, 0))
        self._by_y = self._step(self._drawn(page, 0, 1000))

    def placed(self, boxes: Sequence[Box]) -> Box:
        """The box around these boxes."""
        one = self.placed_point(min(box[0] for box in boxes), min(box[1] for box in boxes))
        other = self.placed_point(max(box[2] for box in boxes), max(box[3] for box in boxes))
        return min(one[0], other[0]), min(one[1], other[1]), max(one[0], other[0]), max(one[1], other[1])

    def placed_point(self, x: float, y: float) -> tuple[float, float]:
        return (
            self._origin[0] + x * self._by_x[0] + y * self._by_y[0],
            self._origin[1] + x * self._by_x[1] + y * self._by_y[1],
        )

    def _step(self, end: tuple[float, float]) -> tuple[float, float]:
        return (end[0] - self._origin[0]) / 1000, (end[1] - self._origin[1]) / 1000

    @staticmethod
    def _drawn(page: pdfium.PdfPage, x: float, y: float) -> tuple[float, float]:
        across, down = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(page, 0, 0, UNITS, UNITS, 0, x, y, across, down)
        return across.value / UNITS, down.value / UNITS


def _stands_alone(letter: str) -> bool:
    return letter >= "\u3040" and any(first <= letter <= last for first, last in ALONE)
