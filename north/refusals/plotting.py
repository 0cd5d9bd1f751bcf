"""A risk-coverage curve as whole numbers for SVG attributes: no style, no script. The table beside it says the same in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from north.evaluation.calibrating import Mark, Point, curve, point

SIZE = 1000


@dataclass(frozen=True, slots=True)
class Dot:
    """One threshold: where it stands, and how far its risk may lie."""

    point: Point
    place: str
    whisker: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """`line` and `band` are paths: coverage to the right, risk upwards up to `top`."""

    line: str
    band: str
    before: Dot
    after: Dot | None
    goal: int
    top: float

    @property
    def view(self) -> str:
        return f"0 0 {SIZE} {SIZE}"


def drawing(marks: Sequence[Mark], before: float, after: Point | None, risk: float) -> Drawing:
    """`before`: the threshold of today; `after`: what was fitted."""
    points = [one for one in curve(marks) if one.answered][::-1]
    top = min(1.0, max(0.2, *(one.risk for one in points)) * 1.25)
    highs = [f"{x(one)} {y(min(one.interval[1], top), top)}" for one in points]
    lows = [f"{x(one)} {y(one.interval[0], top)}" for one in points[::-1]]
    line = "L".join(f"{x(one)} {y(one.risk, top)}" for one in points)
    now = dot(point(marks, before), top)
    return Drawing(f"M{line}", f"M{'L'.join([*highs, *lows])}Z", now, dot(after, top) if after else None, y(risk, top), top)


def dot(one: Point, top: float) -> Dot:
    low, high = one.interval
    return Dot(one, f"M{x(one)} {y(one.risk, top)}h0", f"M{x(one)} {y(low, top)}V{y(min(high, top), top)}")


def x(one: Point) -> int:
    return round(SIZE * one.coverage)


def y(share: float, top: float) -> int:
    return round(SIZE * (1 - share / top))
