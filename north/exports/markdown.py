"""A Paper as Markdown, with footnotes as many readers know them ([^1]) and the list of sources as text."""

from __future__ import annotations

import re

from north.exports.charts import rows_of
from north.exports.paper import Block, Cell, Paper, footnote, words

_SPECIAL = re.compile(r"([\\`*_\[\]<>|#~])")
_MARKER = re.compile(r"^(\s*)([-+]|\d+[.)])(?=\s)")


def written(paper: Paper) -> bytes:
    parts = [f"# {_escaped(paper.title)}", f"*{_escaped(paper.lead)}*" if paper.lead else ""]
    before: Block | None = None
    for block in paper.blocks:
        if before and before.kind == block.kind == "item":
            parts[-1] += "\n" + _block(block)
        else:
            parts.append(_block(block))
        before = block
    if paper.notes:
        parts.append(f"## {paper.word('sources')}")
        parts.append("\n".join(f"{note.number}. {_escaped(footnote(note, paper))}" for note in paper.notes))
        parts.append("\n".join(f"[^{note.number}]: {_escaped(footnote(note, paper))}" for note in paper.notes))
    return ("\n\n".join(filter(None, parts)) + "\n").encode()


def _block(block: Block) -> str:
    match block.kind:
        case "heading":
            return "#" * min(block.level + 1, 6) + " " + _inline(block.pieces)
        case "item":
            return "   " * (block.level - 1) + ("- " if block.marker == "•" else f"{block.marker} ") + _inline(block.pieces)
        case "quote":
            return "> " + _inline(block.pieces).replace("\n", "\n> ")
        case "code":
            return _fenced(words(block.pieces).rstrip("\n"))
        case "table" | "chart":
            drawn = [[_escaped(cell) for cell in row] for row in rows_of(block.chart)] if block.chart else []
            return _table(drawn or [[_inline(cell) for cell in row] for row in block.rows])
    return "---" if block.kind == "rule" else _MARKER.sub(r"\1\\\2", _inline(block.pieces))


def _fenced(text: str) -> str:
    fence = "`" * max([3, *(len(run) + 1 for run in re.findall("`+", text))])
    return f"{fence}\n{text}\n{fence}"


def _table(rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(cell.replace("\n", " ") for cell in row) + " |" for row in rows]
    return "\n".join([lines[0], "|" + " --- |" * len(rows[0]), *lines[1:]])


def _inline(cell: Cell) -> str:
    return "".join(
        _styled(piece.text, "`" if piece.code else "**" * piece.bold + "*" * piece.italic)
        + "".join(f"[^{number}]" for number in piece.notes)
        for piece in cell
    )  # fmt: skip


def _styled(text: str, mark: str) -> str:
    """The mark stands beside the words, never beside a space, where it would be none."""
    inner = text.strip()
    if not mark or not inner:
        return _escaped(text)
    before, after = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    words = inner if mark == "`" else _escaped(inner)
    return f"{before}{mark}{words}{mark[::-1]}{after}"


def _escaped(text: str) -> str:
    return _SPECIAL.sub(r"\\\1", text)
