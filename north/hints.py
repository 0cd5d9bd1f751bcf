"""Hints to the workers that work is due: a task's name and ids, no more. The rows are the work, so a lost hint is a delay, a double one
nothing. By name, so that a process which only asks never loads what only workers need.
"""

from __future__ import annotations

import logging
import time
from typing import Any

import redis
from celery import current_app
from kombu.exceptions import OperationalError

from north.broker import SENT

logger = logging.getLogger(__name__)


def send(task: str, *arguments: Any, expires: float | None = None) -> None:
    """`task` is "room.verb": `documents.index` is `north.documents.tasks.index`. Raises OperationalError and redis.RedisError."""
    room, _, verb = task.partition(".")
    current_app.send_task(f"north.{room}.tasks.{verb}", arguments, expires=expires, retry=False, headers={SENT: time.time()})


def hint(task: str, *arguments: Any, expires: float | None = None) -> None:
    """The same; without a broker it is only logged: the sweeper says it again."""
    try:
        send(task, *arguments, expires=expires)
    except (OperationalError, redis.RedisError) as error:
        logger.warning("The broker took no hint for %s (%s); it is given again.", task, error)
