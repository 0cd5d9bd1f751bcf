"""The figures of all cases judged so far: by kind, how often each side was right, with 95 % intervals by bootstrap, and the difference over
the cases that both were asked, with McNemar's exact test of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import comb
from typing import Any

import numpy as np

ROUNDS = 2000
Line = Mapping[str, Any]


def table(lines: Sequence[Line]) -> str:
    kinds = list(dict.fromkeys(str(one["kind"]) for one in lines))
    rows = [row(kind, [one for one in lines if one["kind"] == kind]) for kind in kinds]
    if len(bfcl := [one for one in lines if one["kind"] != "workbench"]) > len([one for one in lines if one["kind"] == kinds[0]]):
        rows.append(row("bfcl, all of these", bfcl))
    for kind, acts in (("workbench", True), ("workbench", False)):
        if some := [one for one in lines if one["kind"] == kind and one["acts"] == acts]:
            rows.append(row(f"- where {'something' if acts else 'nothing'} is to be done", some))
    head = f"{'':36} {'plain ReAct':>26} {'North':>26} {'North - plain, same cases':>45}  side effects plain / North"
    return "\n".join([head, *rows])


def row(name: str, lines: Sequence[Line]) -> str:
    sides = {side: {one["key"]: float(one["right"]) for one in lines if one["side"] == side} for side in ("plain", "north")}
    both = sorted(sides["plain"].keys() & sides["north"].keys())
    apart = [sides["north"][key] - sides["plain"][key] for key in both]
    ahead = told(apart, signed=True) + (f", p = {mcnemar(apart):.3f}" if apart else "")
    harm = [sum(bool(one["side_effects"]) for one in lines if one["side"] == side) for side in sides]
    plain, north = (told(list(side.values())) for side in sides.values())
    return f"{name:36} {plain:>26} {north:>26} {ahead:>45}  {harm[0]} / {harm[1]}"


def mcnemar(apart: Sequence[float]) -> float:
    """How likely the cases on which the sides differ are so uneven by chance, two-sided (McNemar 1947, exact)."""
    ahead, behind = apart.count(1.0), apart.count(-1.0)
    least, both = min(ahead, behind), ahead + behind
    return min(1.0, 2 * sum(comb(both, count) for count in range(least + 1)) / 2**both)


def told(values: Sequence[float], *, signed: bool = False) -> str:
    if not values:
        return "-"
    least, most = interval(values)
    form = "+.0f" if signed else ".0f"
    return f"{100 * np.mean(values):{form}} % ({100 * least:{form}} to {100 * most:{form}}, n={len(values)})"


def interval(values: Sequence[float], seed: int = 7) -> tuple[float, float]:
    """95 % of the means of as many values drawn anew from these."""
    drawn = np.random.default_rng(seed).choice(np.asarray(values), (ROUNDS, len(values)))
    low, high = np.percentile(drawn.mean(axis=1), [2.5, 97.5])
    return float(low), float(high)
