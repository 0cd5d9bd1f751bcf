"""The list of documents and what can be done from it: upload, retry, delete, say who may read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.core.paginator import Paginator
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from north.documents import actions, files
from north.documents.errors import DocumentError, NobodyChosen, NothingSent, Refused, disk, status_of
from north.documents.forms import GROUPS, ReadersForm, UploadForm
from north.documents.models import WORKING, Document, Status
from north.documents.readers import Readers, principals
from north.documents.uploads import fault_of
from north.workspaces.access import inside
from north.workspaces.models import Group, Membership, Role
from retrieval.errors import RetrievalError
from retrieval.parsers.sniffing import KNOWN

A_PAGE = 50
FILTERS = {"ready": [Status.READY], "working": WORKING, "failed": [Status.FAILED]}


@dataclass(frozen=True)
class Row:
    document: Document
    readers: Readers
    may_read: bool
    may_manage: bool


@inside(Role.READER)
@require_GET
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    context = {**listing(request, membership), "nav": "documents", "known": KNOWN, "megabytes": settings.UPLOAD_MEGABYTES}
    context["limit"] = files.limit()
    if request.htmx and request.htmx.target == "documents":  # type: ignore[attr-defined]
        return render(request, "documents/index.html#listing", context)
    if membership.may_edit:
        context["form"] = UploadForm(workspace=membership.workspace)
    return render(request, "documents/index.html", context)


def listing(request: HttpRequest, membership: Membership) -> dict[str, Any]:
    """The page of the list that the query string asks for: `status`, `q` in names, `page`."""
    mine = principals(membership)
    listed = Document.objects.listed_for(membership, mine)
    counts = {row["status"]: row["count"] for row in listed.order_by().values("status").annotate(count=Count("pk"))}
    status, query = request.GET.get("status", ""), request.GET.get("q", "").strip()[:100]
    found = listed.filter(status__in=FILTERS[status]) if status in FILTERS else listed
    if query:
        found = found.filter(name__icontains=query)
    paginator = Paginator(found.defer("text", "notes").select_related("source").prefetch_related("principals"), A_PAGE)
    page = paginator.get_page(request.GET.get("page"))
    groups = list(Group.objects.filter(workspace=membership.workspace))
    working = sum(counts.get(status, 0) for status in WORKING)
    return {
        "rows": [row_of(document, membership, mine, groups) for document in page],
        "page": page,
        "query": query,
        "status": status,
        "total": sum(counts.values()),
        "working": working,
        "chips": chips(counts, status, query),
        "queue": [(Status(name).label, name, counts[name]) for name in WORKING if counts.get(name)],
        "address": f"{request.path}?{urlencode({'status': status, 'q': query, 'page': page.number})}",
        "around": urlencode({"status": status, "q": query}),
    }


def chips(counts: dict[str, int], status: str, query: str) -> list[dict[str, Any]]:
    words = {"": _("All"), "ready": _("Ready"), "working": _("In work"), "failed": _("Failed")}
    return [
        {
            "words": words[name],
            "current": name == status,
            "query": urlencode({"status": name, "q": query}),
            "count": sum(counts.get(one, 0) for one in FILTERS.get(name, list(Status))),
        }
        for name in words
    ]


def row_of(document: Document, membership: Membership, mine: frozenset[str], groups: list[Group]) -> Row:
    listed = {principal.value for principal in document.principals.all()}
    may_read = bool(listed & mine)
    own = membership.may_edit and (may_read or document.uploaded_by_id == membership.user_id)
    return Row(document, Readers.of(listed, membership.workspace, groups), may_read, membership.is_owner or own)


@inside(Role.EDITOR)
@require_POST
def upload(request: HttpRequest, membership: Membership) -> HttpResponse:
    """One file or many. 201 with the documents as JSON for a script, once all are durable; a redirect for a plain form."""
    kept: list[Document] = []
    faults: list[tuple[Exception, str]] = []
    try:
        kept, faults = take_in(request, membership)
    except (DocumentError, RetrievalError) as fault:
        faults = [(fault, str(fault))]
    if request.htmx or "application/json" in request.headers.get("Accept", ""):  # type: ignore[attr-defined]
        if faults:
            words = " ".join(sentence for _fault, sentence in faults)
            return JsonResponse({"detail": words, "documents": described(kept)}, status=status_of(faults[0][0]))
        return JsonResponse({"documents": described(kept)}, status=201)
    for _fault, sentence in faults:
        messages.error(request, sentence)
    if kept:
        messages.success(request, ngettext("%(count)d file received.", "%(count)d files received.", len(kept)) % {"count": len(kept)})
    return redirect("documents:index", membership.workspace.slug)


def take_in(request: HttpRequest, membership: Membership) -> tuple[list[Document], list[tuple[Exception, str]]]:
    """The documents of this request's files, and what was wrong with the others. Raises what is wrong with all."""
    with disk():
        sent = request.FILES.getlist("file")
    if fault := fault_of(request.META):
        raise fault
    groups = groups_of(request, membership)
    kept: list[Document] = []
    faults: list[tuple[Exception, str]] = []
    for file in sent:
        try:
            kept.append(actions.upload(file, name=file.name or "", groups=groups, actor=membership, size=file.size))
        except (DocumentError, RetrievalError) as fault:
            faults.append((fault, str(fault) if len(sent) == 1 else f"{shown(file)}: {fault}"))
    if not sent:
        raise NothingSent
    return kept, faults


