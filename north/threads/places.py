"""Where the words that an answer cites are read: in a document, or in a page of the web as a run has read it. Knows no rows."""

from __future__ import annotations

import uuid

from north.documents.rendering import Span
from north.documents.views.viewing import address


def page_id(run: uuid.UUID, url: str) -> uuid.UUID:
    """Of the page that this run has read at this address: the same, however often it does."""
    return uuid.uuid5(run, url)


def is_page(source: str) -> bool:
    """Whether an id is that of a page of the web: those are made from names (version 5), documents' are drawn by lot (version 4)."""
    try:
        return uuid.UUID(source).version == 5
    except ValueError:
        return False


def place_of(slug: str, source: str, start: int | None = None, end: int | None = None, words: str = "") -> str:
    """The address in this workspace at which a person reads it, at these words."""
    span = Span(start, end) if start is not None and end is not None else None
    return address(slug, source, span, words, view="threads:web_page" if is_page(source) else "documents:document")
