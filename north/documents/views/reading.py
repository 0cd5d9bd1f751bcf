"""How a document was read: each page beside its text, and the pieces in which it is searched; and how it is to be read instead."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from north.documents import actions, files, passages, rendering, ways
from north.documents.errors import FileLost, Refused
from north.documents.forms import WayForm
from north.documents.models import Document, language_name
from north.documents.views.documents import done, managed
from north.documents.views.viewing import leaves, number, pdf
from north.workspaces.access import inside
from north.workspaces.models import Membership, Role
from retrieval.parsers.recognition import CODES
from retrieval.types import Parsed, Place


@inside(Role.READER)
@require_GET
def reading(request: HttpRequest, membership: Membership, document: UUID) -> HttpResponse:
    row = get_object_or_404(actions.readable(membership), pk=document)
    return shown(request, membership, row, form_of(row))


def form_of(row: Document, sent: Any = None) -> WayForm:
    return WayForm(sent, languages=[(code, language_name(code)) for code in CODES], initial=WayForm.initial_of(row.way))


def shown(request: HttpRequest, membership: Membership, row: Document, form: WayForm) -> HttpResponse:
    context = {"document": row, "form": form, "nav": "documents", "may_manage": actions.manageable(membership).filter(pk=row.pk).exists()}
    context |= {"paged": bool(row.pages), "way": bool(row.way), **(parts(request, row) if row.searchable else {})}
    return render(request, "documents/reading.html", context, status=422 if form.errors else 200)


def parts(request: HttpRequest, row: Document) -> dict[str, Any]:
    """One page, or one part of a long text, and the pieces that begin in it or reach into it."""
    try:
        layout = files.read_layout(row.layout_of(row.indexed_sha256))
    except FileLost:
        layout = Parsed(row.text, row.media_type)
    context: dict[str, Any] = {"excluded": False}
    if row.pages:
        at = min(max(number(request.GET.get("page")), 1), row.pages)
        here = next((place for place in layout.places if place.kind == "page" and place.label == str(at)), Place(0, 0, "page", str(at)))
        context |= {**pdf(row, layout, here, None), "excluded": at in row.way.get("without", ())}
        start, end = here.start, here.end
    else:
        part = rendering.part_of(row.text, number=number(request.GET.get("part")))
        start, end = part.start, part.end
        context |= {"html": rendering.plain(row.text, start, end, None), "leaves": leaves(None, "part", part.number, part.count)}
    return context | {"chunks": [one for one in passages.chunks_of(row) if one.start < end and one.end > start]}


@inside(Role.EDITOR)
@require_POST
def reread(request: HttpRequest, membership: Membership, document: UUID) -> HttpResponse:
    """`leave_out` or `take_in`: one page; else the whole form."""
    row = managed(membership, document)
    form = form_of(row, request.POST)
    page = number(request.POST.get("leave_out")) or number(request.POST.get("take_in"))
    try:
        if page:
            actions.reread(row, turned(row, page, "leave_out" in request.POST), actor=membership)
        elif form.is_valid():
            actions.reread(row, ways.chosen(**form.cleaned_data), actor=membership)
    except Refused as refusal:
        form.add_error(refusal.field if refusal.field in form.fields and form.is_bound and not page else None, str(refusal))
    readable = actions.readable(membership).filter(pk=row.pk).first()
    if form.errors and not (page and not form.non_field_errors()) and readable:
        return shown(request, membership, readable, form)
    if readable is None:
        return done(request, membership, _("%s is read again.") % row.name)
    messages.success(request, _("%s is read again. Its old text answers until that is done.") % row.name)
    address = redirect("documents:reading", membership.workspace.slug, row.pk)
    address["Location"] += f"?page={page}" if page else ""
    return address


def turned(row: Document, page: int, out: bool) -> dict[str, Any]:
    """The document's way with this page left out, or taken in again."""
    without = set(row.way.get("without", ()))
    return ways.chosen(**{**row.way, "without": without | {page} if out else without - {page}})
