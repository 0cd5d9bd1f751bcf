"""Which weights order a workspace's documents best, by its golden set. Pure: what each choice is worth for each question goes in.

Few questions say little, so a choice must be better than the default by more than it is far from it, and it is offered only where it is
surely better on questions that it was not chosen by.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from math import log2
from statistics import fmean

from retrieval.metrics import interval

FEWEST = 30
"""Questions, below which nothing is fitted."""
FOLDS = 5
WORDS = (1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0)
BLENDS = (1 / 4, 1 / 2, 1.0, 2.0, 4.0)
"""By what the default weight of words, and what the first search counts beside the model that judges, are multiplied."""
PULL = 0.25
"""Towards the default: a choice at a factor of two must win so many nDCG points of one question, at four times as many."""

Choice = tuple[float, float]
DEFAULT: Choice = (1.0, 1.0)
Table = Mapping[str, Mapping[Choice, float]]
"""By question, the nDCG@10 of each choice."""


@dataclass(frozen=True, slots=True)
class Fit:
    """`gain`: of nDCG@10, by choices that were made without the questions they are measured on; `interval`: its 95 %."""

    words: float
    blend: float
    gain: float
    interval: tuple[float, float]
    questions: int

    @property
    def better(self) -> bool:
        """Surely: what may be chance is not worth a change."""
        return (self.words, self.blend) != DEFAULT and self.interval[0] > 0


def choices(judged: bool) -> list[Choice]:
    """All that are tried; where no model judges, the blend makes no difference."""
    return list(product(WORDS, BLENDS if judged else (1.0,)))


def fit(table: Table) -> Fit:
    """Chooses by all questions; estimates by FOLDS parts, each measured with the choice of the others. Raises ValueError below FEWEST."""
    if len(table) < FEWEST:
        raise ValueError(f"{len(table)} questions, where {FEWEST} are needed")
    keys = sorted(table)
    gains: list[float] = []
    for fold in range(FOLDS):
        held = set(keys[fold::FOLDS])
        chosen = best(table, [key for key in keys if key not in held])
        gains += [table[key][chosen] - table[key][DEFAULT] for key in sorted(held)]
    words, blend = best(table, keys)
    return Fit(words, blend, fmean(gains), interval(gains), len(keys))


def best(table: Table, keys: Collection[str]) -> Choice:
    """Of the highest mean, less what the distance from the default costs; the nearest among equals."""
    options: Sequence[Choice] = sorted(next(iter(table.values())), key=distance)
    return max(options, key=lambda one: fmean(table[key][one] for key in keys) - PULL * distance(one) / len(keys))


def distance(choice: Choice) -> float:
    """Squared, in powers of two."""
    return sum(log2(factor) ** 2 for factor in choice)
