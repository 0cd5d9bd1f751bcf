"""An engine that says what it ran, and callers in threads of their own: for the tests of the batcher."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from north.inference.batching import Batcher, patience
from north.inference.errors import OutOfMemory


class Engine:
    """Doubles each number, says what ran together, and sees that no more than `at_once` are in it. `gate`: the first batch waits for it."""

    def __init__(self, *, nap: float = 0.0, room: int = 1_000_000, at_once: int = 1) -> None:
        self.nap, self.room, self.at_once = nap, room, at_once
        self.door = threading.Lock()
        self.ran: list[list[int]] = []
        self.inside = 0
        self.gate, self.entered = threading.Event(), threading.Event()
        self.gate.set()

    def gate_after(self) -> bool:
        """Lets the batch that runs through, and holds the next: whether that came."""
        self.entered.clear()
        runs, held = len(self.ran), threading.Event()
        gate, self.gate = self.gate, held
        gate.set()
        return self.entered.wait(10) and len(self.ran) == runs + 1

    def __call__(self, items: list[int]) -> list[int]:
        with self.door:
            self.inside += 1
            self.ran.append(items)
        try:
            assert self.inside <= self.at_once, "too many batches ran at once"
            gate = self.gate
            self.entered.set()
            assert gate.wait(20)
            time.sleep(self.nap)
            if len(items) > self.room:
                raise OutOfMemory
            if any(item < 0 for item in items):
                raise KeyError(min(items))
            return [2 * item for item in items]
        finally:
            with self.door:
                self.inside -= 1


class Asking(threading.Thread):
    """A caller in a thread of its own, and what became of it."""

    def __init__(self, batcher: Batcher, items: Sequence[int], lengths: Sequence[int], *, hurry: bool, within: Any = None) -> None:
        super().__init__(daemon=True)
        self.batcher, self.items, self.lengths, self.hurry, self.within = batcher, items, lengths, hurry, within or {}
        self.found: list[int] | None = None
        self.error: BaseException | None = None
        self.start()

    def run(self) -> None:
        try:
            with patience(**self.within):
                self.found = self.batcher(self.items, self.lengths, hurry=self.hurry)
        except BaseException as error:
            self.error = error

    def ended(self) -> Asking:
        self.join(20)
        assert not self.is_alive(), "a caller was forgotten"
        return self


def until(true: Callable[[], object], what: str) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end, what
        time.sleep(0.001)


def waiting(batcher: Batcher, lane: str, count: int) -> None:
    until(lambda: batcher.stats().waiting[lane] >= count, f"{count} never waited in {lane}")


def held(batcher: Batcher, engine: Engine) -> Asking:
    """A bulk caller whose one batch runs until the gate opens."""
    engine.gate.clear()
    engine.entered.clear()
    first = Asking(batcher, [0], [1], hurry=False)
    assert engine.entered.wait(10)
    return first
