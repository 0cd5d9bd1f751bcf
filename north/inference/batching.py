"""Who may use an engine next, and which texts go together. Small on purpose: one engine, one lock, two lanes."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class Lanes:
    """A lock whose hurried users go before all others: a query waits for at most the one batch that runs. Bulk work waits while hurried
    work keeps coming."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._taken = False
        self._hurried = 0

    @contextmanager
    def turn(self, *, hurry: bool) -> Iterator[None]:
        with self._changed:
            self._hurried += hurry
            while self._taken or (self._hurried and not hurry):
                self._changed.wait()
            self._hurried -= hurry
            self._taken = True
        try:
            yield
        finally:
            with self._changed:
                self._taken = False
                self._changed.notify_all()


def batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices of the texts of these lengths (in tokens), shortest first, so many at a time that rows times longest stays within
    `budget`; a text that is longer goes alone."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * lengths[index] > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
