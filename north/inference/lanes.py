"""What waits for an engine, and what of it goes together. Pure but for the clock; `batching.py` holds the lock and runs it."""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, NamedTuple


class Patience(NamedTuple):
    until: float = inf
    """On the monotonic clock."""
    gone: Callable[[], bool] | None = None


class Entry(NamedTuple):
    """`number` is no other's, so sorting never looks further."""

    length: int
    number: int
    call: Call
    place: int


@dataclass(eq=False, slots=True)
class Call:
    """One caller's items, and what became of them."""

    items: Sequence[Any]
    results: list[Any]
    left: int
    awake: threading.Condition
    patience: Patience
    since: float = field(default_factory=time.monotonic)
    waits: bool = False
    over: bool = False
    queued: int = 0
    """How many of its items are in the lane."""
    error: BaseException | None = None
    seconds: float = 0.0
    """Its share, by tokens, of the batches that its items were in."""

    def end(self, error: BaseException | None) -> None:
        self.over, self.error = True, error
        self.awake.notify()


@dataclass(eq=False, slots=True)
class Lane:
    """`entries` from short to long; `calls` that have some, the least recently served first."""

    entries: list[Entry] = field(default_factory=list)
    calls: deque[Call] = field(default_factory=deque)
    tokens: int = 0
    longest_wait: float = 0.0

    def put(self, entries: Sequence[Entry]) -> None:
        self.entries.extend(entries)
        self.entries.sort()
        for entry in entries:
            if not entry.call.queued:
                self.calls.append(entry.call)
            entry.call.queued += 1
            self.tokens += entry.length

    def drop(self, call: Call) -> None:
        """What is left of this call goes."""
        if call.queued:
            self.calls.remove(call)
            self.tokens -= sum(entry.length for entry in self.entries if entry.call is call)
            self.entries = [entry for entry in self.entries if entry.call is not call]
            call.queued = 0

    def take(self, budget: int) -> list[Entry]:
        """The next batch, from short to long. There must be one."""
        first = next(entry for entry in self.entries if entry.call is self.calls[0])
        chosen = around(self.entries, bisect_left(self.entries, first), budget)
        batch = self.entries[chosen]
        del self.entries[chosen]
        for entry in batch:
            entry.call.queued -= 1
            self.tokens -= entry.length
        served = {entry.call for entry in batch}
        waits = [call for call in self.calls if call not in served]
        self.calls = deque(waits + [call for call in self.calls if call in served and call.queued])
        self.longest_wait = max(self.longest_wait, time.monotonic() - min(call.since for call in served))
        return batch


def around(entries: Sequence[tuple[int, Any]] | Sequence[Entry], index: int, budget: int) -> slice:
    """The batch that holds entries[index] of a list sorted by length: first those shorter than it, which cost no padding of others, then
    longer ones, while longest x number stays within the budget."""
    high = index + 1
    low = max(0, high - max(1, budget // entries[index][0]))
    while high < len(entries) and (high - low + 1) * entries[high][0] <= budget:
        high += 1
    return slice(low, high)
