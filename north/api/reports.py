"""What was done and used in the workspace, and by which models."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest
from ninja import Query, Router

from north.api.keys import Key, caller
from north.api.paging import page
from north.api.people import owner
from north.api.router import answers
from north.api.schemas.work import AuditAsked, AuditEventOut, AuditPage, DayFigures, ModelOut, ModelsOut, NamedFigures, UsageAsked, UsageOut
from north.cards import words
from north.cards.models import Card
from north.usage.models import Kind
from north.usage.summing import Spent, Sums, names, since, spent
from north.workspaces.models import AuditEvent

MOST = 1000
routes = Router()


@routes.get("/models", response=answers(200, ModelsOut), summary="Which models answer here", tags=["agents"])
def list_models(request: HttpRequest) -> ModelsOut:
    card = Card.objects.in_use()
    return ModelsOut(items=[
        ModelOut(role=role, name=str(model.get("model", "")), notes=words.short(card) if role == "chat" else [])
        for role, model in settings.MODELS.items()
    ])  # fmt: skip


@routes.get(
    "/audit", auth=Key("admin"), response=answers(200, AuditPage), summary="What was done in the workspace, newest first", tags=["reports"]
)
def list_audit(request: HttpRequest, asked: Query[AuditAsked]) -> AuditPage:
    """For administrators of the installation, as the page; of this workspace only."""
    reader = caller(request)
    if not reader.user.is_admin:
        raise Http404
    given = {"action": asked.action.strip(), "actor": asked.actor.strip().lower()}
    rows = AuditEvent.objects.filter(workspace_id=reader.workspace_id, **{name: value for name, value in given.items() if value})
    found, following = page(rows, asked, by="-number", within=reader.workspace_id)
    items = [AuditEventOut(**{name: getattr(event, name) for name in AuditEventOut.model_fields}) for event in found]
    return AuditPage(items=items, next=following)


@routes.get("/usage", response=answers(200, UsageOut), summary="What the workspace used", tags=["reports"])
def get_usage(request: HttpRequest, asked: Query[UsageAsked]) -> UsageOut:
    """Of the last so many days, today among them (UTC); the thousand who used most. For owners."""
    reader = owner(request)
    found = spent(since(asked.days, reader.workspace_id), asked.days)
    return UsageOut(
        total=asdict(found.total),  # type: ignore[arg-type]
        days=by_day(found),
        kinds=by_kind(found),
        models=named({name: name for name in found.model}, found.model),
        users=named(names("user", found.user), found.user),
        keys=named(names("key", found.key), found.key),
    )


def by_day(found: Spent) -> list[DayFigures]:
    return [DayFigures(day=day, model=model, **asdict(sums)) for day, models in found.days.items() for model, sums in models.items()]


def by_kind(found: Spent) -> list[NamedFigures]:
    return named({kind: str(Kind(kind).label) for kind in found.kinds}, found.kinds)


def named(called: dict[Any, str], sums: dict[Any, Sums]) -> list[NamedFigures]:
    """Those who used most tokens, most first."""
    ranked = sorted(sums.items(), key=lambda one: (-one[1].tokens, str(one[0])))[:MOST]
    return [NamedFigures(id=None if id is None else str(id), name=called[id], **asdict(one)) for id, one in ranked]
