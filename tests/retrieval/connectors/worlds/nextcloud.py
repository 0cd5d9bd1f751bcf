from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from lxml import etree

from retrieval.connectors import CONNECTORS
from tests.retrieval.connectors import wsgi
from tests.retrieval.connectors.conformance import PEOPLE, Fault
from tests.retrieval.connectors.outside import Asked, InProcess, Said
from tests.retrieval.connectors.worlds.unruled import filled_in
from tests.retrieval.connectors.worlds.webdav import HOST, WebDAVWorld, application

FLAT = "Groups of Nextcloud hold accounts only, no groups."
DAV = "/remote.php/dav/files/north"
NAMES = {"d": "DAV:", "oc": "http://owncloud.org/ns", "nc": "http://nextcloud.org/ns"}
USER, GROUP, LINK = 0, 1, 3
OWN = {"oc:owner-id": "north", "oc:permissions": "RGDNVW", "nc:mount-type": ""}
THEIRS = {"oc:owner-id": "zoe", "oc:permissions": "SRGDNVW", "nc:mount-type": "shared"}


class NextcloudWorld(WebDAVWorld):
    """WsgiDAV over a folder, with the properties that Nextcloud adds, and its OCS API beside. All in it is shared with the account "north",
    which may share it on, by "zoe", who has left; `owned` says otherwise, by path. `shared`: the other shares of a thing, by its path."""

    connector = CONNECTORS["nextcloud"]
    impossible: Mapping[str, str] = {"nested groups": FLAT, "cursor expiry": WebDAVWorld.impossible["cursor expiry"]}

    def __init__(self, folder: Path) -> None:
        self.root = folder / "share"
        self.root.mkdir()
        self.files = wsgi.serve(application(self.root, at=DAV))
        self.serve = self.served
        self.outside = InProcess(HOST, self.served)
        given = {"url": f"https://{HOST}", "user": "north", "password": "right", "links": True}
        self.config: dict[str, Any] = filled_in(self.connector, given)
        self.numbers = itertools.count(1)
        self.ids: dict[str, int] = {}
        self.owned: dict[str, dict[str, str]] = {}
        self.shared: dict[str, list[dict[str, Any]]] = {}
        self.groups: dict[str, set[str]] = {}
        self.veiled = ""
        self.administrator = True

    # --- the source changes ---
    def at(self, name: str) -> str:
        return str(self.path(name).relative_to(self.root))

    def id(self, path: str) -> int:
        return self.ids.setdefault(path, next(self.numbers))

    def delete(self, name: str) -> None:
        super().delete(name)
        self.ids.pop(self.at(name), None)
        self.shared.pop(self.at(name), None)

    def move(self, name: str, to: str) -> None:
        super().move(name, to)
        self.ids[self.at(to)] = self.ids.pop(self.at(name))
        self.shared[self.at(to)] = self.shared.pop(self.at(name), [])

    def allow(self, name: str, users: Iterable[str] = (), groups: Iterable[str] = (), public: bool = False) -> None:
        self.share(self.at(name), users, groups, public)

    def share(self, path: str, users: Iterable[str] = (), groups: Iterable[str] = (), public: bool = False, **more: Any) -> None:
        said = [(USER, one) for one in sorted(users)] + [(GROUP, one) for one in sorted(groups)] + ([(LINK, None)] if public else [])
        self.shared[path] = [{"share_type": kind, "share_with": who, **more} for kind, who in said]

    def group(self, name: str, users: Iterable[str], groups: Iterable[str] = ()) -> None:
        self.groups[name] = set(users)

    def key(self, person: str) -> str:
        return person

    # --- what is seen of it ---
    def served(self, asked: Asked) -> Said:
        if asked.path.startswith("/ocs/v2.php/"):
            return self.ocs(asked)
        said = self.files(asked)
        return self.with_properties(said) if asked.method == "PROPFIND" and said.status_code == 207 else said

    def with_properties(self, said: Said) -> Said:
        root = etree.fromstring(said.content)
        for response in root.findall("d:response", NAMES):
            path = unquote(response.findtext("d:href", "", NAMES)).removeprefix(DAV).strip("/")
            about = {**(THEIRS if path else OWN), **self.owned.get(path, {})}
            for name, value in {"oc:fileid": str(self.id(path)), **about}.items():
                prefix, _, tag = name.partition(":")
                found = response.find("d:propstat/d:prop", NAMES)
                assert found is not None
                etree.SubElement(found, f"{{{NAMES[prefix]}}}{tag}").text = value
        return Said(207, etree.tostring(root), said.headers)

    def ocs(self, asked: Asked) -> Said:
        right = asked.headers.get("authorization") == "Basic bm9ydGg6cmlnaHQ=" and asked.headers.get("ocs-apirequest") == "true"
        if not right or asked.query.get("format") != "json":
            return answer(None, 401, "Current user is not logged in")
        match asked.path.removeprefix("/ocs/v2.php/").split("/"):
            case ["apps", "files_sharing", "api", "v1", "shares"]:
                return self.shares(asked.query["path"].strip("/"), asked.query.get("subfiles") == "true")
            case ["cloud", *_] if not self.administrator:
                return answer(None, 403, "Logged in account must be an admin or sub admin")
            case ["cloud", "users", "details"]:
                at = int(asked.query.get("offset", 0))
                return answer({"users": {one: user(one) for one in (*PEOPLE, "zoe")[at : at + 2]} or []})
            case ["cloud", "groups"]:
                return answer({"groups": sorted(self.groups)})
            case ["cloud", "groups", name, "users"] if unquote(name) in self.groups:
                return answer({"users": sorted(self.groups[unquote(name)])})
        return answer(None, 404, "not found")

    def shares(self, path: str, inside: bool) -> Said:
        there = self.root / path
        if not there.exists():
            return answer(None, 404, "Wrong path, file/folder does not exist")
        paths = [str(one.relative_to(self.root)) for one in there.iterdir()] if inside else [path]
        if self.veiled in paths:
            return answer(None, 403, "You are not allowed to see them")
        return answer([self.told(one, share) for one in paths for share in self.shared.get(one, ())])

    def told(self, path: str, share: Mapping[str, Any]) -> dict[str, Any]:
        owner = self.owned.get(path, THEIRS)["oc:owner-id"]
        kind = "folder" if (self.root / path).is_dir() else "file"
        names = {"uid_owner": owner, "uid_file_owner": owner, "share_with_displayname": str(share["share_with"]).title()}
        where = {"path": f"/{path}", "item_type": kind, "item_source": self.id(path), "file_source": self.id(path)}
        return {"id": "1", **names, **where, "permissions": 19, "expiration": None, "token": None, **share}

    # --- what goes wrong ---
    def fault(self, fault: Fault, name: str = "") -> None:
        super().fault(fault, name)
        if fault == "unreadable rights":
            self.veiled = self.at(name)

    def mend(self) -> None:
        super().mend()
        self.veiled = ""


def user(person: str) -> dict[str, Any]:
    return {"id": person, "email": f"{person}@acme.example", "displayname": person.title(), "enabled": person != "zoe"}


def answer(said: Any, status: int = 200, message: str = "OK") -> Said:
    meta = {"status": "ok" if status == 200 else "failure", "statuscode": status, "message": message}
    return Said.json({"ocs": {"meta": meta, "data": [] if said is None else said}}, status)


def world(folder: Path) -> NextcloudWorld:
    return NextcloudWorld(folder)
