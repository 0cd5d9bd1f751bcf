"""Where things come from. A connector is a function `fetch(config, cursor)` of one file here, and a line in CONNECTORS.

It yields Items and Unchanged, Deleted, Skipped for what the source holds, and a Cursor to go on from; `Cursor.complete` only after the
whole source was listed, since then what was not seen is gone. It raises the leaves of SourceError where the source itself fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

from retrieval.connectors import folder
from retrieval.types import Cursor, Deleted, Item, Skipped, Unchanged

__all__ = ["CONNECTORS", "Fetch", "Fetched"]

Fetched = Item | Unchanged | Deleted | Skipped | Cursor
Fetch = Callable[[Mapping[str, object], Mapping[str, object] | None], Iterator[Fetched]]

CONNECTORS: Final[dict[str, Fetch]] = {"folder": folder.fetch}
