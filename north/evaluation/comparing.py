"""Two measurements beside each other: what changed, question by question, and how sure that is. Knows no page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from north.evaluation.models import WAYS, Outcome
from retrieval.metrics import interval

MEASURES = ("ndcg@10", "recall@50", "mrr@10")
MAIN = MEASURES[0]


@dataclass(frozen=True, slots=True)
class Change:
    """Of a measure's mean over the questions that both asked; `interval`: of their differences, paired, 95 %."""

    measure: str
    before: float
    after: float
    interval: tuple[float, float]

    @property
    def by(self) -> float:
        return self.after - self.before

    @property
    def sure(self) -> bool:
        return not self.interval[0] <= 0 <= self.interval[1]


@dataclass(frozen=True, slots=True)
class Pair:
    """One question in both; `before` None: it was not asked then, or other documents answered it then."""

    after: Outcome
    before: Outcome | None

    @property
    def value(self) -> float:
        return final(self.after.values)[MAIN]

    @property
    def value_before(self) -> float | None:
        return final(self.before.values)[MAIN] if self.before else None

    @property
    def by(self) -> float:
        return self.value - final(self.before.values)[MAIN] if self.before else 0.0


def final(values: Mapping[str, Mapping[str, float]]) -> Mapping[str, float]:
    """The measures of the last way: how people's searches go."""
    return values[last(values)]


def last(values: Mapping[str, Any]) -> str:
    return [way for way in WAYS if way in values][-1]


def paired(after: Sequence[Outcome], before: Sequence[Outcome]) -> list[Pair]:
    """What got worse first, then what got better, then the rest, the worst first."""
    known = {one.question_id: one for one in before}
    pairs = []
    for one in after:
        other = known.get(one.question_id)
        pairs.append(Pair(one, other if other and other.judged == one.judged else None))
    return sorted(pairs, key=lambda pair: (not pair.by, pair.by > 0, -abs(pair.by), pair.value, str(pair.after.question_id)))


def changes(pairs: Sequence[Pair]) -> list[Change]:
    """Empty where they have no question in common."""
    both = [(final(pair.before.values), final(pair.after.values)) for pair in pairs if pair.before]
    return [
        Change(
            measure,
            fmean(before[measure] for before, _after in both),
            fmean(after[measure] for _before, after in both),
            interval([after[measure] - before[measure] for before, after in both]),
        )
        for measure in (MEASURES if both else ())
    ]
