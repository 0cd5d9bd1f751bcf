"""From rows to the API's JSON. What a reader may no longer open is left out by `threads.reading`, as on the pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from uuid import UUID

from north.api.schemas import CitationOut, DocumentOut, PassageOut, ResultOut, RunOut, SearchOut, StepOut
from north.documents.models import Document
from north.documents.readers import Readers
from north.threads.models import Run
from north.threads.reading import ShownStep, shown
from north.workspaces.models import Membership, Workspace
from retrieval.types import Passage


def document_out(document: Document, workspace: Workspace) -> DocumentOut:
    readers = Readers.of((principal.value for principal in document.principals.all()), workspace, workspace.groups.all())
    return DocumentOut(
        id=document.pk,
        name=document.name,
        status=document.status,  # type: ignore[arg-type]
        error=document.error,
        media_type=document.media_type,
        bytes=document.bytes,
        sha256=document.sha256,
        source=document.source_id,
        notes=document.notes,
        access=["everyone"] if readers.everyone else [group.name for group in readers.groups],
        created_at=document.created_at,
        ready_at=document.ready_at,
    )


def search_out(passages: Sequence[Passage]) -> SearchOut:
    """A document is worth its best passage; the passages come best first."""
    results: dict[str, ResultOut] = {}
    for passage in passages:
        result = results.setdefault(
            passage.document, ResultOut(document=UUID(passage.document), name=passage.name, score=passage.score, passages=[])
        )
        result.passages.append(
            PassageOut(start=passage.start, end=passage.end, text=passage.text, score=passage.score, heading=passage.heading)
        )
    return SearchOut(results=sorted(results.values(), key=lambda result: -result.score))


def run_out(run: Run, reader: Membership) -> RunOut:
    seen = shown([run], reader)[0]
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
        question=run.question,
        status=run.status,  # type: ignore[arg-type]
        answer=run.answer,
        citations=citations,
        unsupported=run.unsupported,
        refused=run.refused,
        searched=run.searched,
        steps=[step_out(step) for step in seen.steps],
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


def step_out(shown_step: ShownStep) -> StepOut:
    step = shown_step.step
    detail = {name: value for name, value in step.detail.items() if name != "found"}
    if "found" in step.detail:
        open_ids = {found.document for found in shown_step.found}
        detail["found"] = [one for one in step.detail["found"] if str(one["document"]) in open_ids]
    return StepOut(key=step.key, kind=step.kind, detail=detail, error=step.error, started_at=step.started_at, ended_at=step.ended_at)
