"""When the workspace refuses, by REST: what is to be marked, marks, and the threshold that an owner takes over."""

from __future__ import annotations

import uuid

from django.db.models import QuerySet
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Query, Status

from north.api.agents import editor
from north.api.keys import Key
from north.api.people import owner
from north.api.router import answers, router
from north.api.schemas.refusals import EvidenceMarkIn, EvidenceMarkOut, FitOut, PointOut, ProposalOut, QuoteOut, RefusalsOut, ThresholdIn
from north.evaluation import calibrating, thresholds
from north.evaluation.models import EvidenceMark
from north.refusals import proposing
from north.workspaces.models import Membership

routes = router()
FIELDS = ("threshold", "marks", "answered", "wrong", "refused", "coverage", "risk", "interval")


def point_out(point: calibrating.Point) -> PointOut:
    return PointOut(**{name: getattr(point, name) for name in FIELDS})


def mark_out(mark: EvidenceMark) -> EvidenceMarkOut:
    return EvidenceMarkOut(id=mark.pk, question=mark.text, evidence=mark.evidence, answers=mark.answers)


def state(actor: Membership, risk: float) -> RefusalsOut:
    marks = thresholds.marks_of(actor.workspace_id)
    enough = not any(calibrating.lacking(marks))
    fit = calibrating.fit(marks, risk) if enough else None
    return RefusalsOut(
        threshold=thresholds.refuses_below(actor.workspace_id), judge=thresholds.judge_name(), marks=len(marks), needed=calibrating.FEWEST,
        curve=[point_out(point) for point in calibrating.curve(marks)] if enough else [],
        fitted=FitOut(chosen=point_out(fit.chosen), held=fit.held, held_interval=fit.held_interval) if fit else None,
    )  # fmt: skip


@routes.get("", response=answers(200, RefusalsOut), summary="When questions are refused, and what other thresholds would do")
def get_refusals(request: HttpRequest, risk: float = Query(thresholds.RISK, gt=0, lt=1)) -> RefusalsOut:
    return state(editor(request), risk)


@routes.get("/proposals", response=answers(200, list[ProposalOut]), summary="Questions to mark, those nearest to the threshold first")
def list_proposals(request: HttpRequest, limit: int = Query(10, ge=1, le=20)) -> list[ProposalOut]:
    """Of your own threads, and of the golden set as far as you may see it; passages as far as you may read them."""
    return [
        ProposalOut(id=one.id, question=one.question, evidence=one.evidence, quotes=[QuoteOut.from_orm(quote) for quote in one.quotes])
        for one in proposing.proposals(editor(request), limit)
    ]


@routes.get("/marks", response=answers(200, list[EvidenceMarkOut]), summary="Your marks")
def list_marks(request: HttpRequest) -> list[EvidenceMarkOut]:
    return [mark_out(one) for one in marks_of(editor(request))[: thresholds.MOST]]


@routes.post("/marks", response=answers(201, EvidenceMarkOut, 409), summary="Say whether passages answer a question")
def mark_evidence(request: HttpRequest, body: EvidenceMarkIn) -> Status[EvidenceMarkOut]:
    actor = editor(request)
    found = proposing.one_of(actor, body.id)
    if found is None:
        raise Http404
    return Status(201, mark_out(thresholds.mark(found.question, found.evidence, answers=body.answers, actor=actor)))


@routes.delete("/marks/{uuid:mark_id}", response=answers(204, None), summary="Take a mark of yours back")
def take_back_mark(request: HttpRequest, mark_id: uuid.UUID) -> Status[None]:
    actor = editor(request)
    thresholds.take_back(get_object_or_404(marks_of(actor), pk=mark_id), actor=actor)
    return Status(204, None)


@routes.put("/threshold", auth=Key("admin"), response=answers(200, RefusalsOut, 409), summary="Refuse below the threshold fitted to a risk")
def set_threshold(request: HttpRequest, body: ThresholdIn) -> RefusalsOut:
    actor = owner(request)
    thresholds.use(body.risk, actor=actor)
    return state(actor, body.risk)


@routes.delete("/threshold", auth=Key("admin"), response=answers(204, None), summary="Let the chat model alone decide again")
def reset_threshold(request: HttpRequest) -> Status[None]:
    thresholds.reset(actor=owner(request))
    return Status(204, None)


def marks_of(actor: Membership) -> QuerySet[EvidenceMark]:
    return EvidenceMark.objects.filter(workspace=actor.workspace_id, marked_by=actor.user_id)
