"""What is otherwise in a run than in the one that it repeats: the words of the answers, and the steps."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from north.threads.models import Run
from north.threads.tracing import TracedRun, TracedStep, trace_of
from north.workspaces.models import Membership

WORDS = re.compile(r"\s+|\w+|[^\w\s]")
MOST_WORDS = 6000
"""Longer answers are compared line by line: words would take too long."""
Change = Literal["same", "changed", "gone", "new"]


@dataclass(frozen=True, slots=True)
class Piece:
    text: str
    differs: bool


@dataclass(frozen=True, slots=True)
class StepPair:
    key: str
    change: Change
    then: TracedStep | None
    now: TracedStep | None
    differences: tuple[str, ...]
    """Of `query`, `documents`, `prompt`, `reply`, `decisions`, `error` those that differ."""


@dataclass(frozen=True, slots=True)
class Comparison:
    then: Run
    now: Run
    old: tuple[Piece, ...]
    new: tuple[Piece, ...]
    steps: tuple[StepPair, ...]

    @property
    def same(self) -> bool:
        return self.then.answer == self.now.answer


def comparison(then: Run, now: Run, actor: Membership) -> Comparison:
    """Prefetch of both `steps`, `traces` and `approvals`."""
    old, new = apart(then.answer, now.answer)
    return Comparison(then, now, old, new, pairs(trace_of(then, actor), trace_of(now, actor)))


def apart(old: str, new: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    """Both texts in pieces that stand in the other, too, or do not."""
    left, right = WORDS.findall(old), WORDS.findall(new)
    if max(len(left), len(right)) > MOST_WORDS:
        left, right = old.splitlines(keepends=True), new.splitlines(keepends=True)
    olds: list[Piece] = []
    news: list[Piece] = []
    for kind, i, j, k, m in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        olds += [Piece("".join(left[i:j]), kind != "equal")] if j > i else []
        news += [Piece("".join(right[k:m]), kind != "equal")] if m > k else []
    return tuple(olds), tuple(news)


def pairs(then: TracedRun, now: TracedRun) -> tuple[StepPair, ...]:
    """In the order of the run that is now, then what it did not do."""
    before = {one.step.key: one for one in then.steps}
    found = [pair(before.pop(one.step.key, None), one) for one in now.steps]
    return (*found, *(pair(one, None) for one in before.values()))


def pair(then: TracedStep | None, now: TracedStep | None) -> StepPair:
    if then is None or now is None:
        one = then or now
        assert one is not None
        return StepPair(one.step.key, "gone" if now is None else "new", then, now, ())
    left, right = parts(then), parts(now)
    differences = tuple(name for name in left if left[name] != right[name])
    return StepPair(now.step.key, "changed" if differences else "same", then, now, differences)


def parts(one: TracedStep) -> Mapping[str, Any]:
    """What of a step is compared; what it took is not."""
    return {
        "query": one.detail.get("query"),
        "documents": [(found["document"], found["start"], found["end"]) for found in one.passages],
        "prompt": [said(call["messages"]) for call in one.calls],
        "reply": [call["reply"] for call in one.calls],
        "decisions": one.decisions,
        "error": one.step.error,
    }


def said(messages: Sequence[Mapping[str, str]]) -> str:
    return "\n".join(one["text"] for one in messages)
