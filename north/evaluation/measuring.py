"""Asks a folder's questions of North's own search, in an index of its own, and measures what comes back.

The parts are those of every day: chunks, embedder, sparse vectors, index and retriever as the settings make them, over the embedded vector
service in a temporary folder. A document is worth its best chunk, and documents are judged.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import numpy as np

from north.evaluation.folders import Folder, Text
from north.evaluation.vectors import Kept
from retrieval import tokens
from retrieval.chunking import chunk
from retrieval.fusion import Verdict, Weights
from retrieval.index import Index, connect
from retrieval.metrics import MEASURES
from retrieval.naming import names_of
from retrieval.questions import cleaned
from retrieval.reranking import by_document
from retrieval.retriever import Retriever, shown
from retrieval.types import Embed, Entry, Parsed, Passage, Recheck, Scope, Score

ROOT = Path(__file__).resolve().parent.parent.parent
DEPTH = 100
"""Chunks of one ranking: enough for 50 documents."""
TOP = 10
"""Passages that a person or an agent asks for: what is timed."""
TIMED = 60
"""Questions that are timed, after WARM that are not: first ones load what is asked for the first time."""
WARM = 3

Say = Callable[[str], object]


class NoMeasuring(Exception):
    """Why nothing can be measured, in words."""


class Embedder(Protocol):
    dimensions: int

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray: ...

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray: ...


@dataclass(frozen=True, slots=True)
class Asked:
    """One question. `values`: by way of searching, each measure of `retrieval.metrics`."""

    id: str
    language: str
    values: Mapping[str, Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class Measured:
    """`seconds`: by way of searching, from the question's words to its best passages; `embedding`: the part of it that embeds."""

    chunks: int
    asked: Sequence[Asked]
    seconds: Mapping[str, Sequence[float]]
    embedding: Sequence[float]


def measure(
    folder: Folder,
    embedder: Embedder,
    model: str,
    cache: Path,
    *,
    weights: Weights | None,
    score: Score | None,
    verdict: Verdict | float,
    judged_bytes: int,
    say: Say,
) -> Measured:
    """Raises NoMeasuring, RetrievalError, and what the engines raise."""
    kept = Kept(cache, model, embedder.embed_passages, embedder.dimensions)
    try:
        with served() as (url, key):
            index = Index(connect(url, key, timeout=120), "evaluation", embedder.dimensions, model, weights=weights)
            search = Search(index, embedder, kept, score, verdict=verdict, judged_bytes=judged_bytes)
            chunks = search.fill(folder.documents, say)
            asked = list(search.judged(folder, say))
            seconds, embedding = search.timed([one.text for one in folder.questions.values()])
        return Measured(chunks, asked, seconds, embedding)
    finally:
        kept.close()


@contextmanager
def served() -> Iterator[tuple[str, str]]:
    """The embedded vector service over a new folder: its address and key."""
    key = secrets.token_urlsafe(32)
    with TemporaryDirectory(prefix="north-evaluation-") as folder:
        command = [sys.executable, "-m", "retrieval.edge", "--dir", folder, "--port", "0"]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "NORTH_EDGE_API_KEY": key}, stdout=subprocess.PIPE, text=True)
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said:
                raise NoMeasuring("The vector service did not start; the lines above say why.")
            yield said.split()[-1], key
        finally:
            process.terminate()
            process.wait(30)


class Ways:
    """An index searched in each of WAYS, within a scope; without `score` in all but the last."""

    def __init__(
        self,
        index: Index,
        embed: Embed,
        recheck: Recheck,
        score: Score | None,
        *,
        verdict: Verdict | float,
        judged_bytes: int = 0,
        weights: Weights | None = None,
        first: float = 1.0,
        embed_passages: Embed | None = None,
    ) -> None:
        self._index, self._embed, self._recheck, self._weights, self._first = index, embed, recheck, weights, first
        self.fused, judging = (
            Retriever(
                index, embed_query=embed, embed_passages=embed_passages or embed, recheck=recheck, score=one, verdict=verdict,
                judged_bytes=judged_bytes,
            )
            for one in (None, score)
        )  # fmt: skip
        self._reranked = judging if score else None

    def within(self, scope: Scope) -> dict[str, Callable[[str, int], Sequence[Passage]]]:
        """By its name, each way to search: a question and how many passages."""
        ways: dict[str, Callable[[str, int], Sequence[Passage]]] = {
            "bm25": lambda question, limit: self._by_words(scope, question, limit),
            "dense": lambda question, limit: self._by_meaning(scope, question, limit),
            "fused": lambda question, limit: self.fused.search(question, scope, limit, weights=self._weights),
        }
        if reranked := self._reranked:
            ways["reranked"] = lambda question, limit: reranked.search(question, scope, limit, weights=self._weights, first=self._first)
        return ways

    def rankings(self, question: str, scope: Scope) -> dict[str, list[str]]:
        """By way of searching, documents, best first."""
        return {way: documents(search(question, DEPTH)) for way, search in self.within(scope).items()}

    def _by_words(self, scope: Scope, question: str, limit: int) -> Sequence[Passage]:
        return self._recheck(scope, self._index.query(scope, None, tokens.query(cleaned(question)), limit=limit))

    def _by_meaning(self, scope: Scope, question: str, limit: int) -> Sequence[Passage]:
        return self._recheck(scope, self._index.query(scope, self._embed([cleaned(question)])[0], ([], []), limit=limit))


