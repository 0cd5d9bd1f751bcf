"""What it costs that every search carries who asks: the same searches without the clause, one after the other with those that have it."""

from __future__ import annotations

import os
import time
from typing import Any

from qdrant_client import QdrantClient, models

from retrieval.index import DENSE, DEPTH, SPARSE, Index
from retrieval.vectors import Vectors
from tests.bench import synthetic
from tests.bench.figures import Figure, spread
from tests.bench.installations import Installations
from tests.bench.scale import COLLECTION, Question, fill, recall, served

CHUNKS = int(os.environ.get("NORTH_BENCH_CHUNKS", "100000"))
QUESTIONS, WARM, ROUNDS = 150, 5, 3
GOAL, GOAL_RECALL = 1.10, 0.99
NOBODY = "without a clause"


def measure(_: Installations | None = None) -> list[Figure]:
    world, vectors = (
        synthetic.World(),
        Vectors(os.environ.get("NORTH_VECTORS", "int8"), int(os.environ.get("NORTH_VECTORS_EXACT", "10000"))),
    )
    with served(vectors) as (running, index):
        fill(running, index, world, CHUNKS, vectors)
        questions = world.questions(QUESTIONS + WARM)
        spreads = {name: spread(seconds, 2) for name, seconds in timed(index, questions).items()}
        found = recall(index, world, [vector for vector, _ in questions[:60]], CHUNKS)
    return [cost(name, spreads, vectors) for name in synthetic.SHARES] + [lost(found, vectors)]


def timed(index: Index, questions: list[Question]) -> dict[str, list[float]]:
    """Each question with every share and with no clause, in turn, so that what else the machine does weighs on all alike."""
    seconds: dict[str, list[float]] = {name: [] for name in (NOBODY, *synthetic.SHARES)}
    for number in range(ROUNDS * len(questions)):
        vector, words = questions[number % len(questions)]
        for name, taken in seconds.items():
            began = time.perf_counter()
            if name == NOBODY:
                unfiltered(index._client, index, vector.tolist(), words)
            else:
                index.query(synthetic.scope(name), vector, words, limit=DEPTH)
            taken.append(time.perf_counter() - began)
    return {name: taken[WARM:] for name, taken in seconds.items()}


def unfiltered(client: QdrantClient, index: Index, vector: list[float], words: synthetic.Sparse) -> None:
    """What `Index.query` asks, without a clause: both searches, and how near those are that only words have found."""
    asked = {DENSE: vector, SPARSE: models.SparseVector(indices=words[0], values=words[1])}
    params = {DENSE: index._vectors.search(), SPARSE: None}
    both = [request(name, query, params[name], DEPTH, payload=True) for name, query in asked.items()]
    dense, sparse = client.query_batch_points(COLLECTION, both)
    others = [point.id for point in sparse.points if point.id not in {near.id for near in dense.points}]
    if others:
        these = models.Filter(must=[models.HasIdCondition(has_id=others)])
        client.query_batch_points(COLLECTION, [request(DENSE, vector, params[DENSE], len(others), where=these)])


def request(
    name: str, query: Any, params: models.SearchParams | None, limit: int, *, where: models.Filter | None = None, payload: bool = False
) -> models.QueryRequest:
    return models.QueryRequest(query=query, using=name, filter=where, limit=limit, params=params, with_payload=payload)


def cost(name: str, spreads: dict[str, dict[str, float]], vectors: Vectors) -> Figure:
    bare, with_clause = spreads[NOBODY], spreads[name]
    ratio = with_clause["p95"] / bare["p95"]
    said = f"p95 {with_clause['p95']:g} ms against {bare['p95']:g} ({100 * (ratio - 1):+.0f} %)"
    notes = [f"p50 {with_clause['p50']:g} against {bare['p50']:g} ms; {CHUNKS:,} chunks, {vectors.kind}, both searches, n={bare['n']:g}"]
    share = f"{100 * synthetic.SHARES[name]:g} %"
    return Figure(f"access clause, {share} may be read", "<= +10 %", said, ratio <= GOAL, {NOBODY: bare, name: with_clause}, notes)


def lost(found: dict[str, float], vectors: Vectors) -> Figure:
    worst, notes = min(found.values()), ["by share: " + ", ".join(f"{name} {value:.3f}" for name, value in found.items())]
    name = f"recall@10 within what may be read, {CHUNKS:,} chunks, {vectors.kind}"
    return Figure(name, f">= {GOAL_RECALL} of exact", f"{worst:.3f}", worst >= GOAL_RECALL, found, notes)
