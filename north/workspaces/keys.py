"""Verbs on API keys and service accounts: rows, then an audit event, in one transaction. For pages and REST alike.

A key never gives more than the one whom it acts as may do, and a key that makes another never gives more than it has itself. Nobody makes
a key that acts as another person; owners make those of service accounts.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import transaction
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _

from north.workspaces.access import demand
from north.workspaces.audit import record
from north.workspaces.errors import Refused, Unfit, Wider
from north.workspaces.models import ALLOWANCE, NUMBERS, ApiKey, KeyScope, Membership, Role, User, Workspace, all_scopes

KEYS = 100
"""Unrevoked ones of one person or service account in a workspace."""
GRACES = {hours: timedelta(hours=hours) for hours in (0, 1, 24, 7 * 24)}
"""How long the secret so far may still be taken after a rotation."""
FURTHEST = timedelta(days=36_525)
"""The longest that a key with an end is valid for."""
MOST_REQUESTS, MOST_TOKENS = 1_000_000, 10**12
"""What a limit may be at most."""


def acting(user: UUID | None, *, actor: Membership) -> Membership:
    """The member whom a key shall act as: oneself, where nobody is named. Who may is `issue_key`'s to say."""
    if user is None:
        return actor
    return get_object_or_404(actor.workspace.memberships.select_related("user", "workspace"), user=user)


@transaction.atomic
def issue_key(
    membership: Membership,
    *,
    name: str = "",
    scopes: Collection[str] | None = None,
    agents: Collection[str] | None = None,
    sources: Collection[str] | None = None,
    expires_at: datetime | None = None,
    allowance: Mapping[str, Any] | None = None,
    actor: Membership | User | None,
) -> tuple[ApiKey, str]:
    """The row and the key, which acts as this member and is not kept. `scopes` None: all; `agents` and `sources`, ids: only these; None:
    all. `allowance`: some of ALLOWANCE; a key that was made by a key has that one's limits, too. `actor` None: the machine's administrator.
    Raises Refused, and a 404 for another person's."""
    if isinstance(actor, Membership):
        responsible(membership.user, membership.workspace, actor)
    if not membership.user.is_active:
        raise Refused(_("This person is suspended."))
    if membership.workspace.api_keys.kept().filter(user=membership.user).count() >= KEYS:
        raise Refused(_("There are %(most)d keys already. Revoke one that is not used any more.") % {"most": KEYS})
    wanted: dict[str, Any] = {
        "scopes": [scope for scope in all_scopes() if scopes is None or scope in scopes],
        "agents": None if agents is None else sorted(map(str, agents)),
        "sources": None if sources is None else sorted(map(str, sources)),
        "expires_at": expires_at,
    }
    if not wanted["scopes"]:
        raise Unfit("scopes", _("Choose what the key may be used for."))
    if expires_at is not None and not timezone.now() < expires_at < timezone.now() + FURTHEST:
        raise Unfit("expires_at", _("A key must expire in the future, and within a hundred years."))
    limits = checked(allowance or {})
    if isinstance(actor, Membership) and actor.key:
        no_more_than(actor.key, **wanted)
        limits |= within(actor.key, limits)
    made_by = actor.user if isinstance(actor, Membership) else actor
    key, secret = ApiKey.issue(workspace=membership.workspace, user=membership.user, name=name, made_by=made_by, **wanted, **limits)
    told = {**wanted, **limits, "expires_at": str(expires_at or "")}
    who = membership.user.email
    record("key.create", actor=actor, workspace=membership.workspace, thing=key, prefix=key.prefix, name=name, acts_as=who, **told)
    return key, secret


def responsible(user: User, workspace: Workspace, actor: Membership) -> None:
    """One is for oneself; owners are for the workspace's service accounts. A 404 else."""
    if user.pk == actor.user_id and workspace.pk == actor.workspace_id:
        return
    if not (actor.is_owner and user.service_of_id is not None and user.service_of_id == actor.workspace_id == workspace.pk):
        raise Http404


def no_more_than(own: ApiKey, scopes: list[str], agents: list[str] | None, sources: list[str] | None, expires_at: datetime | None) -> None:
    """Raises Wider where a key would give another one more than it has."""
    wider = set(scopes) - set(own.scopes)
    for mine, theirs in ((own.agents, agents), (own.sources, sources)):
        wider |= {"*"} if mine is not None and (theirs is None or set(theirs) - set(mine)) else set()
    if own.expires_at is not None and (expires_at is None or expires_at > own.expires_at):
        wider |= {"*"}
    if wider:
        raise Wider(_("A key can give another one no more than it has itself: scopes, agents, sources and time."))


def within(own: ApiKey, limits: Mapping[str, Any]) -> dict[str, Any]:
    """The limits that another key of these has at least, if this one may make it."""
    tight = {name: getattr(own, name) for name in NUMBERS if getattr(own, name) is not None}
    found = {name: min(value, limits.get(name) or value) for name, value in tight.items()}
    return found | ({"refuses": True} if tight and own.refuses else {})


