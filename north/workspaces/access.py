"""The one door. Rows of a workspace are reached only from the `Membership` that it gives; everybody else gets a 404.

`@inside()` is for pages, `by_key` for the API. Both end in the same `enter`, so there is one decision.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from north.workspaces.models import ApiKey, Membership, Role, User, Workspace, digest

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


def by_key(key: str) -> Membership | None:
    """The membership that an API key acts as; `None` for a wrong or revoked key, and where its user has left or was suspended."""
    prefix = key.removeprefix("north_").partition("_")[0]
    found = ApiKey.objects.filter(prefix=prefix, revoked_at=None).select_related("user").first()
    if found is None or not constant_time_compare(found.digest, digest(key)):
        return None
    try:
        membership = enter(found.user, pk=found.workspace_id)
    except Http404:
        return None
    membership.key_id = found.pk
    if found.used_at is None or (timezone.now() - found.used_at).total_seconds() > 60:
        ApiKey.objects.filter(pk=found.pk).update(used_at=timezone.now())
    return membership


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
