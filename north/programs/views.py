"""API keys: everybody's own, and for owners all of the workspace, with what they may use and have used."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from north.programs.forms import AccountForm, AllowanceForm, KeyForm, RotateForm, allowance_form, allowance_of
from north.usage.budgets import of_row, used_by_keys
from north.usage.plotting import chart
from north.usage.summing import since, spent
from north.workspaces import keys as verbs
from north.workspaces.access import inside
from north.workspaces.errors import Refused
from north.workspaces.models import ApiKey, Membership, Role
from north.workspaces.pages import refusals_shown

SHOWN = 200
DAYS = 30


@require_safe
@never_cache
@inside()
def keys(request: HttpRequest, membership: Membership) -> HttpResponse:
    return page(request, membership)


def page(request: HttpRequest, membership: Membership, *, status: int = 200, **more: Any) -> HttpResponse:
    found = list(ApiKey.objects.of(membership).kept().select_related("user").order_by("user__name", "created_at")[:SHOWN])
    used = used_by_keys(found)
    accounts = membership.workspace.memberships.exclude(user__service_of=None).select_related("user").order_by("user__name")
    context = {
        "nav": "settings",
        "tab": "keys",
        "keys": [(key, used[key.pk][1], any(one.near for one in of_row("key", key, *used[key.pk]))) for key in found],
        "form": KeyForm(membership=membership),
        "accounts": accounts if membership.is_owner else [],
        "account_form": AccountForm(prefix="account"),
        "members_form": allowance_form(membership.workspace),
        "roles": Role.choices,
        **more,
    }
    return render(request, "programs/keys.html", context, status=status)


@require_POST
@never_cache
@inside()
def make(request: HttpRequest, membership: Membership) -> HttpResponse:
    """The one page that ever shows the key."""
    form = KeyForm(request.POST, membership=membership)
    if form.is_valid():
        chosen = form.cleaned_data
        try:
            made, secret = verbs.issue_key(
                verbs.acting(UUID(chosen["acts_as"]) if chosen["acts_as"] else None, actor=membership),
                name=chosen["name"],
                scopes=chosen["scopes"],
                agents=chosen["agents"] or None,
                sources=chosen["sources"] or None,
                expires_at=form.expires_at,
                actor=membership,
            )
            return page(request, membership, made=made, secret=secret)
        except Refused as refusal:
            form.add_error(None, str(refusal))
    return page(request, membership, status=422, form=form)


def key_of(membership: Membership, key: UUID) -> ApiKey:
    found = ApiKey.objects.of(membership).select_related("user", "workspace", "made_by")
    return get_object_or_404(found, pk=key)


@require_safe
@never_cache
@inside()
def key(request: HttpRequest, membership: Membership, key: UUID) -> HttpResponse:
    return key_page(request, membership, key_of(membership, key))


def key_page(request: HttpRequest, membership: Membership, found: ApiKey, *, status: int = 200, **more: Any) -> HttpResponse:
    rows = spent(since(DAYS, membership.workspace_id).filter(key=found.pk), DAYS)
    today, month = used_by_keys([found])[found.pk]
    workspace, own = membership.workspace, found.user_id == membership.user_id
    context = {
        "nav": "settings",
        "tab": "keys",
        "key": found,
        "scopes": verbs.names_of_scopes(found.scopes),
        "agents": named(workspace.agents, found.agents),
        "sources": named(workspace.sources, found.sources),
        "may_rotate": found.revoked_at is None and not found.expired and (own or (membership.is_owner and found.user.service_of_id)),
        "budgets": of_row("key", found, today, month),
        "form": AllowanceForm(initial=allowance_of(found)),
        "rotate_form": RotateForm(),
        "total": rows.total,
        "chart": chart(rows, "tokens"),
        "what": _("tokens"),
        **more,
    }
    return render(request, "programs/key.html", context, status=status)


def named(rows: Any, ids: list[str] | None) -> list[str] | None:
    """What these are called, as far as they still exist; None: no limit."""
    return None if ids is None else list(rows.filter(pk__in=ids).values_list("name", flat=True))


@require_POST
@never_cache
@inside()
def rotate(request: HttpRequest, membership: Membership, key: UUID) -> HttpResponse:
    """The one page that ever shows the new key."""
    found, form = key_of(membership, key), RotateForm(request.POST)
    if not form.is_valid():
        return key_page(request, membership, found, status=422, rotate_form=form)
    with refusals_shown(request):
        secret = verbs.rotate_key(found, grace=verbs.GRACES[form.cleaned_data["grace"]], actor=membership)
        return key_page(request, membership, key_of(membership, key), secret=secret)
    return redirect("programs:key", membership.workspace.slug, found.pk)


@require_POST
@inside()
def revoke(request: HttpRequest, membership: Membership, key: UUID) -> HttpResponse:
    found = key_of(membership, key)
    if found.revoked_at is not None:
        raise Http404
    verbs.revoke_key(found, actor=membership)
    messages.success(request, _("The key was revoked. Whoever uses it is refused from now on."))
    return redirect("programs:keys", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def allow(request: HttpRequest, membership: Membership, key: UUID) -> HttpResponse:
    found, form = key_of(membership, key), AllowanceForm(request.POST)
    if not form.is_valid():
        return key_page(request, membership, found, status=422, form=form)
    verbs.allow_key(found, form.cleaned_data, actor=membership)
    messages.success(request, _("The limits were saved. They hold from the next request on."))
    return redirect("programs:key", membership.workspace.slug, found.pk)


@require_POST
@inside(Role.OWNER)
def allow_members(request: HttpRequest, membership: Membership) -> HttpResponse:
    form = AllowanceForm(request.POST, prefix="members")
    if not form.is_valid():
        return page(request, membership, status=422, members_form=form)
    verbs.allow_members(form.cleaned_data, actor=membership)
    messages.success(request, _("The limits were saved. They hold from the next request on."))
    return redirect("programs:keys", membership.workspace.slug)
