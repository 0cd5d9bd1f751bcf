"""Chunks that are made up, the same for the same number: unit vectors around centres, words drawn from a Zipf distribution, and readers.

They cost an index what real ones cost, and say nothing about how well it finds: centres are more alike than meanings are. Which part of the
chunks a principal may read is its share: `all` all, `half` a half, `tenth` a tenth, `hundredth` a hundredth, drawn document by document.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from retrieval.tokens import Sparse
from retrieval.types import Chunk, Entry, Scope

DIMENSIONS, CENTRES, SPREAD = 384, 2000, 0.9
VOCABULARY, WORDS, EXPONENT = 200_000, 60, 1.3
CHUNKS = 50
"""Of a document."""
SHARES = {"all": 1.0, "half": 0.5, "tenth": 0.1, "hundredth": 0.01}
WORKSPACE = "synthetic"
FACTORS = 64
"""Dimensions in which the vectors of a centre mostly differ: embeddings fill few of theirs."""


@dataclass(frozen=True, slots=True)
class Document:
    entry: Entry
    chunks: list[Chunk]
    dense: np.ndarray
    sparse: list[Sparse]


class World:
    def __init__(self, dimensions: int = DIMENSIONS) -> None:
        draw = np.random.default_rng(1)
        centres = draw.standard_normal((CENTRES, dimensions)).astype(np.float32)
        self._centres = centres / np.linalg.norm(centres, axis=1, keepdims=True)
        self._factors = draw.standard_normal((FACTORS, dimensions)).astype(np.float32) / np.sqrt(dimensions)

    def vectors(self, count: int, draw: np.random.Generator) -> np.ndarray:
        near = self._centres[draw.integers(0, CENTRES, count)]
        away = SPREAD / np.sqrt(FACTORS) * draw.standard_normal((count, FACTORS)).astype(np.float32) @ self._factors
        noise = draw.standard_normal(near.shape).astype(np.float32) * (0.2 / np.sqrt(near.shape[1]))
        found = near + away + noise
        return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)

    def dense(self, number: int) -> np.ndarray:
        """(CHUNKS, dimensions) of a document."""
        return self.vectors(CHUNKS, np.random.default_rng((2, number)))

    def document(self, number: int) -> Document:
        draw = np.random.default_rng((3, number))
        entry = Entry(WORKSPACE, f"doc-{number:07}", f"source-{number % 5}", "0" * 64, f"{number}.md", readers(number), type="md")
        chunks = [Chunk(one, one * 1000, one * 1000 + 1000, "", "A heading") for one in range(CHUNKS)]
        return Document(entry, chunks, self.dense(number), [words(draw, WORDS) for _ in chunks])

    def questions(self, count: int) -> list[tuple[np.ndarray, Sparse]]:
        draw = np.random.default_rng(4)
        return [(one, words(draw, 5, weighed=False)) for one in self.vectors(count, draw)]


def readers(number: int) -> frozenset[str]:
    drawn = np.random.default_rng((5, number)).random()
    return frozenset(name for name, share in SHARES.items() if drawn < share)


def words(draw: np.random.Generator, count: int, *, weighed: bool = True) -> Sparse:
    terms = np.unique(np.minimum(draw.zipf(EXPONENT, count), VOCABULARY))
    values = draw.uniform(0.5, 2.0, len(terms)) if weighed else np.ones(len(terms))
    return terms.tolist(), values.tolist()


def scope(principal: str) -> Scope:
    return Scope(WORKSPACE, frozenset({principal}))


def exact(world: World, documents: int, questions: list[np.ndarray], k: int = 10) -> dict[str, list[set[tuple[str, int]]]]:
    """By principal, for each question the `k` nearest chunks that it may read, as (document, ordinal): all are compared."""
    asked = np.stack(questions)
    best: dict[str, list[list[tuple[float, str, int]]]] = {name: [[] for _ in questions] for name in SHARES}
    for number in range(documents):
        near = asked @ world.dense(number).T
        for name in readers(number):
            for kept, scores in zip(best[name], near, strict=True):
                top = np.argpartition(-scores, k)[:k]
                kept += [(float(scores[one]), f"doc-{number:07}", int(one)) for one in top if len(kept) < k or scores[one] > kept[-1][0]]
                kept.sort(reverse=True)
                del kept[k:]
    return {name: [{(document, ordinal) for _, document, ordinal in kept} for kept in lists] for name, lists in best.items()}


def documents_of(chunks: int) -> Iterator[int]:
    return iter(range(max(1, chunks // CHUNKS)))
