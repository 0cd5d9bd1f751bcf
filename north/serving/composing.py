"""In the model worker: an answer's text as it grows; what may yet become a stop sequence or a marker is held back."""

from __future__ import annotations

import time
from collections.abc import Sequence

from agents.citations import unmarked
from north.serving.replying import Reply

TELL_SECONDS = 0.02
"""Pieces of the text go out together, at most fifty times a second; the first at once."""


class Text:
    """`told` is what has gone out, and at the end the whole text."""

    def __init__(self, reply: Reply, stops: Sequence[str], *, marked: bool) -> None:
        self.reply, self.stops, self.marked = reply, [stop for stop in stops if stop], marked
        self.written = self.ready = self.told = ""
        self.told_at = 0.0
        self.stopped = False

    def add(self, piece: str) -> bool:
        """Whether it has come to a stop sequence, which is left out."""
        if not piece:
            return False
        self.written += piece
        seen = unmarked(self.written, complete=False) if self.marked else self.written
        ends = [at for stop in self.stops if (at := seen.find(stop, max(0, len(self.ready) - len(stop)))) >= 0]
        self.stopped = bool(ends)
        self.ready = seen[: min(ends)] if ends else seen[: len(seen) - self.held(seen)]
        if self.stopped or time.monotonic() - self.told_at >= TELL_SECONDS:
            self.tell()
        return self.stopped

    def held(self, seen: str) -> int:
        """How many of the last characters may begin a stop sequence."""
        for length in range(max(map(len, self.stops), default=1) - 1, 0, -1):
            if any(stop.startswith(seen[-length:]) for stop in self.stops if len(stop) > length):
                return length
        return 0

    def end(self) -> None:
        if not self.stopped:
            self.ready = unmarked(self.written, complete=True) if self.marked else self.written
        self.tell()

    def tell(self) -> None:
        if len(self.ready) > len(self.told):
            self.reply("text", text=self.ready[len(self.told) :])
            self.told, self.told_at = self.ready, time.monotonic()
