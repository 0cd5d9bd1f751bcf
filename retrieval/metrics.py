"""How good a ranking is against what people judged, and how sure that is. Pure; knows no index and no file.

A ranking is ids, best first, each once; `judged` gives each judged id's grade, where 0 and less is not relevant, as is what is not
judged. Each measure lies in [0, 1] and raises ValueError where nothing relevant is judged, for then it says nothing.
Gains are linear and discounts base-2, as trec_eval and BEIR have it (https://arxiv.org/abs/2104.08663).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import log2

import numpy as np

Judged = Mapping[str, float]
Measure = Callable[[Sequence[str], Judged], float]

RESAMPLES = 1000
SURE = 0.95


def ndcg(ranking: Sequence[str], judged: Judged, k: int = 10) -> float:
    """Järvelin and Kekäläinen 2002: the sum of grade / log2(rank + 1) over the first `k`, over the most that is possible."""
    ideal = sorted(_relevant(judged).values(), reverse=True)
    return _gain([max(0.0, judged.get(one, 0)) for one in ranking[:k]]) / _gain(ideal[:k])


def recall(ranking: Sequence[str], judged: Judged, k: int = 50) -> float:
    """Which part of the relevant is among the first `k`."""
    relevant = _relevant(judged)
    return len(relevant.keys() & set(ranking[:k])) / len(relevant)


def reciprocal_rank(ranking: Sequence[str], judged: Judged, k: int = 10) -> float:
    """1 / rank of the first that is relevant; 0 where none is among the first `k`. Its mean is MRR@k."""
    relevant = _relevant(judged)
    return next((1 / rank for rank, one in enumerate(ranking[:k], 1) if one in relevant), 0.0)


def all_gold(ranking: Sequence[str], judged: Judged, k: int = 10) -> float:
    """1 where everything relevant is among the first `k`, else 0: what a question over several documents needs (MuSiQue, HotpotQA)."""
    return float(_relevant(judged).keys() <= set(ranking[:k]))


MEASURES: Mapping[str, Measure] = {"ndcg@10": ndcg, "recall@50": recall, "mrr@10": reciprocal_rank, "all_gold@10": all_gold}


def interval(values: Sequence[float], *, seed: int = 0) -> tuple[float, float]:
    """Where the mean of such questions' values lies with 95 % confidence: percentile bootstrap (Efron and Tibshirani 1993).

    For a difference of two systems give each question's difference: that is the paired bootstrap. The same seed gives the same answer.
    """
    if not len(values):
        raise ValueError("no values, so no interval")
    given = np.asarray(values, np.float64)
    drawn = np.random.default_rng(seed).integers(0, len(given), (RESAMPLES, len(given)))
    low, high = np.quantile(given[drawn].mean(axis=1), [(1 - SURE) / 2, (1 + SURE) / 2])
    return float(low), float(high)


def _relevant(judged: Judged) -> dict[str, float]:
    found = {one: grade for one, grade in judged.items() if grade > 0}
    if not found:
        raise ValueError("nothing relevant is judged")
    return found


def _gain(grades: Sequence[float]) -> float:
    return sum(grade / log2(rank + 1) for rank, grade in enumerate(grades, 1))
