"""Where a run keeps its state between two steps, sealed; apart from wiring.py, so that only processes which run agents load LangGraph."""

from __future__ import annotations

import functools
import sqlite3
from typing import Any

from django.conf import settings
from django.utils.crypto import constant_time_compare, salted_hmac
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.postgres import PostgresSaver
from langgraph.checkpoint.sqlite import SqliteSaver
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool

from agents.state import PlainSerializer


class SealedSerializer(PlainSerializer):
    """Writes each checkpoint under an HMAC of the installation's secret key, and reads none without it."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        kind, data = super().dumps_typed(obj)
        return kind, self.seal(kind, data, settings.SECRET_KEY) + data

    def loads_typed(self, data: tuple[str, bytes]) -> Any:
        kind, sealed = data
        found, content = sealed[:32], sealed[32:]
        keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
        if not any(constant_time_compare(found, self.seal(kind, content, key)) for key in keys):
            raise ValueError("a checkpoint's seal does not fit: it was not written by this installation, or was changed since")
        return super().loads_typed((kind, content))

    @staticmethod
    def seal(kind: str, data: bytes, key: str | bytes) -> bytes:
        return salted_hmac("north.checkpoint", kind.encode() + b"\0" + data, secret=key, algorithm="sha256").digest()


@functools.cache
def checkpointer() -> BaseCheckpointSaver:
    """Where runs keep their state between two steps: beside the rows, in PostgreSQL or in a SQLite file of its own."""
    if not settings.DATABASE_URL:
        path = settings.DATA_DIR / "checkpoints.sqlite3"
        return SqliteSaver(sqlite3.connect(path, check_same_thread=False, timeout=20), serde=SealedSerializer())
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    saver = PostgresSaver(ConnectionPool(settings.DATABASE_URL, min_size=1, max_size=8, kwargs=options), serde=SealedSerializer())
    saver.setup()
    return saver
