"""From rows to the API's JSON. What a reader may no longer open is left out by `threads.reading`, as on the pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, cast
from uuid import UUID

from north.api.schemas.knowledge import CutOut, DocumentOut, PassageOut, ResultOut, SearchOut
from north.api.schemas.work import CitationOut, ClaimOut, NearestOut, PlanStepOut, RunOut, StepOut, ValueOut
from north.documents import freshness
from north.documents.models import Document
from north.documents.readers import Readers, opened_by, sees_access
from north.threads.models import Approval, Run, Step
from north.threads.reading import TELLING, Shown, ShownStep, shown
from north.workspaces.models import Group, Membership, Workspace
from retrieval.types import Found, Passage


def access_names(principals: Iterable[str], workspace: Workspace, groups: Iterable[Group] | None = None) -> list[str]:
    """`groups`: all of the workspace, where they are known already."""
    readers = Readers.of(principals, workspace, workspace.groups.all() if groups is None else groups)
    return ["everyone"] if readers.everyone else [group.name for group in readers.groups]


def document_out(document: Document, workspace: Workspace, groups: Iterable[Group] | None = None) -> DocumentOut:
    return DocumentOut(
        id=document.pk,
        name=document.name,
        status=document.status,  # type: ignore[arg-type]
        error=document.error,
        media_type=document.media_type,
        author=document.author,
        language=document.language,
        folder=document.kept_in,
        written_at=document.written_at,
        changed_at=document.changed_at,
        bytes=document.bytes,
        sha256=document.sha256,
        source=document.source_id,
        parent=document.parent_id,
        notes=document.notes,
        pages=document.pages,
        verified_at=document.verified_at,
        access=access_names((principal.value for principal in document.principals.all()), workspace, groups),
        created_at=document.created_at,
        ready_at=document.ready_at,
    )


def search_out(found: Found, actor: Membership) -> SearchOut:
    """A document is worth its best passage; the passages come best first. `access` is told to who manages access."""
    results: dict[str, ResultOut] = {}
    access = opened_by({passage.document for passage in found.passages}, actor) if sees_access(actor) else {}
    fresh = freshness.of_all(passage.document for passage in found.passages)
    for passage in found.passages:
        result = results.setdefault(
            passage.document,
            ResultOut(
                document=UUID(passage.document),
                name=passage.name,
                score=passage.score,
                as_of=fresh.get(passage.document),
                passages=[],
                access=access.get(passage.document) if sees_access(actor) else None,
            ),
        )
        result.passages.append(passage_out(passage))
    return SearchOut(results=sorted(results.values(), key=lambda result: -result.score), notice=found.notice)


def passage_out(passage: Passage) -> PassageOut:
    return PassageOut(
        start=passage.start,
        end=passage.end,
        text=passage.text,
        score=passage.score,
        heading=passage.heading,
        why=dict(passage.why),
        cut=[CutOut(**asdict(one)) for one in passage.cut],
    )


def run_out(run: Run, reader: Membership) -> RunOut:
    return runs_out([run], reader)[0]


def runs_out(runs: Sequence[Run], reader: Membership) -> list[RunOut]:
    """Prefetch `steps`, `citations` and `approvals`; asks one query more."""
    return [shown_out(seen) for seen in shown(runs, reader)]


def shown_out(seen: Shown) -> RunOut:
    run = seen.run
    citations = [
        CitationOut(
            start=citation.start,
            end=citation.end,
            text=citation.text,
            sources=[asdict(source) for source in citation.sources if not source.closed],
        )
        for citation in seen.citations
    ]
    return RunOut(
        id=run.pk,
        thread=run.thread_id,
        agent=run.agent_id,
        agent_version=run.version.number if run.version else None,
        question=run.question,
        status=run.status,  # type: ignore[arg-type]
        answer=run.answer,
        citations=citations,
        unsupported=run.unsupported,
        claims=[claim_out(claim, citations) for claim in run.claims],
        refused=run.refused,
        thorough=run.thorough,
        searched=run.searched,
        conflicts=[[ValueOut(**asdict(value)) for value in values] for values in seen.conflicts],
        nearest=[NearestOut(document=UUID(one.document), name=one.name, owner=one.owner) for one in seen.nearest],
        cut_short=run.cut_short,
        plan=plan_out(run),
        steps=[step_out(step) for step in seen.steps],
        approvals=[] if run.over else [row.pk for row in run.approvals.all() if row.standing == Approval.Standing.WAITING],
        error=run.error,
        usage={
            "input_tokens": run.tokens_in,
            "output_tokens": run.tokens_out,
            "cached_input_tokens": run.tokens_cached,
            "model_milliseconds": run.milliseconds,
        },
        created_at=run.created_at,
        started_at=run.started_at,
        first_token_at=run.first_token_at,
        ended_at=run.ended_at,
    )


def claim_out(claim: Mapping[str, Any], citations: Sequence[CitationOut]) -> ClaimOut:
    place = claim["citation"]
    cited = citations[place].sources if 0 <= place < len(citations) else []
    return ClaimOut(**{name: claim[name] for name in ("start", "end", "text", "support", "reasons")}, citations=cited)


def step_out(shown_step: ShownStep) -> StepOut:
    step = shown_step.step
    open_ids = {found.document for found in shown_step.found}
    telling = {name: [one for one in step.detail[name] if str(one["document"]) in open_ids] for name in TELLING if name in step.detail}
    detail = {**step.detail, **telling}
    return StepOut(
        key=step.key, kind=step.kind, detail=detail, error=step.error, started_at=step.started_at, ended_at=step.ended_at,
        tokens_in=step.tokens_in, tokens_out=step.tokens_out,
    )  # fmt: skip


def plan_out(run: Run) -> list[PlanStepOut]:
    """The newest plan of the run, and how far each of its steps is."""
    steps = {step.key: step for step in run.steps.all()}
    planned = [step.detail["steps"] for step in steps.values() if step.detail.get("steps") is not None]
    met = {one["name"]: one["met"] for step in steps.values() for one in step.detail.get("criteria", [])}
    return [plan_step_out(number, one, steps.get(one["key"]), met) for number, one in enumerate(planned[-1] if planned else [], 1)]


def plan_step_out(number: int, one: Mapping[str, Any], step: Step | None, met: Mapping[str, str]) -> PlanStepOut:
    said = {name: one[name] for name in ("name", "tool", "input", "criterion", "after")}
    if step is None:
        return PlanStepOut(number=number, **said, met="", status="waiting", error="", seconds=None, tokens_in=0, tokens_out=0)
    seconds = (step.ended_at - step.started_at).total_seconds() if step.ended_at else None
    status: Any = "failed" if step.error else "done" if step.ended_at else "running"
    return PlanStepOut(
        number=number, **said, met=cast(Any, met.get(one["name"], "")), status=status,
        error=step.error, seconds=seconds, tokens_in=step.tokens_in, tokens_out=step.tokens_out,
    )  # fmt: skip
