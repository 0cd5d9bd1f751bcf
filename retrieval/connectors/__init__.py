"""Where things come from. A connector is a file here with a CONNECTOR of its own, and a line in CONNECTORS; `contract.py` says what it
keeps, `asking.py` asks HTTP services for it."""

from __future__ import annotations

from typing import Final

from retrieval.connectors import (
    confluence,
    confluence_server,
    feed,
    folder,
    git,
    github,
    gitlab,
    google_drive,
    imap,
    jira,
    notion,
    s3,
    sharepoint,
    slack,
    sql,
    web,
    webdav,
)
from retrieval.connectors.contract import Connector

__all__ = ["CONNECTORS", "Connector"]

CONNECTORS: Final[dict[str, Connector]] = {
    "folder": folder.CONNECTOR,
    "confluence": confluence.CONNECTOR,
    "confluence_server": confluence_server.CONNECTOR,
    "feed": feed.CONNECTOR,
    "git": git.CONNECTOR,
    "github": github.CONNECTOR,
    "gitlab": gitlab.CONNECTOR,
    "google_drive": google_drive.CONNECTOR,
    "imap": imap.CONNECTOR,
    "jira": jira.CONNECTOR,
    "notion": notion.CONNECTOR,
    "s3": s3.CONNECTOR,
    "sharepoint": sharepoint.CONNECTOR,
    "slack": slack.CONNECTOR,
    "sql": sql.CONNECTOR,
    "web": web.CONNECTOR,
    "webdav": webdav.CONNECTOR,
}
