"""The client of the broker, which also carries the journals and what the workers say of themselves."""

from __future__ import annotations

import functools
import json
import time

import redis
from django.conf import settings

SENT = "north-sent"
"""The header of a task's message that says when it was sent, in seconds since 1970."""


@functools.cache
def redis_client() -> redis.Redis:
    """Made once a process, for all its threads. Raises redis.RedisError at its calls, within seconds."""
    return redis.Redis.from_url(settings.REDIS_URL, decode_responses=True, socket_timeout=10, socket_connect_timeout=2)


def queued(queue: str) -> tuple[int, float | None]:
    """How many messages wait in this queue, and for how many seconds the oldest has; None where none waits or it does not say."""
    client = redis_client()
    length, oldest = int(client.llen(queue)), client.lindex(queue, -1)  # type: ignore[arg-type]
    sent = json.loads(oldest)["headers"].get(SENT) if oldest else None  # type: ignore[arg-type]
    return length, time.time() - sent if sent else None
