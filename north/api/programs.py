"""Keys, their limits and what they used, and service accounts, by REST: everybody's own, and for owners all of the workspace. All of it
takes a key with the scope admin, and no key makes, replaces or frees another so that it may do more than itself."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Status

from north.api.keys import Key, caller
from north.api.paging import Paging, page
from north.api.people import members_of, owner
from north.api.reports import by_day, by_kind, named
from north.api.router import answers, router
from north.api.schemas.programs import (
    AccountChange,
    AccountIn,
    AccountOut,
    AccountPage,
    BudgetOut,
    KeyIn,
    KeyMade,
    KeyOut,
    KeyPage,
    KeyUsage,
    Limits,
    LimitsIn,
    RotationIn,
)
from north.api.schemas.work import UsageAsked
from north.api.tags import held, tagged
from north.usage.budgets import of_row, used_by_keys
from north.usage.summing import since, spent
from north.workspaces import actions
from north.workspaces import keys as verbs
from north.workspaces.models import ApiKey, Membership, Role, Workspace

routes = router()
limits = router()
accounts = router()
ADMIN = Key("admin")


# --- keys -----------------------------------------------------------------------------------------------------------------------------
def seen_by(actor: Membership) -> QuerySet[ApiKey]:
    return ApiKey.objects.of(actor).select_related("user", "workspace")


def one(key_id: uuid.UUID, actor: Membership) -> ApiKey:
    return get_object_or_404(seen_by(actor), pk=key_id)


def key_out(key: ApiKey) -> KeyOut:
    same = ("name", "scopes", "agents", "sources", "created_at", "expires_at", "used_at", "rotated_at", "revoked_at")
    return KeyOut(
        id=key.pk,
        prefix=f"north_{key.prefix}_",
        acts_as=key.user_id,
        acts_as_name=str(key.user),
        old_until=key.old_until if key.old_works else None,
        **{name: getattr(key, name) for name in same},
    )


def key_made(key: ApiKey, secret: str) -> KeyMade:
    return KeyMade(**key_out(key).model_dump(), key=secret)


@routes.get("", auth=ADMIN, response=answers(200, KeyPage), summary="List keys")
def list_keys(request: HttpRequest, paging: Query[Paging]) -> KeyPage:
    """Those that are not revoked, newest first: the key's user's own; for owners all of the workspace."""
    actor = caller(request)
    found, following = page(seen_by(actor).kept(), paging, by="-created_at", within=actor.workspace_id)  # type: ignore[attr-defined]
    return KeyPage(items=[key_out(key) for key in found], next=following)


@routes.post("", auth=ADMIN, response=answers(201, KeyMade, 409), summary="Make a key")
def create_key(request: HttpRequest, body: KeyIn) -> Status[KeyMade]:
    """It is shown in this answer only. 403 where it would give more than the calling key has: scopes, agents, sources, time; it has the
    calling key's limits, too."""
    actor = caller(request)
    sources = actor.workspace.sources.all() if actor.may_edit else actor.workspace.sources.none()
    key, secret = verbs.issue_key(
        verbs.acting(body.acts_as, actor=actor),
        name=body.name,
        scopes=body.scopes,
        agents=chosen(body.agents, actor.workspace.agents.all()),
        sources=chosen(body.sources, sources),
        expires_at=body.expires_at,
        actor=actor,
    )
    return Status(201, key_made(key, secret))


def chosen(ids: list[uuid.UUID] | None, rows: QuerySet[Any]) -> list[str] | None:
    """A 404 for one that is not among these rows."""
    if ids is None:
        return None
    found = {str(pk) for pk in rows.filter(pk__in=ids).values_list("pk", flat=True)}
    if len(found) < len(set(ids)):
        raise Http404
    return sorted(found)


@routes.get("/{uuid:key_id}", auth=ADMIN, response=answers(200, KeyOut, 304), summary="One key")
def get_key(request: HttpRequest, response: HttpResponse, key_id: uuid.UUID) -> KeyOut:
    """Also one that was revoked. The key itself is not told again."""
    return tagged(request, response, key_out(one(key_id, caller(request))))


@routes.post("/{uuid:key_id}/rotate", auth=ADMIN, response=answers(200, KeyMade, 409), summary="Replace a key")
def rotate_key(request: HttpRequest, key_id: uuid.UUID, body: RotationIn | None = None) -> KeyMade:
    """The new one is shown in this answer only. For one's own keys, and an owner's service accounts; scopes, limits and usage stay."""
    actor = caller(request)
    grace = verbs.GRACES[(body or RotationIn()).grace_hours]
    secret = verbs.rotate_key(one(key_id, actor), grace=grace, actor=actor)
    return key_made(one(key_id, actor), secret)


@routes.delete("/{uuid:key_id}", auth=ADMIN, response=answers(204, None, 409, 412), summary="Revoke a key")
def revoke_key(request: HttpRequest, key_id: uuid.UUID) -> Status[None]:
    """What uses it stops working at once, and for good."""
    actor = caller(request)
    with held(request, seen_by(actor).filter(pk=key_id, revoked_at=None), key_out) as key:
        verbs.revoke_key(key, actor=actor)
    return Status(204, None)


