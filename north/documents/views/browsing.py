"""The tree of a source in its form, a level at a time."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from north import wiring
from north.documents import browsing
from north.documents.errors import Refused
from north.documents.forms import PREFIX, SourceForm
from north.documents.views.sources import faults_of, found, is_uuid
from north.workspaces.access import inside
from north.workspaces.models import Membership, Role


@inside(Role.EDITOR)
@require_POST
def browse(request: HttpRequest, membership: Membership) -> HttpResponse:
    """What lies at a place of the source that the form describes. The settings that say what is wanted may still be missing."""
    kind = request.POST.get("connector", "")
    if kind not in wiring.connectors():
        raise Http404
    row = found(membership, UUID(request.POST["source"])) if is_uuid(request.POST.get("source", "")) else None
    form = SourceForm(request.POST, workspace=membership.workspace, connector=kind, source=row)
    form.is_valid()
    where = request.POST.get("path", ""), request.POST.get("around", "")
    context: dict[str, Any] = {"faults": [], "form": form, "top": not where[0]}
    try:
        tree = browsing.browse(row, kind, form.given(), *where, actor=membership)
        context |= {"tree": tree, "choices": [shown(one, form) for one in tree.choices]}
    except Refused as refusal:
        context["faults"] = faults_of(form) or [str(refusal)]
    return render(request, "documents/source_form.html#branches", context)


def shown(one: browsing.Choice, form: SourceForm) -> dict[str, Any]:
    """`list`: the field whose lines "Only this" adds to."""
    field = form[PREFIX + one.setting if one.setting else "include"]
    values = json.dumps({"path": one.path, "around": one.around})
    return {"one": one, "values": values, "list": field.id_for_label, "include": "\n".join(one.include), "exclude": "\n".join(one.exclude)}
