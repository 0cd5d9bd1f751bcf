"""People first: what a source brought, for which nobody waits, is left alone for a moment while somebody on this machine searches.

The priority of a process says who gets a processor; it does not say that a search finds caches, disk and database as it left them. Bulk
work therefore looks before each document, and between embedding it and writing it down, whether a search is under way, and lets it end. It
never waits longer than a search of ordinary length takes, so that however steadily people search, each process does a document in two
seconds. The searches are told in the broker, by machine, since who reads and who searches are different processes; without the broker bulk
work goes on as if nobody searched.
"""

from __future__ import annotations

import contextlib
import platform
import time
import uuid
from collections.abc import Iterator

import redis

from north.broker import redis_client

LONGEST_SECONDS = 1.0
"""That one document waits each time."""
LOOK_SECONDS = 0.1
FORGOTTEN_SECONDS = 10.0
"""A search that has not ended by then died with its process, or nobody waits for it any more."""


def searches() -> str:
    """The sorted set of the searches under way on this machine; each one's score is the second since 1970 at which it is forgotten."""
    return f"north:searching:{platform.node()}"


@contextlib.contextmanager
def searching() -> Iterator[None]:
    """While a person waits for a search that is done here."""
    name = uuid.uuid4().hex
    with contextlib.suppress(redis.RedisError):
        redis_client().zadd(searches(), {name: time.time() + FORGOTTEN_SECONDS})
    try:
        yield
    finally:
        with contextlib.suppress(redis.RedisError):
            redis_client().zrem(searches(), name)


def somebody_searches() -> bool:
    try:
        return bool(redis_client().zcount(searches(), time.time(), "+inf"))
    except redis.RedisError:
        return False


def stand_back() -> None:
    """Returns when nobody searches here, at the latest after LONGEST_SECONDS."""
    until = time.monotonic() + LONGEST_SECONDS
    while somebody_searches() and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
