"""Hard negatives: passages that look like an answer, by their words (BM25) or their meaning (vectors), and are none that is known.

From ranks FROM to TO of each: what stands before may well answer too (https://arxiv.org/abs/2010.08191). Nearly the same text as an
answer is none either.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from north.training.errors import BadData
from north.training.examples import Example
from north.training.leaks import folded
from north.training.postings import Postings
from retrieval.similarity import fingerprint

FROM, TO = 3, 40
"""Ranks from which hard negatives come; in a small pool from the first on."""
SMALL = 200

Near = Callable[[Sequence[str], int], np.ndarray]
"""(questions, count) -> int (questions, count): rows of the pool, nearest first; -1 where there are no more."""


def mined(examples: Sequence[Example], pool: Sequence[str], near: Near | None, count: int, seed: int) -> list[Example]:
    """Each example with `count` negatives at least, as far as the pool goes: its own, then by turns of those that are near and those that
    share words, then any. Examples that bring scores stay as they are. Raises BadData where one can have none."""
    rng, answers, words = random.Random(seed), _answers(examples), Postings(pool)  # noqa: S311
    nearest = near([one.query for one in examples], TO) if near else np.full((len(examples), 0), -1)
    found = []
    for one, rows in zip(examples, nearest, strict=True):
        missing = 0 if one.scores else count - len(one.negatives)
        if missing > 0:
            no = _Unfit(answers[folded(one.query)], one)
            hard = _by_turns(_hard(rows[rows >= 0], pool, rng), _hard(_ranked(words(one.query)), pool, rng))
            one = replace(one, negatives=(*one.negatives, *no.fit((*hard, *_any(pool, 3 * count, rng)), missing)))  # noqa: PLW2901
        if not one.negatives:
            raise BadData(f"There is no passage that does not answer the question {one.query[:80]!r}. Give a larger corpus, or negatives.")
        found.append(one)
    return found


class _Unfit:
    """What is no negative of an example: a passage that answers its question, one nearly like that, and one that it has."""

    def __init__(self, answers: set[str], example: Example) -> None:
        self._known = answers | {folded(text) for text in example.negatives}
        self._prints = [fingerprint(text) for text in example.positives]

    def fit(self, passages: Sequence[str], count: int) -> list[str]:
        found: list[str] = []
        for passage in passages:
            if len(found) == count:
                break
            key = folded(passage)
            if key not in self._known and not any(fingerprint(passage).is_near(other) for other in self._prints):
                self._known.add(key)
                found.append(passage)
        return found


def _answers(examples: Sequence[Example]) -> dict[str, set[str]]:
    """By folded question, all that is known to answer it, folded."""
    found: dict[str, set[str]] = defaultdict(set)
    for one in examples:
        found[folded(one.query)].update(map(folded, one.positives))
    return found


def _ranked(scores: np.ndarray) -> np.ndarray:
    order = np.argsort(-scores, kind="stable")[:TO]
    return order[scores[order] > 0]


def _hard(rows: np.ndarray, pool: Sequence[str], rng: random.Random) -> list[str]:
    chosen = [pool[row] for row in rows[0 if len(pool) < SMALL else FROM : TO].tolist()]
    rng.shuffle(chosen)
    return chosen


def _by_turns(left: Sequence[str], right: Sequence[str]) -> list[str]:
    both = [text for pair in zip(left, right, strict=False) for text in pair]
    shorter = min(len(left), len(right))
    return [*both, *left[shorter:], *right[shorter:]]


def _any(pool: Sequence[str], count: int, rng: random.Random) -> list[str]:
    return [pool[at] for at in rng.sample(range(len(pool)), min(count, len(pool)))]
