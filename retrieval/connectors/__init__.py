"""Where things come from. A connector is a file here with a CONNECTOR of its own, and a line in CONNECTORS; `contract.py` says what it
keeps, `asking.py` asks HTTP services for it."""

from __future__ import annotations

from typing import Final

from retrieval.connectors import feed, folder, git, imap, s3, sql, web, webdav
from retrieval.connectors.contract import Connector

__all__ = ["CONNECTORS", "Connector"]

CONNECTORS: Final[dict[str, Connector]] = {
    "feed": feed.CONNECTOR,
    "folder": folder.CONNECTOR,
    "git": git.CONNECTOR,
    "imap": imap.CONNECTOR,
    "s3": s3.CONNECTOR,
    "sql": sql.CONNECTOR,
    "web": web.CONNECTOR,
    "webdav": webdav.CONNECTOR,
}
