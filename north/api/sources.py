"""Sources by REST: what North fetches by itself, its syncs, and who may read what comes from it. Editors and owners only."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Status

from north import wiring
from north.api.keys import caller
from north.api.paging import Paging, page
from north.api.problems import Conflict
from north.api.router import answers, readers_of, router
from north.api.schemas.doing import DoingList, DoingOut, PositionOut, RetriedOut, TroubleOut
from north.api.schemas.knowledge import (
    BranchOut,
    BranchPage,
    ConnectorList,
    ConnectorOut,
    FindingOut,
    MappingIn,
    PreviewOut,
    SettingOut,
    SourceAccountOut,
    SourceAccountPage,
    SourceBrowsed,
    SourceChange,
    SourceIn,
    SourceOut,
    SourcePage,
    SourceTried,
    SyncOut,
    SyncPage,
)
from north.api.shapes import access_names
from north.api.tags import held, tagged
from north.documents import actions, browsing, configuring, controls, doing, mapping
from north.documents.accounts import Identity
from north.documents.errors import Refused
from north.documents.models import Source, SyncRun
from north.documents.models import Status as DocumentStatus
from north.documents.readers import Readers
from north.workspaces.access import demand
from north.workspaces.models import Group, Membership, Role, User
from retrieval.connectors.contract import Connector

routes, connectors = router(), router()


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
        settings=source.config,
        secrets=sorted(configuring.secrets_of(source)),
        include=source.include,
        exclude=source.exclude,
        as_source=source.as_source,
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
    """Its first sync begins at once."""
    actor = editor(request)
    readers = readers_of(body.access.everyone, body.access.groups, actor)
    plain = body.model_dump(exclude={"access", "path", "settings"})
    return Status(201, source_out(actor, actions.create_source(**plain, given=body.given(), readers=readers, actor=actor)))


@routes.post("/preview", response=answers(200, PreviewOut), summary="Try settings before a source is set up")
def preview_source(request: HttpRequest, body: SourceTried) -> PreviewOut:
    """What works, what is missing, and how many documents would come. Takes up to some seconds."""
    actor = editor(request)
    found = actions.preview_source(None, body.connector, body.given(), body.include, body.exclude, actor=actor)
    findings = [FindingOut(works=one.works, words=one.words) for one in found.findings]
    counted = {name: getattr(found, name) for name in ("works", "count", "bytes", "left_out", "whole", "examples")}
    return PreviewOut(findings=findings, **counted)


@routes.post("/browse", response=answers(200, BranchPage), summary="See what lies in a source before it is set up")
def browse_source(request: HttpRequest, body: SourceBrowsed) -> BranchPage:
    """One level of its folders, spaces, projects or the like, for `include`, `exclude` and the connector's own lists. Takes up to some
    seconds."""
    actor = editor(request)
    found = browsing.browse(None, body.connector, body.given(), body.at, body.around, actor=actor)
    names = ("path", "name", "inner", "setting", "include", "exclude", "around")
    items = [BranchOut(**{name: getattr(one, name) for name in names}) for one in found.choices]
    return BranchPage(items=items, more=found.more, fault=found.fault)


@routes.get("/{uuid:source_id}", response=answers(200, SourceOut, 304), summary="One source")
def get_source(request: HttpRequest, response: HttpResponse, source_id: uuid.UUID) -> SourceOut:
    actor = editor(request)
    return tagged(request, response, source_out(actor, one(source_id, actor)))


@routes.patch("/{uuid:source_id}", response=answers(200, SourceOut, 409, 412), summary="Change a source")
def change_source(request: HttpRequest, response: HttpResponse, source_id: uuid.UUID, body: SourceChange) -> SourceOut:
    """`schedule` 0: it syncs only by hand. What is left out or null stays as it is; other readers hold for all its documents at once."""
    actor = editor(request)
    before = one(source_id, actor)
    actions.owned(before, actor)
    configuring.look_up(before.connector, given_in(before, body))
    with held(request, all_of(actor).filter(pk=source_id), partial(source_out, actor)) as source:
        actions.edit_source(source, **changed(source, body, actor), actor=actor, looked_up=True)
    return tagged(request, response, source_out(actor, one(source_id, actor)))


def changed(source: Source, body: SourceChange, actor: Membership) -> dict[str, Any]:
    """Everything that a source has, with what the body changes."""
    names = ("name", "schedule", "half_life", "as_source", "include", "exclude")
    now = {name: getattr(source, name) for name in names} | body.model_dump(include=set(names), exclude_none=True)
    if body.access is None:
        readers = Readers.of(source.principals, actor.workspace, actor.workspace.groups.all())
    else:
        readers = readers_of(body.access.everyone, body.access.groups, actor)
    return {**now, "given": given_in(source, body), "readers": readers}


def given_in(source: Source, body: SourceChange) -> dict[str, Any]:
    return {**source.config, **(body.settings or {}), **({"path": body.path} if body.path is not None else {})}


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


# --- what is it doing? -----------------------------------------------------------------------------------------------------------------
def doing_out(source: Source, now: doing.Doing) -> DoingOut:
    position = now.position
    return DoingOut(
        source=source.pk,
        name=source.name,
        stage=now.stage.value,  # type: ignore[arg-type]
        at_work=now.at_work,
        position=PositionOut(done=position[0], of=position[1]) if position else None,
        place=now.place,
        speed=now.speed,
        seconds_left=now.seconds_left,
        documents=dict.fromkeys(DocumentStatus.values, 0) | dict(now.counts),
        error=TroubleOut(words=now.error, mend=now.mend, code=now.fault) if now.error else None,
        as_of=now.fresh_at,
        progress_at=now.since,
        paused_at=now.paused_at,
        restarts=now.run.restarts if now.run else 0,
    )


def doing_of(source_id: uuid.UUID, actor: Membership) -> DoingOut:
    source = get_object_or_404(all_of(actor).select_related("workspace"), pk=source_id)
    return doing_out(source, doing.of_source(source))


@routes.get("/status", response=answers(200, DoingList), summary="What all sources are doing")
def list_status(request: HttpRequest) -> DoingList:
    """Stage, position, speed, estimate, trouble and freshness of each source, and what waits in all."""
    actor = editor(request)
    sources = list(all_of(actor))
    found = doing.of_sources(sources, actor.workspace)
    whole = doing.whole(found.values())
    items = [doing_out(source, found[source.pk]) for source in sources]
    return DoingList(items=items, waiting=whole["waiting"], seconds_left=whole["seconds_left"])


@routes.get("/{uuid:source_id}/status", response=answers(200, DoingOut), summary="What a source is doing")
def get_status(request: HttpRequest, source_id: uuid.UUID) -> DoingOut:
    """Cheap enough to be asked every few seconds."""
    return doing_of(source_id, editor(request))


@routes.post("/{uuid:source_id}/pause", response=answers(200, DoingOut), summary="Pause a source")
def pause_source(request: HttpRequest, source_id: uuid.UUID) -> DoingOut:
    """Its sync stops within seconds, and what it brought is neither read nor indexed until it is resumed; what is ready stays."""
    actor = editor(request)
    controls.pause(one(source_id, actor), actor=actor)
    return doing_of(source_id, actor)


@routes.post("/{uuid:source_id}/resume", response=answers(200, DoingOut), summary="Resume a source")
def resume_source(request: HttpRequest, source_id: uuid.UUID) -> DoingOut:
    """From where it was."""
    actor = editor(request)
    controls.resume(one(source_id, actor), actor=actor)
    return doing_of(source_id, actor)


@routes.post("/{uuid:source_id}/cancel", response=answers(200, DoingOut, 409), summary="Stop the sync of a source")
def cancel_sync(request: HttpRequest, source_id: uuid.UUID) -> DoingOut:
    """It writes nothing more, what it brought stays, and nothing is deleted. 409 where no sync is under way."""
    actor = editor(request)
    if not controls.cancel(one(source_id, actor), actor=actor):
        raise Conflict("No sync of this source is under way.")
    return doing_of(source_id, actor)


@routes.post("/{uuid:source_id}/retry", response=answers(202, RetriedOut), summary="Retry all failed documents of a source")
def retry_source(request: HttpRequest, source_id: uuid.UUID) -> Status[RetriedOut]:
    """From the stored files."""
    actor = editor(request)
    return Status(202, RetriedOut(documents=controls.retry_failed(one(source_id, actor), actor=actor)))


# --- who is who ------------------------------------------------------------------------------------------------------------------------
@routes.get("/{uuid:source_id}/accounts", response=answers(200, SourceAccountPage), summary="The accounts of a source, and who they are")
def list_source_accounts(request: HttpRequest, source_id: uuid.UUID, paging: Query[Paging]) -> SourceAccountPage:
    """Owners only."""
    actor = caller(request)
    demand(actor, Role.OWNER)
    source = one(source_id, actor)
    found, following = page(mapping.accounts(source), paging, by="key", within=actor.workspace_id)
    members = mapping.people_of(source)
    return SourceAccountPage(items=[account_out(row, members) for row in found], next=following)


@routes.put("/{uuid:source_id}/accounts/{uuid:identity_id}", response=answers(200, SourceAccountOut), summary="Say who an account is")
def map_source_account(request: HttpRequest, source_id: uuid.UUID, identity_id: uuid.UUID, body: MappingIn) -> SourceAccountOut:
    """Owners only. It holds for the next question."""
    actor, row, members = account(request, source_id, identity_id)
    user = members.get(User.objects.normalise(body.person)) if body.person else None
    if body.person and user is None:
        raise Refused("This person is no member of the workspace. Invite them first.", field="person")
    mapping.map_identity(row, user, actor=actor)
    return account_out(row, members)


@routes.delete("/{uuid:source_id}/accounts/{uuid:identity_id}", response=answers(200, SourceAccountOut), summary="Let its address say it")
def unmap_source_account(request: HttpRequest, source_id: uuid.UUID, identity_id: uuid.UUID) -> SourceAccountOut:
    """Owners only."""
    actor, row, members = account(request, source_id, identity_id)
    mapping.unmap_identity(row, actor=actor)
    return account_out(row, members)


def account(request: HttpRequest, source_id: uuid.UUID, identity_id: uuid.UUID) -> tuple[Membership, Identity, dict[str, User]]:
    actor = caller(request)
    demand(actor, Role.OWNER)
    source = one(source_id, actor)
    row = get_object_or_404(Identity.objects.select_related("source", "user"), source=source, pk=identity_id)
    return actor, row, mapping.people_of(source)


def account_out(row: Identity, members: dict[str, User]) -> SourceAccountOut:
    person = row.user if row.mapped else members.get(row.email)
    plain = {name: getattr(row, name) for name in ("id", "key", "name", "email", "active", "mapped")}
    return SourceAccountOut(**plain, person=person.email if person else None)


# --- connectors ------------------------------------------------------------------------------------------------------------------------
@connectors.get("", response=answers(200, ConnectorList), summary="The kinds of sources, and what each asks for")
def list_connectors(request: HttpRequest) -> ConnectorList:
    editor(request)
    return ConnectorList(items=[connector_out(kind, found) for kind, found in wiring.connectors().items()])


def connector_out(kind: str, found: Connector) -> ConnectorOut:
    plain = ("name", "label", "help", "kind", "required")
    settings = [
        SettingOut(
            **{name: getattr(one, name) for name in plain},
            default=list(one.default) if isinstance(one.default, tuple) else one.default,
            choices=[value for value, _label in one.choices],
        )
        for one in found.settings
    ]
    return ConnectorOut(connector=kind, title=found.title, help=found.help, rights=found.rights, settings=settings)