def valued(rankings: Mapping[str, Sequence[str]], grades: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """By way of searching, each measure of its ranking."""
    return {way: {name: value(ranking, grades) for name, value in MEASURES.items()} for way, ranking in rankings.items()}


class Search:
    """One folder's documents in one index."""

    SCOPE = Scope("evaluation", frozenset({"all"}))

    def __init__(
        self, index: Index, embedder: Embedder, kept: Kept, score: Score | None, *, verdict: Verdict | float, judged_bytes: int
    ) -> None:
        self._embedder, self._kept = embedder, kept
        self._texts: dict[str, str] = {}
        self._ways = Ways(
            index, embedder.embed_queries, self._recheck, score, verdict=verdict, judged_bytes=judged_bytes, embed_passages=kept
        )

    def _recheck(self, _: Scope, passages: Sequence[Passage]) -> list[Passage]:
        return [replace(one, text=self._texts[one.document][one.start : one.end]) for one in passages]

    def fill(self, documents: Mapping[str, Text], say: Say) -> int:
        """The number of chunks. What is embedded is kept as it goes, so it may be stopped and begun again."""
        parsed = {key: Parsed(one.text, "text/plain", one.title) for key, one in documents.items()}
        self._kept.fill([shown(one) for text in parsed.values() for one in chunk(text)], Told(say, "chunks embedded"))
        told, chunks = Told(say, "documents indexed"), 0
        for number, (key, one) in enumerate(parsed.items(), 1):
            self._texts[key] = one.text
            names = names_of("", one.title, "", "", one.text)
            chunks += self._ways.fused.add(Entry("evaluation", key, "folder", "1", "", self.SCOPE.principals, names=names), one)
            told(number, len(parsed))
        return chunks

    def found(self, question: str, limit: int) -> Sequence[Passage]:
        """What an agent's search finds: by words and meaning, judged by nobody."""
        return self._ways.fused.search(question, self.SCOPE, limit)

    def judged(self, folder: Folder, say: Say) -> Iterator[Asked]:
        told = Told(say, "questions asked")
        for number, (key, question) in enumerate(folder.questions.items(), 1):
            values = valued(self._ways.rankings(question.text, self.SCOPE), folder.judged[key])
            told(number, len(folder.questions))
            yield Asked(key, question.language, values)

    def timed(self, questions: Sequence[str]) -> tuple[dict[str, list[float]], list[float]]:
        """Seconds of each way for its TOP passages, and of embedding, over the same questions, one at a time."""
        chosen = questions[: TIMED + WARM]
        seconds = {way: [took(search, one, TOP) for one in chosen] for way, search in self._ways.within(self.SCOPE).items()}
        embedding = [took(self._embedder.embed_queries, [cleaned(one)]) for one in chosen]
        fair = WARM if len(chosen) > WARM else 0
        return {way: times[fair:] for way, times in seconds.items()}, embedding[fair:]


class Told:
    """Says how far it is, every five seconds and at the end."""

    EVERY = 5.0

    def __init__(self, say: Say, what: str) -> None:
        self._say, self._what, self._last = say, what, time.monotonic()

    def __call__(self, done: int, of: int) -> None:
        if done == of or time.monotonic() - self._last > self.EVERY:
            self._last = time.monotonic()
            self._say(f"{done:,} of {of:,} {self._what}")


def documents(passages: Iterable[Passage]) -> list[str]:
    return list(by_document(passages))


def took(call: Callable[..., object], *arguments: object) -> float:
    began = time.perf_counter()
    call(*arguments)
    return time.perf_counter() - began
