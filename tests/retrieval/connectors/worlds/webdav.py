from __future__ import annotations

import copy
import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lxml import etree
from wsgidav.fs_dav_provider import FilesystemProvider
from wsgidav.wsgidav_app import WsgiDAVApp

from retrieval.connectors import CONNECTORS
from tests.retrieval.connectors import wsgi
from tests.retrieval.connectors.conformance import Fault
from tests.retrieval.connectors.outside import Asked, Headers, InProcess, Said, once
from tests.retrieval.connectors.worlds.unruled import RIGHTS, Unruled, filled_in

HOST = "files.example"
NO_RIGHTS = "WebDAV has no words for who may see a file: the server shows it to this account or does not."
CLOCK = itertools.count(1_700_000_000)


def application(folder: Path, user: str = "north", password: str = "right", at: str = "/dav") -> WsgiDAVApp:
    return WsgiDAVApp(
        {
            "provider_mapping": {at: FilesystemProvider(str(folder), readonly=True)},
            "simple_dc": {"user_mapping": {"*": {user: {"password": password}}}},
            "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
            "verbose": 0,
            "logging": {"enable": False, "enable_loggers": []},
        }
    )


class WebDAVWorld(Unruled):
    """WsgiDAV over a folder. Two files lie in each folder; a folder is a page."""

    connector = CONNECTORS["webdav"]
    impossible: Mapping[str, str] = {
        **dict.fromkeys(RIGHTS, NO_RIGHTS),
        "cursor expiry": "Every pass lists all folders: there is no cursor that a server could forget.",
    }

    def __init__(self, folder: Path) -> None:
        self.root = folder / "share"
        self.root.mkdir()
        self.serve = wsgi.serve(application(self.root))
        self.outside = InProcess(HOST, self.serve)
        self.config: dict[str, Any] = filled_in(self.connector, {"url": f"https://{HOST}/dav", "user": "north", "password": "right"})

    def path(self, name: str) -> Path:
        path = self.root / f"part {(ord(name[0]) - ord('a')) // 2}" / name
        path.parent.mkdir(exist_ok=True)
        return path

    def put(self, name: str, text: str) -> None:
        self.path(name).write_text(text)
        os.utime(self.path(name), (next(CLOCK), next(CLOCK)))

    def delete(self, name: str) -> None:
        self.path(name).unlink()

    def move(self, name: str, to: str) -> None:
        self.path(name).rename(self.path(to))

    def fault(self, fault: Fault, name: str = "") -> None:
        match fault:
            case "rate limit":
                self.outside.faults = [once(Said(429, headers=Headers({"retry-after": "600"})), inner)]
            case "token expiry":
                self.outside.faults = [lambda asked: Said(401) if inner(asked) else None]
            case "truncated page":
                self.outside.faults = [self.half]
            case "duplicate page":
                self.outside.faults = [lambda asked: self.twice(asked) if inner(asked) else None]
            case "poison item":
                self.outside.faults = [lambda asked: Said(500) if asked.method == "GET" and asked.path.endswith(name) else None]

    def half(self, asked: Asked) -> Said | None:
        if not inner(asked):
            return None
        whole = self.serve(asked)
        return Said(whole.status_code, whole.content[: len(whole.content) // 2], whole.headers)

    def twice(self, asked: Asked) -> Said:
        """Everything in the folder is named once more."""
        whole = self.serve(asked)
        root = etree.fromstring(whole.content)
        root.extend(copy.deepcopy(list(root)))
        return Said(207, etree.tostring(root), whole.headers)

    def mend(self) -> None:
        self.outside.faults = []


def inner(asked: Asked) -> bool:
    return asked.method == "PROPFIND" and "part" in asked.path


def world(folder: Path) -> WebDAVWorld:
    return WebDAVWorld(folder)
