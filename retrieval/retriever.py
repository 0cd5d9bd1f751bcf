"""What the rest of North asks of retrieval: add a document, forget it, search. Knows no engine and no database; both are handed to it."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable

import numpy as np

from retrieval import reranking, tokens
from retrieval.chunking import UNDER, chunk
from retrieval.errors import EmbeddingFault
from retrieval.index import Index
from retrieval.types import Chunk, Embed, Entry, Parsed, Passage, Recheck, Scope, Score

EMBED_BATCH = 32
CANDIDATES = 50
"""Chunks that the index proposes; the rows then decide, and the best are kept."""
QUERY_CHARACTERS = 2000
"""What is read of a question: more than any model of the kind takes in."""

Progress = Callable[[int, int], None]


class Retriever:
    """`recheck` gives the passages that the rows allow, with their text. `score`, a cross-encoder, judges the best `judged` of them."""

    def __init__(
        self, index: Index, *, embed_query: Embed, embed_passages: Embed, recheck: Recheck, score: Score | None = None, judged: int = 20
    ) -> None:
        self._index, self._recheck, self._score, self._judged = index, recheck, score, judged
        self._embed_query, self._embed_passages = embed_query, embed_passages

    def add(self, entry: Entry, parsed: Parsed, progress: Progress | None = None) -> int:
        """Cuts, embeds and indexes a document in place of what the index held of it; returns the number of its chunks.

        `progress` is called with chunks embedded and chunks in all. Raises IndexFaults and EmbeddingFault.
        """
        chunks = chunk(parsed)
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

    def search(self, query: str, scope: Scope, top_k: int = 10) -> list[Passage]:
        """The best passages for a question that this scope may read, best first, with text and name from the rows.

        A question without a letter or a digit finds nothing. Raises IndexFaults and EmbeddingFault.
        """
        question = cleaned(query)
        words = tokens.query(question)
        if top_k < 1 or not scope.principals or not words[0]:
            return []
        vector = self._checked(self._embed_query([question]), 1)[0]
        found = self._index.query(scope, vector, words, limit=max(CANDIDATES, top_k))
        allowed = list(self._recheck(scope, found)) if found else []
        if self._score:
            allowed = reranking.judge(question, allowed[: max(self._judged, top_k)], self._score)
        return reranking.best(allowed, limit=top_k)

    def _checked(self, vectors: np.ndarray, count: int) -> np.ndarray:
        if vectors.shape != (count, self._index.dimensions):
            raise EmbeddingFault(f"an array of shape {vectors.shape} where {(count, self._index.dimensions)} was needed")
        return vectors


def cleaned(query: str) -> str:
    """The question without what is no text: lone surrogates, NUL and other control characters; and no longer than is read."""
    letters = (" " if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in query[: 2 * QUERY_CHARACTERS])
    return " ".join("".join(letters).split())[:QUERY_CHARACTERS]


def shown(one: Chunk) -> str:
    """The chunk under its headings, without the one that its own text begins with."""
    above, _, last = one.heading.rpartition(UNDER)
    heading = above if one.text.lstrip("# ").startswith(last) else one.heading
    return f"{heading}\n{one.text}" if heading else one.text
