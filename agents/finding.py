"""What searches are made of and what came of them, as the steps of a run show it. Pure: knows no graph and no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from agents.state import Plain
from retrieval.types import Passage

STALE = 2
SHOWN_CHARACTERS = 300


def queries_in(said: Mapping[str, Any], most: int = 3) -> list[str]:
    queries = said.get("queries")
    if not isinstance(queries, list):
        return []
    return [" ".join(query.split())[:200] for query in queries if isinstance(query, str) and any(map(str.isalnum, query))][:most]


def distinct(queries: Sequence[str]) -> list[str]:
    return list({" ".join(query.lower().split()): query for query in reversed(queries)}.values())[::-1]


def is_stale(found: Sequence[Sequence[Plain]]) -> bool:
    """Whether the last searches brought no passage that those before them had not."""
    before = {chunk_of(plain) for results in found[:-STALE] for plain in results}
    return len(found) > STALE and all(chunk_of(plain) in before for results in found[-STALE:] for plain in results)


def chunk_of(passage: Plain) -> tuple[str, int]:
    return passage["document"], passage["ordinal"]


def shown_of(passage: Passage) -> Plain:
    text = passage.text if len(passage.text) <= SHOWN_CHARACTERS else passage.text[:SHOWN_CHARACTERS].rstrip() + "…"
    return {
        "document": passage.document, "name": passage.name, "start": passage.start, "end": passage.end, "text": text,
        "score": round(float(passage.score), 4),
    }  # fmt: skip
