"""A person's word on what a run proposed, in JSON: the same verbs as the cards in a thread."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any, Literal

from django.http import Http404, HttpRequest
from ninja import Schema
from pydantic import Field

from north.api.keys import Key, caller
from north.api.router import answers, router
from north.api.schemas import In
from north.threads import approving
from north.threads.models import Approval

MOST = 100
routes = router()


class ApprovalOut(Schema):
    id: uuid.UUID
    run: uuid.UUID = Field(alias="run_id")
    tool: str
    effect: str
    arguments: dict[str, Any]
    derived: list[str] = Field(description="The arguments whose words come from documents or tool results.")
    preview: str = Field(description="What will happen.")
    seen: str = Field(alias="proposed", description="Send it back with the decision: it binds your word to these arguments.")
    standing: Literal["waiting", "approved", "rejected", "denied", "expired", "done", "failed"]
    words: str = Field(description="Why it was not done, or what came of it.")
    created_at: datetime
    expires_at: datetime
    decided_at: datetime | None = None
    done_at: datetime | None = None


class DecisionIn(In):
    decision: Literal["approve", "reject"]
    seen: str = Field(max_length=64)
    changes: dict[str, Any] = Field(default_factory=dict, description="Arguments in the person's own words, to be used instead.")
    words: str = Field("", max_length=300, description="Why not.")


@routes.get("", auth=Key("read", "infer"), response=answers(200, list[ApprovalOut]), summary="What waits for you")
def waiting(request: HttpRequest) -> list[Approval]:
    """Oldest first, at most a hundred."""
    return list(Approval.objects.of(caller(request)).waiting()[:MOST])


@routes.get("/{uuid:approval_id}", auth=Key("read", "infer"), response=answers(200, ApprovalOut), summary="One proposed action")
def get_approval(request: HttpRequest, approval_id: uuid.UUID) -> Approval:
    return the_approval(request, approval_id)


@routes.post("/{uuid:approval_id}", response=answers(200, ApprovalOut, 409), summary="Approve, change or reject it")
def decide(request: HttpRequest, approval_id: uuid.UUID, body: DecisionIn) -> Approval:
    """409 where it was decided before, has expired, belongs to a stopped run, or is not what was seen: then nothing happens."""
    actor, approval = caller(request), the_approval(request, approval_id)
    if body.decision == "approve":
        return approving.approve(approval, seen=body.seen, actor=actor, changes=body.changes)
    return approving.reject(approval, seen=body.seen, actor=actor, words=body.words)


def the_approval(request: HttpRequest, approval_id: uuid.UUID) -> Approval:
    found: Approval | None = Approval.objects.of(caller(request)).select_related("run__thread").filter(pk=approval_id).first()
    if found is None:
        raise Http404
    return found
