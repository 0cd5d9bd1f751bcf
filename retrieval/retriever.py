"""What the rest of North asks of retrieval: add a document, forget it, search. Knows no engine and no database; both are handed to it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from retrieval import reranking, tokens
from retrieval.chunking import chunk, shown
from retrieval.errors import EmbeddingFault
from retrieval.fusion import Verdict, Weights
from retrieval.index import Index
from retrieval.naming import said_in
from retrieval.questions import By, cleaned, has_words
from retrieval.types import Chunk, Embed, Entry, Parsed, Passage, Recheck, Scope, Score

EMBED_BATCH = 32
CANDIDATES = 50
"""Chunks that the index proposes; the rows then decide, and the best are kept."""

Progress = Callable[[int, int], None]


class Retriever:
    """`recheck` gives the passages that the rows allow, with their text. `score`, a cross-encoder, judges the best `judged` of them, as far
    as `judged_bytes` go (0: no bound); `verdict` says how what it says and what the first search says are made one (`reranking.judge`)."""

    def __init__(
        self,
        index: Index,
        *,
        embed_query: Embed,
        embed_passages: Embed,
        recheck: Recheck,
        score: Score | None = None,
        judged: int = CANDIDATES,
        judged_bytes: int = 0,
        verdict: Verdict | float = reranking.BLEND,
        cut: Callable[[Parsed], list[Chunk]] = chunk,
    ) -> None:
        self._index, self._recheck, self._score, self._verdict = index, recheck, score, verdict
        self._judged, self._judged_bytes = judged, judged_bytes
        self._embed_query, self._embed_passages, self._cut = embed_query, embed_passages, cut

    def add(self, entry: Entry, parsed: Parsed, progress: Progress | None = None) -> int:
        """Cuts, embeds and indexes a document in place of what the index held of it; returns the number of its chunks.

        `progress` is called with chunks embedded and chunks in all. Raises IndexFaults and EmbeddingFault.
        """
        chunks = self._cut(parsed)
        vectors = [np.zeros((0, self._index.dimensions), np.float32)]
        for start in range(0, len(chunks), EMBED_BATCH):
            batch = chunks[start : start + EMBED_BATCH]
            vectors.append(self._checked(self._embed_passages([shown(one) for one in batch]), len(batch)))
            if progress:
                progress(start + len(batch), len(chunks))
        words = tokens.documents([f"{entry.name}\n{shown(one)}" for one in chunks])
        self._index.replace(entry, chunks, np.concatenate(vectors), words)
        return len(chunks)

    def forget(self, workspace: str, document: str) -> None:
        self._index.forget(workspace, document)

    def search(
        self,
        query: str,
        scope: Scope,
        top_k: int = 10,
        *,
        by: By = "all",
        explain: bool = False,
        weights: Weights | None = None,
        first: float = 1.0,
    ) -> list[Passage]:
        """The best passages for a question that this scope may read, best first, with text and name from the rows.

        A question without a letter or a digit finds nothing. `by`: with all models, without the one that judges, or by words alone, which
        needs no model. `explain` puts BM25's worth of each passage into its `why`, for one more request to the index. `weights` hold for
        this search, in place of the index's; `first` times as much as by default counts the first search beside the judge. Raises
        IndexFaults, EmbeddingFault, and what the models raise.
        """
        question = cleaned(query)
        words = tokens.query(question)
        if top_k < 1 or not scope.principals or not has_words(question):
            return []
        allowed = self._candidates(question, scope, words, max(CANDIDATES, top_k), by=by, weights=weights)
        if self._score and by == "all":
            affordable = reranking.affordable(question, allowed[: self._judged], self._judged_bytes)
            how = reranking.weighed_by(self._verdict, first)
            allowed = reranking.linked(question, reranking.judge(question, allowed, self._score, how, first=affordable))
        kept = reranking.best(reranking.weighed(allowed), limit=top_k)
        told = [one for one in kept if "sparse" not in one.why] if explain else []
        explained = {(one.document, one.ordinal): one for one in self._index.weigh(scope, words, told)} if told else {}
        return [explained.get((one.document, one.ordinal), one) for one in kept]

    def _candidates(
        self, question: str, scope: Scope, words: tokens.Sparse, limit: int, *, by: By, weights: Weights | None
    ) -> list[Passage]:
        vector = None if by == "words" else self._checked(self._embed_query([question]), 1)[0]
        found = self._index.query(scope, vector, words, limit=limit, weights=weights, said=said_in(question))
        return list(self._recheck(scope, found)) if found else []

    def _checked(self, vectors: np.ndarray, count: int) -> np.ndarray:
        if vectors.shape != (count, self._index.dimensions):
            raise EmbeddingFault(f"an array of shape {vectors.shape} where {(count, self._index.dimensions)} was needed")
        return vectors
