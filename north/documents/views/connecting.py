"""A source's connection by somebody's consent: begun here, agreed to elsewhere, and the way back."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from north.documents import configuring, connecting
from north.documents.consents import Connection
from north.documents.errors import Refused
from north.documents.models import Source
from north.documents.views.sources import found
from north.workspaces.access import enter, inside
from north.workspaces.models import Membership, Role


@inside(Role.EDITOR)
@require_GET
@never_cache
def connection(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    return shown(request, found(membership, source))


def shown(request: HttpRequest, row: Source, fault: str = "", **more: Any) -> HttpResponse:
    context = {"source": row, "nav": "sources", "fault": fault, "back": connecting.way_back(), **more}
    context |= {"connection": Connection.objects.select_related("by").filter(source=row).first(), "last": row.sync_runs.first()}
    try:
        consent = connecting.consent_of(row)
        context |= {
            "consent": consent,
            "by_code": consent.device is not None,
            "connected": bool(configuring.secrets_of(row).get(consent.kept)),
        }
    except Refused as refusal:
        context["fault"] = fault or str(refusal)
    return render(request, "documents/source_connection.html", context, status=422 if fault else 200)


@inside(Role.EDITOR)
@require_POST
@never_cache
def connect(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    """The page with the way to the service: forms lead nowhere but to North itself."""
    row = found(membership, source)
    try:
        begun = connecting.begin(row, request.session, actor=membership)
    except Refused as refusal:
        return shown(request, row, str(refusal))
    return shown(request, row, onward=begun.url, host=urlsplit(begun.url).hostname)


@login_required
@require_GET
@never_cache
def consented(request: HttpRequest) -> HttpResponse:
    """The way back. What this browser did not begin, or began too long ago, or brought already, connects nothing."""
    entry = connecting.taken(request.session, request.GET.get("state", ""))
    if entry is None:
        messages.error(request, _("That answer belongs to nothing that you began here in the last minutes. Press “Connect” again."))
        return redirect("workspaces:home")
    membership = enter(request.user, Role.EDITOR, slug=entry["slug"])  # type: ignore[arg-type]
    row = found(membership, UUID(entry["source"]))
    try:
        connecting.finish(row, entry, request.GET.get("code", ""), request.GET.get("error", ""), actor=membership)
        messages.success(request, _("%s is connected; a sync begins now.") % row.name)
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("documents:connection", membership.workspace.slug, row.pk)


@inside(Role.EDITOR)
@require_POST
@never_cache
def device(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = found(membership, source)
    try:
        return shown(request, row, device=connecting.begin_device(row, request.session, actor=membership))
    except Refused as refusal:
        return shown(request, row, str(refusal))


@inside(Role.EDITOR)
@require_POST
@never_cache
def device_poll(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    """While the person types the code in elsewhere: nothing; then the page anew."""
    row = found(membership, source)
    try:
        if not connecting.poll(row, request.session, actor=membership):
            return HttpResponse(status=204)
        messages.success(request, _("%s is connected; a sync begins now.") % row.name)
    except Refused as refusal:
        messages.error(request, str(refusal))
    onward = redirect("documents:connection", membership.workspace.slug, row.pk)
    return HttpResponse(headers={"HX-Redirect": onward["Location"]}) if request.htmx else onward  # type: ignore[attr-defined]


@inside(Role.EDITOR)
@require_POST
def disconnect(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = found(membership, source)
    try:
        connecting.disconnect(row, actor=membership)
        messages.success(request, _("Disconnected: North has forgotten its token. Withdraw the consent at the service, too."))
    except Refused as refusal:
        messages.error(request, str(refusal))
    return redirect("documents:connection", membership.workspace.slug, row.pk)
