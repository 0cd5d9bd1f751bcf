"""Reads one page of the web from a host that the workspace allows. The request itself leaves the house, so a person is asked first and sees
the whole address. What comes back is data, and is cited, like a document's words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from agents.context import Context, Page
from agents.errors import ToolFailed
from agents.matching import words_of
from agents.sentences import Span, sentences
from agents.tool import Outcome, Tool
from retrieval.types import Passage

CHARACTERS = 2400
"""Of a page that the model is shown: the pieces that share most words with the question."""
PIECE = 600


def run(arguments: Mapping[str, Any], context: Context) -> Outcome:
    if context.web is None:
        raise ToolFailed("No page may be fetched here: an owner of this workspace has put no host on the list.")
    return read(context.web.page(address_in(arguments)), str(arguments["about"]))


def kept(arguments: Mapping[str, Any], context: Context) -> Outcome:
    page = context.web.kept(address_in(arguments)) if context.web else None
    if page is None:
        raise ToolFailed("The page is not kept any more.")
    return read(page, str(arguments["about"]))


def address_in(arguments: Mapping[str, Any]) -> str:
    return str(arguments["url"]).strip()


def read(page: Page, about: str) -> Outcome:
    """The pieces that fit, best first, as passages of the page."""
    found = fitting(page.text, about)
    if not found:
        raise ToolFailed("The page holds no text.")
    name = page.title or page.url
    passages = [Passage(page.document, name, place, a, b, page.text[a:b], 1.0) for place, (a, b) in enumerate(found)]
    return Outcome("\n".join([page.url, *(page.text[a:b] for a, b in sorted(found))]), passages=tuple(passages))


def fitting(text: str, about: str) -> list[Span]:
    asked = words_of(about).words
    kept: list[Span] = []
    for start, end in sorted(pieces(text), key=lambda span: -len(asked & words_of(text[slice(*span)]).words)):
        if sum(b - a for a, b in kept) + end - start <= CHARACTERS:
            kept.append((start, end))
    return kept


def pieces(text: str) -> list[Span]:
    """Whole sentences together; one that is longer than a piece is cut."""
    found: list[Span] = []
    cut = [(at, min(at + PIECE, last)) for first, last in sentences(text) for at in range(first, last, PIECE)]
    for start, end in cut:
        if found and end - found[-1][0] <= PIECE:
            found[-1] = (found[-1][0], end)
        else:
            found.append((start, end))
    return found


def preview(arguments: Mapping[str, Any]) -> str:
    return "North asks this address from your server. Whatever stands in the address is told to that host."


FETCH_PAGE = Tool(
    name="fetch_page",
    effect="leaves",
    about="reads a page of the web by its address",
    arguments={"url": {"type": "string", "minLength": 8, "maxLength": 2000}, "about": {"type": "string", "maxLength": 2000}},
    run=run,
    preview=preview,
    kept=kept,
    informs=True,
)
