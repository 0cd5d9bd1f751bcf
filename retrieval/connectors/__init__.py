"""Where things come from. A connector is a file here with a CONNECTOR of its own, and a line in CONNECTORS; `contract.py` says what it
keeps, `asking.py` asks HTTP services for it."""

from __future__ import annotations

from typing import Final

from retrieval.connectors import confluence, confluence_server, folder, github, gitlab, google_drive, jira, notion, sharepoint, slack
from retrieval.connectors.contract import Connector

__all__ = ["CONNECTORS", "Connector"]

CONNECTORS: Final[dict[str, Connector]] = {
    "folder": folder.CONNECTOR,
    "confluence": confluence.CONNECTOR,
    "confluence_server": confluence_server.CONNECTOR,
    "jira": jira.CONNECTOR,
    "sharepoint": sharepoint.CONNECTOR,
    "google_drive": google_drive.CONNECTOR,
    "slack": slack.CONNECTOR,
    "github": github.CONNECTOR,
    "gitlab": gitlab.CONNECTOR,
    "notion": notion.CONNECTOR,
}
