"""Pages of the installation's administrators: who is here, what is set up, whether it is well, and what was done."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Page, Paginator
from django.db.models import Count, OuterRef, Prefetch, Q, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from north import health
from north.administration import actions
from north.administration.forms import AuditFilter, NewUserForm, OwnerForm
from north.cards import actions as cards
from north.cards import words
from north.cards.models import Card
from north.documents.models import Document, Source, Status, SyncRun
from north.workspaces import audit as audit_log
from north.workspaces import keys as key_verbs
from north.workspaces.access import admins_only
from north.workspaces.actions import delete_workspace as delete_with_everything
from north.workspaces.errors import Refused
from north.workspaces.models import ApiKey, AuditEvent, Group, Membership, Role, User, Workspace
from north.workspaces.pages import refusals_shown

PAGE = 50


def show(request: HttpRequest, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    return render(request, f"administration/{name}.html", {"nav": "admin", "tab": name, **context}, status=status)


def paged(request: HttpRequest, rows: QuerySet) -> Page:
    return Paginator(rows, PAGE).get_page(request.GET.get("page"))


@require_safe
@never_cache
@admins_only
def index(request: HttpRequest) -> HttpResponse:
    documents = Document.objects.alive().aggregate(
        ready=Count("pk", filter=Q(status=Status.READY)), failed=Count("pk", filter=Q(status=Status.FAILED)), all=Count("pk")
    )
    figures = {
        "users": User.objects.filter(is_active=True).count(),
        "workspaces": Workspace.objects.count(),
        "sources": Source.objects.count(),
        "documents": documents,
    }
    return show(request, "index", {"figures": figures, "events": AuditEvent.objects.order_by("-number")[:8]})


# --- users --------------------------------------------------------------------------------------------------------------------------
@require_safe
@never_cache
@admins_only
def users(request: HttpRequest) -> HttpResponse:
    return users_page(request)


def users_page(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    wanted = request.GET.get("q", "").replace("\0", "").strip()[:200]
    found = User.objects.people().annotate(workspace_count=Count("memberships")).order_by("name", "email")
    if wanted:
        found = found.filter(Q(name__icontains=wanted) | Q(email__icontains=wanted))
    return show(request, "users", {"page": paged(request, found), "q": wanted, "form": NewUserForm(), **more}, status)


@require_POST
@never_cache
@admins_only
def new_user(request: HttpRequest) -> HttpResponse:
    """The one page that ever shows the new person's link."""
    form = NewUserForm(request.POST)
    if form.is_valid():
        try:
            user, link = actions.create_user(**form.cleaned_data, actor=request.user)  # type: ignore[arg-type]
            return users_page(request, person=user, link=link)
        except Refused as refusal:
            form.add_error("email", str(refusal))
    return users_page(request, status=422, form=form)


@require_POST
@never_cache
@admins_only
def link(request: HttpRequest, user: UUID) -> HttpResponse:
    """The one page that ever shows this link."""
    found = get_object_or_404(User.objects.people(), pk=user)
    with refusals_shown(request):
        return users_page(request, person=found, link=actions.fresh_link(found, actor=request.user))  # type: ignore[arg-type]
    return redirect("administration:users")


@require_POST
@admins_only
def suspend(request: HttpRequest, user: UUID) -> HttpResponse:
    found = get_object_or_404(User.objects.people(), pk=user)
    with refusals_shown(request):
        actions.suspend(found, actor=request.user)  # type: ignore[arg-type]
        messages.success(request, _("%(name)s is suspended. Sessions and keys of this person are dead.") % {"name": found})
    return redirect("administration:users")


@require_POST
@admins_only
def restore(request: HttpRequest, user: UUID) -> HttpResponse:
    found = get_object_or_404(User.objects.people(), pk=user)
    actions.restore(found, actor=request.user)  # type: ignore[arg-type]
    messages.success(request, _("%(name)s may sign in again.") % {"name": found})
    return redirect("administration:users")


@require_POST
@admins_only
def set_admin(request: HttpRequest, user: UUID, is_admin: bool) -> HttpResponse:
    found = get_object_or_404(User.objects.people(), pk=user)
    with refusals_shown(request):
        actions.set_admin(found, is_admin, actor=request.user)  # type: ignore[arg-type]
        said = _("%(name)s is an administrator now.") if is_admin else _("%(name)s is no administrator any more.")
        messages.success(request, said % {"name": found})
    return redirect("administration:users" if request.user.pk != found.pk or is_admin else "workspaces:home")


# --- groups, workspaces, sources ----------------------------------------------------------------------------------------------------
@require_safe
@never_cache
@admins_only
def groups(request: HttpRequest) -> HttpResponse:
    found = Group.objects.select_related("workspace").annotate(people=Count("users")).order_by("workspace__name", "name")
    return show(request, "groups", {"page": paged(request, found)})


@require_safe
@never_cache
@admins_only
def workspaces(request: HttpRequest) -> HttpResponse:
    return workspaces_page(request)