def checked(allowance: Mapping[str, Any]) -> dict[str, Any]:
    if unknown := set(allowance) - set(ALLOWANCE):
        raise TypeError(f"no allowance is called {sorted(unknown)}")
    return dict(allowance)


@transaction.atomic
def rotate_key(key: ApiKey, *, grace: timedelta, actor: Membership) -> str:
    """The new key, which is not kept; the one so far is taken for `grace` more. One's own, or a service account's. Raises Refused."""
    responsible(key.user, key.workspace, actor)
    key = ApiKey.objects.select_for_update().get(pk=key.pk)
    if key.revoked_at is not None or key.expired:
        raise Refused(_("This key is not taken any more. Make a new one."))
    if actor.key and actor.key.pk != key.pk:
        no_more_than(actor.key, scopes=key.scopes, agents=key.agents, sources=key.sources, expires_at=key.expires_at)
        limits = {name: getattr(key, name) for name in ALLOWANCE}
        if limits != limits | within(actor.key, limits):
            raise Wider(_("A key can replace none that has looser limits."))
    secret = key.rotate(grace)
    record("key.rotate", actor=actor, thing=key, prefix=key.prefix, acts_as=key.user.email, grace_seconds=int(grace.total_seconds()))
    return secret


def may_allow(actor: Membership) -> None:
    """Owners may; raises Wider where they come by a key that has limits itself: none lifts its own, nor those of one that it made."""
    demand(actor, Role.OWNER)
    if actor.key and any(getattr(actor.key, name) is not None for name in NUMBERS):
        raise Wider(_("This key has limits itself, so it can set none. Use another one, or the workspace's page of keys."))


@transaction.atomic
def allow_key(key: ApiKey, allowance: Mapping[str, Any], *, actor: Membership) -> None:
    """How much this key may use: an owner's decision. Raises Wider."""
    may_allow(actor)
    if key.workspace_id != actor.workspace_id:
        raise Http404
    allow(key, allowance)
    record("key.allow", actor=actor, thing=key, prefix=key.prefix, **allowance)


@transaction.atomic
def allow_members(allowance: Mapping[str, Any], *, actor: Membership) -> None:
    """How much each member may use, a service account like a person: in the browser and by all their keys together.
    Raises Wider."""
    may_allow(actor)
    allow(actor.workspace, allowance)
    record("workspace.allow", actor=actor, thing=actor.workspace, **allowance)


def allow(row: ApiKey | Workspace, allowance: Mapping[str, Any]) -> None:
    for name, value in checked(allowance).items():
        setattr(row, name, value)
    row.save(update_fields=list(allowance))


@transaction.atomic
def revoke_key(key: ApiKey, *, actor: Membership | User) -> None:
    """One's own key; an owner anybody's of the workspace; an administrator of the installation any. Twice is once."""
    if isinstance(actor, User):
        allowed = actor.is_admin
    else:
        allowed = key.workspace_id == actor.workspace_id and (key.user_id == actor.user_id or actor.is_owner)
    if not allowed:
        raise Http404
    if key.revoked_at is None:
        key.revoke()
        record("key.revoke", actor=actor, workspace=key.workspace, thing=key, prefix=key.prefix, acts_as=key.user.email)


# --- service accounts -----------------------------------------------------------------------------------------------------------------
@transaction.atomic
def create_service_account(name: str, role: Role, *, actor: Membership) -> Membership:
    """A member that is no person, for programs: it sees what is meant for its groups and for everyone, whoever made its keys."""
    demand(actor, Role.OWNER)
    workspace = actor.workspace
    if workspace.service_accounts.filter(name=name).exists():
        raise Refused(_("There is a service account of this name already."))
    email = f"{slugify(name)[:40] or 'service'}-{secrets.token_hex(4)}@{workspace.slug}.invalid"
    user = User.objects.create_user(email, None, name=name, service_of=workspace)
    member = Membership.objects.create(workspace=workspace, user=user, role=role)
    record("service.create", actor=actor, thing=user, email=email, name=name, role=role)
    return member


@transaction.atomic
def delete_service_account(member: Membership, *, actor: Membership) -> None:
    """With its keys and its threads. What it uploaded stays."""
    demand(actor, Role.OWNER)
    if member.workspace_id != actor.workspace_id or member.user.service_of_id != actor.workspace_id:
        raise Http404
    record("service.delete", actor=actor, thing=member.user, email=member.user.email, name=member.user.name)
    member.user.delete()


def names_of_scopes(scopes: Collection[str]) -> list[str]:
    """The first word of each scope's label: Read, Write, Infer, Administer."""
    return [str(scope.label).partition(":")[0] for scope in KeyScope if scope in scopes]
