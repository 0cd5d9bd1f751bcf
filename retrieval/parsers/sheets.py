"""Sheets: each row becomes a line "Header: value; Header: value" and a place, so that a citation can point at the row.

Values are the ones that were stored when the file was saved: a formula that was never computed has none.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from io import BytesIO, StringIO
from itertools import chain, islice
from typing import Final
from zipfile import ZipFile

from python_calamine import CalamineError, CalamineWorkbook, PasswordError, SheetVisibleEnum, WorksheetNotFound, load_workbook

from retrieval.errors import Encrypted, Unreadable
from retrieval.parsers.archives import check_archive
from retrieval.parsers.cleaning import Draft, one_line
from retrieval.parsers.properties import describe_by_archive
from retrieval.parsers.text import decode
from retrieval.types import Parsed

OPENXML: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MAX_ROWS: Final = 50_000
HEADER_WITHIN: Final = 10
NUMBER: Final = re.compile(r"[-+(]?[\s$€£¥%]*\d[\d.,'\s]*[\s$€£¥%)]*")
YEAR: Final = re.compile(r"(?:19|20)\d\d")
DELIMITERS: Final = ",;\t|"

Cell = object
Row = tuple[int, list[str]]


def parse_xlsx(data: bytes) -> Parsed:
    return _parse_archive(data, OPENXML)


def parse_xls(data: bytes) -> Parsed:
    return _parse_workbook(data, Draft("application/vnd.ms-excel"))


def parse_ods(data: bytes) -> Parsed:
    return _parse_archive(data, "application/vnd.oasis.opendocument.spreadsheet")


def _parse_archive(data: bytes, media_type: str) -> Parsed:
    check_archive(data)
    draft = Draft(media_type)
    with ZipFile(BytesIO(data)) as archive:
        describe_by_archive(draft, archive)
    return _parse_workbook(data, draft)


def parse_csv(data: bytes) -> Parsed:
    """Rows are labelled by their number alone, as a CSV file's one sheet has no name."""
    draft = Draft("text/csv")
    text = decode(data)
    csv.field_size_limit(1_000_000)
    try:
        _Sheet(draft, "").write(enumerate(rows_of_csv(text), start=1))
    except csv.Error as error:
        raise Unreadable(f"its rows cannot be told apart: {error}") from error
    return draft.parsed()


def rows_of_csv(text: str) -> Iterator[list[str]]:
    rows = csv.reader(StringIO(text.replace("\0", ""), newline=""), delimiter=_delimiter(text))
    return ([_shown(cell) for cell in row] for row in rows)


def _parse_workbook(data: bytes, draft: Draft) -> Parsed:
    try:
        workbook = load_workbook(BytesIO(data))
        for about in workbook.sheets_metadata:
            if about.visible != SheetVisibleEnum.Visible:
                draft.note(f'The hidden sheet "{about.name}" was left out.')
            elif rows := rows_of(workbook, about.name):
                draft.paragraph()
                draft.section(about.name, 1)
                draft.line(about.name)
                _Sheet(draft, about.name).write(rows)
    except PasswordError as error:
        raise Encrypted from error
    except CalamineError as error:
        raise Unreadable("it is not a workbook that can be read") from error
    return draft.parsed(nothing="its cells hold no values")


def rows_of(workbook: CalamineWorkbook, name: str) -> list[Row]:
    """The filled rows of a sheet and the next ones' numbers, 1 being the first; a chart sheet has none."""
    try:
        sheet = workbook.get_sheet_by_name(name)
    except WorksheetNotFound:
        return []
    rows: list[Row] = []
    for number, row in enumerate(sheet.iter_rows(), start=1):
        cells = [_shown(cell) for cell in row]
        if any(cells):
            rows.append((number, cells))
        if len(rows) > MAX_ROWS:
            break
    return rows


def _shown(cell: Cell) -> str:
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, float):
        return f"{cell:.15g}"
    if isinstance(cell, datetime):
        return cell.isoformat(" ", "minutes") if cell.time() != time() else cell.date().isoformat()
    if isinstance(cell, (date, time)):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return one_line(str(cell))


class _Sheet:
    """Writes one sheet's rows into a draft."""

    def __init__(self, draft: Draft, name: str) -> None:
        self._draft = draft
        self._prefix = f"{one_line(name)[:100]}!" if name else ""

    def write(self, rows: Iterable[Row]) -> None:
        filled = (row for row in rows if any(row[1]))
        opening = list(islice(filled, HEADER_WITHIN))
        header = header_of(opening)
        headers: Sequence[str] = ()
        for count, (number, cells) in enumerate(chain(opening, filled)):
            if count >= MAX_ROWS:
                self._draft.note(f"Only the first {MAX_ROWS:,} filled rows of a sheet were read.")
                return
            start, end = self._draft.line(_line(cells, headers))
            self._draft.place("row", f"{self._prefix}{number}", start, end)
            if count == header:
                headers = cells


def header_of(opening: Sequence[Row]) -> int | None:
    """Which of a sheet's first filled rows names the columns: the first of the widest, if it holds words only."""
    widths = [sum(map(bool, cells)) for _, cells in opening]
    widest = max(widths, default=0)
    for place, (_, cells) in enumerate(opening[:-1]):
        if widths[place] >= max(2, widest - 1) and len(set(filter(None, cells))) == widths[place]:
            return None if any(_is_amount(cell) for cell in cells) or all(map(YEAR.fullmatch, filter(None, cells))) else place
    return None


def _is_amount(cell: str) -> bool:
    return len(cell) < 40 and NUMBER.fullmatch(cell) is not None and YEAR.fullmatch(cell) is None


def _line(cells: Sequence[str], headers: Sequence[str]) -> str:
    if not headers:
        return " | ".join(filter(None, cells))
    named = ((headers[column] if column < len(headers) else "", cell) for column, cell in enumerate(cells) if cell)
    return "; ".join(f"{header}: {cell}" if header else cell for header, cell in named)


def _delimiter(text: str) -> str:
    """The mark that stands equally often, and most often, in the first lines outside quotes."""
    lines = [re.sub(r'"[^"]*"', "", line) for line in text[:20_000].splitlines()[:20] if line.strip()]
    if not lines:
        return ","

    def fits(mark: str) -> tuple[bool, int]:
        counts = [line.count(mark) for line in lines]
        return min(counts) > 0 and min(counts) == max(counts), sum(counts)

    return max(DELIMITERS, key=fits)
