"""Service accounts: members that are no persons, for programs. Owners only."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from north.programs.forms import AccountForm
from north.programs.views import page
from north.workspaces import actions, keys
from north.workspaces.access import inside
from north.workspaces.errors import Refused
from north.workspaces.forms import RoleForm
from north.workspaces.models import Membership, Role


@require_POST
@inside(Role.OWNER)
def new(request: HttpRequest, membership: Membership) -> HttpResponse:
    form = AccountForm(request.POST, prefix="account")
    if form.is_valid():
        try:
            made = keys.create_service_account(form.cleaned_data["name"], form.cleaned_data["role"], actor=membership)
            messages.success(request, _("%(name)s was made. Now make a key that acts as it.") % {"name": made.user})
            return redirect("programs:keys", membership.workspace.slug)
        except Refused as refusal:
            form.add_error("name", str(refusal))
    return page(request, membership, status=422, account_form=form)


def account_of(membership: Membership, user: UUID) -> Membership:
    members = membership.workspace.memberships.select_related("user", "workspace")
    return get_object_or_404(members, user_id=user, user__service_of=membership.workspace_id)


@require_POST
@inside(Role.OWNER)
def role(request: HttpRequest, membership: Membership, user: UUID) -> HttpResponse:
    account, form = account_of(membership, user), RoleForm(request.POST)
    if not form.is_valid():
        raise Http404
    actions.change_role(account, form.cleaned_data["role"], actor=membership)
    messages.success(request, _("%(name)s: %(role)s.") % {"name": account.user, "role": form.cleaned_data["role"].label})
    return redirect("programs:keys", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def delete(request: HttpRequest, membership: Membership, user: UUID) -> HttpResponse:
    account = account_of(membership, user)
    keys.delete_service_account(account, actor=membership)
    messages.success(request, _("%(name)s was deleted, and its keys with it.") % {"name": account.user})
    return redirect("programs:keys", membership.workspace.slug)
