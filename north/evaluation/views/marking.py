"""The button at a search hit and below an answer: this document answers the question, or it does not after all."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from north.evaluation import golden
from north.evaluation.errors import Refused
from north.workspaces.access import inside
from north.workspaces.models import Membership


@require_POST
@inside()
def mark(request: HttpRequest, membership: Membership) -> HttpResponse:
    """`question`, `document`, and `undo` where the mark is taken back. The button in its new state to htmx; everybody else goes back."""
    question, document = request.POST.get("question", ""), id_of(request.POST.get("document", ""))
    undo = bool(request.POST.get("undo"))
    try:
        if undo:
            golden.unmark(question, document, actor=membership)
        else:
            golden.mark(question, document, actor=membership)
    except Refused as refusal:
        return refused(request, membership, str(refusal))
    if not request.htmx:  # type: ignore[attr-defined]
        messages.success(request, _("The mark is taken back.") if undo else _("Marked: this document answers the question."))
        return back(request, membership)
    context = {
        "slug": membership.workspace.slug,
        "question": question,
        "document": document,
        "marked": not undo,
        "key": request.POST.get("key", "")[:40],
        "new": True,
    }
    return render(request, "evaluation/mark.html", context)


def refused(request: HttpRequest, membership: Membership, words: str) -> HttpResponse:
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(words, status=409, content_type="text/plain; charset=utf-8")
    messages.error(request, words)
    return back(request, membership)


def back(request: HttpRequest, membership: Membership) -> HttpResponse:
    page = request.headers.get("Referer", "")
    if url_has_allowed_host_and_scheme(page, {request.get_host()}, require_https=request.is_secure()):
        return redirect(page)
    return redirect("documents:search", membership.workspace.slug)


def id_of(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise Http404 from None
