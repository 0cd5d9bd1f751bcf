"""Signs of life of the models in this process: which role is at work now, since when it gave no sign, and when it ran out of memory.

Engines tell (`working`, `watched`). north.heartbeat looks, and so does bulk work, which comes after people's. A long answer is no hang:
each piece is a sign, and so is each part of a prompt that is read. Who waits in an engine's queue is alive as long as anybody in it is.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

from north.inference.errors import OutOfMemory

Item = TypeVar("Item")
Where = Literal["processor", "device", "remote"]
"""Where a call computes. On processors a single step may take long, but then it takes processor time, too; elsewhere it takes none."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A role that is at work and gave no sign for so many seconds."""

    role: str
    where: Where
    seconds: float


reached: Callable[[str], None] = lambda stage: None  # noqa: E731
"""Called at each step with "model-" and its role: for failpoints."""
QUIET_SECONDS = 0.25
"""Who gave a sign so lately is still at work: between two words of an answer, or two steps of a search, is no pause."""
_lock = threading.Lock()
_calls: dict[int, tuple[str, Where, float]] = {}
_signs: dict[tuple[str, Where], float] = {}
_short: dict[str, float] = {}
_numbers = itertools.count()


@contextmanager
def working(role: str, where: Where) -> Iterator[None]:
    """One step of a model: its end is a sign of life. Where memory runs out, that is remembered and raised as OutOfMemory."""
    number = next(_numbers)
    with _lock:
        _calls[number] = role, where, time.monotonic()
    try:
        reached(f"model-{role}")
        yield
    except MemoryError as error:
        _ran_short(role)
        raise OutOfMemory from error
    except OutOfMemory:
        _ran_short(role)
        raise
    finally:
        with _lock:
            del _calls[number]
            _signs[role, where] = time.monotonic()


def watched(items: Iterator[Item], role: str, where: Where) -> Iterator[Item]:
    """The items as they come, each a step; whoever takes them may take his time."""
    while True:
        with working(role, where):
            try:
                item = next(items)
            except StopIteration:
                return
        yield item


def silences() -> list[Silence]:
    """Of each role at work: how long since its last sign, or since its oldest call began if that is later."""
    now = time.monotonic()
    with _lock:
        oldest: dict[str, tuple[str, Where, float]] = {}
        for call in _calls.values():
            if call[0] not in oldest or call[2] < oldest[call[0]][2]:
                oldest[call[0]] = call
        return [Silence(role, where, now - max(since, _signs.get((role, where), since))) for role, where, since in oldest.values()]


def others_at_work(role: str, place: Where) -> bool:
    """Whether a model of another role computes in this place, or did QUIET_SECONDS ago."""
    lately = time.monotonic() - QUIET_SECONDS
    with _lock:
        now = any(other != role and where == place for other, where, _ in _calls.values())
        return now or any(other != role and where == place and at > lately for (other, where), at in _signs.items())


def short_of_memory(seconds: float) -> set[str]:
    """The roles that ran out of memory in the last so many seconds."""
    with _lock:
        return {role for role, at in _short.items() if time.monotonic() - at < seconds}


def _ran_short(role: str) -> None:
    with _lock:
        _short[role] = time.monotonic()
