"""The buttons of a source at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from north.documents import controls
from north.documents.models import Source
from north.documents.views.documents import done, managed
from north.documents.views.sources import found
from north.workspaces.access import inside
from north.workspaces.models import Membership, Role


def back(request: HttpRequest, source: Source) -> HttpResponse:
    """To the page that the button stood on: the source's, or the list of all."""
    page = reverse("documents:source", args=[source.workspace.slug, source.pk])
    listing = reverse("documents:sources", args=[source.workspace.slug])
    return redirect(listing if request.POST.get("next") == listing else page)


def button(verb: Callable[..., Any], said: Callable[[str, Any], str]) -> Callable[..., HttpResponseBase]:
    """The view of a button: does it to the source, and says by its name what came of it."""

    @inside(Role.EDITOR)
    @require_POST
    def view(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
        row = found(membership, source)
        came = verb(row, actor=membership)
        messages.add_message(request, messages.INFO if came is False else messages.SUCCESS, said(row.name, came))
        return back(request, row)

    return view


def cancelled(name: str, was_under_way: bool) -> str:
    if not was_under_way:
        return _("No sync of %s is under way any more.") % name
    return _("The sync of %s is stopped. What it brought stays and is still read; to hold that up, too, pause the source.") % name


def retried(name: str, count: int) -> str:
    if not count:
        return _("Nothing of %s has failed any more.") % name
    return ngettext("%d document is read again.", "%d documents are read again.", count) % count


pause = button(controls.pause, lambda name, _none: _("%s is paused. What is ready stays in answers, as it was when it was read.") % name)
resume = button(controls.resume, lambda name, _none: _("%s goes on from where it was.") % name)
cancel = button(controls.cancel, cancelled)
retry = button(controls.retry_failed, retried)


@inside(Role.EDITOR)
@require_POST
def skip(request: HttpRequest, membership: Membership, document: UUID) -> HttpResponse:
    row = managed(membership, document)
    controls.skip(row, actor=membership)
    return done(request, membership, _("%s is passed over until it changes.") % row.name)
