"""Pages of tool servers. Owners register, read and approve; everybody gives their own secret where a server wants one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from north.outside import servers as verbs
from north.outside.mcp import ServerFailed
from north.outside.models import ServerSecret, ToolServer
from north.workspaces.access import demand, inside
from north.workspaces.errors import Refused
from north.workspaces.models import Membership, Role


@require_http_methods(["GET", "HEAD", "POST"])
@never_cache
@inside()
def servers(request: HttpRequest, membership: Membership) -> HttpResponse:
    said = {"name": "", "url": "", "secret": "none"}
    fault = ""
    if request.method == "POST":
        demand(membership, Role.OWNER)
        said = {name: request.POST.get(name, "").strip() for name in said}
        try:
            server = verbs.register(said["name"], said["url"], said["secret"], actor=membership)
            messages.success(
                request, _("%(name)s is registered. Give it its secret if it wants one, then read its tools.") % {"name": server}
            )
            return redirect("outside:servers", membership.workspace.slug)
        except Refused as error:
            fault = str(error)
    mine = ServerSecret.objects.filter(server__workspace=membership.workspace, user=membership.user).values_list("server", flat=True)
    shared = ServerSecret.objects.filter(server__workspace=membership.workspace, user=None).values_list("server", flat=True)
    values: dict[str, Any] = {
        "nav": "settings", "servers": membership.workspace.tool_servers.prefetch_related("tools"), "said": said, "fault": fault,
        "secrets": ToolServer.Secret.choices, "kept": {*mine, *shared},
    }  # fmt: skip
    return render(request, "outside/servers.html", values, status=422 if fault else 200)


def done(request: HttpRequest, membership: Membership, server_id: UUID, words: str, verb: Callable[[ToolServer], None]) -> HttpResponse:
    server = get_object_or_404(membership.workspace.tool_servers, pk=server_id)
    try:
        verb(server)
        messages.success(request, words)
    except (Refused, ServerFailed) as error:
        messages.error(request, str(error))
    return redirect("outside:servers", membership.workspace.slug)


@require_POST
@inside(Role.OWNER)
def read(request: HttpRequest, membership: Membership, server_id: UUID) -> HttpResponse:
    words = _("Its tools were read. What is new or has changed waits for your approval.")
    return done(request, membership, server_id, words, lambda server: verbs.read(server, actor=membership))


@require_POST
@inside(Role.OWNER)
def approve(request: HttpRequest, membership: Membership, server_id: UUID) -> HttpResponse:
    digests = request.POST.getlist("digest")
    words = _("Saved. Agents may use the tools that you chose; each use asks first.")
    return done(request, membership, server_id, words, lambda server: verbs.approve(server, digests, actor=membership))


@require_POST
@inside()
def secret(request: HttpRequest, membership: Membership, server_id: UUID) -> HttpResponse:
    given = request.POST.get("secret", "")
    return done(request, membership, server_id, _("Saved."), lambda server: verbs.keep_secret(server, given, actor=membership))


@require_POST
@inside(Role.OWNER)
def remove(request: HttpRequest, membership: Membership, server_id: UUID) -> HttpResponse:
    return done(request, membership, server_id, _("The server was removed."), lambda server: verbs.remove(server, actor=membership))
