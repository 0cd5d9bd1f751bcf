"""By which ids the pages of the web go that runs have read. Knows no rows."""

from __future__ import annotations

import uuid


def page_id(owner: uuid.UUID, name: str) -> uuid.UUID:
    """Of the page that this run has read at this address, or that this artifact keeps under this name: the same, however often it does."""
    return uuid.uuid5(owner, name)


def is_page(source: str) -> bool:
    """Whether an id is that of a page of the web: those are made from names (version 5), documents' are drawn by lot (version 4)."""
    try:
        return uuid.UUID(source).version == 5
    except ValueError:
        return False
