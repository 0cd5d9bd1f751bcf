from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.retrieval.connectors.cloud import Cloud, Thing
from tests.retrieval.connectors.outside import Asked, Said

NO_RIGHTS = "Notion's API does not tell who may see a page."
EVERY_PASS = "Each pass lists all pages afresh: no cursor of the service outlives one."
RIGHTS = ("rights change", "group change", "nested groups", "public", "unreadable rights")


class NotionWorld(Cloud):
    """Each thing is a page with one paragraph."""

    kind, host = "notion", "api.notion.com"
    middle = re.compile(r"start_cursor")
    impossible: Mapping[str, str] = {**dict.fromkeys(RIGHTS, NO_RIGHTS), "cursor expiry": EVERY_PASS}

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"token": "secret_1"}
        self.blocks: dict[str, list[dict[str, Any]]] = {}
        self.more: dict[str, dict[str, Any]] = {}

    def serve(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != "Bearer secret_1" or not asked.headers.get("notion-version"):
            return Said.json({"object": "error", "code": "unauthorized"}, 401)
        match asked.path.removeprefix("/v1").strip("/").split("/"):
            case ["search"] if asked.method == "POST" and asked.body["filter"] == {"property": "object", "value": "page"}:
                return self.listed([self.page(one) for one in self.things.values()], asked.body.get("start_cursor", ""))
            case ["blocks", id, "children"]:
                inside = self.blocks.get(id) or [block("paragraph", self.things[id].text)]
                return Said(502) if id in self.poisoned else self.listed(inside, asked.query.get("start_cursor", ""))
        return Said.json({"object": "error", "code": "object_not_found"}, 404)

    def listed(self, things: list[dict[str, Any]], at: str) -> Said:
        page, onward = self.paged(things, at)
        return Said.json({"object": "list", "results": page, "has_more": bool(onward), "next_cursor": onward or None})

    def page(self, thing: Thing) -> dict[str, Any]:
        name = {"Name": {"type": "title", "title": [{"plain_text": thing.name}]}}
        edited = thing.changed.strftime("%Y-%m-%dT%H:%M:00.000Z")
        about = {
            "object": "page",
            "id": thing.id,
            "last_edited_time": edited,
            "url": f"https://www.notion.so/{thing.id}",
            "archived": False,
        }
        return {**about, "parent": {"type": "workspace", "workspace": True}, "properties": name, **self.more.get(thing.id, {})}


def block(kind: str, text: str = "", id: str = "", **more: Any) -> dict[str, Any]:
    said = {"rich_text": [{"plain_text": text}], **more} if text else more
    return {"object": "block", "id": id or f"b-{text}", "type": kind, "has_children": bool(id), kind: said}


def world(folder: Path) -> NotionWorld:
    return NotionWorld()
