"""Orders passages: a document is worth its best chunk. Pure; the model that judges, if there is one, is handed in.

Max-chunk scoring after Dai and Callan 2019, "Deeper Text Understanding for IR with Contextual Neural Language Modeling" (MaxP).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from retrieval.types import Passage, Score


def judge(query: str, passages: Sequence[Passage], score: Score) -> list[Passage]:
    """The passages with the model's verdict: `score` is its logit through the logistic function, `why["rerank"]` the logit."""
    logits = np.asarray(score(query, [passage.text for passage in passages]), dtype=np.float64) if passages else np.zeros(0)
    if logits.shape != (len(passages),):
        raise ValueError(f"{len(passages)} passages were judged with scores of shape {logits.shape}")
    worth = 1 / (1 + np.exp(-np.clip(logits, -500, 500)))
    return [
        replace(passage, score=float(value), why={**passage.why, "rerank": float(logit)})
        for passage, value, logit in zip(passages, worth, logits, strict=True)
    ]


def best(passages: Iterable[Passage], *, limit: int, per_document: int = 3) -> list[Passage]:
    """The `limit` best passages, best first, at most `per_document` of one document; equals keep their order."""
    taken: Counter[str] = Counter()
    kept = []
    for passage in sorted(passages, key=lambda passage: -passage.score):
        taken[passage.document] += 1
        if taken[passage.document] <= per_document:
            kept.append(passage)
    return kept[:limit]


def by_document(passages: Iterable[Passage]) -> dict[str, list[Passage]]:
    """The passages of each document, best first; the documents in the order of their best passage."""
    found: dict[str, list[Passage]] = {}
    for passage in sorted(passages, key=lambda passage: -passage.score):
        found.setdefault(passage.document, []).append(passage)
    return found
