"""Texts to vectors, and pairs of texts to verdicts: tokenizer, batcher, backend. Knows no library that computes; backends do
(`embedding.py` onnxruntime, `torch_encoder.py` CUDA).

A vector is the mean of the last hidden states of a text's tokens, or the first token's, at length 1 (mean and CLS pooling,
https://arxiv.org/abs/1908.10084; the prefixes are E5's, https://arxiv.org/abs/2402.05672). A text longer than the model's context is
read in windows that are added up, so that none of it is dropped. A cross-encoder reads question and passage together and gives one logit
(https://arxiv.org/abs/1901.04085).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from north.inference.batching import Batcher
from north.inference.catalogue import Model
from north.inference.errors import ContextTooLong, ModelBroken, ModelMissing
from north.inference.tokenising import Template, shared
from north.inference.tokenizer_processes import TokenizerProcesses
from north.inference.vitals import Where, others_at_work, working

QUESTION_SHARE = 0.5
"""Of a cross-encoder's context: what a longer question is cut to. Then the passage is cut to what is left."""


class Row(NamedTuple):
    """One text's tokens, integers (tokens,). `types` is None where they are all 0."""

    ids: np.ndarray
    types: np.ndarray | None = None


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

    Raises OutOfMemory where the batch was too large (the batcher halves it), ModelUnavailable for any other failure. Called by as many
    threads at once as its encoder's `at_once`, and by different ones.
    """

    def __call__(self, rows: Sequence[Row], /) -> np.ndarray: ...


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

    `budget`: tokens that the backend is given at a time, padding counted, in `at_once` calls; `processes`: that tokenise, none of their
    own with 0. A probe runs at once, so
    that a wrong model is known before it is used. Raises ModelMissing, ModelBroken, ModelUnavailable.
    """

    def __init__(
        self, spec: Model, folder: Path, backend: Backend, *, budget: int, at_once: int = 1, where: Where = "processor", processes: int = 0
    ) -> None:
        self.spec = spec
        path = folder / "tokenizer.json"
        if not path.is_file():
            raise ModelMissing(spec.name)
        here = shared(path)
        self.tokenizer, self._template = here.tokenizer, Template(here.tokenizer)
        self._backend = backend
        self._where: Where = where
        self.batcher: Batcher[Row, np.ndarray] = Batcher(
            self._forward, budget=budget, at_once=at_once, others_at_work=lambda: others_at_work(spec.role, where)
        )
        probe = backend([Row(np.array(here.tokenizer.encode("a").ids, np.int32))])
        if probe.shape != ((1, spec.dimensions) if spec.role == "embed" else (1,)):
            raise ModelBroken(spec.name, str(folder))
        self.words: Callable[[Sequence[str]], list[np.ndarray]]
        self.words = TokenizerProcesses(spec.name, path, here, processes) if processes else here

    def _forward(self, rows: Sequence[Row]) -> list[np.ndarray]:
        with working(self.spec.role, self._where):
            return list(self._backend(rows))

    def _states(self, rows: Sequence[Row], *, hurry: bool) -> list[np.ndarray]:
        return self.batcher(rows, [len(row.ids) for row in rows], hurry=hurry)


class Embedder(Encoder):
    """Threads may share one: queries go before passages. Both raise Overloaded, Gone, OutOfMemory, ModelUnavailable."""

    def __init__(self, spec: Model, folder: Path, backend: Backend, **how: Any) -> None:
        super().__init__(spec, folder, backend, **how)
        self.dimensions = spec.dimensions
        self._window = spec.context - self._template.room_of_one

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (len(texts), dimensions), rows of length 1. Goes before passages that wait."""
        return self._embed([self.spec.query + text for text in texts], hurry=True)

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (len(texts), dimensions), rows of length 1. In batches, between which queries go first."""
        return self._embed([self.spec.passage + text for text in texts], hurry=False)

    def embed_cut(
        self, texts: Sequence[str], *, question: bool, hurry: bool, drop: Literal["START", "END", "NONE"] = "END", most: int | None = None
    ) -> np.ndarray:
        """The same for texts of which no more than `most` tokens are read, or what fits into the model's context: `drop` says at which end
        the others go. Raises ContextTooLong where a text is longer and none may (NONE)."""
        prefix = self.spec.query if question else self.spec.passage
        head = len(self.words([prefix.rstrip()])[0]) if prefix else 0
        room = min(self._window, head + most) if most else self._window
        rows = []
        for place, ids in enumerate(self.words([prefix + text for text in texts])):
            if len(ids) > room and drop == "NONE":
                raise ContextTooLong(f"too many tokens: text {place} has {len(ids) - head} and at most {room - head} are read")
            cut = np.concatenate([ids[:head], ids[head:][-(room - head) :]]) if drop == "START" else ids[:room]
            rows.append(Row(self._template.one(cut)))
        states = np.array(self._states(rows, hurry=hurry), np.float32).reshape(len(rows), self.dimensions)
        return states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-12)

    def _embed(self, texts: Sequence[str], *, hurry: bool) -> np.ndarray:
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        starts: list[int] = []
        rows: list[Row] = []
        for ids in self.words(texts):
            starts.append(len(rows))
            rows += [Row(self._template.one(ids[at : at + self._window])) for at in range(0, max(len(ids), 1), self._window)]
        sums = np.concatenate(self._states(rows, hurry=hurry)).reshape(len(rows), self.dimensions)
        if len(rows) > len(texts):
            sums = np.add.reduceat(sums, starts, axis=0)
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)


class Scorer(Encoder):
    """A cross-encoder. Threads may share one.

    A question is cut to QUESTION_SHARE of the context. A passage that does not fit into what is left is read in windows, and is worth its
    best one (MaxP, https://arxiv.org/abs/1905.09217). Raises Overloaded, Gone, OutOfMemory, ModelUnavailable.
    """

    def __call__(self, question: str, passages: Sequence[str], *, most: int | None = None, hurry: bool = True) -> np.ndarray:
        """float32 (len(passages),): a logit each, higher is better. `most`: tokens of a passage that are read, all without it; `hurry`:
        somebody waits for it."""
        (asked,) = self.words([question])
        asked = asked[: int(self.spec.context * QUESTION_SHARE)]
        room = self.spec.context - self._template.room_of_two - len(asked)
        starts: list[int] = []
        rows: list[Row] = []
        for ids in self.words(passages):
            starts.append(len(rows))
            rows += [
                Row(self._template.two(asked, part), self._template.types(len(asked), len(part))) for part in windows(ids[:most], room)
            ]
        logits = np.array(self._states(rows, hurry=hurry), np.float32)
        return np.maximum.reduceat(logits, starts) if len(rows) > len(starts) else logits


def windows(ids: np.ndarray, room: int) -> list[np.ndarray]:
    """Parts of at most `room`, all about as long, as few as can be with an eighth of `room` in both of two neighbours."""
    if len(ids) <= room:
        return [ids]
    overlap = room // 8
    count = -(-(len(ids) - overlap) // (room - overlap))
    length = -(-(len(ids) + (count - 1) * overlap) // count)
    return [ids[start : start + length] for start in np.linspace(0, len(ids) - length, count).round().astype(int)]
