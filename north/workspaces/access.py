"""The one door. Rows of a workspace are reached only from the `Membership` that it gives; everybody else gets a 404.

`@inside()` is for pages, `by_key` for the API. Both end in the same `enter`, so there is one decision.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import timedelta
from typing import Any, Literal
from uuid import UUID

from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from north.workspaces.models import ApiKey, Membership, Role, User, Workspace, digest

SEEN_EVERY = timedelta(minutes=1)
NO_DIGEST = "0" * 64
RANK = {Role.READER: 0, Role.EDITOR: 1, Role.OWNER: 2}


def enter(user: User, role: Role = Role.READER, **workspace: Any) -> Membership:
    """The membership of `user` in the workspace that the keywords name (`slug=` or `pk=`), at least as `role`; else a 404 that says
    nothing of whether the workspace exists."""
    found = Membership.objects.select_related("workspace", "user").filter(
        user=user, user__is_active=True, **{f"workspace__{name}": value for name, value in workspace.items()}
    )
    membership = found.first()
    if membership is None:
        raise Http404
    demand(membership, role)
    return membership


def demand(membership: Membership, role: Role) -> None:
    """A 404 for members whose role is too small: what they may not do is not there for them."""
    if RANK[Role(membership.role)] < RANK[role]:
        raise Http404


def inside(role: Role = Role.READER) -> Callable[[Callable[..., HttpResponseBase]], Callable[..., HttpResponseBase]]:
    """A page of a workspace: its URL's `slug` becomes the `membership` argument of the view. A member whose role is too small gets a
    404 as well."""

    def decorate(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
        @login_required
        @functools.wraps(view)
        def wrapper(request: HttpRequest, slug: str, **arguments: Any) -> HttpResponseBase:
            membership = enter(request.user, role, slug=slug)  # type: ignore[arg-type]
            request.membership = membership  # type: ignore[attr-defined]
            return view(request, membership, **arguments)

        return wrapper

    return decorate


def admins_only(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A page of the installation's administrators; a 404 for everybody else."""

    @login_required
    @functools.wraps(view)
    def wrapper(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
        if not request.user.is_admin:  # type: ignore[union-attr]
            raise Http404
        return view(request, **arguments)

    return wrapper


class KeyRefused(Exception):
    """Why a key opens nothing. It tells more than "unknown" only to who holds the whole key."""

    def __init__(self, reason: Literal["unknown", "expired", "revoked", "replaced", "left"]) -> None:
        super().__init__(reason)
        self.reason = reason


def by_key(key: str) -> Membership | None:
    """The membership that an API key acts as; `None` for a wrong, expired or revoked key, and where its user has left or was suspended."""
    try:
        return open_key(key)
    except KeyRefused:
        return None


def open_key(key: str) -> Membership:
    """The same; raises `KeyRefused`. A key that does not exist takes as long as a wrong one."""
    prefix = key.removeprefix("north_").partition("_")[0]
    found = ApiKey.objects.filter(prefix=prefix).select_related("user").first() if prefix.isalnum() else None
    given = digest(key)
    new = constant_time_compare(found.digest if found else NO_DIGEST, given)
    old = constant_time_compare(found.old_digest if found and found.old_digest else NO_DIGEST, given)
    if found is None or not (new or old):
        raise KeyRefused("unknown")
    if found.revoked_at is not None:
        raise KeyRefused("revoked")
    if found.expired:
        raise KeyRefused("expired")
    if old and not found.old_works:
        raise KeyRefused("replaced")
    try:
        membership = enter(found.user, pk=found.workspace_id)
    except Http404:
        raise KeyRefused("left") from None
    membership.key, membership.by_old_key = found, old
    note_use(found, "used_at" if new else "old_used_at")
    return membership


def note_use(key: ApiKey, field: str) -> None:
    """At most one write a minute."""
    now, seen = timezone.now(), getattr(key, field)
    if seen is None or now - seen > SEEN_EVERY:
        unseen = Q(**{f"{field}__isnull": True}) | Q(**{f"{field}__lt": now - SEEN_EVERY})
        ApiKey.objects.filter(unseen, pk=key.pk).update(**{field: now})


def enter_by(key_id: UUID | None, user: User, *, workspace: UUID | str) -> Membership:
    """The membership of who asked a while ago, with the limits of the key by which they did; a 404 where they may no longer, or the key
    was revoked or has expired."""
    membership = enter(user, pk=workspace)
    if key_id:
        membership.key = ApiKey.objects.kept().filter(pk=key_id, workspace=membership.workspace_id, user=membership.user_id).first()
        if membership.key is None or membership.key.expired:
            raise Http404
    return membership


def may_use_agent(membership: Membership, agent: UUID | str) -> bool:
    """Whether the key by which this caller came, if by one, is for this agent."""
    return membership.key is None or membership.key.agents is None or str(agent) in membership.key.agents


def principals(membership: Membership) -> frozenset[str]:
    """Everything that this person is in this workspace, as documents list it."""
    groups = membership.user.knowledge_groups.filter(workspace=membership.workspace)
    return frozenset({membership.workspace.everyone, f"u:{membership.user_id}", *(group.principal for group in groups)})


def page_context(request: HttpRequest) -> dict[str, object]:
    """What every page needs for its sidebar."""
    user = getattr(request, "user", None)
    if not isinstance(user, User):
        return {}
    membership: Membership | None = getattr(request, "membership", None)
    return {
        "membership": membership,
        "workspace": membership.workspace if membership else None,
        "workspaces": Workspace.objects.filter(members=user).order_by("name"),
    }
