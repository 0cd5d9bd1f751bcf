"""How well search by meaning alone finds with vectors as programs may ask for them: their first dimensions only, as bytes, as bits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from north import wiring
from north.api.vectors import as_type
from north.evaluation.folders import Folder
from north.evaluation.sets import fixed, opened
from north.evaluation.vectors import Kept
from retrieval.chunking import chunk
from retrieval.metrics import ndcg
from retrieval.questions import cleaned
from retrieval.retriever import shown
from retrieval.types import Parsed

KINDS = ("float", "int8", "binary")
DEPTH = 200


def main(root: str, sets: list[str], queries: int, sizes: list[int], cache: str) -> dict[str, Any]:
    """nDCG@10 by set, kind and dimensions, and the number of questions. Both sides, questions and passages, are of the kind."""
    embedder = wiring.embedder()
    kept = Kept(Path(cache), wiring.model_name("embed"), embedder.embed_passages, embedder.dimensions)
    asked = Kept(Path(cache), f"{wiring.model_name('embed')}, questions", embedder.embed_queries, embedder.dimensions)
    found = {}
    for one, path in fixed(Path(root), sets):
        folder = opened(one, path, limit=None, seed=0)
        owners, passages = shelf(folder, kept)
        keys = sorted(folder.questions)
        keys = keys[:: max(1, len(keys) // queries)][:queries]
        questions = asked([cleaned(folder.questions[key].text) for key in keys])
        judged = [folder.judged[key] for key in keys]
        found[one.name] = {"questions": len(keys), **dict(measured(judged, owners, passages, questions, sizes))}
    return found


def shelf(folder: Folder, kept: Kept) -> tuple[list[str], np.ndarray]:
    """For each passage of the corpus, cut as North cuts, its document and its vector."""
    pieces = [(key, shown(one)) for key, text in folder.documents.items() for one in chunk(Parsed(text.text, "text/plain", text.title))]
    texts = [text for _, text in pieces]
    kept.fill(texts, lambda done, of: None)
    return [key for key, _ in pieces], kept(texts)


def measured(
    judged: Sequence[Mapping[str, float]], owners: Sequence[str], passages: np.ndarray, questions: np.ndarray, sizes: Sequence[int]
) -> Iterator[tuple[str, Mapping[int, float]]]:
    for kind in KINDS:
        by_size = {}
        for size in sizes:
            order = np.argsort(-(numbers(questions[:, :size], kind) @ numbers(passages[:, :size], kind).T), axis=1, kind="stable")[
                :, :DEPTH
            ]
            rankings = [list(dict.fromkeys(owners[place] for place in row)) for row in order]
            by_size[size] = float(np.mean([ndcg(ranking, right) for ranking, right in zip(rankings, judged, strict=True)]))
        yield kind, by_size


def numbers(vectors: np.ndarray, kind: str) -> np.ndarray:
    """At length 1, so that the product is the cosine; of bits the fewer differ, the greater it is."""
    given = as_type(vectors, kind)
    if kind == "binary":
        given = np.unpackbits((given.astype(np.int16) + 128).astype(np.uint8), axis=1).astype(np.float32) * 2 - 1
    floats = np.asarray(given, np.float32)
    return floats / np.maximum(np.linalg.norm(floats, axis=1, keepdims=True), 1e-12)
