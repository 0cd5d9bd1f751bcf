"""A Paper as a PDF: real footnotes at the foot of the page that names a source first, and the list of sources at the end.

reportlab sets the paragraphs; the pages are filled here, since it knows no footnotes.
"""

from __future__ import annotations

from collections.abc import Iterable
from io import BytesIO
from typing import Any
from xml.sax.saxutils import escape

from reportlab.graphics.shapes import Drawing, Line, PolyLine, Rect, String
from reportlab.lib.colors import HexColor
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfgen.canvas import Canvas
from reportlab.platypus import Flowable, HRFlowable, Paragraph, Spacer, Table, TableStyle

from north.exports import charts
from north.exports.lettering import BOLD, EASTERN, SANS, Letters
from north.exports.paper import Block, Cell, Note, Paper, footnote, words

MARGIN = 62.0
WIDTH, HEIGHT = A4[0] - 2 * MARGIN, A4[1] - 2 * MARGIN
GREY, LINE, INK, WARNING = map(HexColor, ("#555555", "#c8c8c8", "#1a1a1a", "#8a4b00"))
FOOT_SHARE = 0.4
"""Of a page that footnotes may take; what has no room is in the list of sources."""


def written(paper: Paper) -> bytes:
    file = BytesIO()
    canvas = Canvas(file, pagesize=A4, pageCompression=1, invariant=1)
    canvas.setTitle(paper.title)
    canvas.setAuthor("North")
    Pages(canvas, Setter(paper)).fill()
    canvas.save()
    return file.getvalue()


