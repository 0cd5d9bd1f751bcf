"""A chart as shapes: bars or lines over labels, for a page, a file or a sheet. Whole numbers in a drawing of WIDTH x HEIGHT; no style.

A chart is plain JSON: {"kind": "bar" or "line", "title", "labels": [...], "series": [{"name", "values": [number or null]}], "origin"}.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from xml.sax.saxutils import escape

from north.exports.paper import Paper

WIDTH, HEIGHT = 640, 320
LEFT, RIGHT, TOP, BOTTOM = 70, 10, 14, 46
COLOURS = ("#2f6feb", "#d9730d", "#0f7b6c", "#9065b0", "#b4304b")
LABEL_CHARACTERS = 14
TICKS = 4
Chart = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Bar:
    series: int
    x: int
    y: int
    width: int
    height: int
    said: str


@dataclass(frozen=True, slots=True)
class Mark:
    """Words at a place: of a tick or under a group of bars."""

    x: int
    y: int
    text: str


@dataclass(frozen=True, slots=True)
class Plot:
    bars: tuple[Bar, ...]
    lines: tuple[tuple[int, str], ...]
    """A series and its points, "x,y x,y"; one that breaks off has several."""
    dots: tuple[Bar, ...]
    ticks: tuple[Mark, ...]
    labels: tuple[Mark, ...]
    zero: int
    names: tuple[str, ...]


def plot(chart: Chart) -> Plot:
    values = [value for series in chart["series"] for value in series["values"] if value is not None]
    scale = Scale(min([0, *values]), max([0, *values]))
    count = max(len(chart["labels"]), 1)
    step = (WIDTH - LEFT - RIGHT) / count
    is_line = chart["kind"] == "line"
    places = list(_places(chart, scale, step))
    return Plot(
        bars=() if is_line else tuple(places),
        lines=tuple(_lines(chart, scale, step)) if is_line else (),
        dots=tuple(places) if is_line else (),
        ticks=tuple(Mark(LEFT - 8, scale.y(value), shown(value)) for value in scale.ticks),
        labels=tuple(_labels(chart["labels"], step)),
        zero=scale.y(0),
        names=tuple(str(series["name"]) for series in chart["series"]),
    )


class Scale:
    """From values to heights; its ends and ticks are round numbers."""

    def __init__(self, low: float, high: float) -> None:
        self.step = _round_up((high - low) / TICKS or 1)
        self.low, self.high = math.floor(low / self.step) * self.step, math.ceil(high / self.step) * self.step
        self.high = self.high if self.high > self.low else self.low + self.step

    @property
    def ticks(self) -> list[float]:
        return [self.low + number * self.step for number in range(round((self.high - self.low) / self.step) + 1)]

    def y(self, value: float) -> int:
        return round(HEIGHT - BOTTOM - (value - self.low) / (self.high - self.low) * (HEIGHT - TOP - BOTTOM))


def _round_up(value: float) -> float:
    """The next of 1, 2, 2.5, 5, 10 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(value))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= value * 0.999999)


def _places(chart: Chart, scale: Scale, step: float) -> Iterator[Bar]:
    """The bar of each value, or the dot of a line."""
    count, is_line = len(chart["series"]), chart["kind"] == "line"
    width = max((step * 0.8) / (1 if is_line else count), 1)
    for place, label in enumerate(chart["labels"]):
        for number, series in enumerate(chart["series"]):
            value = series["values"][place]
            if value is None:
                continue
            x = LEFT + place * step + step * 0.1 + (0 if is_line else number * width)
            top, bottom = sorted((scale.y(value), scale.y(0)))
            said = f"{label}, {series['name']}: {shown(value)}"
            if is_line:
                yield Bar(number + 1, round(x + width / 2), scale.y(value), 0, 0, said)
            else:
                yield Bar(number + 1, round(x), top, max(round(width) - 1, 1), max(bottom - top, 1), said)


