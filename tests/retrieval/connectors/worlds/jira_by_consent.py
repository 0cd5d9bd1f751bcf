from __future__ import annotations

from pathlib import Path

from tests.retrieval.connectors.consented import AtAtlassian
from tests.retrieval.connectors.worlds.jira import JiraWorld


class ByConsent(AtAtlassian, JiraWorld):
    pass


def world(folder: Path) -> ByConsent:
    return ByConsent()
