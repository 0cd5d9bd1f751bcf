"""Bars for a page, as whole numbers for SVG attributes: no style, no script. The table beside them says the same in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from north.usage.summing import MEASURES, Spent

HEIGHT = 1000
WIDTH = 10
"""Of one day, in the drawing's own units; a day's bar leaves one on each side."""
WEEKS_FROM = 120
"""So many days are drawn as weeks: a bar thinner than a pixel is none."""
SERIES = 5
"""Models with a colour of their own; the last colour is the others'."""


@dataclass(frozen=True, slots=True)
class Bar:
    series: int
    x: int
    y: int
    height: int


@dataclass(frozen=True, slots=True)
class Day:
    """Or the week that begins with it."""

    day: date
    x: int
    bars: tuple[Bar, ...]
    values: tuple[int, ...]
    """One a series."""
    total: int


@dataclass(frozen=True, slots=True)
class Chart:
    """`names`: of the series, from 1; None: all other models. `top`: the value at the upper edge. `step`: days of a bar."""

    days: Sequence[Day]
    names: Sequence[str | None]
    top: int
    width: int
    step: int

    @property
    def view(self) -> str:
        return f"0 0 {self.width} {HEIGHT}"


def chart(spent: Spent, measure: str) -> Chart:
    of = MEASURES[measure]
    models = sorted(spent.model, key=lambda name: (-of(spent.model[name]), name))
    own: list[str | None] = list(models[: SERIES if len(models) <= SERIES else SERIES - 1])
    names = own if len(own) == len(models) else [*own, None]
    step = 7 if len(spent.days) >= WEEKS_FROM else 1
    figures = stepped({day: values({model: of(sums) for model, sums in by.items()}, names) for day, by in spent.days.items()}, step)
    top = rounded_up(max((sum(one) for one in figures.values()), default=0))
    days = []
    for number, (day, parts) in enumerate(figures.items()):
        bars, y = [], HEIGHT
        for series, part in enumerate(parts, 1):
            height = max(round(part * HEIGHT / top), 4) if part else 0
            y -= height
            if height:
                bars.append(Bar(series, number * WIDTH + 1, max(y, 0), height))
        days.append(Day(day, number * WIDTH, tuple(bars), parts, sum(parts)))
    return Chart(days, names, top, len(days) * WIDTH, step)


def stepped(figures: Mapping[date, tuple[int, ...]], step: int) -> dict[date, tuple[int, ...]]:
    """Sums of `step` days each, under their first; the last ends today, the first may be shorter."""
    days = list(figures)
    firsts = sorted({max(last - step + 1, 0) for last in range(len(days) - 1, -1, -step)})
    return {
        days[first]: tuple(map(sum, zip(*(figures[day] for day in days[first:until]), strict=True)))
        for first, until in zip(firsts, [*firsts[1:], len(days)], strict=True)
    }


def values(by_model: Mapping[str, int], names: Sequence[str | None]) -> tuple[int, ...]:
    own = tuple(by_model.get(name, 0) for name in names if name is not None)
    return (*own, sum(by_model.values()) - sum(own)) if None in names else own


def rounded_up(value: int) -> int:
    """The next of 2, 4, 10, 20, 40, 100 ...: its half is a round number, too."""
    step = 1
    while True:
        for factor in (2, 4, 10):
            if value <= factor * step:
                return factor * step
        step *= 10


def share(value: int, most: int) -> int:
    """Of a bar as long as 100 for the largest; a little bit for what is not nothing."""
    return max(round(100 * value / most), 1) if value and most else 0
