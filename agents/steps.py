"""One step of a run as people see it, and the model's words within it: counted, timed, and stopped when the run may not go on."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, cast

from langchain_core.messages import AIMessageChunk, BaseMessage
from langgraph.errors import GraphBubbleUp
from langgraph.runtime import Runtime

from agents import prompts, tracing
from agents.context import Context
from agents.errors import Cancelled, OutOfTime
from agents.events import StepFinished, StepKind, StepStarted, StepTraced
from agents.state import State, passage_to_plain, step_to_plain
from agents.tool import Tally
from retrieval.types import Passage

JSON_TOKENS = 160
ANSWERING = 0.25
"""The share of a run's time that is kept for its answer."""


class Step(Tally):
    """One move that people see: begins with `with`, ends with what it found or with the error that broke it off."""

    def __init__(self, runtime: Runtime[Context], key: str, kind: StepKind, **detail: Any) -> None:
        super().__init__(detail=detail)
        self.key, self.kind = key, kind
        self.failed = ""
        """Why it came to nothing, where the run goes on without it."""
        self.passages: list[Passage] = []
        """That it found or read."""
        self.decisions: list[dict[str, Any]] = []
        """As `tracing.decision`."""
        self._tell: Callable[[Any], None] = runtime.stream_writer

    def __enter__(self) -> Step:
        self._tell(StepStarted(self.key, self.kind, dict(self.detail)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._trace()
        if not isinstance(error, GraphBubbleUp):  # it waits for a person, and is not over
            self._tell(self._finished(str(error) if error else self.failed))

    def changes(self) -> State:
        """What every node adds to the state for its step."""
        return {"steps": [step_to_plain(self._finished(self.failed))], "tokens_in": self.tokens_in, "tokens_out": self.tokens_out}

    def _trace(self) -> None:
        if self.calls or self.passages or self.decisions:
            passages = tuple(map(passage_to_plain, self.passages))
            self._tell(StepTraced(self.key, tuple(self.calls), passages, tuple(self.decisions)))

    def _finished(self, error: str) -> StepFinished:
        return StepFinished(
            self.key, self.kind, dict(self.detail), error, self.tokens_in, self.tokens_out, self.tokens_cached, round(self.seconds, 3)
        )


def check(context: Context, until: float = math.inf) -> None:
    """Raises Cancelled, or OutOfTime after `until`. Asked before every node and at every token."""
    if context.cancelled():
        raise Cancelled
    if time.monotonic() > until:
        raise OutOfTime(context.limits.seconds)


def gathers_until(context: Context) -> float:
    """From then on there is time for nothing but the answer."""
    return context.deadline - ANSWERING * context.limits.seconds


def spent(state: State, context: Context) -> str:
    """Why nothing more may be begun before the answer; nothing while there is room."""
    limits = context.limits
    if time.monotonic() > gathers_until(context):
        return str(OutOfTime(limits.seconds))
    if state.get("tokens_in", 0) + state.get("tokens_out", 0) >= limits.tokens:
        return f"The {limits.tokens:,} tokens that this agent has for one question are used up."
    return ""


def stream(messages: Sequence[BaseMessage], context: Context, step: Tally, until: float, **bound: Any) -> Iterator[str]:
    """The model's words as they come; counts its tokens and seconds; stops it when the run may not go on, and at `until`: OutOfTime."""
    pieces: list[str] = []
    counted, held, began, before = False, 0.0, time.monotonic(), (step.tokens_in, step.tokens_out, step.tokens_cached)
    settings = {"temperature": 0, "seed": context.seed, **bound}
    try:
        with closing(cast(Any, context.model.stream(list(messages), **settings))) as chunks:
            chunk: AIMessageChunk
            for chunk in chunks:
                check(context, until)
                if chunk.usage_metadata:
                    counted = True
                    step.tokens_in += chunk.usage_metadata["input_tokens"]
                    step.tokens_out += chunk.usage_metadata["output_tokens"]
                    step.tokens_cached += (chunk.usage_metadata.get("input_token_details") or {}).get("cache_read") or 0
                held += chunk.response_metadata.get("seconds", 0.0)
                if chunk.response_metadata.get("finish_reason") == "length":
                    step.detail["note"] = "The model's words were cut off at the longest length allowed."
                if chunk.text:
                    pieces.append(str(chunk.text))
                    yield pieces[-1]
                for call in chunk.tool_call_chunks:
                    pieces.append(call["args"] or "")
                    yield pieces[-1]
    finally:
        seconds = held or time.monotonic() - began
        step.seconds += seconds
        if not counted:  # it was stopped, or its server counts nothing: a piece is about a token
            step.tokens_out += len(pieces)
        used = [now - then for now, then in zip((step.tokens_in, step.tokens_out, step.tokens_cached), before, strict=True)]
        figures = {"tokens_in": used[0], "tokens_out": used[1], "tokens_cached": used[2], "seconds": round(seconds, 3)}
        step.calls.append(tracing.call(messages, settings, "".join(pieces), **figures))


def ask(
    messages: Sequence[BaseMessage], wanted: Mapping[str, Any], context: Context, step: Tally, tokens: int = JSON_TOKENS
) -> Mapping[str, Any]:
    """The JSON object that the model replied with; empty if it is none, or came too late. Its values are still anything at all."""
    replies, until = context.card.replies, gathers_until(context)
    if time.monotonic() > until:
        return {}
    try:
        text = "".join(stream(messages, context, step, until, max_tokens=tokens, **prompts.bound_for(wanted, replies)))
    except OutOfTime:
        return {}
    if replies != "schema":  # There may be words around it.
        text = text[text.find("{") : text.rfind("}") + 1]
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}
