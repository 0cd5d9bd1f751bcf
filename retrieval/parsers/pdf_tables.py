"""Tables that are drawn with lines, by pdfplumber's table finder: words are put into the order of the cells. Knows no PDF."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

from pdfplumber.table import Table, cells_to_tables, edges_to_intersections, intersections_to_cells, merge_edges

from retrieval.parsers.pdf_lines import Line
from retrieval.parsers.pdf_words import Box, Token

SNAP: Final = 3.0
"""Points within which lines are one line, and touch; pdfplumber's own default."""
MIN_FILLED: Final = 0.4
"""The share of cells with words, below which a grid is a drawing."""
MAX_PARTED: Final = 0.3
"""The share of neighbouring words in different cells with no more than a space between them, above which a grid only decorates a text."""
SPACE: Final = 0.5
"""A space is not wider than this share of its line's height."""

SIGNS: Final = frozenset(("$", "€", "£", "¥", "US$"))

Grid = list[list[Box | None]]
Places = dict[tuple[int, int], list[Token]]
"""The tokens of each of a table's cells, by row and column; a place that a wider cell covers is missing."""


def in_rows(tokens: Sequence[Token], lines: Sequence[Line], size: tuple[float, float]) -> list[Token]:
    """The page's tokens with those of each table row by row, cells parted by " | ". `size`: the page's width and height in points."""
    tables = [table for grid in _grids(lines, size) if (table := _table(grid, tokens, size[0] / size[1]))]
    owner = {id(token): table for table in reversed(tables) for cell in table.values() for token in cell}
    return list(_ordered(tokens, owner))


def _grids(lines: Sequence[Line], size: tuple[float, float]) -> Iterator[Grid]:
    """Cells of each table in fractions of the page, row by row."""
    edges = [
        {"x0": line.left, "x1": line.right, "top": line.top, "bottom": line.bottom, "orientation": "v" if line.upright else "h"}
        | {"width": line.right - line.left, "height": line.bottom - line.top, "object_type": "line"}
        for line in lines
    ]
    joined = merge_edges(edges, SNAP, SNAP, SNAP, SNAP)
    merged = [edge for edge in joined if max(edge["x1"] - edge["x0"], edge["bottom"] - edge["top"]) >= SNAP]
    across, down = size
    for cells in cells_to_tables(intersections_to_cells(edges_to_intersections(merged, SNAP, SNAP))):
        rows = Table(None, cells).rows  # type: ignore[arg-type]  # rows are found in the cells alone
        yield [[cell and (cell[0] / across, cell[1] / down, cell[2] / across, cell[3] / down) for cell in row.cells] for row in rows]


def _table(grid: Grid, tokens: Sequence[Token], shape: float) -> Places:
    """The tokens in the grid's cells; nothing, where the grid is no table. `shape`: the page's width by its height."""
    cells = [(row, column, cell) for row, line in enumerate(grid) for column, cell in enumerate(line) if cell]
    if len(grid) < 2 or max(len(line) for line in grid) < 2:
        return {}
    around = (min(c[0] for *_, c in cells), min(c[1] for *_, c in cells), max(c[2] for *_, c in cells), max(c[3] for *_, c in cells))
    places: Places = {(row, column): [] for row, column, _ in cells}
    for token in tokens:
        if _inside(token, around):
            place = next(((row, column) for row, column, cell in cells if _inside(token, cell)), None)
            if place is not None:
                places[place].append(token)
    filled = sum(map(bool, places.values())) >= max(4, MIN_FILLED * len(cells))
    return places if filled and not _parts_sentences(places, tokens, shape) else {}


def _inside(token: Token, box: Box) -> bool:
    across, down = token.middle
    return box[0] <= across < box[2] and box[1] <= down < box[3]


def _parts_sentences(places: Places, tokens: Sequence[Token], shape: float) -> bool:
    """Whether words that stand like neighbours in a sentence are in different cells: then the lines are marks on a text."""
    where = {id(token): place for place, found in places.items() for token in found}
    counts: Counter[bool] = Counter()
    for one, other in pairwise(tokens):
        here, there = where.get(id(one)), where.get(id(other))
        if here and there and here != there and here[0] == there[0]:
            gap = (other.box[0] - one.box[2]) * shape
            counts[gap < SPACE * (one.box[3] - one.box[1])] += 1
    return counts[True] > MAX_PARTED * counts.total()


def _ordered(tokens: Sequence[Token], owner: dict[int, Places]) -> Iterator[Token]:
    written: set[int] = set()
    after_table = False
    for token in tokens:
        table = owner.get(id(token))
        if table is None:
            yield Token(token.text, token.box, "\n" if after_table else token.before)
            after_table = False
        elif id(table) not in written:
            written.add(id(table))
            after_table = True
            yield from _row_by_row(table, len(written))


def _row_by_row(table: Places, of_page: int) -> Iterator[Token]:
    """The tokens of this table of the page: each row's cells in order. An empty cell keeps its place, unless its whole column is
    empty; a lone "$" joins its amount."""
    columns = sorted({column for (_, column), found in table.items() if found})
    rows = sorted({row for (row, _), found in table.items() if found})
    for row in rows:
        before, sign = "\n", False
        for number, column in enumerate(column for column in columns if (row, column) in table):
            before += " " if sign else " | " if number else ""
            found = table[row, column]
            for place, token in enumerate(found):
                yield Token(token.text, token.box, (" " if token.before else "") if place else before, of_page)
            before = "" if found else before
            sign = len(found) == 1 and found[0].text in SIGNS