def shown(file: UploadedFile) -> str:
    return (file.name or "")[:100]


def groups_of(request: HttpRequest, membership: Membership) -> list[Group] | None:
    """The groups that the form names; `None`: the workspace's default."""
    if request.POST.get("readers", "") != GROUPS and not request.POST.getlist("groups"):
        return None
    form = UploadForm({"readers": GROUPS, "groups": request.POST.getlist("groups")}, workspace=membership.workspace)
    if not form.is_valid():
        raise NobodyChosen
    return list(form.cleaned_data["groups"])


def described(documents: list[Document]) -> list[dict[str, str]]:
    return [{"id": str(document.pk), "name": document.name, "status": document.status} for document in documents]


def managed(membership: Membership, document: UUID) -> Document:
    return get_object_or_404(actions.manageable(membership).defer("text"), pk=document)


def done(request: HttpRequest, membership: Membership, message: str) -> HttpResponse:
    """The list on the page refreshes itself; without a script the browser goes to it."""
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=204, headers={"HX-Trigger": "uploaded"})
    messages.success(request, message)
    return redirect("documents:index", membership.workspace.slug)


@inside(Role.EDITOR)
@require_POST
def retry(request: HttpRequest, membership: Membership, document: UUID) -> HttpResponse:
    row = managed(membership, document)
    actions.retry(row, actor=membership)
    return done(request, membership, _("%s is read again.") % row.name)


@inside(Role.EDITOR)
@require_POST
def delete(request: HttpRequest, membership: Membership, document: UUID) -> HttpResponse:
    row = managed(membership, document)
    actions.delete(row, actor=membership)
    return done(request, membership, _("%s is deleted.") % row.name)


@inside(Role.EDITOR)
@require_POST
def verify(request: HttpRequest, membership: Membership, document: UUID) -> HttpResponse:
    """`verified` empty: the word is taken back."""
    row = managed(membership, document)
    verified = bool(request.POST.get("verified"))
    actions.verify(row, verified, actor=membership)
    messages.success(request, (_("You vouch for %s.") if verified else _("Nobody vouches for %s any more.")) % row.name)
    readable = actions.readable(membership).filter(pk=row.pk).exists()
    return redirect("documents:document", membership.workspace.slug, row.pk) if readable else done(request, membership, "")


@inside(Role.EDITOR)
@require_http_methods(["GET", "POST"])
def access(request: HttpRequest, membership: Membership, document: UUID) -> HttpResponse:
    """Who may read one document: a form in a dialog, or on a page of its own."""
    row = managed(membership, document)
    groups = Group.objects.filter(workspace=membership.workspace)
    readers = Readers.of(row.principals.values_list("value", flat=True), membership.workspace, groups)
    initial = ReadersForm.initial_of(readers)
    form = ReadersForm(request.POST or None, workspace=membership.workspace, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            actions.restrict(row, form.chosen(), actor=membership)
            return done(request, membership, _("%(name)s may now be read by: %(readers)s.") % {"name": row.name, "readers": form.chosen()})
        except Refused as refusal:
            form.add_error("readers", str(refusal))
    page = "documents/access.html#form" if request.htmx else "documents/access.html"  # type: ignore[attr-defined]
    back = reverse("documents:index", args=[membership.workspace.slug])
    context = {"document": row, "form": form, "readers": readers, "nav": "documents", "back": back}
    return render(request, page, context, status=422 if form.errors else 200)
