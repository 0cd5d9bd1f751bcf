"""The straight lines that are drawn on one PDF page, upright and flat: the edges of its tables. Knows PDFium's paths, and no table."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import pypdfium2 as pdfium
from pypdfium2 import raw

from retrieval.parsers.pdf_words import Placing

MAX_SEGMENTS: Final = 20_000
MAX_LINES: Final = 4_000
"""A page with more is a drawing."""
MAX_DEPTH: Final = 4
MIN_LENGTH: Final = 3.0
MAX_LEAN: Final = 0.5


@dataclass(frozen=True, slots=True)
class Line:
    """A line on the drawn page, in points from its top left; it is upright if `left == right`, else flat."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def upright(self) -> bool:
        return self.left == self.right


def lines(page: pdfium.PdfPage) -> list[Line]:
    """The page's flat and upright lines, the sides of its boxes among them; none, if there are so many that it is a drawing."""
    placing, (width, height) = Placing(page), page.get_size()
    found: list[Line] = []
    segments = 0
    for path, around in _paths(page, raw.FPDFPage_CountObjects, raw.FPDFPage_GetObject, pdfium.PdfMatrix()):
        segments += raw.FPDFPath_CountSegments(path)
        if segments > MAX_SEGMENTS or len(found) > MAX_LINES:
            return []
        if _is_seen(path):
            matrix = _matrix(path).multiply(around)
            for one, other in _segments(path):
                start, end = placing.placed_point(*matrix.on_point(*one)), placing.placed_point(*matrix.on_point(*other))
                if line := _straight(start[0] * width, start[1] * height, end[0] * width, end[1] * height):
                    found.append(line)
    return found


def _paths(holder: Any, count: Any, get: Any, around: pdfium.PdfMatrix, depth: int = 0) -> Iterator[tuple[Any, pdfium.PdfMatrix]]:
    """PDFium's handles of a page's or form's paths, each with the matrix of the forms around it. (A text may be 100,000 objects.)"""
    for index in range(count(holder)):
        handle = get(holder, index)
        kind = raw.FPDFPageObj_GetType(handle)
        if kind == raw.FPDF_PAGEOBJ_PATH:
            yield handle, around
        elif kind == raw.FPDF_PAGEOBJ_FORM and depth < MAX_DEPTH:
            inner = _matrix(handle).multiply(around)
            yield from _paths(handle, raw.FPDFFormObj_CountObjects, raw.FPDFFormObj_GetObject, inner, depth + 1)


def _matrix(handle: Any) -> pdfium.PdfMatrix:
    matrix = raw.FS_MATRIX()
    raw.FPDFPageObj_GetMatrix(handle, matrix)
    return pdfium.PdfMatrix.from_raw(matrix)


def _is_seen(path: Any) -> bool:
    fill, stroke = ctypes.c_int(), ctypes.c_int()
    return bool(raw.FPDFPath_GetDrawMode(path, fill, stroke)) and bool(fill.value or stroke.value)


def _segments(path: Any) -> Iterator[tuple[tuple[float, float], tuple[float, float]]]:
    """The ends of the path's straight parts."""
    x, y = ctypes.c_float(), ctypes.c_float()
    first = last = (0.0, 0.0)
    for index in range(raw.FPDFPath_CountSegments(path)):
        segment = raw.FPDFPath_GetPathSegment(path, index)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point, kind = (x.value, y.value), raw.FPDFPathSegment_GetType(segment)
        if kind == raw.FPDF_SEGMENT_MOVETO:
            first = point
        elif kind == raw.FPDF_SEGMENT_LINETO:
            yield last, point
        last = point
        if raw.FPDFPathSegment_GetClose(segment):
            yield last, first


def _straight(left: float, top: float, right: float, bottom: float) -> Line | None:
    across, down = abs(right - left), abs(bottom - top)
    if across >= MIN_LENGTH and down <= MAX_LEAN:
        return Line(min(left, right), (top + bottom) / 2, max(left, right), (top + bottom) / 2)
    if down >= MIN_LENGTH and across <= MAX_LEAN:
        return Line((left + right) / 2, min(top, bottom), (left + right) / 2, max(top, bottom))
    return None