def _lines(chart: Chart, scale: Scale, step: float) -> Iterator[tuple[int, str]]:
    for number, series in enumerate(chart["series"], 1):
        points: list[str] = []
        for place, value in enumerate([*series["values"], None]):
            if value is not None:
                points.append(f"{round(LEFT + (place + 0.5) * step)},{scale.y(value)}")
            elif points:
                yield number, " ".join(points)
                points = []


def _labels(labels: Sequence[str], step: float) -> Iterator[Mark]:
    """As many as have room beside each other."""
    longest = min(max((len(str(label)) for label in labels), default=1), LABEL_CHARACTERS)
    every = max(math.ceil(longest * 7 / step), 1)
    for place in range(0, len(labels), every):
        text = str(labels[place])
        cut = text if len(text) <= LABEL_CHARACTERS else text[: LABEL_CHARACTERS - 1] + "…"
        yield Mark(round(LEFT + (place + 0.5) * step), HEIGHT - BOTTOM + 18, cut)


def shown(value: float) -> str:
    return f"{value:,.10g}" if abs(value) < 1e15 else f"{value:.6g}"


def rows_of(chart: Chart) -> list[list[str]]:
    """The same as a table; its first row names the columns."""
    columns = ["", *(str(series["name"]) for series in chart["series"])]
    values = [["" if series["values"][place] is None else shown(series["values"][place]) for series in chart["series"]]
              for place in range(len(chart["labels"]))]  # fmt: skip
    return [columns, *([str(label), *row] for label, row in zip(chart["labels"], values, strict=True))]


def written(paper: Paper) -> bytes:
    """The first chart of a paper as a picture that stands alone."""
    return svg(next(block.chart for block in paper.blocks if block.kind == "chart")).encode()


def svg(chart: Chart) -> str:
    drawn = plot(chart)
    title = escape(str(chart["title"]))
    legend = drawn.names if len(drawn.names) > 1 else ()
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 -30 {WIDTH} {HEIGHT + 30 + 18 * bool(legend)}" role="img" '
        f'font-family="sans-serif" font-size="12"><title>{title}</title>',
        f'<rect x="0" y="-30" width="{WIDTH}" height="{HEIGHT + 50}" fill="#fff"/>',
        f'<text x="{LEFT}" y="-10" font-size="15" font-weight="bold" fill="#222">{title}</text>',
        *(f'<path d="M{LEFT} {tick.y}H{WIDTH - RIGHT}" stroke="#ddd"/>' for tick in drawn.ticks),
        *(_text(tick.x, tick.y + 4, tick.text, "end") for tick in drawn.ticks),
        *(_text(label.x, label.y, label.text, "middle") for label in drawn.labels),
        *(f'<rect x="{one.x}" y="{one.y}" width="{one.width}" height="{one.height}" fill="{_colour(one.series)}">'
          f"<title>{escape(one.said)}</title></rect>" for one in drawn.bars),
        *(f'<polyline points="{points}" fill="none" stroke="{_colour(number)}" stroke-width="2"/>' for number, points in drawn.lines),
        *(f'<circle cx="{dot.x}" cy="{dot.y}" r="3" fill="{_colour(dot.series)}"><title>{escape(dot.said)}</title></circle>'
          for dot in drawn.dots),
        f'<path d="M{LEFT} {drawn.zero}H{WIDTH - RIGHT}" stroke="#888"/>',
    ]  # fmt: skip
    for number, name in enumerate(legend):
        x = LEFT + number * (WIDTH - LEFT) // len(legend)
        parts += [f'<rect x="{x}" y="{HEIGHT - 9}" width="10" height="10" fill="{_colour(number + 1)}"/>',
                  _text(x + 14, HEIGHT, name[:18], "start")]  # fmt: skip
    return "\n".join([*parts, "</svg>\n"])


def _text(x: int, y: int, text: str, anchor: str) -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}" fill="#444">{escape(text)}</text>'


def _colour(series: int) -> str:
    return COLOURS[(series - 1) % len(COLOURS)]
