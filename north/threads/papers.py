"""Answers and artifacts as papers to export: what their reader may see of them now, cut into blocks, with the numbers of the sources.

The way in for pages and REST: `of_answer`, `of_version`, then `north.exports.making.made`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from markdown_it.token import Token

from north.exports.making import offered
from north.exports.paper import Block, Cell, Note, Paper, Piece
from north.threads.models import ArtifactVersion, Citation, Run
from north.threads.reading import Numbering, ShownCitation, ShownSource, open_documents, shown
from north.threads.rendering import FIRST_MARK, MARKDOWN, PRIVATE, Mark, disjoint, planted
from north.workspaces.models import Membership

QUOTE_CHARACTERS = 400
TITLE_CHARACTERS = 120


def of_answer(run: Run, actor: Membership) -> Paper:
    """An answer under its question. Prefetch `steps` and `citations`."""
    one = shown([run], actor)[0]
    title = " ".join(run.question.split())
    blocks = blocks_of(run.answer, one.citations)
    if len(title) > TITLE_CHARACTERS:
        blocks = (Block("quote", (Piece(run.question),)), *blocks)
        title = title[: TITLE_CHARACTERS - 1] + "…"
    return Paper(title, lead(run.ended_at or run.created_at), blocks, notes_of(one.sources), said())


def of_version(version: ArtifactVersion, actor: Membership) -> Paper:
    citations, sources = cited(version, actor)
    blocks = drawn(blocks_of(version.text, citations), version.chart)
    return Paper(version.artifact.title, lead(version.created_at), blocks, notes_of(sources), said())


def formats(text: str, chart: Mapping[str, Any] | None = None) -> list[str]:
    """As what files this can be had."""
    return offered(drawn(blocks_of(text) if "|" in text else (), chart))


def drawn(blocks: tuple[Block, ...], chart: Mapping[str, Any] | None) -> tuple[Block, ...]:
    return (Block("chart", chart=chart), *blocks) if chart else blocks


def cited(version: ArtifactVersion, actor: Membership) -> tuple[list[ShownCitation], list[ShownSource]]:
    """What a version rests on, as its reader may open it now."""
    rows = [Citation(**one) for one in version.citations]
    readable = open_documents(actor, {source["document"] for one in rows for source in one.sources})
    numbered = Numbering(Run(ended_at=version.created_at), readable)
    return [numbered.citation(one) for one in rows], list(numbered.sources.values())


def lead(at: object) -> str:
    return _("Written by North on %(date)s. The numbers name the sources.") % {"date": date_format(localtime(at), "DATE_FORMAT")}  # type: ignore[arg-type]


def said() -> dict[str, str]:
    return {
        "sources": _("Sources"), "closed": _("A source you may no longer open"), "table": _("Table"),
        "missing": _("This font has no letters for what is marked ▯ (%s). The Word and Markdown files hold it whole."),
        "eastern": _("Chinese, Japanese and Korean words are shown with the fonts of your reader's program."),
    }  # fmt: skip


def notes_of(sources: Sequence[ShownSource]) -> tuple[Note, ...]:
    return tuple(Note(source.number, named(source), " ".join(source.text.split())[:QUOTE_CHARACTERS]) for source in sources)


def named(source: ShownSource) -> str:
    """A page of the web with its address, and when it was read."""
    if not source.fetched_at:
        return source.name
    read = _("read on %(date)s") % {"date": date_format(localtime(source.fetched_at), "DATE_FORMAT")}
    return f"{source.name}, {source.url}, {read}" if source.name != source.url else f"{source.url}, {read}"


def blocks_of(text: str, citations: Sequence[ShownCitation] = ()) -> tuple[Block, ...]:
    """The Markdown as blocks; the sources of a citation are named behind its last word. What cannot be placed is named at the end."""
    text = PRIVATE.sub("\N{REPLACEMENT CHARACTER}", text)
    marks = list(disjoint([Mark(one.start, one.end, numbers(one)) for one in citations], len(text)))
    reader = Reader(marks)
    blocks = list(reader.blocks(MARKDOWN.parse(planted(text, marks))))
    if lost := [number for place, mark in enumerate(marks) if place not in reader.placed for number in mark.sources]:
        blocks.append(Block("text", (Piece("", notes=tuple(dict.fromkeys(lost))),)))
    return tuple(blocks)


def numbers(citation: ShownCitation) -> tuple[int, ...]:
    return tuple(dict.fromkeys(source.number for source in citation.sources))


class Reader:
    """Markdown's tokens as blocks."""

    def __init__(self, marks: Sequence[Mark]) -> None:
        self.marks = marks
        self.placed: set[int] = set()
        self.lists: list[int] = []
        """Of each list that is open the number of its next item; -1: it has none."""
        self.marker = ""
        self.quoted = 0

    def blocks(self, tokens: Sequence[Token]) -> Iterator[Block]:
        rows: list[tuple[Cell, ...]] = []
        cells: list[Cell] = []
        for before, token in pairwise([Token("", "", 0), *tokens]):
            match token.type:
                case "hr":
                    yield Block("rule")
                case "fence" | "code_block":
                    yield Block("code", (*self.pieces(token.content, code=True),))
                case "table_open":
                    rows = []
                case "tr_open":
                    cells = []
                case "tr_close":
                    rows.append(tuple(cells))
                case "table_close":
                    yield Block("table", rows=tuple(rows))
                case "inline" if before.type in ("th_open", "td_open"):
                    cells.append(self.inline(token))
                case "inline":
                    yield self.said(before, self.inline(token))
                case _:
                    self.nest(token)

    def nest(self, token: Token) -> None:
        match token.type:
            case "bullet_list_open" | "ordered_list_open":
                self.lists.append(-1 if token.type[0] == "b" else int(token.attrGet("start") or 1))
            case "bullet_list_close" | "ordered_list_close":
                self.lists.pop()
            case "list_item_open":
                self.item()
            case "blockquote_open" | "blockquote_close":
                self.quoted += token.nesting

    def item(self) -> None:
        number = self.lists[-1]
        self.marker = "•" if number < 0 else f"{number}."
        self.lists[-1] = number + 1 if number >= 0 else number

    def said(self, opening: Token, pieces: Cell) -> Block:
        if opening.type == "heading_open":
            return Block("heading", pieces, level=int(opening.tag[1]))
        if self.lists:
            marker, self.marker = self.marker, ""
            return Block("item", pieces, level=len(self.lists), marker=marker) if marker else Block("text", pieces)
        return Block("quote" if self.quoted else "text", pieces)

    def inline(self, token: Token) -> Cell:
        found: list[Piece] = []
        bold = italic = 0
        for one in token.children or []:
            match one.type:
                case "strong_open" | "strong_close":
                    bold += one.nesting
                case "em_open" | "em_close":
                    italic += one.nesting
                case "softbreak" | "hardbreak":
                    found.append(Piece(" " if one.type == "softbreak" else "\n"))
                case "code_inline":
                    found += self.pieces(one.content, code=True)
                case "image":
                    found += self.pieces(one.content)
                case _:
                    found += self.pieces(one.content, bold=bold > 0, italic=italic > 0)
        return tuple(found)

    def pieces(self, text: str, *, bold: bool = False, italic: bool = False, code: bool = False) -> Iterator[Piece]:
        """The private characters go; where one closes a citation, its sources are named."""
        done = 0
        for match in PRIVATE.finditer(text):
            number, closes = divmod(ord(match[0]) - FIRST_MARK, 2)
            notes = self.marks[number].sources if closes else ()
            if match.start() > done or notes:
                yield Piece(text[done : match.start()], bold, italic, code, notes)
            self.placed |= {number} if closes else set()
            done = match.end()
        if text[done:]:
            yield Piece(text[done:], bold, italic, code)
