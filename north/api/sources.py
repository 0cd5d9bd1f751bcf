"""Sources by REST: what North fetches by itself, its syncs, and who may read what comes from it. Editors and owners only."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Status

from north.api.keys import caller
from north.api.paging import Paging, page
from north.api.problems import Conflict
from north.api.router import answers, readers_of, router
from north.api.schemas.knowledge import SourceChange, SourceIn, SourceOut, SourcePage, SyncOut, SyncPage
from north.api.shapes import access_names
from north.api.tags import held, tagged
from north.documents import actions
from north.documents.models import Source, SyncRun
from north.documents.readers import Readers
from north.workspaces.access import demand
from north.workspaces.models import Group, Membership, Role

routes = router()


def editor(request: HttpRequest) -> Membership:
    actor = caller(request)
    demand(actor, Role.EDITOR)
    return actor


def all_of(actor: Membership) -> QuerySet[Source]:
    return Source.objects.filter(workspace=actor.workspace)


def one(source_id: uuid.UUID, actor: Membership) -> Source:
    return get_object_or_404(all_of(actor), pk=source_id)


def source_out(actor: Membership, source: Source, groups: list[Group] | None = None) -> SourceOut:
    return SourceOut(
        id=source.pk,
        name=source.name,
        connector=source.connector,
        path=source.config.get("path", ""),
        schedule=source.schedule,
        half_life=source.half_life,
        access=access_names(source.principals, actor.workspace, groups),
        created_at=source.created_at,
        synced_at=source.synced_at,
    )


def sync_out(run: SyncRun) -> SyncOut:
    return SyncOut(**{name: getattr(run, name) for name in SyncOut.model_fields})


@routes.get("", response=answers(200, SourcePage), summary="List sources")
def list_sources(request: HttpRequest, paging: Query[Paging]) -> SourcePage:
    actor = editor(request)
    found, following = page(all_of(actor), paging, by="name", within=actor.workspace_id)
    groups = list(actor.workspace.groups.all())
    return SourcePage(items=[source_out(actor, one, groups) for one in found], next=following)


@routes.post("", response=answers(201, SourceOut, 409), summary="Set up a source")
def create_source(request: HttpRequest, body: SourceIn) -> Status[SourceOut]:
    """A folder of the server; its first sync begins at once."""
    actor = editor(request)
    readers = readers_of(body.access.everyone, body.access.groups, actor)
    values = body.model_dump(exclude={"access"})
    return Status(201, source_out(actor, actions.create_source(**values, readers=readers, actor=actor)))


@routes.get("/{uuid:source_id}", response=answers(200, SourceOut, 304), summary="One source")
def get_source(request: HttpRequest, response: HttpResponse, source_id: uuid.UUID) -> SourceOut:
    actor = editor(request)
    return tagged(request, response, source_out(actor, one(source_id, actor)))


@routes.patch("/{uuid:source_id}", response=answers(200, SourceOut, 409, 412), summary="Change, pause or resume a source")
def change_source(request: HttpRequest, response: HttpResponse, source_id: uuid.UUID, body: SourceChange) -> SourceOut:
    """`schedule` 0 pauses it. What is left out or null stays as it is; other readers hold for all its documents at once."""
    actor = editor(request)
    with held(request, all_of(actor).filter(pk=source_id), partial(source_out, actor)) as source:
        actions.edit_source(source, **changed(source, body, actor), actor=actor)
    return tagged(request, response, source_out(actor, one(source_id, actor)))


def changed(source: Source, body: SourceChange, actor: Membership) -> dict[str, Any]:
    """Everything that a source has, with what the body changes."""
    now = {"name": source.name, "path": source.config.get("path", ""), "schedule": source.schedule, "half_life": source.half_life}
    if body.access is None:
        readers = Readers.of(source.principals, actor.workspace, actor.workspace.groups.all())
    else:
        readers = readers_of(body.access.everyone, body.access.groups, actor)
    return {**now, **body.model_dump(exclude={"access"}, exclude_none=True), "readers": readers}


@routes.delete("/{uuid:source_id}", response=answers(204, None, 409, 412), summary="Delete a source and its documents")
def delete_source(request: HttpRequest, source_id: uuid.UUID) -> Status[None]:
    actor = editor(request)
    with held(request, all_of(actor).filter(pk=source_id), partial(source_out, actor)) as source:
        actions.delete_source(source, actor=actor)
    return Status(204, None)


@routes.post("/{uuid:source_id}/syncs", response=answers(202, SyncOut, 409), summary="Sync a source now")
def sync_source(request: HttpRequest, source_id: uuid.UUID) -> Status[SyncOut]:
    """409 while a sync of it is under way."""
    actor = editor(request)
    run = actions.sync_now(one(source_id, actor), actor=actor)
    if run is None:
        raise Conflict("A sync of this source is under way already. Wait for its end.")
    return Status(202, sync_out(run))


@routes.get("/{uuid:source_id}/syncs", response=answers(200, SyncPage), summary="The syncs of a source, newest first")
def list_syncs(request: HttpRequest, source_id: uuid.UUID, paging: Query[Paging]) -> SyncPage:
    actor = editor(request)
    rows = SyncRun.objects.filter(source=one(source_id, actor))
    found, following = page(rows, paging, by="-created_at", within=actor.workspace_id)
    return SyncPage(items=[sync_out(run) for run in found], next=following)
