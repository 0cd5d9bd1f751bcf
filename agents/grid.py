"""A grid of the same questions to several documents, as data, as text for a model, and as the answer with a citation in every cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from agents.events import Citation, ClaimCheck, Source
from agents.languages import language_of

MISSING = {"en": "not found", "de": "nicht gefunden", "fr": "non trouvé", "es": "no encontrado"}
LATE = {"en": "not looked at", "de": "nicht angesehen", "fr": "non examiné", "es": "no examinado"}
NO_TIME = "There was no time left for some cells."
IN_OTHER_WORDS = "Its source says it in other words."


@dataclass(frozen=True, slots=True)
class Cell:
    """`missing`: the document does not say; `late`: there was no time to look."""

    status: Literal["found", "missing", "late"]
    text: str = ""
    source: Source | None = None
    exact: bool = False
    """Its words stand in the source as they are."""


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    document: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class Grid:
    questions: tuple[str, ...]
    rows: tuple[Row, ...]
    left_out: str = ""
    """What of all that was asked is not in it, in words."""

    def as_text(self) -> str:
        """A line a cell, for a model."""
        return "\n".join(
            f"{row.name} / {question}: {cell.text if cell.status == 'found' else MISSING['en']}"
            for row in self.rows for question, cell in zip(self.questions, row.cells, strict=True)
        )  # fmt: skip

    def as_plain(self) -> dict[str, Any]:
        rows = [{**asdict(row), "cells": [asdict(cell) for cell in row.cells]} for row in self.rows]
        return {"questions": list(self.questions), "rows": rows, "left_out": self.left_out}

    @property
    def shortfall(self) -> str:
        late = any(cell.status == "late" for row in self.rows for cell in row.cells)
        return " ".join(filter(None, (self.left_out, NO_TIME if late else "")))


def grid_of(plain: Mapping[str, Any]) -> Grid:
    rows = (Row(row["name"], row["document"], tuple(map(_cell_of, row["cells"]))) for row in plain["rows"])
    return Grid(tuple(plain["questions"]), tuple(rows), plain["left_out"])


def _cell_of(plain: Mapping[str, Any]) -> Cell:
    return Cell(**{**plain, "source": Source(**plain["source"]) if plain["source"] else None})


def written(grid: Grid, question: str) -> tuple[str, tuple[Citation, ...], tuple[ClaimCheck, ...]]:
    """The table in markdown, which words of it rest on which, and what is to be said of each cell. Empty cells are in the question's
    language."""
    language = language_of(question) or "en"
    text = _line(["", *grid.questions]) + "\n" + "|" + " --- |" * (len(grid.questions) + 1)
    citations: list[Citation] = []
    claims: list[ClaimCheck] = []
    for row in grid.rows:
        text += "\n| " + _plain(row.name) + " |"
        for cell in row.cells:
            said = (
                _plain(cell.text)
                if cell.status == "found"
                else (MISSING if cell.status == "missing" else LATE).get(language, MISSING["en"])
            )
            start = len(text) + 1
            text += f" {said} |"
            if cell.source:
                support, reasons = ("supported", ()) if cell.exact else ("partly", (IN_OTHER_WORDS,))
                claims.append(ClaimCheck(start, start + len(said), said, support, reasons, len(citations)))  # type: ignore[arg-type]
                citations.append(Citation(start, start + len(said), said, (cell.source,)))
    return text, tuple(citations), tuple(claims)


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(map(_plain, cells)) + " |"


def _plain(text: str) -> str:
    """On one line, and without what would end a cell."""
    return " ".join(text.replace("|", "/").replace("\\", "/").split())