def workspaces_page(request: HttpRequest, *, status: int = 200, **more: Any) -> HttpResponse:
    owners = Prefetch("memberships", queryset=Membership.objects.filter(role=Role.OWNER).select_related("user"), to_attr="owners")
    documents = Document.objects.alive().filter(workspace=OuterRef("pk")).order_by().values("workspace").annotate(count=Count("pk"))
    found = Workspace.objects.order_by("name").annotate(people=Count("memberships"), documents_alive=Subquery(documents.values("count")))
    return show(request, "workspaces", {"page": paged(request, found.prefetch_related(owners)), **more}, status)


@require_POST
@admins_only
def appoint(request: HttpRequest, workspace: UUID) -> HttpResponse:
    found, form = get_object_or_404(Workspace, pk=workspace), OwnerForm(request.POST)
    if form.is_valid():
        try:
            member = actions.appoint_owner(found, form.cleaned_data["email"], actor=request.user)  # type: ignore[arg-type]
            messages.success(request, _("%(name)s owns %(workspace)s now.") % {"name": member.user, "workspace": found})
            return redirect("administration:workspaces")
        except Refused as refusal:
            form.add_error("email", str(refusal))
    return workspaces_page(request, status=422, form=form, appointed=found.pk)


@require_POST
@admins_only
def delete_workspace(request: HttpRequest, workspace: UUID) -> HttpResponse:
    """Only with the workspace's name typed."""
    found = get_object_or_404(Workspace, pk=workspace)
    if request.POST.get("name", "").strip() != found.name:
        messages.error(request, _("Nothing was deleted: the name that you typed is not the workspace's."))
    else:
        delete_with_everything(found, actor=request.user)  # type: ignore[arg-type]
        messages.success(request, _("%(name)s was deleted, with everything in it.") % {"name": found.name})
    return redirect("administration:workspaces")


@require_safe
@never_cache
@admins_only
def keys(request: HttpRequest) -> HttpResponse:
    found = ApiKey.objects.kept().select_related("workspace", "user").order_by("workspace__name", "user__name", "created_at")
    return show(request, "keys", {"page": paged(request, found)})


@require_POST
@admins_only
def revoke_key(request: HttpRequest, key: UUID) -> HttpResponse:
    found = get_object_or_404(ApiKey.objects.kept().select_related("workspace", "user"), pk=key)
    key_verbs.revoke_key(found, actor=request.user)  # type: ignore[arg-type]
    messages.success(request, _("The key was revoked. Whoever uses it is refused from now on."))
    return redirect("administration:keys")


@require_safe
@never_cache
@admins_only
def sources(request: HttpRequest) -> HttpResponse:
    newest = SyncRun.objects.filter(source=OuterRef("pk")).order_by("-created_at")
    found = (
        Source.objects.select_related("workspace")
        .order_by("workspace__name", "name")
        .annotate(
            sync_status=Subquery(newest.values("status")[:1]),
            sync_error=Subquery(newest.values("error")[:1]),
            documents_alive=Count("documents", filter=Q(documents__deleted_at=None)),
        )
    )
    page = paged(request, found)
    rows = [(source, SyncRun.Status(source.sync_status).label if source.sync_status else "") for source in page]
    return show(request, "sources", {"page": page, "rows": rows})


# --- models, audit ------------------------------------------------------------------------------------------------------------------
@require_safe
@never_cache
@admins_only
def models(request: HttpRequest) -> HttpResponse:
    return show(request, "models", {**health.read(), "card": Card.objects.in_use()})


@require_safe
@never_cache
@admins_only
def card(request: HttpRequest) -> HttpResponse:
    """What the chat model in use was found to be able to do; while it is tested, how far that is."""
    row = Card.objects.in_use()
    context: dict[str, Any] = {"nav": "admin", "tab": "models", "card": row, "model": settings.MODELS["chat"].get("model", "")}
    if row:
        context |= {"lines": words.lines(row.outcomes), "uses": words.uses(row), "progress": words.progress(row)}
    page = "administration/card.html#status" if request.htmx else "administration/card.html"  # type: ignore[attr-defined]
    return render(request, page, context)


@require_POST
@admins_only
def test_model(request: HttpRequest) -> HttpResponse:
    with refusals_shown(request):
        cards.test(full=bool(request.POST.get("full")), actor=request.user)  # type: ignore[arg-type]
    return redirect("administration:card")


@require_POST
@admins_only
def stop_test(request: HttpRequest) -> HttpResponse:
    if row := Card.objects.in_use():
        cards.stop(row, actor=request.user)  # type: ignore[arg-type]
    return redirect("administration:card")


@require_safe
@never_cache
@admins_only
def audit(request: HttpRequest) -> HttpResponse:
    return audit_page(request)


def audit_page(request: HttpRequest, **more: Any) -> HttpResponse:
    form = AuditFilter(request.GET or None)
    page = paged(request, form.events() if form.is_bound else AuditEvent.objects.order_by("-number"))
    names = {row.pk: row.name for row in Workspace.objects.filter(pk__in={event.workspace_id for event in page})}
    rows = [(event, names.get(event.workspace_id, "")) for event in page]
    return show(request, "audit", {"form": form, "page": page, "rows": rows, **more})


@require_POST
@never_cache
@admins_only
def verify(request: HttpRequest) -> HttpResponse:
    problems = audit_log.verify()
    audit_log.record("audit.verify", actor=request.user, problems=len(problems))  # type: ignore[arg-type]
    return audit_page(request, verified=True, problems=problems[:20], problem_count=len(problems))
