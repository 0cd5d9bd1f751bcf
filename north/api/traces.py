"""Runs looked back at by REST: what was behind them, again as then, and what came out otherwise."""

from __future__ import annotations

import uuid
from dataclasses import asdict

from django.http import HttpRequest
from ninja import Status

from north.api.keys import Key, caller
from north.api.router import answers, router
from north.api.schemas.work import ComparisonOut, PieceOut, ReplayIn, RunOut, StepPairOut, TraceOut, TraceStepOut
from north.api.shapes import run_out
from north.api.threads import the_run
from north.threads import replaying
from north.threads.reviewing import comparison_of, looked_at
from north.threads.tracing import TracedStep, trace_of

routes = router()
SPENT = ("tokens_in", "tokens_out", "tokens_cached", "milliseconds")


@routes.get("/{uuid:run_id}/trace", auth=Key("read", "infer"), response=answers(200, TraceOut), summary="What was behind a run")
def get_trace(request: HttpRequest, run_id: uuid.UUID) -> TraceOut:
    """Every prompt as it was sent, every passage with its scores, every decision: for who asked, and without the words of documents that
    they may no longer open. Kept for as long as the installation says."""
    actor = caller(request)
    run = looked_at(actor, run_id)
    return TraceOut(
        run=run.pk, question=run.question, status=run.status, model=run.model, seed=run.seed, agent=run.agent_id,
        agent_version=run.version.number if run.version else None, repeats=run.repeats_id, as_then=run.as_then,
        usage={name: getattr(run, name) for name in SPENT}, steps=[step_out(one) for one in trace_of(run, actor).steps],
        missing=replaying.missing(run, actor).words if run.over else [],
    )  # fmt: skip


def step_out(one: TracedStep) -> TraceStepOut:
    step = one.step
    return TraceStepOut(
        key=step.key, kind=step.kind, detail=dict(one.detail), error=step.error, started_at=step.started_at, ended_at=step.ended_at,
        calls=one.calls, passages=one.passages, decisions=one.decisions, hidden=one.hidden, kept=one.kept, left_out=one.left_out,
        **{name: getattr(step, name) for name in SPENT},
    )  # fmt: skip


@routes.post("/{uuid:run_id}/replay", auth=Key("infer"), response=answers(202, RunOut, 409), summary="Run it again as then")
def replay(request: HttpRequest, run_id: uuid.UUID, body: ReplayIn | None = None) -> Status[RunOut]:
    """Same passages, seed and version of the agent in a new run of its thread. 409 where something is missing, unless `anyway`."""
    actor = caller(request)
    run = replaying.replay(the_run(run_id, actor), actor=actor, anyway=bool(body and body.anyway))
    return Status(202, run_out(run, actor))


@routes.get(
    "/{uuid:run_id}/comparison", auth=Key("read", "infer"), response=answers(200, ComparisonOut), summary="Beside the run it repeats"
)
def get_comparison(request: HttpRequest, run_id: uuid.UUID) -> ComparisonOut:
    """Word by word, and step by step. 404 where it repeats none."""
    found = comparison_of(caller(request), run_id)
    return ComparisonOut(
        then=found.then.pk, now=found.now.pk, status=found.now.status, same=found.same,
        old=[PieceOut(**asdict(one)) for one in found.old], new=[PieceOut(**asdict(one)) for one in found.new],
        steps=[StepPairOut(key=one.key, change=one.change, differences=list(one.differences)) for one in found.steps],
    )  # fmt: skip
