"""Where things come from. A connector is a file here with a CONNECTOR of its own, and a line in NAMED; `contract.py` says what it
keeps, `asking.py` asks HTTP services for it.

They are named, not imported: a process pays for the libraries of those that it uses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Final

from retrieval.connectors.contract import Connector

__all__ = ["CONNECTORS", "NAMED", "Connector", "Connectors"]

NAMED: Final[dict[str, str]] = {
    "folder": "retrieval.connectors.folder.CONNECTOR",
    "confluence": "retrieval.connectors.confluence.CONNECTOR",
    "confluence_server": "retrieval.connectors.confluence_server.CONNECTOR",
    "feed": "retrieval.connectors.feed.CONNECTOR",
    "git": "retrieval.connectors.git.CONNECTOR",
    "github": "retrieval.connectors.github.CONNECTOR",
    "gitlab": "retrieval.connectors.gitlab.CONNECTOR",
    "google_drive": "retrieval.connectors.google_drive.CONNECTOR",
    "imap": "retrieval.connectors.imap.CONNECTOR",
    "jira": "retrieval.connectors.jira.CONNECTOR",
    "nextcloud": "retrieval.connectors.nextcloud.CONNECTOR",
    "notion": "retrieval.connectors.notion.CONNECTOR",
    "s3": "retrieval.connectors.s3.CONNECTOR",
    "sharepoint": "retrieval.connectors.sharepoint.CONNECTOR",
    "slack": "retrieval.connectors.slack.CONNECTOR",
    "sql": "retrieval.connectors.sql.CONNECTOR",
    "web": "retrieval.connectors.web.CONNECTOR",
    "webdav": "retrieval.connectors.webdav.CONNECTOR",
}


class Connectors(Mapping[str, Connector]):
    """By their kinds, from dotted names. Its keys cost nothing; a connector's module is imported when it is first taken."""

    def __init__(self, named: Mapping[str, str]) -> None:
        self._named = dict(named)

    def __getitem__(self, kind: str) -> Connector:
        module, _, name = self._named[kind].rpartition(".")
        found: Connector = getattr(import_module(module), name)
        return found

    def __contains__(self, kind: object) -> bool:
        return kind in self._named

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)


CONNECTORS: Final = Connectors(NAMED)
