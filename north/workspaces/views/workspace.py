"""Workspaces themselves: all of one's own, a new one, settings, leaving, deleting."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from north.workspaces import actions
from north.workspaces.access import inside
from north.workspaces.errors import Refused
from north.workspaces.forms import NameForm, SettingsForm
from north.workspaces.models import ApiKey, Membership, Role, Workspace
from north.workspaces.pages import posted, refusals_shown


@require_safe
@never_cache
@login_required
def all_workspaces(request: HttpRequest) -> HttpResponse:
    memberships = request.user.memberships.select_related("workspace").order_by("workspace__name")  # type: ignore[union-attr]
    return render(request, "workspaces/all.html", {"memberships": memberships})


@login_required
def new(request: HttpRequest) -> HttpResponse:
    form = NameForm(posted(request))
    if request.method == "POST" and form.is_valid():
        try:
            membership = actions.create_workspace(form.cleaned_data["name"], actor=request.user)  # type: ignore[arg-type]
            return redirect("threads:index", membership.workspace.slug)
        except Refused as refusal:
            form.add_error("name", str(refusal))
    return render(request, "workspaces/new.html", {"form": form}, status=422 if form.is_bound else 200)


@require_safe
@never_cache
@inside()
def settings(request: HttpRequest, membership: Membership) -> HttpResponse:
    return page(request, membership)


def page(request: HttpRequest, membership: Membership, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {
        "nav": "settings",
        "form": SettingsForm(instance=Workspace.objects.get(pk=membership.workspace_id)),
        "keys": ApiKey.objects.of(membership).kept().count(),
        **more,
    }
    return render(request, "workspaces/settings.html", context, status=status)


@require_POST
@inside(Role.OWNER)
def change(request: HttpRequest, membership: Membership) -> HttpResponse:
    form = SettingsForm(request.POST, instance=Workspace(pk=membership.workspace_id, slug=membership.workspace.slug))
    if not form.is_valid():
        return page(request, membership, status=422, form=form)
    actions.change_workspace(**form.cleaned_data, actor=membership)
    messages.success(request, _("The settings were saved."))
    return redirect("workspaces:settings", membership.workspace.slug)


@require_POST
@inside()
def leave(request: HttpRequest, membership: Membership) -> HttpResponse:
    with refusals_shown(request):
        actions.remove(membership, actor=membership)
        messages.success(request, _("You have left %(name)s.") % {"name": membership.workspace.name})
        return redirect("workspaces:all")
    return redirect("workspaces:settings", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def delete(request: HttpRequest, membership: Membership) -> HttpResponse:
    """Only with the workspace's name typed."""
    workspace = membership.workspace
    if request.POST.get("name", "").strip() != workspace.name:
        messages.error(request, _("Nothing was deleted: the name that you typed is not the workspace's."))
        return redirect("workspaces:settings", workspace.slug)
    actions.delete_workspace(workspace, actor=membership)
    messages.success(request, _("%(name)s was deleted, with everything in it.") % {"name": workspace.name})
    return redirect("workspaces:all")
