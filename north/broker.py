"""The client of the broker, which also carries the journals and what the workers say of themselves."""

from __future__ import annotations

import functools

import redis
from django.conf import settings


@functools.cache
def redis_client() -> redis.Redis:
    """Made once a process, for all its threads. Raises redis.RedisError at its calls, within seconds."""
    return redis.Redis.from_url(settings.REDIS_URL, decode_responses=True, socket_timeout=10, socket_connect_timeout=2)
