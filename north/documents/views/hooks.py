"""The doors by which sources say that something changed, and the page on which one is opened and closed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import redis
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from north.documents import listening
from north.documents.errors import Refused
from north.documents.hooks import Hook
from north.documents.models import Source
from north.documents.views.sources import found
from north.workspaces.access import inside
from north.workspaces.models import Membership, Role
from retrieval.connectors.contract import Called

LARGEST = 1_000_000
"""Bytes of a message; GitHub's largest are cut there, too, and nothing is read of them but their signature."""


@csrf_exempt
@never_cache
def hook(request: HttpRequest, key: str) -> HttpResponse:
    """Whoever asks: the answer comes at once, and says nothing but what the source wants to hear."""
    if request.method != "POST":
        raise Http404
    body = request.read(LARGEST + 1)
    if len(body) > LARGEST:
        return HttpResponse(status=413)
    headers = {name.lower(): value for name, value in request.headers.items()}
    try:
        heard = listening.hear(key, Called(headers, body, request.GET.dict()))
    except redis.RedisError:
        return HttpResponse(status=503, headers={"Retry-After": "60"})
    return HttpResponse(heard.reply, content_type="text/plain; charset=utf-8")


def door_of(source: Source) -> Hook | None:
    return Hook.objects.select_related("source").filter(source=source).first()


@inside(Role.EDITOR)
@never_cache
def push(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = found(membership, source)
    if request.method == "POST":
        try:
            return shown(request, row, *listening.open_door(row, actor=membership))
        except Refused as refusal:
            messages.error(request, str(refusal))
            return redirect("documents:push", membership.workspace.slug, row.pk)
    return shown(request, row, door_of(row))


def shown(request: HttpRequest, row: Source, door: Hook | None, secret: str = "", **more: Any) -> HttpResponse:
    way = listening.push_of(row)
    told = listening.secret_of(door) if door and way.whose == "told" else ""
    context = {
        "source": row,
        "door": door,
        "way": way,
        "secret": secret or told,
        "by_itself": way.office is not None,
        "nav": "sources",
        **more,
    }
    if door:
        context |= {"address": door.address, "has_secret": bool(listening.secret_of(door))}
    return render(request, "documents/source_push.html", context, status=422 if more.get("fault") else 200)


@inside(Role.EDITOR)
@require_POST
def push_secret(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = found(membership, source)
    door = door_of(row)
    if door is None or listening.push_of(row).whose != "theirs":
        messages.error(request, _("There is no secret to enter: open an address first."))
        return redirect("documents:push", membership.workspace.slug, row.pk)
    try:
        listening.enter_secret(door, request.POST.get("secret", ""), actor=membership)
    except Refused as refusal:
        return shown(request, row, door, fault=str(refusal))
    messages.success(request, _("Saved."))
    return redirect("documents:push", membership.workspace.slug, row.pk)


@inside(Role.EDITOR)
@require_POST
def push_register(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = found(membership, source)
    if door := door_of(row):
        listening.register(door, actor=membership)
        messages.success(request, _("North registers its address now. Load this page again in a moment."))
    return redirect("documents:push", membership.workspace.slug, row.pk)


@inside(Role.EDITOR)
@require_POST
def push_close(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = found(membership, source)
    if door := door_of(row):
        listening.close_door(door, actor=membership)
        messages.success(request, _("The address is closed: nothing comes in by it any more."))
    return redirect("documents:push", membership.workspace.slug, row.pk)
