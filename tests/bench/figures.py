"""One row of the table, and the table."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

WIDTH = 140


@dataclass(frozen=True, slots=True)
class Figure:
    """`met` None: for information only. `numbers`: what stands behind it, for the JSON; `notes`: for people."""

    name: str
    goal: str
    measured: str
    met: bool | None
    numbers: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"numbers": dict(self.numbers), "notes": list(self.notes)}


def percentile(values: Sequence[float], percent: float) -> float:
    """By nearest rank: a value that was measured."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)]


def spread(values: Sequence[float], digits: int = 0) -> dict[str, float]:
    """Milliseconds of values in seconds: p50, p95, the longest, and how many."""
    named = {"p50": percentile(values, 50), "p95": percentile(values, 95), "max": max(values)}
    return {name: round(value * 1000, digits) for name, value in named.items()} | {"n": len(values)}


def told(said: Mapping[str, float]) -> str:
    """A spread in words."""
    return f"p50 {said['p50']:,g} ms, p95 {said['p95']:,g} ms, longest {said['max']:,g} ms (n={said['n']:g})"


def rows(figures: Sequence[Figure]) -> str:
    return "\n".join(row(figure) for figure in figures)


def row(figure: Figure) -> str:
    verdict = {True: "met", False: "MISSED", None: "-"}[figure.met]
    head = f"{verdict:7} {figure.name:58} {figure.goal:28} {figure.measured}"
    return "\n".join([head, *(wrapped(note) for note in figure.notes)])


def wrapped(note: str) -> str:
    return textwrap.fill(note, WIDTH, initial_indent=" " * 10, subsequent_indent=" " * 12)


def header() -> str:
    return f"{'':7} {'figure':58} {'goal':28} measured"