class Setter:
    """Blocks as flowables of reportlab, each with the sources it names."""

    def __init__(self, paper: Paper) -> None:
        self.paper = paper
        self.notes = {note.number: note for note in paper.notes}
        cells = [cell for block in paper.blocks for cell in (block.pieces, *(cell for row in block.rows for cell in row))]
        drawn = [cell for block in paper.blocks if block.chart for row in charts.rows_of(block.chart) for cell in row]
        said = [paper.title, paper.lead, *map(words, cells), *drawn, *(footnote(note, paper) for note in paper.notes)]
        self.letters = Letters("".join(said))

    def flowables(self) -> list[tuple[Flowable, list[int]]]:
        title = self.words(self.paper.title, 20, bold=True, after=4)
        lead = self.words(self.paper.lead, 9, colour=GREY, after=12)
        body = [(flowable, block.notes) for block in self.paper.blocks for flowable in self.block(block)]
        sources = [(self.words(self.paper.word("sources"), 13, bold=True, before=14), []), *self.listed()] if self.notes else []
        warnings: list[tuple[Flowable, list[int]]] = [(self.words(said, 9, colour=WARNING, after=10), []) for said in self.warnings()]
        return [(title, []), *([(lead, [])] if self.paper.lead else []), *warnings, *body, *sources]

    def warnings(self) -> Iterable[str]:
        if self.letters.missing:
            yield self.paper.word("missing") % ", ".join(sorted(self.letters.missing))
        if self.letters.is_eastern:
            yield self.paper.word("eastern")

    def listed(self) -> Iterable[tuple[Flowable, list[int]]]:
        for note in self.paper.notes:
            yield self.words(f"{note.number}. {footnote(note, self.paper)}", 9, indent=18, anchor=f"source-{note.number}"), []

    def footnote(self, note: Note) -> Paragraph:
        return self.words(f"{note.number}  {footnote(note, self.paper)}", 8, colour=GREY, after=1)

    def block(self, block: Block) -> list[Flowable]:
        match block.kind:
            case "heading":
                return [self.cell(block.pieces, max(17 - 2 * block.level, 11), bold=True, before=10)]
            case "item":
                return [self.cell(block.pieces, 10, indent=16 * block.level, bullet=block.marker, after=3)]
            case "rule":
                return [HRFlowable(width="100%", color=LINE, spaceBefore=6, spaceAfter=6)]
            case "table":
                return [self.table([[self.cell(cell, 9, after=0) for cell in row] for row in block.rows])]
            case "chart":
                return self.chart(block.chart)
        return [self.cell(block.pieces, 10, **({} if block.kind == "text" else {"indent": 18, "colour": GREY}))]

    def chart(self, chart: charts.Chart) -> list[Flowable]:
        title = self.words(str(chart["title"]), 11, bold=True, before=8)
        rows = [[self.words(cell, 9, after=0) for cell in row] for row in charts.rows_of(chart)]
        return [title, picture(chart, self.letters), Spacer(1, 8), self.table(rows)]

    def table(self, rows: list[list[Paragraph]]) -> Table:
        lines = [("GRID", (0, 0), (-1, -1), 0.5, LINE), ("VALIGN", (0, 0), (-1, -1), "TOP"), ("BACKGROUND", (0, 0), (-1, 0), "#f0f0f0")]
        return Table(rows, colWidths=[WIDTH / len(rows[0])] * len(rows[0]), repeatRows=1, splitInRow=1, style=TableStyle(lines))

    def inner(self, cell: Cell) -> str:
        return "".join(self.piece(piece.text, piece.bold, piece.italic) + self.raised(piece.notes) for piece in cell)

    def piece(self, text: str, bold: bool, italic: bool) -> str:
        said = self.letters.markup(text)
        said = f"<b>{said}</b>" if bold else said
        return f"<i>{said}</i>" if italic else said

    def raised(self, numbers: Iterable[int]) -> str:
        return "".join(f'<super size="7"> <a href="#source-{number}">{number}</a></super>' for number in numbers if number in self.notes)

    def cell(self, cell: Cell, size: float, **looks: Any) -> Paragraph:
        return self.paragraph(self.inner(cell), size, **looks)

    def words(self, text: str, size: float, **looks: Any) -> Paragraph:
        return self.paragraph(self.letters.markup(text), size, **looks)

    def paragraph(
        self, inner: str, size: float, *, bold: bool = False, colour: Any = INK, indent: float = 0, before: float = 0, after: float = 6,
        bullet: str = "", anchor: str = "",
    ) -> Paragraph:  # fmt: skip
        style = ParagraphStyle(
            "one", fontName=BOLD if bold else SANS, fontSize=size, leading=size * 1.45, textColor=colour, leftIndent=indent,
            spaceBefore=before, spaceAfter=after, bulletIndent=max(indent - 14, 0), bulletFontName=SANS, bulletFontSize=size,
            wordWrap="CJK" if EASTERN.search(inner) else None, splitLongWords=1,
        )  # fmt: skip
        return Paragraph((f'<a name="{anchor}"/>' if anchor else "") + inner, style, bulletText=escape(bullet) or None)


