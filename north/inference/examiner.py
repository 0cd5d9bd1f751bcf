"""Puts questions to a chat model and notes what it said, when, and in how many tokens. Knows nothing of what is asked and what is right.

Who listens can stop at any moment, also while the model still reads a long prompt: the stream is read in a thread of its own, which
frees the server's slot at the model's next word.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from types import TracebackType
from typing import Any, cast

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage

from north.inference.errors import ModelError, Overloaded

LISTEN_SECONDS = 0.2
PATIENCE = 20
"""How often an overloaded model is asked again."""
CHARACTERS_A_TOKEN = 4.0


class Stopped(ModelError):
    """Whoever asked for the test does not want it any more."""

    permanent = True


class TimeIsUp(ModelError):
    """The test took as long as it may; what is left stays untested."""

    permanent = True


@dataclass(frozen=True, slots=True)
class Said:
    """`first`: seconds until the first word; `tokens_in` counts those of `cached`, which were not read again. `counted`: by the server,
    and not estimated."""

    text: str
    calls: Sequence[Mapping[str, Any]]
    tokens_in: int
    cached: int
    tokens_out: int
    first: float
    seconds: float
    counted: bool


class Examiner:
    """Asks `model` until `seconds` are over or `cancelled()`. Raises at any question: Stopped, TimeIsUp, and what the model raises."""

    def __init__(self, model: BaseChatModel, *, seconds: float = math.inf, cancelled: Callable[[], bool] = lambda: False) -> None:
        self.model, self.cancelled = model, cancelled
        self.deadline = time.monotonic() + seconds
        self.reading_rate = 0.0
        """Prompt tokens a second, once measured; likewise the next."""
        self.characters_a_token = CHARACTERS_A_TOKEN
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="examiner")

    def __enter__(self) -> Examiner:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._pool.shutdown(wait=False)

    def check(self) -> None:
        if self.cancelled():
            raise Stopped("The test was stopped.")
        if time.monotonic() > self.deadline:
            raise TimeIsUp("The time for this test is over.")

    def ask(self, messages: Sequence[BaseMessage], **bound: Any) -> Said:
        """The model's whole answer at temperature 0. Waits where the model has too much to do."""
        for _ in range(PATIENCE):
            try:
                return self._ask(messages, bound)
            except Overloaded as error:
                overloaded = error
                self._wait(error.retry_after)
        raise overloaded

    def _wait(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            self.check()
            time.sleep(min(LISTEN_SECONDS, seconds))

    def _ask(self, messages: Sequence[BaseMessage], bound: Mapping[str, Any]) -> Said:
        self.check()
        pieces: queue.SimpleQueue[tuple[float, AIMessageChunk | None]] = queue.SimpleQueue()
        gone = threading.Event()
        began, heard = time.monotonic(), []
        reading = self._pool.submit(_read, self.model, messages, bound, pieces, gone)
        try:
            while True:
                try:
                    at, chunk = pieces.get(timeout=LISTEN_SECONDS)
                except queue.Empty:
                    self.check()
                    continue
                if chunk is None:
                    break
                heard.append((at - began, chunk))
                self.check()
        finally:
            gone.set()
        reading.result()
        return _said(messages, heard, time.monotonic() - began)


def _read(
    model: BaseChatModel,
    messages: Sequence[BaseMessage],
    bound: Mapping[str, Any],
    pieces: queue.SimpleQueue[tuple[float, AIMessageChunk | None]],
    gone: threading.Event,
) -> None:
    try:
        with closing(cast(Any, model.stream(list(messages), temperature=0, **bound))) as chunks:
            for chunk in chunks:
                pieces.put((time.monotonic(), chunk))
                if gone.is_set():
                    return
    finally:
        pieces.put((time.monotonic(), None))


def _said(messages: Sequence[BaseMessage], heard: Sequence[tuple[float, AIMessageChunk]], seconds: float) -> Said:
    """Tokens are estimated where the server does not count them."""
    whole = sum((chunk for _, chunk in heard[1:]), heard[0][1]) if heard else AIMessageChunk(content="")
    words = [at for at, chunk in heard if chunk.text or chunk.tool_call_chunks]
    usage = whole.usage_metadata
    cached = (usage.get("input_token_details") or {}).get("cache_read") or 0 if usage else 0
    return Said(
        text=str(whole.text),
        calls=tuple(cast(Sequence[Mapping[str, Any]], whole.tool_calls)),
        tokens_in=usage["input_tokens"] if usage else round(sum(len(m.text) for m in messages) / CHARACTERS_A_TOKEN),
        cached=int(cached),
        tokens_out=usage["output_tokens"] if usage else len(words),
        first=words[0] if words else seconds,
        seconds=words[-1] if words else seconds,
        counted=bool(usage),
    )
