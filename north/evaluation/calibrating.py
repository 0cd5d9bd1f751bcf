"""Below which evidence questions are better refused, by what people marked. Pure: marks in; a curve, and a choice with its doubts, out.

Selective answering (Chow 1970; El-Yaniv and Wiener 2010): each threshold answers a share of the questions, its coverage, and is wrong in a
share of these, its risk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt

FEWEST = 30
"""Marks, below which nothing is fitted."""
FEWEST_OF_A_KIND = 5
"""Of those that are answered, and of those that are not."""
FOLDS = 5
Z = 1.96
"""95 % of a normal distribution."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a person said of a question whose passages have this evidence, 0 to 1: they answer it, or not."""

    evidence: float
    answers: bool


@dataclass(frozen=True, slots=True)
class Point:
    """What a threshold does: `answered` of the marked questions, `wrong` of them without an answer in their passages. `refused`: of those
    that could have been answered, and were not."""

    threshold: float
    marks: int
    answered: int
    wrong: int
    refused: int

    @property
    def coverage(self) -> float:
        return self.answered / self.marks if self.marks else 0.0

    @property
    def risk(self) -> float:
        return self.wrong / self.answered if self.answered else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Where the risk lies with 95 % confidence."""
        return wilson(self.wrong, self.answered)


@dataclass(frozen=True, slots=True)
class Fit:
    """`chosen`: measured on the marks that it was chosen by; `held`: wrong and answered of questions that it was chosen without."""

    chosen: Point
    held: tuple[int, int]

    @property
    def held_risk(self) -> float:
        wrong, answered = self.held
        return wrong / answered if answered else 0.0

    @property
    def held_interval(self) -> tuple[float, float]:
        return wilson(*self.held)


def wilson(hits: int, of: int) -> tuple[float, float]:
    """Between which shares the true one lies with 95 % confidence (Wilson 1927): honest at few, too. Of none nothing is known."""
    if not of:
        return 0.0, 1.0
    share, room = hits / of, Z * Z / of
    middle, spread = share + room / 2, Z * sqrt(share * (1 - share) / of + room / of / 4)
    return max(0.0, (middle - spread) / (1 + room)), min(1.0, (middle + spread) / (1 + room))


def point(marks: Sequence[Mark], threshold: float) -> Point:
    above = [mark for mark in marks if mark.evidence >= threshold]
    wrong = sum(not mark.answers for mark in above)
    refused = sum(mark.answers for mark in marks) - (len(above) - wrong)
    return Point(threshold, len(marks), len(above), wrong, refused)


def curve(marks: Sequence[Mark]) -> list[Point]:
    """What each threshold does that makes a difference, the lowest first; it refuses none."""
    found = sorted({mark.evidence for mark in marks})
    return [point(marks, threshold) for threshold in [0.0, *((low + high) / 2 for low, high in pairwise(found))]]


def lacking(marks: Sequence[Mark]) -> tuple[int, int, int]:
    """How many marks are missing before anything is fitted: in all, of answered ones, of unanswered ones."""
    answered = sum(mark.answers for mark in marks)
    kinds = (max(0, FEWEST_OF_A_KIND - count) for count in (answered, len(marks) - answered))
    return max(0, FEWEST - len(marks)), *kinds  # type: ignore[return-value]


def chosen(marks: Sequence[Mark], risk: float) -> Point | None:
    """The threshold that answers most of the questions at no more than this risk; None where none does."""
    return next((one for one in curve(marks) if one.answered and one.risk <= risk), None)


def fit(marks: Sequence[Mark], risk: float) -> Fit | None:
    """None: no threshold keeps this risk. Raises ValueError where marks are lacking."""
    if any(lacking(marks)):
        raise ValueError(f"{len(marks)} marks are too few, or all of a kind")
    best = chosen(marks, risk)
    if best is None:
        return None
    ordered, wrong, answered = sorted(marks, key=lambda mark: (mark.evidence, mark.answers)), 0, 0
    for fold in range(FOLDS):
        others = [mark for place, mark in enumerate(ordered) if place % FOLDS != fold]
        if threshold := chosen(others, risk):
            found = point(ordered[fold::FOLDS], threshold.threshold)
            wrong, answered = wrong + found.wrong, answered + found.answered
    return Fit(best, (wrong, answered))