class Pages:
    """Fills page after page; what is named for the first time on one has its footnote there."""

    def __init__(self, canvas: Canvas, setter: Setter) -> None:
        self.canvas, self.setter = canvas, setter
        self.y = HEIGHT
        self.foot: list[Paragraph] = []
        self.told: set[int] = set()
        self.number = 1

    def fill(self) -> None:
        for flowable, numbers in self.setter.flowables():
            self.put(flowable, numbers)
        self.end()

    def put(self, flowable: Flowable, numbers: list[int]) -> None:
        self.y -= flowable.getSpaceBefore() if self.y < HEIGHT else 0
        left: Flowable | None = flowable
        while left is not None:
            fresh = self.fresh(numbers)
            room = self.y - self.high([*self.foot, *fresh.values()])
            height = left.wrap(WIDTH, max(room, 1))[1]
            if height <= room:
                self.draw(left, height, fresh)
                return
            parts = left.split(WIDTH, room) if room > 30 else []
            if len(parts) > 1:
                self.draw(parts[0], parts[0].wrap(WIDTH, room)[1], fresh)
                left = parts[1]
            elif self.y == HEIGHT and not self.foot:  # higher than a page, and cannot be split: what fits is shown
                self.draw(left, min(height, room), fresh)
                return
            self.end()

    def draw(self, flowable: Flowable, height: float, fresh: dict[int, Paragraph]) -> None:
        flowable.drawOn(self.canvas, MARGIN, MARGIN + self.y - height)
        self.y -= height + flowable.getSpaceAfter()
        self.foot += fresh.values()
        self.told |= fresh.keys()

    def fresh(self, numbers: list[int]) -> dict[int, Paragraph]:
        """Footnotes that this page would get, as many as have room."""
        found: dict[int, Paragraph] = {}
        for number in numbers:
            if number in self.setter.notes and number not in self.told:
                note = self.setter.footnote(self.setter.notes[number])
                if self.high([*self.foot, *found.values(), note]) <= HEIGHT * FOOT_SHARE:
                    found[number] = note
        return found

    def high(self, notes: list[Paragraph]) -> float:
        return sum(note.wrap(WIDTH, HEIGHT)[1] + 1 for note in notes) + (10 if notes else 0)

    def end(self) -> None:
        y = self.high(self.foot)
        if self.foot:
            self.canvas.setStrokeColor(LINE)
            self.canvas.line(MARGIN, MARGIN + y - 4, MARGIN + WIDTH / 3, MARGIN + y - 4)
            y -= 10
        for note in self.foot:
            height = note.wrap(WIDTH, HEIGHT)[1]
            note.drawOn(self.canvas, MARGIN, MARGIN + y - height)
            y -= height + 1
        self.canvas.setFont(SANS, 8)
        self.canvas.setFillColor(GREY)
        self.canvas.drawRightString(MARGIN + WIDTH, MARGIN - 26, str(self.number))
        self.canvas.showPage()
        self.y, self.foot, self.number = HEIGHT, [], self.number + 1


def picture(chart: charts.Chart, letters: Letters) -> Drawing:
    """The chart as a picture of lines and letters, as `charts` lays it out."""
    drawn, scale = charts.plot(chart), WIDTH / charts.WIDTH
    legend = drawn.names if len(drawn.names) > 1 else ()
    drawing = Drawing(WIDTH, charts.HEIGHT * scale)
    for tick in drawn.ticks:
        drawing.add(Line(charts.LEFT, flipped(tick.y), charts.WIDTH - charts.RIGHT, flipped(tick.y), strokeColor=LINE, strokeWidth=0.5))
        drawing.add(word(tick.x, tick.y + 4, tick.text, "end", letters))
    for label in drawn.labels:
        drawing.add(word(label.x, label.y, label.text, "middle", letters))
    for bar in drawn.bars:
        colour = HexColor(charts.COLOURS[(bar.series - 1) % len(charts.COLOURS)])
        drawing.add(Rect(bar.x, flipped(bar.y + bar.height), bar.width, bar.height, fillColor=colour, strokeColor=None))
    for series, points in drawn.lines:
        places = [float(part) for point in points.split() for part in point.split(",")]
        flat = [flipped(value) if place % 2 else value for place, value in enumerate(places)]
        drawing.add(PolyLine(flat, strokeColor=HexColor(charts.COLOURS[(series - 1) % len(charts.COLOURS)]), strokeWidth=1.5))
    for place, name in enumerate(legend):
        x = charts.LEFT + place * (charts.WIDTH - charts.LEFT) // len(legend)
        drawing.add(Rect(x, 0, 9, 9, fillColor=HexColor(charts.COLOURS[place % len(charts.COLOURS)]), strokeColor=None))
        drawing.add(word(x + 14, charts.HEIGHT - 1, name[:18], "start", letters))
    drawing.scale(scale, scale)
    return drawing


def flipped(y: float) -> float:
    return charts.HEIGHT - y


def word(x: int, y: int, text: str, anchor: str, letters: Letters) -> String:
    said = "".join(map(letters.letter, text))
    font = letters.eastern if EASTERN.search(said) else SANS
    return String(x, flipped(y), said, fontName=font, fontSize=10, textAnchor=anchor, fillColor=GREY)
