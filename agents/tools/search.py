"""Searches the documents that the asker may read. Knows no index: the search is its Context's, already bound to rights and sources."""

from __future__ import annotations

from agents.context import Context
from retrieval.types import Passage

QUERY_CHARACTERS = 500


def search(query: str, context: Context) -> list[Passage]:
    """Passages of the documents that the asker may read, best first, at most `context.limits.passages`; none if nothing fits."""
    query = " ".join(query.split())[:QUERY_CHARACTERS]
    return list(context.search(query, context.limits.passages))[: context.limits.passages] if query else []
