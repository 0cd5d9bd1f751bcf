"""The tables of a Paper as sheets: numbers as numbers, what a cell rests on as its comment, and a sheet of the sources.

What begins like a formula stays text: a sheet that was written from documents of strangers must run nothing.
"""

from __future__ import annotations

import re
from io import BytesIO

from openpyxl import Workbook
from openpyxl.cell.cell import Cell as Place
from openpyxl.chart import BarChart, LineChart, Reference
from openpyxl.comments import Comment
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from north.exports.charts import rows_of
from north.exports.paper import Block, Cell, Note, Paper, Piece, footnote, words

MOST_CHARACTERS = 32_000
"""Of a cell: Excel holds 32,767."""
_NUMBER = re.compile(r"-?(?:\d{1,3}(?:,\d{3})+|\d{1,15})(?:\.\d{1,10})?")


def written(paper: Paper) -> bytes:
    book = Workbook()
    book.remove(book.active)
    book.properties.title, book.properties.creator = paper.title[:200], "North"
    notes = {note.number: note for note in paper.notes}
    for number, block in enumerate(paper.tables, 1):
        sheet = book.create_sheet(f"{paper.word('table')} {number}"[:31])
        fill(sheet, rows(block), notes, paper)
        if block.kind == "chart":
            picture(sheet, block)
    if paper.notes:
        said = ((str(note.number), note.name or paper.word("closed"), note.quote) for note in paper.notes)
        listed = [("#", paper.word("sources"), ""), *said]
        fill(book.create_sheet(paper.word("sources")[:31]), [[(Piece(text),) for text in row] for row in listed], notes, paper)
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def rows(block: Block) -> list[list[Cell]]:
    if block.kind == "chart":
        return [[(Piece(str(cell)),) for cell in row] for row in rows_of(block.chart)]
    return [list(row) for row in block.rows]


def fill(sheet: Worksheet, rows: list[list[Cell]], notes: dict[int, Note], paper: Paper) -> None:
    for line, row in enumerate(rows, 1):
        for column, cell in enumerate(row, 1):
            place = sheet.cell(line, column)
            put(place, words(cell).strip(), heading=line == 1)
            if named := [notes[number] for piece in cell for number in piece.notes if number in notes]:
                place.comment = Comment("\n".join(f"[{note.number}] {footnote(note, paper)}" for note in named)[:2000], "North")
    for column in range(1, len(rows[0]) + 1):
        longest = max(len(words(row[column - 1])) for row in rows if column <= len(row))
        sheet.column_dimensions[get_column_letter(column)].width = min(max(longest + 2, 8), 60)
    sheet.freeze_panes = "A2"


def put(place: Place, text: str, *, heading: bool) -> None:
    if not heading and _NUMBER.fullmatch(text):
        plain = text.replace(",", "")
        place.value = float(plain) if "." in plain else int(plain)
        place.number_format = "#,##0.##########" if "," in text else "General"
        return
    place.value = text[:MOST_CHARACTERS]
    place.data_type, place.quotePrefix = "s", text[:1] in ("=", "+", "-", "@", "\t")
    place.alignment, place.font = Alignment(wrap_text=True, vertical="top"), Font(bold=heading)


def picture(sheet: Worksheet, block: Block) -> None:
    """The same numbers as Excel draws them."""
    drawn = LineChart() if block.chart.get("kind") == "line" else BarChart()
    drawn.title = str(block.chart.get("title", ""))
    last, width = len(block.chart["labels"]) + 1, len(block.chart["series"]) + 1
    drawn.add_data(Reference(sheet, min_col=2, max_col=width, min_row=1, max_row=last), titles_from_data=True)
    drawn.set_categories(Reference(sheet, min_col=1, min_row=2, max_row=last))
    sheet.add_chart(drawn, f"{get_column_letter(width + 2)}2")
