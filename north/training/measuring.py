"""What a model is worth before and after: nDCG@10 and MRR@10 over sets that nothing was learnt from. Pure; models are handed in.

An embedder ranks all passages. A reranker judges the CANDIDATES that BM25 and the miner's vectors find, alone and blended with them as
`retrieval.reranking.judge` blends. A passage is a chunk; what is judged is documents: one is worth its best chunk (MaxP).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from north.evaluation.folders import Folder, sampled
from north.training.examples import Example, chunks_of
from north.training.postings import Postings
from retrieval.fusion import LEXICAL, Weights
from retrieval.metrics import interval, ndcg, reciprocal_rank
from retrieval.reranking import BLEND, standard

CANDIDATES, DEPTH = 30, 200
DISTRACTORS = 5000
"""Passages of the pool, besides the answers, that development questions are asked of."""
Ranking = list[str]
Judge = Callable[[list[tuple[str, str]]], np.ndarray]
"""Pairs of question and passage -> float32 (pairs,)."""


@dataclass(frozen=True, slots=True)
class Set:
    """Questions, passages with the document that each is of, and what documents are worth to each question."""

    name: str
    questions: Sequence[str]
    passages: Sequence[str]
    documents: Sequence[str]
    judged: Sequence[Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class First:
    """Of a question: rows of its candidates, best first, and what the first search says of them (log-odds)."""

    rows: np.ndarray
    scores: np.ndarray


def of_folder(folder: Folder, questions: int, seed: int) -> Set:
    """`questions`: at most, drawn by the seed."""
    folder = sampled(folder, questions, seed=seed)
    cut = [(key, text) for key, document in folder.documents.items() for text in chunks_of(document)]
    keys = list(folder.questions)
    return Set(folder.name, [folder.questions[key].text for key in keys], [text for _, text in cut], [key for key, _ in cut],
               [folder.judged[key] for key in keys])  # fmt: skip


def of_examples(kept: Sequence[Example], pool: Sequence[str], seed: int) -> Set:
    """The development set: kept examples against their answers, their negatives and others of the pool."""
    answers = dict.fromkeys(text for one in kept for text in one.passages)
    others = [text for text in pool if text not in answers]
    drawn = random.Random(seed).sample(others, min(DISTRACTORS, len(others)))  # noqa: S311
    passages = [*answers, *drawn]
    at = {text: str(row) for row, text in enumerate(passages)}
    judged = [{at[text]: 1.0 for text in one.positives} for one in kept]
    return Set("development", [one.query for one in kept], passages, [at[text] for text in passages], judged)


def firsts(one: Set, near: tuple[np.ndarray, Weights] | None) -> list[First]:
    """`near`: cosines, float32 (questions, passages), and the weights that suit the model they are of; None for BM25 alone."""
    words, found = Postings(one.passages), []
    cosines, weights = near or (np.zeros((len(one.questions), 1), np.float32), LEXICAL)
    for row, question in enumerate(one.questions):
        bm25 = words(question)
        scores = weights.cosine * cosines[row] + weights.words * bm25 + weights.offset
        order = np.argsort(-scores, kind="stable")[:DEPTH]
        found.append(First(order, scores[order]))
    return found


def first_stage(one: Set, found: Sequence[First]) -> list[Ranking]:
    return [_documents(one, first.rows) for first in found]


def dense(one: Set, cosines: np.ndarray) -> list[Ranking]:
    return [_documents(one, np.argsort(-row, kind="stable")[:DEPTH]) for row in cosines]


def reranked(one: Set, found: Sequence[First], score: Judge) -> tuple[list[Ranking], list[Ranking]]:
    """(by the model alone, blended with the first search): what is not judged stays behind in its order."""
    pairs = [(question, one.passages[at]) for question, first in zip(one.questions, found, strict=True) for at in first.rows[:CANDIDATES]]
    logits, start = score(pairs), 0
    alone: list[Ranking] = []
    blended: list[Ranking] = []
    for first in found:
        some = first.rows[:CANDIDATES]
        said, start = logits[start : start + len(some)].astype(np.float64), start + len(some)
        both = standard(said) + BLEND * standard(first.scores[:CANDIDATES].astype(np.float64))
        for values, ranking in ((said, alone), (both, blended)):
            order = np.concatenate([some[np.argsort(-values, kind="stable")], first.rows[CANDIDATES:]])
            ranking.append(_documents(one, order))
    return alone, blended


def figures(one: Set, rankings: Sequence[Ranking]) -> dict[str, object]:
    """In [0, 1], with the 95 % interval of nDCG@10; `by_question` for comparisons."""
    each = [ndcg(ranking, judged) for ranking, judged in zip(rankings, one.judged, strict=True)]
    ranks = [reciprocal_rank(ranking, judged) for ranking, judged in zip(rankings, one.judged, strict=True)]
    return {"ndcg@10": float(np.mean(each)), "mrr@10": float(np.mean(ranks)), "interval": list(interval(each)), "by_question": each}


def _documents(one: Set, rows: np.ndarray) -> Ranking:
    return list(dict.fromkeys(one.documents[at] for at in rows.tolist()))
