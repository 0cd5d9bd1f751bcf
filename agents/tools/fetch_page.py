"""Reads one page of the web from a host that the workspace allows. The request itself leaves the house, so a person is asked first and sees
the whole address. What comes back is data, like a document's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.context import Context
from agents.errors import ToolFailed
from agents.matching import words_of
from agents.tool import Outcome, Tool

CHARACTERS = 2400
"""Of a page that the model is shown: the paragraphs that share most words with the question, in the page's order."""
PARAGRAPH = 600


def run(arguments: Mapping[str, Any], context: Context) -> Outcome:
    if context.web is None:
        raise ToolFailed("No page may be fetched here: an owner of this workspace has put no host on the list.")
    page = context.web.page(str(arguments["url"]).strip())
    text = fitting(page.text, str(arguments["about"]))
    if not text:
        raise ToolFailed("The page holds no text.")
    return Outcome(f"{page.url}\n{text}")


def fitting(text: str, about: str) -> str:
    lines = [" ".join(line.split()) for line in text.splitlines() if line.strip()]
    pieces = [line[at : at + PARAGRAPH] for line in lines for at in range(0, len(line), PARAGRAPH)]
    asked = words_of(about).words
    shared = sorted(range(len(pieces)), key=lambda place: (-len(asked & words_of(pieces[place]).words), place))
    kept: list[int] = []
    for place in shared:
        if sum(len(pieces[one]) for one in kept) + len(pieces[place]) <= CHARACTERS:
            kept.append(place)
    return "\n".join(pieces[place] for place in sorted(kept))


def preview(arguments: Mapping[str, Any]) -> str:
    return "North asks this address from your server. Whatever stands in the address is told to that host."


FETCH_PAGE = Tool(
    name="fetch_page",
    effect="leaves",
    about="reads a page of the web by its address",
    arguments={"url": {"type": "string", "minLength": 8, "maxLength": 2000}, "about": {"type": "string", "maxLength": 2000}},
    run=run,
    preview=preview,
    informs=True,
)
