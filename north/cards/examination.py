"""One test of a chat model, as work: what it finds goes to the card's row at once. For the worker and for `manage.py models test`."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from django.utils import timezone
from langchain_core.language_models import BaseChatModel

from north.cards.models import Card, plain_of
from north.inference.conformance import FULL, QUICK, Begun, examine
from north.inference.outcomes import Outcome
from north.leases import LeaseLost

WATCH_SECONDS = 1.0


def carry_out(card: Card, model: BaseChatModel, machine: str, cancelled: Callable[[], bool]) -> Iterator[Begun | Outcome]:
    """The leased card's test from its beginning to its end. Raises what the model raises, `Stopped` and `LeaseLost`."""
    began = time.monotonic()
    told: list[dict[str, Any]] = []
    card.write(status=Card.Status.RUNNING, told=told, doing="", error="")
    with closing(examine(model, FULL if card.wants_full else QUICK, cancelled=cancelled)) as test:  # type: ignore[type-var]
        for said in test:
            if isinstance(said, Begun):
                card.write(doing=said.probe)
            else:
                told = [*told, plain_of(said)]
                card.write(told=told)
            yield said
    seconds = round(time.monotonic() - began, 1)
    found = {"outcomes": told, "tested_at": timezone.now(), "seconds": seconds, "full": card.wants_full, "machine": machine[:200]}
    card.give_back(status=Card.Status.DONE, doing="", **found)


class Watch:
    """Whether the test should stop: a person said so, or another worker holds it."""

    def __init__(self, card: Card, lost: threading.Event) -> None:
        self.card, self.lost = card, lost
        self.look_at, self.stopped = 0.0, False

    def __call__(self) -> bool:
        if self.lost.is_set():
            raise LeaseLost(f"Card {self.card.pk} is held by another worker.")
        if not self.stopped and time.monotonic() >= self.look_at:
            self.stopped = self.card.held().filter(cancel_requested=True).exists()
            self.look_at = time.monotonic() + WATCH_SECONDS
        return self.stopped


def machine_of(config: Mapping[str, object]) -> str:
    """Where a model of the settings runs, in words: its server, or this machine's processors."""
    if address := config.get("base_url"):
        return str(address).split("://", 1)[-1].split("/", 1)[0].rpartition("@")[2]
    cards = [_line(path, "Model:") for path in sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))]
    processor = _line(Path("/proc/cpuinfo"), "model name") or platform.machine()
    return ", ".join([f"{os.cpu_count()} × {processor}", *cards])


def _line(path: Path, name: str) -> str:
    """What stands behind the name in the first line of the file that begins with it."""
    try:
        lines = path.read_text(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(name)), "")
