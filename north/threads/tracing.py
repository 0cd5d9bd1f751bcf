"""What was behind a run, as whoever asked may see it now: passages and prompts without the words of documents that were taken away from
them since. For pages and API alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from north.threads.models import Approval, Run, Step, Trace
from north.threads.reading import TELLING, OpenDocument, open_documents, payload_shown
from north.threads.traces import HIDDEN, documents_of, hide
from north.workspaces.models import Membership

DERIVED = ("result",)
"""The parts of a step's detail that may hold words of all that it read."""


@dataclass(frozen=True, slots=True)
class TracedStep:
    step: Step
    detail: Mapping[str, Any]
    calls: list[dict[str, Any]] = field(default_factory=list)
    passages: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    hidden: int = 0
    """Documents whose words were left out."""
    kept: bool = True
    left_out: bool = False

    @property
    def seconds(self) -> float | None:
        return (self.step.ended_at - self.step.started_at).total_seconds() if self.step.ended_at else None


@dataclass(frozen=True, slots=True)
class TracedRun:
    run: Run
    steps: tuple[TracedStep, ...]
    approvals: tuple[Approval, ...]

    @property
    def kept(self) -> bool:
        return any(one.kept for one in self.steps)

    @property
    def hidden(self) -> int:
        return max((one.hidden for one in self.steps), default=0)


def trace_of(run: Run, actor: Membership) -> TracedRun:
    """Prefetch `steps`, `traces` and `approvals`; asks one query more."""
    rows = {row.key: row for row in run.traces.all()}
    steps = list(run.steps.all())
    told = {str(one["document"]) for step in steps for name in TELLING for one in step.detail.get(name, [])}
    readable = open_documents(actor, told.union(*map(documents_of, rows.values())))
    return TracedRun(run, tuple(traced(step, rows.get(step.key), readable) for step in steps), tuple(run.approvals.all()))


def traced(step: Step, row: Trace | None, readable: Mapping[str, OpenDocument]) -> TracedStep:
    """`row` is changed, and not to be saved."""
    detail = payload_shown({"detail": step.detail}, readable)["detail"]
    if row is None:
        return TracedStep(step, detail, kept=False)
    closed = documents_of(row) - {*readable}
    hide(row, closed)
    detail = {name: HIDDEN if closed and name in DERIVED else value for name, value in detail.items()}
    passages = [{**one, "document": ""} if one["document"] in closed else one for one in row.passages]
    decisions = [{"what": one["what"], "why": one["why"]} for one in row.decisions]
    calls = [{name: value for name, value in one.items() if name not in {"passages", "beside"}} for one in row.calls]
    return TracedStep(step, detail, calls, passages, decisions, len(closed), left_out=row.left_out)
