"""Texts to vectors, and pairs of texts to verdicts: tokenizer, batcher, backend. Knows no library that computes; backends do
(`embedding.py` onnxruntime, `torch_encoder.py` CUDA).

A vector is the mean of the last hidden states of a text's tokens, or the first token's, at length 1 (mean and CLS pooling,
https://arxiv.org/abs/1908.10084; the prefixes are E5's, https://arxiv.org/abs/2402.05672). A text longer than the model's context is
read in windows that are added up, so that none of it is dropped. A cross-encoder reads question and passage together and gives one logit
(https://arxiv.org/abs/1901.04085).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from tokenizers import Encoding, Tokenizer

from north.inference.batching import Batcher
from north.inference.catalogue import Model
from north.inference.errors import ModelBroken, ModelMissing
from north.inference.vitals import Where, working

WORDS = 300_000
"""Whose pieces the tokenizer remembers (some 30 MB): with its own 10,000, which fill up for good, XLM-R's takes twice as long."""
QUESTION_SHARE = 0.5
"""Of a cross-encoder's context: what a longer question is cut to. Then the passage is cut to what is left."""


@dataclass(frozen=True, slots=True)
class Batch:
    """Rows of tokens, padded with 0: int64 arrays of shape (rows, longest). `mask` is 1 where a token stands, `types` 1 in a pair's
    second text (where the model's own template says so)."""

    ids: np.ndarray
    mask: np.ndarray
    types: np.ndarray


class Backend(Protocol):
    """One forward pass; float32.

    embed, pooling "mean": (rows, dimensions), the sum over a row's tokens of the last hidden states
    embed, pooling "cls":  (rows, dimensions), the first token's state
    score:                 (rows,) logits

    Raises OutOfMemory where the batch was too large (the batcher halves it), ModelUnavailable for any other failure. Never called by two
    threads at once, but by different ones.
    """

    def __call__(self, batch: Batch, /) -> np.ndarray: ...


class Row(NamedTuple):
    """One text's tokens, int64 (tokens,). `types` is None where they are all 0."""

    ids: np.ndarray
    types: np.ndarray | None = None


def padded(rows: Sequence[Row]) -> Batch:
    ids = np.zeros((len(rows), max(len(row.ids) for row in rows)), np.int64)
    mask, types = np.zeros_like(ids), np.zeros_like(ids)
    for number, row in enumerate(rows):
        length = len(row.ids)
        ids[number, :length], mask[number, :length] = row.ids, 1
        if row.types is not None:
            types[number, :length] = row.types
    return Batch(ids, mask, types)


class Encoder:
    """What embedding and scoring share: the tokenizer of a model's folder, and a batcher before its backend.

    `budget`: tokens in one forward pass, padding counted. A probe runs at once, so that a wrong model is known before it is used.
    Raises ModelMissing, ModelBroken.
    """

    def __init__(self, spec: Model, folder: Path, backend: Backend, *, budget: int, where: Where = "processor") -> None:
        self.spec = spec
        path = folder / "tokenizer.json"
        self._tokenizer = _tokenizer(path, spec)
        self._backend = backend
        self._where: Where = where
        self.batcher: Batcher[Row, np.ndarray] = Batcher(self._forward, budget=budget)
        probe = backend(padded([Row(np.array(self._tokenizer.encode("a").ids, np.int64))]))
        if probe.shape != ((1, spec.dimensions) if spec.role == "embed" else (1,)):
            raise ModelBroken(spec.name, str(folder))

    def _forward(self, rows: Sequence[Row]) -> list[np.ndarray]:
        with working(self.spec.role, self._where):
            return list(self._backend(padded(rows)))

    def _states(self, rows: Sequence[Row], *, hurry: bool) -> list[np.ndarray]:
        return self.batcher(rows, [len(row.ids) for row in rows], hurry=hurry)


class Embedder(Encoder):
    """Threads may share one: queries go before passages. Both raise Overloaded, Gone, OutOfMemory, ModelUnavailable."""

    def __init__(self, spec: Model, folder: Path, backend: Backend, *, budget: int, where: Where = "processor") -> None:
        super().__init__(spec, folder, backend, budget=budget, where=where)
        self.dimensions = spec.dimensions
        self._tokenizer.enable_truncation(spec.context)

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (len(texts), dimensions), rows of length 1. Goes before passages that wait."""
        return self._embed([self.spec.query + text for text in texts], hurry=True)

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (len(texts), dimensions), rows of length 1. In batches, between which queries go first."""
        return self._embed([self.spec.passage + text for text in texts], hurry=False)

    def _embed(self, texts: Sequence[str], *, hurry: bool) -> np.ndarray:
        owners, rows = [], []
        for owner, encoding in enumerate(self._tokenizer.encode_batch_fast(list(texts))):
            for window in (encoding, *encoding.overflowing):
                owners.append(owner)
                rows.append(Row(np.array(window.ids, np.int64)))
        sums = np.zeros((len(texts), self.dimensions), np.float32)
        if rows:
            np.add.at(sums, owners, np.stack(self._states(rows, hurry=hurry)))
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


class Scorer(Encoder):
    """A cross-encoder. Threads may share one.

    A pair longer than the model's context is cut: first the question, to QUESTION_SHARE of the context, then the passage's end.
    Raises Overloaded, Gone, OutOfMemory, ModelUnavailable.
    """

    def __init__(self, spec: Model, folder: Path, backend: Backend, *, budget: int, where: Where = "processor") -> None:
        super().__init__(spec, folder, backend, budget=budget, where=where)
        self._plain = _tokenizer(folder / "tokenizer.json", spec)
        self._tokenizer.enable_truncation(spec.context, strategy="only_second")

    def __call__(self, question: str, passages: Sequence[str], *, hurry: bool = True) -> np.ndarray:
        """float32 (len(passages),): a logit each, higher is better. `hurry`: somebody waits for it."""
        question = self._cut(question)
        pairs = self._tokenizer.encode_batch_fast([(question, passage) for passage in passages])
        return np.array(self._states([_pair(pair) for pair in pairs], hurry=hurry), np.float32)

    def _cut(self, question: str) -> str:
        """The question, or what its first tokens stand for."""
        most = int(self.spec.context * QUESTION_SHARE)
        encoding = self._plain.encode(question, add_special_tokens=False)
        return question if len(encoding.ids) <= most else question[: encoding.offsets[most - 1][1]]


def _pair(encoding: Encoding) -> Row:
    return Row(np.array(encoding.ids, np.int64), np.array(encoding.type_ids, np.int64))


def _tokenizer(path: Path, spec: Model) -> Tokenizer:
    """As the model's own file has it, without padding and truncation."""
    if not path.is_file():
        raise ModelMissing(spec.name)
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if resize := getattr(tokenizer.model, "_resize_cache", None):  # of the kinds that have a cache: Unigram, BPE
        resize(WORDS)
    return tokenizer
