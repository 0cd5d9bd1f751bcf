"""In the model worker: the way back to whoever called, and whether they still wait."""

from __future__ import annotations

import json
import time
from typing import Any

import orjson

from north.broker import redis_client
from north.inference.errors import Gone

KEPT_SECONDS = 60
"""How long an inbox is kept that nobody empties."""
LOOK_SECONDS = 0.25


def alive_key(inbox: str) -> str:
    return f"{inbox}:alive"


def gone_key(call: str) -> str:
    return f"north:gone:{call}"


def asked_key(call: str) -> str:
    return f"north:asked:{call}"


class Reply:
    """The way back to whoever called."""

    def __init__(self, inbox: str, call: str) -> None:
        self.inbox, self.call = inbox, call
        self.client = redis_client()
        self.look_at, self.left = 0.0, False

    def __call__(self, kind: str, **event: Any) -> None:
        with self.client.pipeline(transaction=False) as sent:
            sent.rpush(self.inbox, json.dumps([self.call, {"kind": kind, **event}]))
            sent.expire(self.inbox, KEPT_SECONDS)
            sent.execute()

    def take(self) -> dict[str, Any] | None:
        """What was asked, once: whoever comes again finds nothing. The caller hears that it is taken."""
        with self.client.pipeline(transaction=False) as sent:
            sent.getdel(asked_key(self.call))
            sent.rpush(self.inbox, json.dumps([self.call, {"kind": "taken"}]))
            found, _ = sent.execute()
        return orjson.loads(found) if found else None

    def gone(self) -> bool:
        """Whether nobody waits any more; asked of the broker a few times a second."""
        if not self.left and time.monotonic() >= self.look_at:
            alive, left = self.client.mget(alive_key(self.inbox), gone_key(self.call))  # type: ignore[misc]
            self.left = bool(left or not alive)
            self.look_at = time.monotonic() + LOOK_SECONDS
        return self.left

    def check(self) -> None:
        if self.gone():
            raise Gone
