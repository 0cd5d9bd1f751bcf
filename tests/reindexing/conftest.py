"""An installation whose index is made anew: its embedding engines hash, and can be interrupted."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import Any

import pytest

from north.documents import tasks as documents
from north.documents.models import Document
from north.documents.passages import search
from north.indexes.models import Generation, State
from north.reindexing import tasks
from north.workspaces.models import Membership
from tests.reindexing import engines

OTHER = "all-minilm-l6-v2-int8"


@pytest.fixture(autouse=True)
def engine(settings: Any, tmp_path: Path) -> None:
    settings.MODELS = {
        **{role: one for role, one in settings.MODELS.items() if role != "score"},
        "embed": {**settings.MODELS["embed"], "engine": "tests.reindexing.engines.load"},
    }
    settings.FILES_DIR = tmp_path / "files"
    settings.QDRANT_COLLECTION = f"reindexing-{uuid.uuid4().hex[:8]}"
    engines.MEANWHILE.clear()


def work(times: int = 3) -> None:
    """As beat and the model worker would, until nothing is due."""
    for _ in range(times):
        tasks.tend()
        Generation.objects.update(try_at=None)
        documents.index()
        for generation in Generation.objects.filter(state=State.COMPARING):
            tasks.compare(str(generation.pk))


def found(member: Membership, words: str = "report") -> set[str]:
    return {passage.name for passage in search(str(member.workspace_id), str(member.user_id), words, 50)}


def names(*documents: Document) -> set[str]:
    return {document.name for document in documents}
