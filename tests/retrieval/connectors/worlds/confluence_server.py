from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.retrieval.connectors.cloud import Cloud, Thing
from tests.retrieval.connectors.conformance import PEOPLE
from tests.retrieval.connectors.outside import Asked, Said

FLAT = "Its REST API tells the accounts of a group, nested ones among them, and no groups in it."
EVERY_PASS = "Each pass lists all pages afresh: no cursor of the service outlives one."


class ConfluenceServerWorld(Cloud):
    """One space, which people without an account see where all in it is public; else who may see a page is its restriction."""

    kind, host = "confluence_server", "wiki.example.com"
    middle = re.compile(r"start=[1-9]")
    impossible: Mapping[str, str] = {"nested groups": FLAT, "cursor expiry": EVERY_PASS}

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"url": f"https://{self.host}/confluence", "token": "t", "spaces": []}
        self.groups["everyone"] = set(PEOPLE), set()
        self.ancestors: dict[str, list[str]] = {}
        self.hidden = False

    def serve(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != "Bearer t":
            return Said.json({"message": "Client must be authenticated"}, 401)
        match asked.path.removeprefix("/confluence").strip("/").split("/"):
            case ["rest", "api", "space"]:
                return self.listed(asked, [{"id": 7, "key": "HR", "name": "People"}])
            case ["rest", "api", "content"]:
                found = [self.about(one) for one in self.things.values()] if asked.query["type"] == "page" else []
                return self.listed(asked, found)
            case ["rest", "api", "content", id] if id in self.things:
                value = {"body": {"export_view": {"value": f"<p>{self.things[id].text}</p>"}}}
                return Said(500) if id in self.poisoned else Said.json(self.about(self.things[id]) | value)
            case ["rest", "api", "group"]:
                return self.listed(asked, [{"type": "group", "name": name} for name in self.groups])
            case ["rest", "api", "group", name, "member"] if name in self.groups:
                inside = [{"type": "known", "username": one.title(), "displayName": one.title()} for one in sorted(self.groups[name][0])]
                return self.listed(asked, inside)
            case ["rpc", "json-rpc", "confluenceservice-v2"] if asked.body["method"] == "getSpacePermissionSets":
                return Said(403) if self.hidden else Said.json({"jsonrpc": "2.0", "id": 1, "result": self.permissions()})
        return Said.json({"message": "not found"}, 404)

    def permissions(self) -> list[dict[str, Any]]:
        anonymous = all(one.public for one in self.things.values())
        viewers = [{"type": "VIEWSPACE", "userName": None, "groupName": name} for name in ("everyone", *([None] if anonymous else []))]
        editors = [{"type": "EDITSPACE", "userName": "root", "groupName": None}]
        return [{"type": "VIEWSPACE", "spacePermissions": viewers}, {"type": "EDITSPACE", "spacePermissions": editors}]

    def listed(self, asked: Asked, things: list[dict[str, Any]]) -> Said:
        page, at = self.paged(things, asked.query.get("start", ""))
        path = asked.path.removeprefix("/confluence")
        links = {"next": f"{path}?limit=2&start={at}&type={asked.query.get('type', '')}"} if at else {}
        return Said.json({"results": page, "_links": {"base": f"https://{self.host}/confluence", "context": "/confluence", **links}})

    def about(self, thing: Thing) -> dict[str, Any]:
        around = [{"id": self.there(name).id, "title": name} for name in self.ancestors.get(thing.name, [])]
        about = {"id": thing.id, "type": "page", "title": thing.name, "ancestors": around}
        told = {} if thing.id in self.veiled else {"restrictions": {"read": readers(thing)}}
        version = {"number": thing.number, "when": thing.changed.isoformat()}
        return {**about, **told, "version": version, "_links": {"webui": f"/display/HR/{thing.id}"}}


def readers(thing: Thing) -> dict[str, Any]:
    users = [{"type": "known", "username": one, "userKey": f"k-{one}"} for one in sorted(thing.users)]
    groups = [{"type": "group", "name": one} for one in sorted(thing.groups)]
    limits = {"start": 0, "limit": 100}
    return {"operation": "read", "restrictions": {"user": {"results": users, **limits}, "group": {"results": groups, **limits}}}


def world(folder: Path) -> ConfluenceServerWorld:
    return ConfluenceServerWorld()
