"""Pages of what agents may do and have done: a person's word on an action, and the workspace's rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from north.outside import actions as outside
from north.outside.arguments import of_form
from north.threads import approving, pages
from north.threads.fields import ARGUMENT
from north.threads.models import Approval
from north.threads.views import taken
from north.workspaces.access import demand, inside
from north.workspaces.errors import Refused
from north.workspaces.models import Membership, Role


@require_POST
@inside()
@taken
def decide(request: HttpRequest, membership: Membership, approval_id: UUID) -> HttpResponse:
    """Yes, yes with changes, or no; the card in the thread then says which."""
    approval = get_object_or_404(Approval.objects.of(membership).select_related("run__thread"), pk=approval_id)
    seen = request.POST.get("seen", "")
    if request.POST.get("verdict") == "approve":
        names = approving.EDITABLE.get(approval.tool, {})
        given: dict[str, Any] = {name: approving.lines(request.POST[name]) for name in names if name in request.POST}
        if approval.tool == "plan" and "name" in request.POST:
            given = {"steps": plan_in(request.POST)}
        if schema := approving.schema_of(approval):
            given |= arguments_in(request.POST, schema)
        changes = {name: value for name, value in given.items() if value != approval.arguments[name]}
        row = approving.approve(approval, seen=seen, actor=membership, changes=changes)
    else:
        row = approving.reject(approval, seen=seen, actor=membership, words=request.POST.get("words", ""))
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "threads/thread.html#approval", {"approval": pages.approval_card(row, membership.workspace.slug)})
    return redirect("threads:thread", membership.workspace.slug, approval.run.thread_id)


def arguments_in(form: QueryDict, schema: Mapping[str, Any]) -> dict[str, str]:
    """Of a server's tool: one field an argument."""
    said = {name.removeprefix(ARGUMENT): approving.lines(str(form[name])) for name in form if name.startswith(ARGUMENT)}
    return {"arguments": of_form(schema, said)} if said else {}


def plan_in(form: QueryDict) -> list[dict[str, Any]]:
    """The steps of a plan's form. A row that was emptied is a step that was taken out; who waited for it waits no more."""
    columns = [form.getlist(name) for name in ("name", "tool", "input", "criterion", "after")]
    rows = [[" ".join(cell.split()) for cell in row] for row in zip(*columns, strict=False)]
    kept = [number for number, row in enumerate(rows, 1) if row[0] or row[2]]
    places = {str(number): place for place, number in enumerate(kept, 1)}
    emptied = {str(number) for number in range(1, len(rows) + 1)} - places.keys()
    steps = []
    for name, tool, given, criterion, after in (rows[number - 1] for number in kept):
        waits = [places.get(one, one) for one in re.findall(r"[^\s,;]+", after) if one not in emptied]
        steps.append({"name": name, "tool": tool, "input": given, "criterion": criterion, "after": waits})
    return steps


@require_http_methods(["GET", "HEAD", "POST"])
@inside()
def rules(request: HttpRequest, membership: Membership) -> HttpResponse:
    """What agents may do in this workspace; owners say."""
    if request.method == "POST":
        demand(membership, Role.OWNER)
        approving.set_rules({tool: request.POST.get(tool, "") for tool in approving.effects_of(membership.workspace)}, actor=membership)
        messages.success(request, _("Saved. It holds for whatever agents propose from now on."))
        return redirect("threads:rules", membership.workspace.slug)
    return rules_page(request, membership)


def rules_page(request: HttpRequest, membership: Membership, **more: Any) -> HttpResponse:
    hosts = list(membership.workspace.allowed_hosts.values_list("host", flat=True))
    values = {"nav": "settings", "rules": pages.rules_of(membership.workspace), "hosts": hosts, "draft": "\n".join(hosts), **more}
    return render(request, "threads/rules.html", values, status=422 if "fault" in more else 200)


@require_POST
@inside(Role.OWNER)
def hosts(request: HttpRequest, membership: Membership) -> HttpResponse:
    """Whose pages agents may read. What is no host is shown again, with the reason."""
    text = request.POST.get("hosts", "")
    try:
        outside.set_hosts(text, actor=membership)
    except Refused as error:
        return rules_page(request, membership, draft=text, fault=str(error))
    messages.success(request, _("Saved. It holds for whatever agents ask for from now on."))
    return redirect("threads:rules", membership.workspace.slug)
