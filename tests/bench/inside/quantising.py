"""How well search finds with each way to keep vectors: sets with known answers, the real model, an index made anew for each way.

A fitted projection (PCA) is computed here without an index, for comparison: it is fitted on the very set, which flatters it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from qdrant_client import models

from north import wiring
from north.evaluation.folders import Folder
from north.evaluation.measuring import DEPTH, Search, documents, served
from north.evaluation.sets import fixed, opened
from north.evaluation.vectors import Kept
from retrieval.chunking import chunk
from retrieval.index import Index, connect
from retrieval.metrics import ndcg
from retrieval.questions import cleaned
from retrieval.retriever import shown
from retrieval.types import VECTOR_KINDS as KINDS
from retrieval.types import Parsed
from retrieval.vectors import Vectors

PROJECTED = (256, 192, 128, 96)
K = 10
Vector = Callable[[str], np.ndarray]


def main(root: str, sets: list[str], queries: int, cache: str) -> dict[str, Any]:
    """By set and way: nDCG@10 by meaning and fused, and recall@10 of exact search, over so many questions of each set."""
    embedder = wiring.embedder()
    kept = Kept(Path(cache), wiring.model_name("embed"), embedder.embed_passages, embedder.dimensions)
    found = {}
    for one, path in fixed(Path(root), sets):
        folder = opened(one, path, limit=None, seed=0)
        asked = {key: folder.questions[key].text for key in sorted(folder.questions)[:: max(1, len(folder.questions) // queries)][:queries]}
        vectors = {text: embedder.embed_queries([cleaned(text)])[0] for text in asked.values()}
        found[one.name] = dict(indexed(folder, asked, vectors, embedder, kept)) | dict(projected(folder, asked, vectors, kept))
    return found


def indexed(
    folder: Folder, asked: Mapping[str, str], vectors: Mapping[str, np.ndarray], embedder: Any, kept: Kept
) -> Iterator[tuple[str, dict[str, float]]]:
    exact: dict[str, list[tuple[str, int]]] = {}
    with served() as (url, key):
        client = connect(url, key, timeout=120)
        for kind in KINDS:
            index = Index(client, "evaluation", embedder.dimensions, wiring.model_name("embed"), vectors=Vectors(kind, exact=1, scanned=1))
            index.ensure()
            search = Search(index, embedder, kept, None, 0.0)
            if not exact:
                search.fill(folder.documents, lambda _: None)
            else:
                search._texts = {key: one.text for key, one in folder.documents.items()}
            settled(client)
            near = {key: index.query(Search.SCOPE, vectors[text], ([], []), limit=DEPTH) for key, text in asked.items()}
            first = {key: index.query(Search.SCOPE, vectors[text], ([], []), limit=K) for key, text in asked.items()}
            places = {key: [(one.document, one.ordinal) for one in found] for key, found in first.items()}
            exact = exact or places
            fused = {key: documents(search._fused.search(text, Search.SCOPE, DEPTH)) for key, text in asked.items()}
            yield (
                kind,
                {
                    "dense": mean(ndcg(documents(found), folder.judged[key]) for key, found in near.items()),
                    "fused": mean(ndcg(found, folder.judged[key]) for key, found in fused.items()),
                    "recall": mean(len({*places[key]} & {*exact[key]}) / len(exact[key]) for key in asked),
                },
            )


def settled(client: Any) -> None:
    """Waits until no index is being made, nor about to be."""
    quiet = time.monotonic()
    while time.monotonic() - quiet < 4:
        if client.get_collection("evaluation").status == models.CollectionStatus.YELLOW:
            quiet = time.monotonic()
        time.sleep(0.1)


def projected(
    folder: Folder, asked: Mapping[str, str], vectors: Mapping[str, np.ndarray], kept: Kept
) -> Iterator[tuple[str, dict[str, float]]]:
    pieces = [(key, shown(one)) for key, text in folder.documents.items() for one in chunk(Parsed(text.text, "text/plain", text.title))]
    owners, whole = np.array([key for key, _ in pieces]), kept([text for _, text in pieces])
    middle = whole.mean(0)
    _, _, axes = np.linalg.svd(whole - middle, full_matrices=False)
    questions = np.stack([vectors[text] for text in asked.values()])
    truth = np.argsort(-(questions @ whole.T), axis=1)[:, :K]
    for size in PROJECTED:
        if size > len(axes):
            continue
        near = unit((questions - middle) @ axes[:size].T) @ unit((whole - middle) @ axes[:size].T).T
        order = np.argsort(-near, axis=1)[:, :DEPTH]
        for name, lists in ((f"PCA {size}", order), (f"PCA {size}, rescored", rescored(order, questions, whole))):
            rankings = [list(dict.fromkeys(owners[one].tolist())) for one in lists]
            yield (
                name,
                {
                    "dense": mean(ndcg(ranking, folder.judged[key]) for key, ranking in zip(asked, rankings, strict=True)),
                    "recall": mean(len({*one[:K].tolist()} & {*right.tolist()}) / K for one, right in zip(lists, truth, strict=True)),
                },
            )


def rescored(order: np.ndarray, questions: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """The first DEPTH again by their whole vectors."""
    return np.stack([row[np.argsort(-(whole[row] @ question))] for row, question in zip(order, questions, strict=True)])


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def mean(values: Iterator[float]) -> float:
    return float(np.mean(list(values)))
