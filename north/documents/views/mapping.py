"""Who the accounts of a source are here: found by their addresses, and corrected by owners."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from north.documents import mapping
from north.documents.accounts import Identity
from north.documents.models import Source
from north.workspaces.access import inside
from north.workspaces.models import Membership, Role, User

PAGE = 50
BY_ADDRESS, NOBODY = "", "nobody"


@inside(Role.OWNER)
@require_GET
def people(request: HttpRequest, membership: Membership, source: UUID) -> HttpResponse:
    row = get_object_or_404(Source, workspace=membership.workspace, pk=source)
    members = mapping.people_of(row)
    words = request.GET.get("q", "")[:100]
    page = Paginator(mapping.accounts(row, words), PAGE).get_page(request.GET.get("page"))
    rows = [described(identity, members) for identity in page]
    context = {"source": row, "rows": rows, "page": page, "words": words, "members": members.values(), "nav": "sources"}
    return render(request, "documents/source_people.html", context)


def described(identity: Identity, members: dict[str, User]) -> dict[str, Any]:
    found = identity.user if identity.mapped else members.get(identity.email)
    chosen = (str(identity.user_id) if identity.user_id else NOBODY) if identity.mapped else BY_ADDRESS
    return {"identity": identity, "person": found, "chosen": chosen}


@inside(Role.OWNER)
@require_POST
def decide(request: HttpRequest, membership: Membership, source: UUID, identity_id: UUID) -> HttpResponse:
    """One account's row of the page."""
    rows = Identity.objects.filter(source=source, source__workspace=membership.workspace).select_related("source")
    identity, person = get_object_or_404(rows, pk=identity_id), request.POST.get("person", "")
    user = {str(user.pk): user for user in mapping.people_of(identity.source).values()}.get(person)
    if person == BY_ADDRESS:
        mapping.unmap_identity(identity, actor=membership)
    elif person == NOBODY or user:
        mapping.map_identity(identity, user, actor=membership)
    else:
        messages.error(request, _("This person is no member of the workspace. Invite them first."))
    where = reverse("documents:source_people", args=[membership.workspace.slug, source])
    kept = {name: request.POST[name] for name in ("q", "page") if request.POST.get(name)}
    return redirect(f"{where}?{urlencode(kept)}" if kept else where)
