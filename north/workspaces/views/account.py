"""One's own account: name, password, signed-in browsers."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_POST

from north.workspaces import actions, sessions
from north.workspaces.forms import ChangePasswordForm, NameForm
from north.workspaces.pages import posted


@never_cache
@login_required
def account(request: HttpRequest) -> HttpResponse:
    form = NameForm(posted(request), initial={"name": request.user.name})  # type: ignore[union-attr]
    if request.method == "POST" and form.is_valid():
        actions.rename_user(request.user, form.cleaned_data["name"])  # type: ignore[arg-type]
        messages.success(request, _("Your name was changed."))
        return redirect("workspaces:account")
    return page(request, name_form=form)


def page(request: HttpRequest, **forms: Any) -> HttpResponse:
    user: Any = request.user
    context = {
        "nav": "account",
        "name_form": NameForm(initial={"name": user.name}),
        "password_form": ChangePasswordForm(user=user),
        "sessions": sessions.alive(user),
        "this_session": request.session.session_key,
        **forms,
    }
    return render(request, "workspaces/account.html", context, status=422 if any(form.is_bound for form in forms.values()) else 200)


@require_POST
@sensitive_post_parameters()
@login_required
def password(request: HttpRequest) -> HttpResponse:
    """This session stays, under a new key; the others end."""
    user: Any = request.user
    form = ChangePasswordForm(request.POST, user=user)
    if not form.is_valid():
        return page(request, password_form=form)
    before = request.session.session_key
    actions.change_password(user, form.cleaned_data["password"], keep=before)
    update_session_auth_hash(request, user)
    sessions.renamed(request, before)
    messages.success(request, _("Your password was changed. All other sessions have ended."))
    return redirect("workspaces:account")


@require_POST
@login_required
def end_session(request: HttpRequest, session: UUID) -> HttpResponse:
    user: Any = request.user
    actions.end_session(get_object_or_404(user.sessions, pk=session), actor=user)
    messages.success(request, _("The session has ended."))
    return redirect("workspaces:account")


@require_POST
@login_required
def end_others(request: HttpRequest) -> HttpResponse:
    ended = actions.end_other_sessions(actor=request.user, keep=request.session.session_key)  # type: ignore[arg-type]
    messages.success(request, ngettext("%(count)d session has ended.", "%(count)d sessions have ended.", ended) % {"count": ended})
    return redirect("workspaces:account")
