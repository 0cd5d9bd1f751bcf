"""What is to be exported, as plain data: blocks of text with the numbers of the sources that they rest on, and those sources."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

_UNSAYABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\ufdd0-\ufdef\ufffe\uffff\ud800-\udfff]")

Kind = Literal["heading", "text", "item", "quote", "code", "rule", "table", "chart"]


@dataclass(frozen=True, slots=True)
class Piece:
    """Words in one style; `notes`: the sources named behind them."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False
    notes: tuple[int, ...] = ()


Cell = tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Block:
    kind: Kind
    pieces: Cell = ()
    level: int = 1
    """Of a heading, or how deep an item stands."""
    marker: str = ""
    """Of an item: "•" or "3."."""
    rows: tuple[tuple[Cell, ...], ...] = ()
    """Of a table; the first names the columns."""
    chart: Mapping[str, Any] = field(default_factory=dict)
    """As `north.exports.charts` draws it."""

    @property
    def notes(self) -> list[int]:
        cells = [self.pieces, *(cell for row in self.rows for cell in row)]
        return list(dict.fromkeys(number for cell in cells for piece in cell for number in piece.notes))


@dataclass(frozen=True, slots=True)
class Note:
    """A source; without a name one that its reader may no longer open."""

    number: int
    name: str
    quote: str = ""


@dataclass(frozen=True, slots=True)
class Paper:
    """`lead`: what stands under the title; `said`: words of North's own in the reader's language, see WORDS."""

    title: str
    lead: str
    blocks: tuple[Block, ...]
    notes: tuple[Note, ...] = ()
    said: Mapping[str, str] = field(default_factory=dict)

    @property
    def tables(self) -> list[Block]:
        return [block for block in self.blocks if block.kind in ("table", "chart")]

    def word(self, name: str) -> str:
        return self.said.get(name) or WORDS[name]


WORDS: Mapping[str, str] = {
    "sources": "Sources",
    "closed": "A source you may no longer open",
    "table": "Table",
    "eastern": "Chinese, Japanese and Korean words are shown with the fonts of your reader's program.",
    "missing": "This font has no letters for what is marked ▯ (%s). The Word and Markdown files hold it whole.",
}


def words(cell: Sequence[Piece]) -> str:
    return "".join(piece.text for piece in cell)


def footnote(note: Note, paper: Paper) -> str:
    if not note.name:
        return paper.word("closed")
    return f"{note.name}: “{note.quote}”" if note.quote else note.name


def plain(paper: Paper) -> dict[str, Any]:
    return asdict(paper)


def from_plain(data: Mapping[str, Any]) -> Paper:
    """Without the characters that no XML may hold."""
    data = sayable(data)
    blocks = tuple(
        Block(**{**block, "pieces": _cell(block["pieces"]), "rows": tuple(tuple(map(_cell, row)) for row in block["rows"])})
        for block in data["blocks"]
    )
    return Paper(**{**data, "blocks": blocks, "notes": tuple(Note(**note) for note in data["notes"])})


def sayable(data: Any) -> Any:
    if isinstance(data, str):
        return _UNSAYABLE.sub("\N{REPLACEMENT CHARACTER}", data)
    if isinstance(data, Mapping):
        return {name: sayable(value) for name, value in data.items()}
    return [sayable(value) for value in data] if isinstance(data, list | tuple) else data


def _cell(pieces: Sequence[Mapping[str, Any]]) -> Cell:
    return tuple(_pieces(pieces))


def _pieces(pieces: Sequence[Mapping[str, Any]]) -> Iterator[Piece]:
    for piece in pieces:
        yield Piece(**{**piece, "notes": tuple(piece["notes"])})
