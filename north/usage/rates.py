"""Requests a minute: a token bucket for each key and each person, in the broker, so that it holds over all web processes together.

A bucket holds a minute's worth and fills evenly, so whoever was quiet may hurry for a moment. One script looks at all buckets of a request
and takes from all or none.

Without its broker North lets requests through unlimited: what costs much (models, searches, runs) goes through the broker anyway and is
refused there, and what is left is reading, which must go on. Budgets (`budgets.py`) are rows and hold all the same.
"""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import redis
from django.conf import settings

logger = logging.getLogger(__name__)

SCRIPT = """
local now = tonumber(ARGV[1])
if not now then
  local clock = redis.call('TIME')
  now = clock[1] + clock[2] / 1000000
end
local levels, wait = {}, 0
for i, key in ipairs(KEYS) do
  local most = tonumber(ARGV[i + 1])
  local had = redis.call('HMGET', key, 'level', 'at')
  local level = most
  if had[1] then level = math.min(most, tonumber(had[1]) + math.max(0, now - tonumber(had[2])) * most / 60) end
  levels[i] = level
  if level < 0.999999 then wait = math.max(wait, (1 - level) * 60 / most) end
end
for i, key in ipairs(KEYS) do
  if wait == 0 then levels[i] = levels[i] - 1 end
  redis.call('HSET', key, 'level', string.format('%.9f', levels[i]), 'at', string.format('%.9f', now))
  redis.call('EXPIRE', key, 120)
  levels[i] = string.format('%.9f', levels[i])
end
return {string.format('%.9f', wait), unpack(levels)}
"""
AWAY_SECONDS = 5.0
"""After a failure the broker is not asked for so long."""
away_until = 0.0


@dataclass(frozen=True, slots=True)
class Bucket:
    name: str
    per_minute: int


@dataclass(frozen=True, slots=True)
class Standing:
    """Of the bucket with the least left. `wait`: seconds until a request is let through, 0 where this one was; `full_in`: until the bucket
    is full again."""

    limit: int
    remaining: int
    wait: float
    full_in: float


@functools.cache
def client() -> redis.Redis:
    """One that gives up soon: no request waits for its limit."""
    return redis.Redis.from_url(settings.REDIS_URL, decode_responses=True, socket_timeout=0.5, socket_connect_timeout=0.5)


def take(buckets: Sequence[Bucket], *, at: float | None = None) -> Standing | None:
    """Takes one request from all buckets, or, where one is empty, from none. None without the broker. `at`: seconds since 1970; else the
    broker's clock."""
    global away_until
    if not buckets or time.monotonic() < away_until:
        return None
    names = [f"north:rate:{{{bucket.name}}}" for bucket in buckets]
    try:
        said = client().eval(SCRIPT, len(names), *names, "" if at is None else str(at), *(str(bucket.per_minute) for bucket in buckets))
    except redis.RedisError as error:
        away_until = time.monotonic() + AWAY_SECONDS
        logger.warning("Requests are not limited while the broker is away: %s", error)
        return None
    wait, *levels = map(float, said)  # type: ignore[arg-type]
    left, bucket = min(zip(levels, buckets, strict=True), key=lambda one: one[0])
    return Standing(bucket.per_minute, max(math.floor(left), 0), wait, (bucket.per_minute - left) * 60 / bucket.per_minute)
