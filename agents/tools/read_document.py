"""Opens one document that the asker may read, by its name, and gives its beginning. Knows no files: the shelf is its Context's."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from agents.context import Context
from agents.errors import ToolFailed
from agents.tool import Outcome, Tool

CHARACTERS = 24_000
"""What of a long document is looked at; the model reads the sentences of it that fit the question."""


def run(arguments: Mapping[str, Any], context: Context) -> Outcome:
    name = " ".join(str(arguments["name"]).split())
    passage = context.shelf.whole(name) if context.shelf else None
    if passage is None:
        raise ToolFailed(f"There is no document “{name[:120]}” that you may read, or several have this name.")
    kept = replace(passage, end=passage.start + min(len(passage.text), CHARACTERS), text=passage.text[:CHARACTERS])
    cut = f", of which the first {CHARACTERS:,} characters were read" if len(passage.text) > CHARACTERS else ""
    return Outcome(f"{passage.name}: {len(passage.text):,} characters{cut}.", passages=(kept,))


READ_DOCUMENT = Tool(
    name="read_document",
    effect="reads",
    about="opens one document by its name",
    arguments={"name": {"type": "string", "minLength": 1, "maxLength": 255}},
    run=run,
)
