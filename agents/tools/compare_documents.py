"""Puts the same questions to several documents: a grid with the words of the document in every cell, or the word that it does not say.

Each cell is small enough for a weak model: a search within one document, and one short answer copied from what it found. What was not
copied from there stands in no cell.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from typing import Any

from agents import prompts
from agents.citations import Unit, units_of
from agents.context import Context
from agents.errors import ToolFailed
from agents.events import Source
from agents.grid import Cell, Grid, Row
from agents.matching import Rarity, digits_of, holds, words_of
from agents.reading import choose
from agents.sentences import sentences
from agents.steps import ask, gathers_until
from agents.tool import Outcome, Tally, Tool
from retrieval.types import Passage

DOCUMENTS, QUESTIONS, CELLS = 12, 6, 48
"""The most of each; what is over is left out, and that is said."""
AT_ONCE = 4
SECONDS = 240.0
CELL_TOKENS = 70
READING_TOKENS, PIECES = 160, 4
"""What of a document the model reads for one cell."""
PIECE_CHARACTERS = 700
GROUNDED = 0.6
"""The share of an answer's words that the sentence holds which it rests on."""


def run(arguments: Mapping[str, Any], context: Context) -> Outcome:
    names, questions = _texts(arguments["documents"]), _texts(arguments["questions"])
    opened = {name: passage for name in names[:DOCUMENTS] if (passage := context.shelf.whole(name) if context.shelf else None)}
    kept = questions[: min(QUESTIONS, CELLS // max(1, len(opened)))]
    if len(opened) < 2 or not kept:
        raise ToolFailed("Two documents that you may read, at least, and a question are needed to compare: name them as they are called.")
    until = min(time.monotonic() + SECONDS - context.limits.tool_seconds, gathers_until(context))
    tally = Tally()
    grid = Grid(
        tuple(kept), tuple(_rows(list(opened.values()), kept, until, tally, context)), _left_out(names, list(opened), questions, kept)
    )
    sources = tuple(cell.source for row in grid.rows for cell in row.cells if cell.source)
    return Outcome(grid.as_text(), sources=sources, grid=grid, tally=tally)


def _rows(documents: Sequence[Passage], questions: Sequence[str], until: float, tally: Tally, context: Context) -> list[Row]:
    pieces = [pieces_of(document) for document in documents]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="cell") as pool:
        cells = [[pool.submit(copy_context().run, _cell, some, question, until, context) for question in questions] for some in pieces]
        found = [[cell.result() for cell in row] for row in cells]
    for row in found:
        for _, used in row:
            tally.add(used)
    return [Row(document.name, document.document, tuple(cell for cell, _ in row)) for document, row in zip(documents, found, strict=True)]


def pieces_of(document: Passage) -> list[Passage]:
    """The document in stretches of whole sentences."""
    pieces: list[Passage] = []
    start = end = -1
    for left, right in sentences(document.text):
        if start >= 0 and right - start > PIECE_CHARACTERS:
            pieces.append(_piece(document, start, end, len(pieces)))
            start = -1
        start, end = (left if start < 0 else start), right
    return [*pieces, _piece(document, start, end, len(pieces))] if start >= 0 else pieces


def _piece(document: Passage, start: int, end: int, ordinal: int) -> Passage:
    return replace(document, ordinal=ordinal, start=document.start + start, end=document.start + end, text=document.text[start:end])


def nearest(pieces: Sequence[Passage], question: str, context: Context) -> list[Passage]:
    """The sentences of a document that are nearest to a question: by its words, and by what the index finds in it."""
    said = [words_of(piece.text) for piece in pieces]
    rarity, asked = Rarity(said), words_of(question)
    hits = [hit for hit in context.search(f"{question} {pieces[0].name}", 2 * PIECES) if hit.document == pieces[0].document]
    values = [
        rarity.overlap(asked, words.words) + 0.3 * any(hit.start < piece.end and piece.start < hit.end for hit in hits)
        for piece, words in zip(pieces, said, strict=True)
    ]
    best = sorted(range(len(pieces)), key=lambda i: -values[i])[:PIECES]
    limits = replace(context.limits, reading_tokens=min(READING_TOKENS, context.limits.reading_tokens), passages=PIECES)
    return choose([question], [[pieces[i] for i in best]], context.embed, limits)


def _cell(pieces: Sequence[Passage], question: str, until: float, context: Context) -> tuple[Cell, Tally]:
    tally = Tally()
    if time.monotonic() > until:
        return Cell("late"), tally
    passages = nearest(pieces, question, context) if pieces else []
    if not passages:
        return Cell("missing"), tally
    said = ask(prompts.cell(context.instructions, passages, question), prompts.CELL, context, tally, CELL_TOKENS)
    answer = said.get("answer") if said.get("found") == "yes" else ""
    if not said and time.monotonic() > gathers_until(context):
        return Cell("late"), tally
    return resting(" ".join(answer.split()), passages) if isinstance(answer, str) and answer.strip() else Cell("missing"), tally


def resting(answer: str, passages: Sequence[Passage]) -> Cell:
    """The answer with the words of the document that it was copied from; missing where they do not stand there."""
    for passage in passages:
        at = passage.text.lower().find(answer.lower()) if len(passage.text) == len(passage.text.lower()) else passage.text.find(answer)
        if at >= 0:
            return Cell("found", answer, _source(passage, at, at + len(answer)), exact=True)
    units, said = units_of(passages), words_of(answer)
    rarity = Rarity([unit.words for unit in units])
    fitting = [unit for unit in units if all(holds(unit.words.numbers, number) for number in digits_of(answer))]
    best = max(fitting, key=lambda unit: rarity.overlap(said, unit.words.words), default=None)
    if best is None or said.empty or (said.words and rarity.overlap(said, best.words.words) < GROUNDED):
        return Cell("missing")
    return Cell("found", answer, _source_of(best))


def _source(passage: Passage, start: int, end: int) -> Source:
    return Source(passage.document, passage.name, passage.start + start, passage.start + end, passage.text[start:end], 1.0)


def _source_of(unit: Unit) -> Source:
    return _source(unit.passage, unit.start, unit.end)


def _texts(given: Sequence[Any]) -> list[str]:
    return list(dict.fromkeys(" ".join(one.split())[:200] for one in given if isinstance(one, str) and one.strip()))


def _left_out(names: Sequence[str], opened: Sequence[str], questions: Sequence[str], kept: Sequence[str]) -> str:
    """What of all that was asked is not in the grid, in words."""
    closed = [name for name in names[:DOCUMENTS] if name not in opened]
    said = [
        f"Only the first {DOCUMENTS} of {len(names)} documents were compared." if len(names) > DOCUMENTS else "",
        f"There is no document {', '.join(f'“{name}”' for name in closed[:3])} that you may read, or several have this name."
        if closed
        else "",
        f"Only {len(kept)} of {len(questions)} questions were put to them." if len(kept) < len(questions) else "",
    ]
    return " ".join(filter(None, said))


COMPARE_DOCUMENTS = Tool(
    name="compare_documents",
    effect="reads",
    about="puts the same questions to several documents and gives a table",
    arguments={
        "documents": {"type": "array", "minLength": 2, "maxLength": 100},
        "questions": {"type": "array", "minLength": 1, "maxLength": 50},
    },
    run=run,
    seconds=SECONDS,
)
