"""The page of the search index: which one answers, how far the next one is, how both compare, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from north.administration.forms import IndexForm
from north.documents.models import Document
from north.indexes.models import Generation, State
from north.reindexing import actions
from north.reindexing.progress import progress
from north.workspaces.access import admins_only
from north.workspaces.pages import refusals_shown

HISTORY = 10


@require_safe
@never_cache
@admins_only
def index(request: HttpRequest) -> HttpResponse:
    page = "administration/indexes.html#status" if request.htmx else "administration/indexes.html"  # type: ignore[attr-defined]
    return render(request, page, context(IndexForm.now()))


def context(form: IndexForm) -> dict[str, Any]:
    coming = Generation.objects.under_way()
    return {
        "nav": "admin",
        "tab": "indexes",
        "serving": Generation.objects.serving(),
        "documents": Document.objects.alive().exclude(indexed_sha256="").count(),
        "coming": coming,
        "progress": progress(coming) if coming else None,
        "kept": Generation.objects.filter(state=State.KEPT).first(),
        "gone": Generation.objects.filter(state__in=[State.LEAVING, State.REMOVED])[:HISTORY],
        "form": form,
    }


@require_POST
@never_cache
@admins_only
def build(request: HttpRequest) -> HttpResponse:
    form = IndexForm(request.POST)
    if not form.is_valid():
        return render(request, "administration/indexes.html", context(form), status=422)
    with refusals_shown(request):
        actions.begin(**form.cleaned_data, actor=request.user)  # type: ignore[arg-type]
        messages.success(request, _("The new index is being built. Searches go on in the old one."))
    return redirect("administration:indexes")


def told(request: HttpRequest, generation: int, verb: Callable[..., object], words: str) -> HttpResponse:
    row = get_object_or_404(Generation, pk=generation)
    with refusals_shown(request):
        verb(row, actor=request.user)
        messages.success(request, words)
    return redirect("administration:indexes")


@require_POST
@admins_only
def stop(request: HttpRequest, generation: int) -> HttpResponse:
    return told(request, generation, actions.stop, _("The new index was given up; the old one answers as before."))


@require_POST
@admins_only
def swap(request: HttpRequest, generation: int) -> HttpResponse:
    """Forth to the new one, or back to the one that is kept."""
    return told(request, generation, actions.ask_swap, _("The other index answers in a moment."))


@require_POST
@admins_only
def remove(request: HttpRequest, generation: int) -> HttpResponse:
    return told(request, generation, actions.remove, _("The old index is being removed."))
