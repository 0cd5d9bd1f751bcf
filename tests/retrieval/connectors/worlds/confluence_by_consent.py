from __future__ import annotations

from pathlib import Path

from tests.retrieval.connectors.consented import AtAtlassian
from tests.retrieval.connectors.worlds.confluence import ConfluenceWorld


class ByConsent(AtAtlassian, ConfluenceWorld):
    pass


def world(folder: Path) -> ByConsent:
    return ByConsent()
