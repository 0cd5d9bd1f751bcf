"""How much of a model a caller used. Engines note it as they work; whoever wants to know holds a meter. Knows no user and no row."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class Used:
    """Tokens read, of these taken from a cache, and written; `seconds` that calls held the model."""

    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0
    seconds: float = 0.0


METER: ContextVar[Used | None] = ContextVar("meter", default=None)


@contextmanager
def metered() -> Iterator[Used]:
    """What encoders note in this context while the block runs, also in threads that were started with a copy of it (LangGraph's are).
    An inner meter takes what is noted in it from the outer one."""
    used = Used()
    token = METER.set(used)
    try:
        yield used
    finally:
        METER.reset(token)


def note(tokens: int, seconds: float) -> None:
    """An encoder read so many tokens in so many seconds for the caller of this context."""
    if used := METER.get():
        used.tokens_in += tokens
        used.seconds += seconds
