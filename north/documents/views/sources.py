"""Sources: what North fetches by itself, how the last pass went, and who may read what comes from it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from north import wiring
from north.documents import actions, channels, configuring, connecting, doing, history
from north.documents.errors import Refused
from north.documents.forms import AS_SOURCE, SourceForm
from north.documents.models import Connection, Document, Hook, Source, Status
from north.documents.readers import Readers, principals
from north.workspaces.access import inside
from north.workspaces.models import Group, Membership, Role

SHOWN_RUNS, SHOWN_FAILED, PLOTTED = 10, 20, 30
GROUPS = {
    "files": _lazy("Files"),
    "pages": _lazy("Pages"),
    "messages": _lazy("Messages"),
    "work": _lazy("Work"),
    "data": _lazy("Data"),
}


@inside(Role.EDITOR)
@require_GET
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    sources = list(Source.objects.filter(workspace=membership.workspace))
    doings = doing.of_sources(sources, membership.workspace)
    groups = list(Group.objects.filter(workspace=membership.workspace))
    rows = [described(source, doings[source.pk], groups) for source in sources]
    whole = doing.whole(doings.values())
    context = {"rows": rows, "nav": "sources", "whole": whole}
    context["left"] = doing.in_words(whole["seconds_left"])
    page = "documents/sources.html#listing" if request.htmx else "documents/sources.html"  # type: ignore[attr-defined]
    return render(request, page, context)


def described(source: Source, now: doing.Doing, groups: list[Group]) -> dict[str, Any]:
    waits = source.paused_at or not (source.synced_at and source.schedule)
    return {
        "source": source,
        "doing": now,
        "run": now.run,
        "left": doing.in_words(now.seconds_left),
        "following": None if waits or source.synced_at is None else source.synced_at + timedelta(seconds=source.schedule),
        "path": source.config.get("path") or source.config.get("url") or "",
        "connector": wiring.connectors().get(source.connector),
        "readers": Readers.of(source.principals, source.workspace, groups),
    }


@inside(Role.EDITOR)
@require_GET
def source(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    """Live while it works: the part that changes asks for itself again, and says aloud only what is another stage than it had."""
    row = found(membership, source)
    groups = list(Group.objects.filter(workspace=membership.workspace))
    now = doing.of_source(row)
    runs = list(row.sync_runs.all()[:PLOTTED])
    failed = Document.objects.listed_for(membership, principals(membership)).filter(source=row, status=Status.FAILED)
    context = {
        **described(row, now, groups),
        "runs": runs[:SHOWN_RUNS],
        "pictures": history.pictures(runs),
        "by_itself": channels.kind_of(row) is not None,
        "failed": list(failed.defer("text", "notes").order_by("-status_at")[:SHOWN_FAILED]),
        "changed": request.GET.get("stage") not in {None, now.stage.value},
        "door": Hook.objects.filter(source=row).first(),
        "connected": connected(row),
        "connection": Connection.objects.filter(source=row).first(),
        "nav": "sources",
    }
    page = "documents/source.html#status" if request.htmx else "documents/source.html"  # type: ignore[attr-defined]
    return render(request, page, context)


def connected(row: Source) -> bool | None:
    """Whether somebody's consent opens it; None where it is read in another way."""
    try:
        return bool(configuring.secrets_of(row).get(connecting.consent_of(row).kept))
    except Refused:
        return None


def found(membership: Membership, source: UUID) -> Source:
    return get_object_or_404(Source.objects.select_related("workspace"), workspace=membership.workspace, pk=source)


@inside(Role.EDITOR)
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest, membership: Membership) -> HttpResponse:
    kind = request.POST.get("connector") or request.GET.get("connector") or configuring.FOLDER
    if kind not in wiring.connectors():
        raise Http404
    form = SourceForm(request.POST or None, workspace=membership.workspace, connector=kind)
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.create_source(**form.values(), connector=kind, actor=membership)
            messages.success(request, _("%s is set up; its first sync begins now.") % made.name)
            return redirect("documents:source", membership.workspace.slug, made.pk)
        except Refused as refusal:
            form.refuse(refusal.field, str(refusal))
    return filled(request, form, None)


@inside(Role.EDITOR)
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = found(membership, source)
    form = form_of(request, membership, row)
    if request.method == "POST" and form.is_valid():
        try:
            actions.edit_source(row, **form.values(), actor=membership)
            messages.success(request, _("Saved."))
            return redirect("documents:source", membership.workspace.slug, row.pk)
        except Refused as refusal:
            form.refuse(refusal.field, str(refusal))
    return filled(request, form, row)


def form_of(request: HttpRequest, membership: Membership, row: Source) -> SourceForm:
    groups = Group.objects.filter(workspace=membership.workspace)
    readers = SourceForm.initial_of(Readers.of(row.principals, membership.workspace, groups))
    if row.as_source:
        readers["readers"] = AS_SOURCE
    data = request.POST or None
    return SourceForm(data, workspace=membership.workspace, connector=row.connector, source=row, initial=readers)


def filled(request: HttpRequest, form: SourceForm, row: Source | None) -> HttpResponse:
    groups = {name: str(label) for name, label in GROUPS.items()}
    listed = sorted(wiring.connectors().items(), key=lambda entry: (list(GROUPS).index(entry[1].group), entry[1].title))
    kinds = [{"kind": kind, "title": one.title, "group": groups[one.group]} for kind, one in listed]
    context = {"form": form, "source": row, "nav": "sources", "roots": settings.FOLDER_ROOTS, "kinds": kinds}
    return render(request, "documents/source_form.html", context, status=422 if form.errors else 200)


@inside(Role.EDITOR)
@require_POST
def preview(request: HttpRequest, membership: Membership) -> HttpResponse:
    """What a source with what stands in the form would bring."""
    kind = request.POST.get("connector", "")
    if kind not in wiring.connectors():
        raise Http404
    row = found(membership, UUID(request.POST["source"])) if is_uuid(request.POST.get("source", "")) else None
    form = SourceForm(request.POST, workspace=membership.workspace, connector=kind, source=row)
    form.is_valid()
    context: dict[str, Any] = {"preview": None, "faults": faults_of(form)}
    if not context["faults"]:
        scope = form.cleaned_data["include"], form.cleaned_data["exclude"]
        try:
            context["preview"] = actions.preview_source(row, kind, form.given(), *scope, actor=membership)
        except Refused as refusal:
            context["faults"] = [str(refusal)]
    return render(request, "documents/source_form.html#preview", context)


def faults_of(form: SourceForm) -> list[str]:
    """Of the settings that a preview needs: neither name nor readers."""
    needed = [*(field.name for field in form.own), "include", "exclude"]
    return [f"{form[name].label}: {words}" for name in needed for words in form.errors.get(name, ())]


def is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


@inside(Role.EDITOR)
@require_POST
def sync(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = found(membership, source)
    try:
        if actions.sync_now(row, actor=membership) is None:
            messages.info(request, _("A sync of %s is under way already.") % row.name)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("documents:source", membership.workspace.slug, row.pk)


@inside(Role.EDITOR)
@require_POST
def delete(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = found(membership, source)
    actions.delete_source(row, actor=membership)
    messages.success(request, _("%s and all its documents are deleted.") % row.name)
    return redirect("documents:sources", membership.workspace.slug)