@routes.get("/{uuid:key_id}/usage", auth=ADMIN, response=answers(200, KeyUsage), summary="What a key used")
def get_key_usage(request: HttpRequest, key_id: uuid.UUID, asked: Query[UsageAsked]) -> KeyUsage:
    """Of the last so many days, today among them (UTC)."""
    actor = caller(request)
    key = one(key_id, actor)
    found = spent(since(asked.days, actor.workspace_id).filter(key=key.pk), asked.days)
    budgets = of_row("key", key, *used_by_keys([key])[key.pk])
    return KeyUsage(
        total=asdict(found.total),  # type: ignore[arg-type]
        days=by_day(found),
        kinds=by_kind(found),
        models=named({name: name for name in found.model}, found.model),
        budgets=[BudgetOut.from_orm(budget) for budget in budgets],
    )


# --- limits ---------------------------------------------------------------------------------------------------------------------------
def limits_out(row: ApiKey | Workspace) -> Limits:
    return Limits.from_orm(row)


@routes.get("/{uuid:key_id}/limits", auth=ADMIN, response=answers(200, Limits, 304), summary="How much a key may use")
def get_key_limits(request: HttpRequest, response: HttpResponse, key_id: uuid.UUID) -> Limits:
    return tagged(request, response, limits_out(one(key_id, caller(request))))


@routes.put("/{uuid:key_id}/limits", auth=ADMIN, response=answers(200, Limits, 409, 412), summary="Say how much a key may use")
def set_key_limits(request: HttpRequest, response: HttpResponse, key_id: uuid.UUID, body: LimitsIn) -> Limits:
    """For owners. They hold from the next request on. 403 where the calling key has limits itself."""
    actor = owner(request)
    with held(request, seen_by(actor).filter(pk=key_id, revoked_at=None), limits_out) as key:
        verbs.allow_key(key, body.model_dump(), actor=actor)
    return tagged(request, response, limits_out(key))


@limits.get("", auth=ADMIN, response=answers(200, Limits, 304), summary="How much each member may use")
def get_limits(request: HttpRequest, response: HttpResponse) -> Limits:
    return tagged(request, response, limits_out(owner(request).workspace))


@limits.put("", auth=ADMIN, response=answers(200, Limits, 409, 412), summary="Say how much each member may use")
def set_limits(request: HttpRequest, response: HttpResponse, body: LimitsIn) -> Limits:
    """In the browser and by all their keys together; a service account is a member, too. 403 where the calling key has limits itself."""
    actor = owner(request)
    with held(request, Workspace.objects.filter(pk=actor.workspace_id), limits_out) as workspace:
        actor.workspace = workspace
        verbs.allow_members(body.model_dump(), actor=actor)
    return tagged(request, response, limits_out(workspace))


# --- service accounts -----------------------------------------------------------------------------------------------------------------
def accounts_of(actor: Membership) -> QuerySet[Membership]:
    return members_of(actor).filter(user__service_of=actor.workspace_id)


def account_out(member: Membership) -> AccountOut:
    user = member.user
    return AccountOut(id=user.pk, email=user.email, name=user.name, role=member.role, created_at=member.created_at)  # type: ignore[arg-type]


@accounts.get("", auth=ADMIN, response=answers(200, AccountPage), summary="List service accounts")
def list_service_accounts(request: HttpRequest, paging: Query[Paging]) -> AccountPage:
    actor = owner(request)
    found, following = page(accounts_of(actor), paging, by="created_at", within=actor.workspace_id)
    return AccountPage(items=[account_out(member) for member in found], next=following)


@accounts.post("", auth=ADMIN, response=answers(201, AccountOut, 409), summary="Make a service account")
def create_service_account(request: HttpRequest, body: AccountIn) -> Status[AccountOut]:
    """A member that is no person: put it in groups, and make a key that acts as it."""
    return Status(201, account_out(verbs.create_service_account(body.name, Role(body.role), actor=owner(request))))


@accounts.get("/{uuid:account_id}", auth=ADMIN, response=answers(200, AccountOut, 304), summary="One service account")
def get_service_account(request: HttpRequest, response: HttpResponse, account_id: uuid.UUID) -> AccountOut:
    return tagged(request, response, account_out(get_object_or_404(accounts_of(owner(request)), user_id=account_id)))


@accounts.patch("/{uuid:account_id}", auth=ADMIN, response=answers(200, AccountOut, 409, 412), summary="Change a service account's role")
def change_service_account(request: HttpRequest, response: HttpResponse, account_id: uuid.UUID, body: AccountChange) -> AccountOut:
    actor = owner(request)
    with held(request, accounts_of(actor).filter(user_id=account_id), account_out) as member:
        actions.change_role(member, Role(body.role), actor=actor)
    return tagged(request, response, account_out(member))


@accounts.delete("/{uuid:account_id}", auth=ADMIN, response=answers(204, None, 409, 412), summary="Delete a service account")
def delete_service_account(request: HttpRequest, account_id: uuid.UUID) -> Status[None]:
    """With its keys and its threads. What it uploaded stays."""
    actor = owner(request)
    with held(request, accounts_of(actor).filter(user_id=account_id), account_out) as member:
        verbs.delete_service_account(member, actor=actor)
    return Status(204, None)
