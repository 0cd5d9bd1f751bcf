"""The buttons of a source at work."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
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


@inside(Role.EDITOR)
@require_POST
def pause(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = found(membership, source)
    controls.pause(row, actor=membership)
    messages.success(request, _("%s is paused. What is ready stays in answers, as it was when it was read.") % row.name)
    return back(request, row)


@inside(Role.EDITOR)
@require_POST
def resume(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = found(membership, source)
    controls.resume(row, actor=membership)
    messages.success(request, _("%s goes on from where it was.") % row.name)
    return back(request, row)


@inside(Role.EDITOR)
@require_POST
def cancel(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = found(membership, source)
    if controls.cancel(row, actor=membership):
        said = _("The sync of %s is stopped. What it brought stays and is still read; to hold that up, too, pause the source.")
        messages.success(request, said % row.name)
    else:
        messages.info(request, _("No sync of %s is under way any more.") % row.name)
    return back(request, row)


@inside(Role.EDITOR)
@require_POST
def retry(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = found(membership, source)
    count = controls.retry_failed(row, actor=membership)
    said = ngettext("%d document is read again.", "%d documents are read again.", count) % count
    messages.success(request, said if count else _("Nothing of %s has failed any more.") % row.name)
    return back(request, row)


@inside(Role.EDITOR)
@require_POST
def skip(request: HttpRequest, membership: Membership, document: UUID) -> HttpResponse:
    row = managed(membership, document)
    controls.skip(row, actor=membership)
    return done(request, membership, _("%s is passed over until it changes.") % row.name)
