"""Who is in a workspace: members, invitations, groups."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.db.models import Count, Prefetch
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from north.workspaces import actions
from north.workspaces.access import inside
from north.workspaces.errors import Refused
from north.workspaces.forms import GroupForm, GroupMembersForm, InviteForm, RoleForm
from north.workspaces.models import Group, Invitation, Membership, Role
from north.workspaces.pages import refusals_shown


@require_safe
@never_cache
@inside()
def people(request: HttpRequest, membership: Membership) -> HttpResponse:
    return page(request, membership)


def page(request: HttpRequest, membership: Membership, *, status: int = 200, **more: Any) -> HttpResponse:
    """Everybody sees who is here and which groups they are in themselves; owners see all groups and the open invitations."""
    workspace = membership.workspace
    groups = workspace.groups.annotate(people=Count("users"))
    members = workspace.memberships.filter(user__service_of=None).select_related("user").order_by("user__name", "user__email")
    groups_here = Prefetch("user__knowledge_groups", queryset=Group.objects.filter(workspace=workspace), to_attr="groups_here")
    context = {
        "nav": "people",
        "roles": Role.choices,
        "members": members.prefetch_related(groups_here) if membership.is_owner else members,
        "accounts": workspace.service_accounts.count(),
        "groups": groups if membership.is_owner else groups.filter(pk__in=membership.user.knowledge_groups.values("pk")),
        "invitations": standing(membership) if membership.is_owner else [],
        "invite_form": InviteForm(),
        "group_form": GroupForm(),
        **more,
    }
    return render(request, "workspaces/people.html", context, status=status)


def standing(membership: Membership) -> Any:
    return membership.workspace.invitations.filter(used_at=None, expires_at__gt=timezone.now()).order_by("-created_at")


@require_POST
@never_cache
@inside(Role.OWNER)
def invite(request: HttpRequest, membership: Membership) -> HttpResponse:
    """The one page that ever shows the invitation's link."""
    form = InviteForm(request.POST)
    if form.is_valid():
        try:
            invitation, link = actions.invite(form.cleaned_data["email"], form.cleaned_data["role"], actor=membership)
            return page(request, membership, invitation=invitation, link=link)
        except Refused as refusal:
            form.add_error("email", str(refusal))
    return page(request, membership, status=422, invite_form=form)


@require_POST
@inside(Role.OWNER)
def take_back(request: HttpRequest, membership: Membership, invitation: UUID) -> HttpResponse:
    found = get_object_or_404(Invitation, pk=invitation, workspace=membership.workspace, used_at=None)
    actions.take_back(found, actor=membership)
    messages.success(request, _("The invitation was taken back: its link is dead."))
    return redirect("workspaces:people", membership.workspace.slug)


def member_of(membership: Membership, user: UUID) -> Membership:
    return get_object_or_404(Membership.objects.select_related("user", "workspace"), workspace=membership.workspace, user_id=user)


@require_POST
@inside(Role.OWNER)
def role(request: HttpRequest, membership: Membership, user: UUID) -> HttpResponse:
    member, form = member_of(membership, user), RoleForm(request.POST)
    if not form.is_valid():
        raise Http404
    with refusals_shown(request):
        actions.change_role(member, form.cleaned_data["role"], actor=membership)
        messages.success(request, _("%(name)s: %(role)s.") % {"name": member.user, "role": form.cleaned_data["role"].label})
    return redirect("workspaces:people", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def remove(request: HttpRequest, membership: Membership, user: UUID) -> HttpResponse:
    member = member_of(membership, user)
    with refusals_shown(request):
        actions.remove(member, actor=membership)
        messages.success(request, _("%(name)s is no longer a member.") % {"name": member.user})
        if member.user_id == membership.user_id:
            return redirect("workspaces:all")
    return redirect("workspaces:people", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def new_group(request: HttpRequest, membership: Membership) -> HttpResponse:
    form = GroupForm(request.POST)
    if form.is_valid():
        try:
            group = actions.create_group(form.cleaned_data["name"], actor=membership)
            return redirect("workspaces:group", membership.workspace.slug, group.pk)
        except Refused as refusal:
            form.add_error("name", str(refusal))
    return page(request, membership, status=422, group_form=form)


def group_of(membership: Membership, group: UUID) -> Group:
    return get_object_or_404(membership.workspace.groups, pk=group)


@require_safe
@never_cache
@inside(Role.OWNER)
def group(request: HttpRequest, membership: Membership, group: UUID) -> HttpResponse:
    found = group_of(membership, group)
    return group_page(request, membership, found, GroupForm(initial={"name": found.name}))


def group_page(request: HttpRequest, membership: Membership, found: Group, form: GroupForm) -> HttpResponse:
    context = {
        "nav": "people",
        "group": found,
        "form": form,
        "members": membership.workspace.memberships.select_related("user").order_by("user__name", "user__email"),
        "chosen": set(found.users.values_list("pk", flat=True)),
    }
    return render(request, "workspaces/group.html", context, status=422 if form.is_bound else 200)


@require_POST
@inside(Role.OWNER)
def rename_group(request: HttpRequest, membership: Membership, group: UUID) -> HttpResponse:
    found, form = group_of(membership, group), GroupForm(request.POST)
    if form.is_valid():
        try:
            actions.rename_group(found, form.cleaned_data["name"], actor=membership)
            messages.success(request, _("The group was renamed."))
            return redirect("workspaces:group", membership.workspace.slug, found.pk)
        except Refused as refusal:
            form.add_error("name", str(refusal))
    return group_page(request, membership, group_of(membership, group), form)


@require_POST
@inside(Role.OWNER)
def group_members(request: HttpRequest, membership: Membership, group: UUID) -> HttpResponse:
    found, form = group_of(membership, group), GroupMembersForm(request.POST, workspace=membership.workspace)
    if not form.is_valid():
        raise Http404
    actions.set_group_members(found, list(form.cleaned_data["members"]), actor=membership)
    messages.success(request, _("The group was saved. Answers follow it from now on."))
    return redirect("workspaces:group", membership.workspace.slug, found.pk)


@require_POST
@inside(Role.OWNER)
def delete_group(request: HttpRequest, membership: Membership, group: UUID) -> HttpResponse:
    found = group_of(membership, group)
    actions.delete_group(found, actor=membership)
    messages.success(request, _("The group %(name)s was deleted.") % {"name": found.name})
    return redirect("workspaces:people", membership.workspace.slug)
