"""Servers of tools: registered, read, and approved tool by tool, by a workspace's owners. A tool is pinned by the hash of its description:
one that changed is not used until somebody approved it anew."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from north.outbound import Outbound, OutboundError
from north.outside.mcp import Client, ServerFailed
from north.outside.models import ServerSecret, ServerTool, ToolServer
from north.sealing import Unreadable, seal, unseal
from north.workspaces.access import demand
from north.workspaces.audit import record
from north.workspaces.errors import Refused
from north.workspaces.models import Membership, Role, User

MOST = 20
ABOUT, SCHEMA = 1000, 8000
SECRET_CHARACTERS = 4000
_SERVER, _TOOL = re.compile(r"[a-z][a-z0-9_]{1,19}"), re.compile(r"[A-Za-z0-9_/-]{1,38}")


def register(name: str, url: str, secret: str, *, actor: Membership) -> ToolServer:
    """`secret`: whose, of `ToolServer.Secret`. Raises Refused."""
    demand(actor, Role.OWNER)
    if not _SERVER.fullmatch(name):
        raise Refused(_("A server's name has 2 to 20 small letters, digits and _, and begins with a letter."))
    if secret not in ToolServer.Secret.values:
        raise Refused(_("Say whose secret is sent."))
    allowed(url)
    with transaction.atomic():
        rows = actor.workspace.tool_servers
        if rows.filter(name=name).exists() or rows.count() >= MOST:
            raise Refused(_("There is a server of this name already, or there are too many."))
        server = ToolServer.objects.create(workspace=actor.workspace, name=name, url=url, secret=secret, made_by=actor.user)
        record("tool_server.create", actor=actor, thing=server, name=name)
    return server


def allowed(url: str) -> None:
    try:
        Outbound(settings.OUTBOUND_ALLOWED).check(url)
    except OutboundError as error:
        raise Refused(str(error)) from error


def keep_secret(server: ToolServer, secret: str, *, actor: Membership) -> None:
    """A person's own, or an owner's for everybody; an empty one is forgotten. It is not shown again."""
    if server.workspace_id != actor.workspace_id or server.secret == ToolServer.Secret.NONE:
        raise Http404
    if server.secret == ToolServer.Secret.SERVER:
        demand(actor, Role.OWNER)
    secret = secret.strip()
    if len(secret) > SECRET_CHARACTERS or not secret.isascii() or any(not letter.isprintable() for letter in secret):
        raise Refused(_("A secret is a line of plain letters."))
    user = actor.user if server.secret == ToolServer.Secret.USER else None
    with transaction.atomic():
        if secret:
            ServerSecret.objects.update_or_create(server=server, user=user, defaults={"sealed": seal(secret)})
        else:
            ServerSecret.objects.filter(server=server, user=user).delete()
        record("tool_server.secret", actor=actor, thing=server, kept=bool(secret))


def secret_of(server: ToolServer, user: User) -> str:
    """Raises ServerFailed where one is needed and none can be read."""
    if server.secret == ToolServer.Secret.NONE:
        return ""
    whose = user if server.secret == ToolServer.Secret.USER else None
    row = ServerSecret.objects.filter(server=server, user=whose).first()
    if row is None:
        raise ServerFailed(_("The server %(name)s needs a secret first: on the page of tool servers.") % {"name": server.name})
    try:
        return unseal(row.sealed)
    except Unreadable:
        raise ServerFailed(_("The secret of %(name)s cannot be read any more. Give it anew.") % {"name": server.name}) from None


def read(server: ToolServer, *, actor: Membership) -> None:
    """Asks the server for its tools. What is new or has changed waits for approval; what is gone goes. Raises ServerFailed."""
    owned(server, actor)
    try:
        with Client(server.url, secret_of(server, actor.user), settings.OUTBOUND_ALLOWED) as client:
            found = {one["name"]: one for one in map(described, client.tools()) if one}
    except ServerFailed as error:
        ToolServer.objects.filter(pk=server.pk).update(error=str(error), read_at=timezone.now())
        raise
    with transaction.atomic():
        server.tools.exclude(name__in=found).delete()
        for name, values in found.items():
            ServerTool.objects.update_or_create(server=server, name=name, defaults=values)
        ToolServer.objects.filter(pk=server.pk).update(error="", read_at=timezone.now())
        record("tool_server.read", actor=actor, thing=server, tools=len(found))


def described(one: Mapping[str, Any]) -> dict[str, Any] | None:
    """A tool as it is kept; None for one that cannot be used here."""
    name, about, schema = one.get("name"), one.get("description") or "", one.get("inputSchema") or {}
    whole = json.dumps([name, about, schema], sort_keys=True, separators=(",", ":"))
    if not isinstance(name, str) or not _TOOL.fullmatch(name) or not isinstance(schema, dict) or len(whole) > SCHEMA:
        return None
    digest = hashlib.sha256(whole.encode()).hexdigest()
    return {"name": name, "about": " ".join(str(about).split())[:ABOUT], "schema": schema, "digest": digest}


def approve(server: ToolServer, digests: Collection[str], *, actor: Membership) -> None:
    """Exactly what was seen: the tools whose descriptions have these hashes, and no others."""
    owned(server, actor)
    with transaction.atomic():
        for tool in server.tools.select_for_update():
            tool.approved = tool.digest if tool.digest in digests else ""
            tool.save(update_fields=["approved"])
        names = sorted(server.tools.exclude(approved="").values_list("name", flat=True))
        record("tool_server.approve", actor=actor, thing=server, tools=names)


@transaction.atomic
def remove(server: ToolServer, *, actor: Membership) -> None:
    owned(server, actor)
    record("tool_server.delete", actor=actor, thing=server, name=server.name)
    server.delete()


def owned(server: ToolServer, actor: Membership) -> None:
    demand(actor, Role.OWNER)
    if server.workspace_id != actor.workspace_id:
        raise Http404
