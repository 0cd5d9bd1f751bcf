"""Approved tools of registered servers, as a run's agent uses them: each asks first, with the exact arguments, and is checked again when it
is used. Lives in the model worker."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import F

from agents.errors import ToolFailed
from agents.schemas import narrowed
from agents.tool import Outcome, Tool
from north.outside.arguments import CHARACTERS
from north.outside.mcp import Client, ServerFailed
from north.outside.models import ServerTool
from north.outside.servers import described, secret_of
from north.workspaces.models import Membership


def tools_of(member: Membership) -> dict[str, Tool]:
    """Those that an owner approved as they are now."""
    rows = ServerTool.objects.filter(server__workspace=member.workspace_id, approved=F("digest")).select_related("server")
    return {row.full_name: tool_of(row, member) for row in rows}


def tool_of(row: ServerTool, member: Membership) -> Tool:
    return Tool(
        name=row.full_name,
        effect="leaves",
        about=row.about or row.name,
        arguments={"arguments": {"type": "string", "maxLength": CHARACTERS}},
        run=caller(row, member),
        preview=lambda arguments: f"North sends these arguments to the server {row.server.name}. What it does with them is its own affair.",
        informs=True,
        schema=narrowed(row.schema),
    )


def caller(row: ServerTool, member: Membership) -> Callable[[Mapping[str, Any], Any], Outcome]:
    home = threading.get_ident()

    def run(given: Mapping[str, Any], context: Any) -> Outcome:
        try:
            arguments = json.loads(given["arguments"] or "{}")
        except (ValueError, RecursionError):
            raise ToolFailed("The arguments are no JSON.") from None
        if not isinstance(arguments, dict):
            raise ToolFailed("The arguments are no JSON object.")
        try:
            return Outcome(asked(row, member, arguments))
        except ServerFailed as error:
            raise ToolFailed(f"{row.full_name}: {error}") from None
        finally:
            if threading.get_ident() != home:
                connection.close()

    return run


def asked(row: ServerTool, member: Membership, arguments: Mapping[str, Any]) -> str:
    """What the tool says; nothing is sent where it was taken back, or its server describes it otherwise than was approved."""
    fresh = ServerTool.objects.filter(pk=row.pk, approved=F("digest"), digest=row.digest).select_related("server").first()
    if fresh is None:
        raise ServerFailed("It is not approved any more.")
    server = fresh.server
    with Client(server.url, secret_of(server, member.user), settings.OUTBOUND_ALLOWED) as client:
        now = next((found for one in client.tools() if (found := described(one)) and found["name"] == fresh.name), None)
        if now is None or now["digest"] != fresh.approved:
            ServerTool.objects.filter(pk=fresh.pk).update(approved="")
            raise ServerFailed("Its server describes it otherwise than an owner approved, so it is off until it is approved anew.")
        return client.call(fresh.name, arguments)
