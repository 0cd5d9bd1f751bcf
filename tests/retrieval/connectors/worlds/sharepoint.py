from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retrieval.connectors.contract import Called
from retrieval.connectors.hearing import microsoft
from tests.retrieval.connectors.cloud import Cloud, Thing
from tests.retrieval.connectors.conformance import PEOPLE
from tests.retrieval.connectors.outside import Asked, Headers, Said

NOT_PUBLIC = "Nothing in a directory is open to people without an account: who everyone is there is a group."
GRAPH, LOGIN, FILES = "graph.microsoft.com", "login.microsoftonline.com", "acme.sharepoint.com"
DRIVE = "b!1"


class SharePointWorld(Cloud):
    """One site with one library. Its feed of changes gives out marks: "list:PAGE:CHANGE" while it lists, "since:CHANGE" afterwards."""

    kind, host, also = "sharepoint", GRAPH, (LOGIN, FILES)
    middle = re.compile(r"token=list:1\d|users\?.*skip")
    impossible: Mapping[str, str] = {"public": NOT_PUBLIC}

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "tenant": "acme", "client_id": "app", "client_secret": "s",
            "sites": [f"https://{FILES}/sites/hr"], "people": [], "site_groups": [],
        }  # fmt: skip
        self.changes: list[str] = []
        self.oldest = 0
        self.tokens = 0
        self.folders: dict[str, dict[str, Any]] = {}
        self.parents: dict[str, str] = {}
        self.granted: dict[str, list[dict[str, Any]]] = {}
        self.asked_for: list[str] = []
        self.subscribed: dict[str, dict[str, Any]] = {}

    def noted(self, id: str) -> None:
        self.changes.append(id)

    def forget(self) -> None:
        self.oldest = len(self.changes)

    def serve(self, asked: Asked) -> Said:
        if f"https://{LOGIN}" in asked.url:
            self.tokens += 1
            right = b"grant_type=client_credentials" in asked.body and b"client_secret=s" in asked.body
            return Said.json({"access_token": "t", "expires_in": 3599}) if right else Said.json({"error": "invalid_client"}, 401)
        if f"https://{FILES}" in asked.url:
            assert "authorization" not in asked.headers, "the token went to another host"
            return self.content(asked)
        if asked.headers.get("authorization") != "Bearer t":
            return Said.json({"error": {"code": "InvalidAuthenticationToken"}}, 401)
        return self.graph(asked)

    def graph(self, asked: Asked) -> Said:
        match asked.path.removeprefix("/v1.0").strip("/").split("/"):
            case ["$batch"]:
                return Said.json({"responses": [self.answered(one, asked.headers) for one in asked.body["requests"]]})
            case ["sites", "acme.sharepoint.com:", "sites", "hr"]:
                return Said.json({"id": "site1", "displayName": "HR"})
            case ["sites"] if asked.query.get("search"):
                return Said.json({"value": [{"id": "site1", "displayName": "HR", "webUrl": "https://acme.sharepoint.com/sites/hr"}]})
            case ["sites", "site1", "drives"]:
                return Said.json({"value": [{"id": DRIVE, "name": "Documents", "driveType": "documentLibrary"}]})
            case ["users", "ann@acme.example", "drive"]:
                return Said.json({"id": DRIVE, "name": "OneDrive"})
            case ["drives", _, "root", "delta"]:
                return self.delta(asked)
            case ["drives", _, "root", "permissions"]:
                return Said.json({"value": self.granted.get("root", [])})
            case ["drives", _, "items", id, "permissions"] if id in self.things:
                return Said.json({}, 403) if id in self.veiled else Said.json({"value": self.permissions(self.things[id])})
            case ["drives", _, "items", id, "children"]:
                inside = [self.about(one) for one in self.things.values() if self.parents.get(one.id, "root") == id]
                return Said.json({"value": [*inside, *(one for one in self.folders.values() if one["parentReference"]["id"] == id)]})
            case ["drives", _, "items", id, "content"]:
                return Said(302, headers=Headers({"location": f"https://{FILES}/download?id={id}"}))
            case ["drives", _, "items", id] if id in self.folders:
                return Said.json(self.folders[id])
            case ["drives", _, "items", id] if id in self.things:
                return Said.json(self.about(self.things[id]))
            case ["subscriptions", *id]:
                return self.subscriptions(asked, *id)
            case ["users"]:
                return self.directory(asked)
            case ["groups"]:
                return Said.json({"value": []})
            case ["groups", name, "transitiveMembers"] if name in self.groups:
                inside = [{"@odata.type": "#microsoft.graph.user", "id": one} for one in sorted(self.inside(name))]
                return Said.json({"value": [*inside, {"@odata.type": "#microsoft.graph.group", "id": "g"}]})
        return Said.json({"error": {"code": "itemNotFound"}}, 404)

    def subscriptions(self, asked: Asked, id: str = "") -> Said:
        """As Graph does: the address is tried before it is taken, and must say the token again."""
        if id and id not in self.subscribed:
            return Said.json({"error": {"code": "ResourceNotFound"}}, 404)
        if asked.method == "DELETE":
            del self.subscribed[id]
            return Said(204)
        if not id:
            heard = microsoft(Called({}, b"", {"validationToken": "Validation: Testing client application"}), "", 0)
            reached = asked.body["notificationUrl"].startswith("https://north.example/")
            if not reached or not heard or heard.reply != "Validation: Testing client application":
                return Said.json({"error": {"code": "ValidationError", "message": "Subscription validation request failed."}}, 400)
            id = f"s{len(self.asked_for) + 1}"
            self.asked_for.append(id)
        self.subscribed[id] = {**self.subscribed.get(id, {}), **asked.body, "id": id}
        return Said.json(self.subscribed[id], 201)

    def answered(self, one: dict[str, Any], headers: Headers) -> dict[str, Any]:
        said = self.graph(Asked("GET", f"https://{GRAPH}/v1.0{one['url']}", headers, None))
        return {"id": one["id"], "status": said.status_code, "headers": {}, "body": json.loads(said.content)}

    def delta(self, asked: Asked) -> Said:
        kind, _, rest = asked.query.get("token", f"list::{len(self.changes)}").partition(":")
        address = f"https://{GRAPH}/v1.0/drives/{DRIVE}/root/delta?token="
        if kind == "list":
            at, _, since = rest.partition(":")
            root = [{"id": "root", "name": "root", "root": {}, "folder": {}}]
            things, onward = self.after(at)
            page = [*([] if at else [*root, *self.folders.values()]), *map(self.about, things)]
            link = {"@odata.nextLink": f"{address}list:{onward}:{since}"} if onward else {"@odata.deltaLink": f"{address}since:{since}"}
            return Said.json({"value": page, **link})
        since = int(rest)
        if since < self.oldest:
            return Said.json({"error": {"code": "resyncRequired"}}, 410)
        page = self.changes[since : since + 2]
        link = "nextLink" if since + 2 < len(self.changes) else "deltaLink"
        return Said.json({"value": [self.changed(id) for id in page], f"@odata.{link}": f"{address}since:{since + len(page)}"})

    def changed(self, id: str) -> dict[str, Any]:
        if id in self.things:
            return self.about(self.things[id])
        return self.folders.get(id) or {"id": id, "file": {}, "deleted": {"state": "deleted"}}

    def about(self, thing: Thing) -> dict[str, Any]:
        return {
            "id": thing.id, "name": thing.name, "file": {"mimeType": "text/plain"}, "size": len(thing.text), "cTag": f'"c:{thing.text}"',
            "eTag": f'"{thing.number}"', "lastModifiedDateTime": thing.changed.isoformat().replace("+00:00", "Z"),
            "webUrl": f"https://{FILES}/sites/hr/{thing.name}",
            "parentReference": {"driveId": DRIVE, "id": self.parents.get(thing.id, "root")},
        }  # fmt: skip

    def permissions(self, thing: Thing) -> list[dict[str, Any]]:
        users = [{"user": {"id": one, "displayName": one}} for one in sorted(thing.users)]
        groups = [{"group": {"id": one, "displayName": one}} for one in sorted(thing.groups)]
        said = [{"id": str(at), "roles": ["read"], "grantedToV2": one} for at, one in enumerate([*users, *groups])]
        everyone = {
            "siteUser": {"loginName": "c:0-.f|rolemanager|spo-grid-all-users/acme", "displayName": "Everyone except external users"}
        }
        return [
            *said,
            *([{"id": "e", "roles": ["read"], "grantedToV2": everyone}] if thing.public else []),
            *self.granted.get(thing.id, []),
        ]

    def content(self, asked: Asked) -> Said:
        thing = self.things[asked.query["id"]]
        return Said(500) if thing.id in self.poisoned else Said(200, thing.text.encode())

    def directory(self, asked: Asked) -> Said:
        page, onward = self.paged([self.user(one) for one in PEOPLE], asked.query.get("skip", ""))
        return Said.json({"value": page, **({"@odata.nextLink": f"https://{GRAPH}/v1.0/users?skip={onward}"} if onward else {})})

    def user(self, person: str) -> dict[str, Any]:
        about = {"displayName": person.title(), "mail": self.email(person), "accountEnabled": True, "userType": "Member"}
        return {"id": person, "userPrincipalName": self.email(person), **about}

    def text_seen(self, data: bytes) -> str:
        return data.decode(errors="replace")


def world(folder: Path) -> SharePointWorld:
    return SharePointWorld()
