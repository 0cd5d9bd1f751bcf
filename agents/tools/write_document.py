"""Keeps what was written as a document of the workspace, with its citations. It is proposed to a person first, like every writing tool."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.context import Context
from agents.errors import ToolFailed
from agents.events import Citation, Source
from agents.tool import Outcome, Tool

TITLE_CHARACTERS = 120
TEXT_CHARACTERS = 100_000


def run(arguments: Mapping[str, Any], context: Context) -> Outcome:
    title, text = " ".join(str(arguments["title"]).split()), str(arguments["text"]).strip()
    if context.shelf is None:
        raise ToolFailed("This agent has no place to write to.")
    if not title or not text:
        raise ToolFailed("A document needs a title and some text.")
    return Outcome(context.shelf.write(title, text, list(_citations(arguments, text))))


def _citations(arguments: Mapping[str, Any], text: str) -> list[Citation]:
    """Those whose words still stand where they stood: a person may have edited the text."""
    kept = []
    for one in arguments["citations"]:
        if text[one["start"] : one["end"]] == one["text"]:
            kept.append(Citation(one["start"], one["end"], one["text"], tuple(Source(**source) for source in one["sources"])))
    return kept


def preview(arguments: Mapping[str, Any]) -> str:
    return f"A document “{arguments['title']}” with {len(arguments['text'])} characters is kept in this workspace. Only you can open it."


WRITE_DOCUMENT = Tool(
    name="write_document",
    effect="writes",
    about="keeps the result as a document of the workspace",
    arguments={
        "title": {"type": "string", "minLength": 1, "maxLength": TITLE_CHARACTERS},
        "text": {"type": "string", "minLength": 1, "maxLength": TEXT_CHARACTERS},
        "citations": {"type": "array"},
    },
    run=run,
    preview=preview,
)
