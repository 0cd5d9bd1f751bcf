"""The golden set, for owners: the questions and what answers them. A document that the owner may not read is counted, never named."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from north.evaluation import golden, transfer
from north.evaluation.errors import Refused
from north.evaluation.models import GoldenQuestion
from north.workspaces.access import inside
from north.workspaces.models import Membership, Role

A_PAGE = 50


@dataclass(frozen=True, slots=True)
class Row:
    """`answers`: ids and names of those that the owner may read; `hidden`: how many more there are."""

    question: GoldenQuestion
    answers: list[tuple[UUID, str]]
    hidden: int


@require_safe
@inside(Role.OWNER)
def questions(request: HttpRequest, membership: Membership) -> HttpResponse:
    return page(request, membership)


def page(request: HttpRequest, membership: Membership, *, status: int = 200, **more: Any) -> HttpResponse:
    query = request.GET.get("q", "").replace("\0", "").strip()[:200]
    rows = golden.questions_of(membership).select_related("asker").prefetch_related("answers")
    found = Paginator(rows.filter(text__icontains=query) if query else rows, A_PAGE).get_page(request.GET.get("page"))
    context = {"nav": "settings", "query": query, "page": found, "rows": rows_of(found, membership), **more}
    return render(request, "evaluation/questions.html", context, status=status)


def rows_of(found: Iterable[GoldenQuestion], membership: Membership) -> list[Row]:
    shown = list(found)
    names = golden.names_of({answer.document_id for one in shown for answer in one.answers.all()}, membership)
    rows = []
    for one in shown:
        answers = [answer.document_id for answer in one.answers.all()]
        open_ones = [(pk, names[pk]) for pk in answers if pk in names]
        rows.append(Row(one, open_ones, len(answers) - len(open_ones)))
    return rows


@require_safe
@inside(Role.OWNER)
def export(request: HttpRequest, membership: Membership) -> StreamingHttpResponse:
    lines = list(transfer.exported(membership))
    headers = {"Content-Disposition": f'attachment; filename="golden-{membership.workspace.slug}.jsonl"'}
    return StreamingHttpResponse(lines, content_type="application/jsonl; charset=utf-8", headers=headers)


@require_POST
@inside(Role.OWNER)
def take_in(request: HttpRequest, membership: Membership) -> HttpResponse:
    sent = request.FILES.get("file")
    try:
        if sent is None or (sent.size or 0) > transfer.BYTES:
            raise Refused(_("Choose a file of at most %d MB.") % (transfer.BYTES // 1_000_000))
        count = transfer.imported(sent.read(), actor=membership)
    except Refused as refusal:
        return page(request, membership, status=422, import_error=str(refusal))
    messages.success(request, ngettext("%(count)d question taken over.", "%(count)d questions taken over.", count) % {"count": count})
    return redirect("evaluation:questions", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def new(request: HttpRequest, membership: Membership) -> HttpResponse:
    """`text`, and `answers`: names or ids of documents, one a line."""
    text, given = request.POST.get("text", ""), request.POST.get("answers", "")
    names = list(dict.fromkeys(line.strip() for line in given.replace("\0", "").splitlines() if line.strip()))
    try:
        if not names or len(names) > golden.ANSWERS:
            raise Refused(_("Name the documents that answer it, one a line, %d at most.") % golden.ANSWERS)
        known = transfer.documents_of(set(names), membership)
        golden.write(text, {transfer.found(name, known): 1 for name in names}, actor=membership)
    except Refused as refusal:
        return page(request, membership, status=422, error=str(refusal), text=text, answers=given)
    return redirect("evaluation:questions", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def reword(request: HttpRequest, membership: Membership, question: UUID) -> HttpResponse:
    try:
        golden.reword(one_of(membership, question), request.POST.get("text", ""), actor=membership)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("evaluation:questions", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def remove(request: HttpRequest, membership: Membership, question: UUID) -> HttpResponse:
    golden.remove(one_of(membership, question), actor=membership)
    return redirect("evaluation:questions", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def take_back(request: HttpRequest, membership: Membership, question: UUID, document: UUID) -> HttpResponse:
    golden.take_back(one_of(membership, question), document, actor=membership)
    return redirect("evaluation:questions", membership.workspace.slug)


def one_of(membership: Membership, question: UUID) -> GoldenQuestion:
    return get_object_or_404(golden.questions_of(membership), pk=question)
