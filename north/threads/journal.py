"""What is seen of a run while it works: one Redis Stream a run, whose ids are the ids of the server-sent events.

A journal opens with a `restart`, which carries the whole state so far and cuts off what came before it, and closes with `end`. So
whoever reads from the start, or goes on after an id that the journal still holds, neither misses nor doubles anything. The rows are
the record: a journal may be lost with the broker at any time, and its writer then opens it anew from what it knows.

| kind    | payload |
|---------|---------|
| restart | `{"status", "notice", "steps": [step...], "answer", "result", "asking"}`: forget what you had, this is all there is;
             asking: the run waits for a person's word on an action |
| step    | `{"key", "ordinal", "kind", "detail", "error", "started_at", "ended_at", "tokens_in", "tokens_out", "tokens_cached",
             "new"}`: new, or in place of the one with its key |
| delta   | `{"offset", "text"}`: goes to the end of the answer; `offset` in code points |
| reset   | `{}`: the answer so far is void |
| answer  | `{"text", "citations", "unsupported", "claims", "refused", "searched", "cut_short"}`: the final one |
| end     | `{"status", "error"}`: nothing follows |
"""

from __future__ import annotations

import contextlib
import functools
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

logger = logging.getLogger(__name__)

KEPT_SECONDS = 24 * 3600
ENTRIES = 5000
"""After so many a journal is opened anew, so that it cannot grow without end."""
TOLD = "told"
"""The one field of an entry: its kind and payload as JSON."""
LEFT = "north:left"
"""A stream of the ids of people who lost a session or a membership: whoever reads as one of them is looked at again at once. Only a
hint: without it they are looked at a few seconds later."""
PAUSE_SECONDS = 1.0
"""Between two tries to reach a broker that is away."""


@dataclass(frozen=True, slots=True)
class Entry:
    id: str
    """Empty: made from rows, not from a journal."""
    kind: str
    payload: Mapping[str, Any]


def key(run_id: object) -> str:
    return f"north:run:{run_id}"


def entry(id: str, fields: Mapping[str, str]) -> Entry:
    kind, payload = json.loads(fields[TOLD])
    return Entry(id, kind, payload)


def order(id: str) -> tuple[int, int]:
    """Ids of one stream, as they follow on each other. Raises ValueError for what is no id."""
    milliseconds, _, sequence = id.partition("-")
    return int(milliseconds), int(sequence or 0)


class Journal:
    """The pen: one writer a run. `state` gives the payload of a `restart` at any time, and already holds what an entry that is added
    says. A broker that is away holds nothing up: the journal is opened anew when it is back."""

    def __init__(self, client: redis.Redis, run_id: object, state: Callable[[], Mapping[str, Any]]) -> None:
        self.client = client
        self.key = key(run_id)
        self.state = state
        self.entries = 0
        self.last = "0-0"
        self.lost = False
        self.away_until = 0.0

    def restart(self) -> None:
        self._kept_up(self._open)

    def append(self, kind: str, payload: Mapping[str, Any]) -> None:
        def add() -> None:
            if self.lost or self.entries >= ENTRIES or not self._write(kind, payload, nomkstream=True):
                self._open()

        self._kept_up(add)

    def close(self, payload: Mapping[str, Any]) -> None:
        def end() -> None:
            if self.lost or not self._write("end", payload, nomkstream=True):
                self._open()
                self._write("end", payload)
            self.client.expire(self.key, KEPT_SECONDS)

        self._kept_up(end)

    def _open(self) -> None:
        """One entry that holds everything; what came before it may go. Its id follows on all that this pen has written, also where the
        broker was wiped within the same millisecond or a clock was set back: readers would take it for one that they know."""
        before = order(self.last)
        self._write("restart", self.state(), maxlen=1, approximate=False)
        if order(self.last) <= before:
            self._write("restart", self.state(), id=f"{before[0] + 1}-0", maxlen=1, approximate=False)
        self.client.expire(self.key, 2 * KEPT_SECONDS)
        self.entries, self.lost = 1, False

    def _write(self, kind: str, payload: Mapping[str, Any], **options: Any) -> bool:
        """False where the journal was to be there and is not."""
        self.entries += 1
        id = cast("str | None", self.client.xadd(self.key, {TOLD: json.dumps([kind, payload])}, **options))
        self.last = id or self.last
        return id is not None

    def _kept_up(self, write: Callable[[], None]) -> None:
        if time.monotonic() < self.away_until:
            return
        try:
            write()
        except redis.RedisError as error:
            logger.warning("The journal of a run cannot be written now: %s", error)
            self.lost, self.away_until = True, time.monotonic() + PAUSE_SECONDS


@functools.cache
def pen() -> redis.Redis:
    """A client that never repeats a command by itself: an entry that may have arrived is not sent again, the journal is opened anew."""
    return redis.Redis.from_url(
        settings.REDIS_URL, decode_responses=True, socket_timeout=5, socket_connect_timeout=2, retry=Retry(NoBackoff(), 0)
    )


def tell_left(user_id: object) -> None:
    with contextlib.suppress(redis.RedisError):
        pen().xadd(LEFT, {"user": str(user_id)}, maxlen=1000)


def forget(run_id: object) -> None:
    pen().delete(key(run_id))
