"""Breaks off what a pass waits for, once the pass is its worker's no more: stopped, paused, found stuck, or set up otherwise. The row is
asked every second, so a stop holds within seconds, also where a connector waits for an answer that never comes.

The connector alone is interrupted, by a signal to the thread that runs it; never our own rows' work, which ends by itself at its next
write. A connector that sleeps in foreign code and hears no signal takes its process along: the pool starts another.
"""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from billiard import current_process
from django.db import DatabaseError, close_old_connections, connection

from north.leases import Leased, LeaseLost

logger = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
GRACE_SECONDS = 15.0
"""So long it may take to let go before its process is ended."""


def end_process() -> None:
    """Only a child of a pool, which is replaced."""
    if current_process().daemon:
        logger.error("A connector does not let go of a pass that was stopped: its process ends, and another takes its place.")
        os.kill(os.getpid(), signal.SIGKILL)


class Watch:
    """Around a pass; `outside` around what its connector does. In a thread that is not its process's first nothing can be interrupted, and
    in a transaction nobody else sees the row: there a pass ends at its next write."""

    def __init__(self, row: Leased, last_resort: Callable[[], None] = end_process) -> None:
        self.row, self.last_resort = row, last_resort
        self.lost, self.waiting, self.over = False, False, threading.Event()
        self.works = threading.current_thread() is threading.main_thread() and not connection.in_atomic_block
        self.before: Any = None

    def __enter__(self) -> Watch:
        if self.works:
            self.before = signal.signal(signal.SIGALRM, self.heard)
            self.thread = threading.Thread(target=self.look, name=f"watch-{self.row.pk}", daemon=True)
            self.thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.over.set()
        if self.works:
            self.thread.join(timeout=5)
            signal.signal(signal.SIGALRM, self.before)

    def look(self) -> None:
        since = 0.0
        while not self.over.wait(LOOK_SECONDS):
            try:
                self.lost = self.lost or not self.row.held().exists()
            except DatabaseError as error:
                logger.warning("A pass could not be looked after for a second: %s", error)
            finally:
                close_old_connections()
            if self.lost:
                since = since or time.monotonic()
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
                if time.monotonic() - since > GRACE_SECONDS:
                    self.last_resort()
                    return

    def heard(self, _signal: int, _frame: object) -> None:
        if self.waiting:
            self.waiting = False
            raise self.loss()

    def loss(self) -> LeaseLost:
        return LeaseLost(f"The pass {self.row.pk} was stopped while its connector worked.")

    @contextmanager
    def outside(self) -> Iterator[None]:
        """What happens in here may be broken off with LeaseLost."""
        self.waiting = True
        try:
            if self.lost:
                raise self.loss()
            yield
        finally:
            self.waiting = False

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Our own work in the middle of the connector's: not to be broken off."""
        waiting, self.waiting = self.waiting, False
        try:
            yield
        finally:
            self.waiting = waiting
