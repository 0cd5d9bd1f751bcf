"""Lines with the intervals of their points, as whole numbers for SVG attributes: no style, no script. The table beside them says the same
in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from north.evaluation.models import WAYS, Measurement

HEIGHT = 1000
STEP = 40
"""Between two measurements, in the drawing's own units."""
APART = 4
"""Between the ways of one measurement, so that their intervals do not cover each other."""


@dataclass(frozen=True, slots=True)
class Series:
    """One way of searching. `line`, `dots` and `whiskers` are paths."""

    way: str
    number: int
    line: str
    dots: str
    whiskers: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """`names`: of each measurement, with the middle of its place."""

    series: Sequence[Series]
    width: int
    first: datetime
    last: datetime

    @property
    def view(self) -> str:
        return f"0 0 {self.width} {HEIGHT}"


def drawing(measurements: Sequence[Measurement], measure: str) -> Drawing:
    """Of at least one, oldest first."""
    series = [one for number, way in enumerate(WAYS, 1) if (one := drawn(way, number, [row.figures for row in measurements], measure))]
    return Drawing(series, len(measurements) * STEP, measurements[0].created_at, measurements[-1].created_at)


def drawn(way: str, number: int, figures: Sequence[Mapping[str, Any]], measure: str) -> Series | None:
    """None where no measurement went this way."""
    points, whiskers = [], []
    for place, told in enumerate(figures):
        if way in told:
            x = place * STEP + STEP // 2 + round((number - 2.5) * APART)
            points.append((x, height_of(told[way][measure])))
            low, high = told[way]["interval"][measure]
            whiskers.append(f"M{x} {height_of(low)}V{height_of(high)}")
    line = "".join(f"{'L' if n else 'M'}{x} {y}" for n, (x, y) in enumerate(points))
    return Series(way, number, line, "".join(f"M{x} {y}h0" for x, y in points), "".join(whiskers)) if points else None


def height_of(value: float) -> int:
    """Of a figure from 0 to 1, where 0 is below."""
    return round(HEIGHT * (1 - min(max(value, 0.0), 1.0)))
