"""BM25 over texts in memory, by North's own terms and weights: for mining and measuring, without an index. Pure."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from retrieval import tokens


class Postings:
    """Which of `texts` hold a term, and with which weight; the inverse document frequency is Lucene's, as the index has it."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._count = len(texts)
        found: dict[int, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
        for row, (terms, weights) in enumerate(map(_document, texts)):
            for term, weight in zip(terms, weights, strict=True):
                found[term][0].append(row)
                found[term][1].append(weight)
        self._of = {term: (np.array(rows), np.array(weights, np.float32)) for term, (rows, weights) in found.items()}

    def __call__(self, question: str) -> np.ndarray:
        """float32 (texts,): BM25 of each, 0 where no term is shared."""
        scores = np.zeros(self._count, np.float32)
        for term in tokens.query(question)[0]:
            if term in self._of:
                rows, weights = self._of[term]
                scores[rows] += weights * math.log(1 + (self._count - len(rows) + 0.5) / (len(rows) + 0.5))
        return scores


def _document(text: str) -> tokens.Sparse:
    return tokens.documents([text])[0]
