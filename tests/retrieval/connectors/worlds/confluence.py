from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.retrieval.connectors.cloud import Cloud, Thing
from tests.retrieval.connectors.conformance import PEOPLE
from tests.retrieval.connectors.outside import Asked, Said

FLAT = "Groups of Confluence Cloud hold accounts only, no groups."
NOT_PUBLIC = "The API does not tell which spaces are open to people without an account, so none is taken to be."
EVERY_PASS = "Each pass lists all pages afresh: no cursor of the service outlives one."


class ConfluenceWorld(Cloud):
    """One space that everybody of "everyone" sees; who may see a page is its restriction."""

    kind, host = "confluence", "acme.atlassian.net"
    middle = re.compile(r"cursor=|/group$")
    impossible: Mapping[str, str] = {"nested groups": FLAT, "public": NOT_PUBLIC, "cursor expiry": EVERY_PASS}

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"url": f"https://{self.host}", "email": "bot@acme.example", "token": "t", "spaces": []}
        self.groups["everyone"] = set(PEOPLE), set()
        self.folders: dict[str, dict[str, Any]] = {}
        self.parents: dict[str, tuple[str, str]] = {}

    def serve(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != "Basic Ym90QGFjbWUuZXhhbXBsZTp0":
            return Said.json({"code": 401, "message": "Unauthorized; scope does not match"}, 401)
        match asked.path.removeprefix("/wiki").strip("/").split("/"):
            case ["api", "v2", "spaces"]:
                return self.listed(asked, [{"id": "7", "key": "HR", "name": "People", "type": "global", "status": "current"}])
            case ["api", "v2", "spaces", "7", "pages"]:
                return self.listed(asked, [self.about(one) for one in self.things.values()])
            case ["api", "v2", "spaces", "7", "blogposts"]:
                return self.listed(asked, [])
            case ["api", "v2", "spaces", "7", "permissions"]:
                return self.listed(asked, [permission("read", "group", "everyone"), permission("delete", "user", "root")])
            case ["api", "v2", "folders", id] if id in self.folders:
                return Said.json(self.folders[id])
            case ["api", "v2", "pages", id] if id in self.things:
                return self.page(self.things[id])
            case ["rest", "api", "content", "search"]:
                found = [one for one in self.things.values() if one.id not in self.veiled]
                told = [{"id": one.id, "type": "page", "restrictions": {"read": readers(one)}} for one in found]
                return self.listed(asked, told, v1=True)
            case ["rest", "api", "content", id, "restriction", "byOperation", "read"] if id in self.things and id not in self.veiled:
                return Said.json(readers(self.things[id]))
            case ["rest", "api", "group"]:
                return self.listed(asked, [{"type": "group", "id": name, "name": name.title()} for name in self.groups], v1=True)
            case ["rest", "api", "group", name, "membersByGroupId"]:
                return self.listed(asked, [self.member(one) for one in sorted(self.groups[name][0])], v1=True)
        return Said.json({"errors": [{"status": 404}]}, 404)

    def listed(self, asked: Asked, things: list[dict[str, Any]], v1: bool = False) -> Said:
        page, at = self.paged(things, asked.query.get("cursor", ""))
        path = asked.path.removeprefix("/wiki") if v1 else asked.path
        links = {"next": f"{path}?limit=2&cursor={at}"} if at else {}
        return Said.json({"results": page, "_links": {"base": f"https://{self.host}/wiki", **links}})

    def about(self, thing: Thing) -> dict[str, Any]:
        kind, parent = self.parents.get(thing.id, (None, None))
        return {
            "id": thing.id, "status": "current", "title": thing.name, "spaceId": "7", "parentId": parent, "parentType": kind,
            "version": {"createdAt": thing.changed.isoformat().replace("+00:00", ".000Z"), "number": thing.number, "authorId": "ann"},
            "_links": {"webui": f"/spaces/HR/pages/{thing.id}"},
        }  # fmt: skip

    def page(self, thing: Thing) -> Said:
        if thing.id in self.poisoned:
            return Said.json({"errors": [{"status": 500}]}, 500)
        return Said.json(self.about(thing) | {"body": {"export_view": {"representation": "export_view", "value": f"<p>{thing.text}</p>"}}})

    def member(self, person: str) -> dict[str, Any]:
        return {"type": "known", "accountId": person, "email": self.email(person), "displayName": person.title()}


def permission(key: str, kind: str, id: str) -> dict[str, Any]:
    return {"id": f"{key}{id}", "principal": {"type": kind, "id": id}, "operation": {"key": key, "targetType": "space"}}


def readers(thing: Thing) -> dict[str, Any]:
    users = [{"type": "known", "accountId": one} for one in sorted(thing.users)]
    groups = [{"type": "group", "name": one.title(), "id": one} for one in sorted(thing.groups)]
    return {"operation": "read", "restrictions": {"user": counted(users), "group": counted(groups)}}


def counted(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {"results": found, "start": 0, "limit": 200, "size": len(found)}


def world(folder: Path) -> ConfluenceWorld:
    return ConfluenceWorld()
