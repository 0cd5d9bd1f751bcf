"""Tokenising in processes of its own, for an engine on a GPU: threads that tokenise hold the interpreter's lock, and the GPU waits for it.

The children (https://docs.python.org/3/library/concurrent.futures.html#processpoolexecutor) import this file and what it imports, and by
the rules of "spawn" the file that the program was started with (not one started with `python -m PACKAGE`): it must be importable without
effect. They end with their parent, however that ends.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from north.inference.errors import ModelUnavailable
from north.inference.tokenising import Words, read

FEW, SLICE = 16, 64
"""So many texts are tokenised here, sooner than another process is asked; and how many go to one at a time."""
LOOK_SECONDS = 1.0
"""How often a child looks whether its parent lives."""


def default_count() -> int:
    """Half the processors, none where there is only one, at most 4: one gives a GPU all that it takes, once it has met the words, and holds
    some 300 MB of a vocabulary of 250,000."""
    return min(4, (os.cpu_count() or 1) // 2)


class TokenizerProcesses:
    """As Words, of which each process has one; `path` is the tokenizer's file, `here` what takes small calls. Threads may share one.

    A pool that lost a child is made anew, and the call repeated, once. Raises ModelUnavailable where that does not help.
    """

    def __init__(self, name: str, path: Path, here: Words, count: int) -> None:
        self._name, self._path, self._here, self._count = name, path, here, count
        self._making = threading.Lock()
        self._pool: ProcessPoolExecutor | None = None
        self._after(None)

    def __call__(self, texts: Sequence[str]) -> list[np.ndarray]:
        if len(texts) <= FEW:
            return self._here(texts)
        size = min(SLICE, max(FEW, -(-len(texts) // self._count)))
        slices = [texts[at : at + size] for at in range(0, len(texts), size)]
        pool = self._after(None)
        try:
            return list(_apart(pool, slices))
        except BrokenProcessPool:
            pool = self._after(pool)
        try:
            return list(_apart(pool, slices))
        except BrokenProcessPool as error:
            raise self._unavailable() from error

    def _after(self, broken: ProcessPoolExecutor | None) -> ProcessPoolExecutor:
        """The pool, another than this one; its children are ready."""
        with self._making:
            if self._pool is broken:
                self._pool = self._made()
            assert self._pool
            return self._pool

    def _made(self) -> ProcessPoolExecutor:
        given = str(self._path), os.getpid(), max(1, (os.cpu_count() or 1) // self._count)
        pool = ProcessPoolExecutor(self._count, get_context("spawn"), _begin, given)
        try:
            list(pool.map(_tokens, [[]] * self._count))
        except BrokenProcessPool as error:
            raise self._unavailable() from error
        return pool

    def _unavailable(self) -> ModelUnavailable:
        return ModelUnavailable(
            f"The processes that tokenise for the model {self._name} ended, most often for too little memory. Free some, or let its engine "
            f"have fewer than {self._count}: processes=1."
        )


def _apart(pool: ProcessPoolExecutor, slices: Sequence[Sequence[str]]) -> Iterator[np.ndarray]:
    for lengths, tokens in pool.map(_tokens, slices):
        ids, ends = np.frombuffer(tokens, np.int32), np.frombuffer(lengths, np.int32).cumsum().tolist()
        yield from (ids[begin:end] for begin, end in pairwise([0, *ends]))


# --- in a child -------------------------------------------------------------------------------------------------------------------------
_words: Words


def _begin(path: str, parent: int, threads: int) -> None:
    """With so many threads for texts and words that are met for the first time: its neighbours have the other processors."""
    global _words
    os.environ |= {"TOKENIZERS_PARALLELISM": "true" if threads > 1 else "false", "RAYON_NUM_THREADS": str(threads)}
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it ends with its parent, not before
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()
    _words = Words(read(Path(path)))


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(0)


def _tokens(texts: Sequence[str]) -> tuple[bytes, bytes]:
    """int32: how many tokens each text has, and the tokens of all, one after the other."""
    found = _words(texts)
    return np.array([len(ids) for ids in found], np.int32).tobytes(), b"".join(ids.tobytes() for ids in found)
