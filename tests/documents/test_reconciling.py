"""Rows against index and files."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings

from north import wiring
from north.documents import files, reconciling, tasks
from north.documents.models import Document, Status
from north.documents.passages import recheck
from north.documents.readers import scope_of
from north.workspaces.models import Membership, Workspace
from tests.documents.conftest import make, ready
from tests.edge_process import Edge, start_edge, stop_edge

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("vectors")]


def test_a_wiped_index_is_built_again_without_reading_the_files(workspace: Workspace, reader: Membership) -> None:
    document = ready(workspace, "words to keep")
    wiring.index()._client.delete_collection(django_settings.QDRANT_COLLECTION)
    files.path_of(document.file_of(document.sha256)).unlink()
    reconciling.glance()  # finds that the collection is gone
    assert reconciling.lost() == [document]
    reconciling.glance()
    document.refresh_from_db()
    assert document.status == Status.INDEXING
    tasks.index()
    assert [passage.text for passage in wiring.retriever(recheck).search("words", scope_of(reader), 5)] == ["words to keep"]
    assert not reconciling.compare(workspace.pk)


@pytest.fixture
def own_index(tmp_path: Path, settings: Any) -> Iterator[Callable[[], Edge]]:
    """A vector service of the test's own in place of the session's; called, that is ended, its index damaged, and started again."""
    running = start_edge(tmp_path)
    settings.QDRANT_URL, settings.QDRANT_API_KEY = running.url, running.api_key

    def again() -> Edge:
        nonlocal running
        assert stop_edge(running) == 0
        next(tmp_path.glob("*/shard/segments/*/segment.json")).write_text("damaged")
        running = start_edge(tmp_path, running.api_key, int(running.url.rpartition(":")[2]))
        return running

    for made in (wiring.index, wiring.retriever):
        made.cache_clear()
    yield again
    for made in (wiring.index, wiring.retriever):
        made.cache_clear()
    assert stop_edge(running) == 0


def test_a_damaged_index_is_said_and_built_again_without_reading_the_files(
    workspace: Workspace, reader: Membership, own_index: Callable[[], Edge]
) -> None:
    document = ready(workspace, "words to keep")
    running = own_index()
    assert "are damaged" in running.process.stderr.readline()
    files.path_of(document.file_of(document.sha256)).unlink()
    reconciling.glance()  # finds that the collection is gone
    reconciling.glance()
    tasks.index()
    assert [passage.text for passage in wiring.retriever(recheck).search("words", scope_of(reader), 5)] == ["words to keep"]
    assert not reconciling.compare(workspace.pk)


def test_points_that_no_row_knows_are_removed(workspace: Workspace) -> None:
    document = ready(workspace, "words")
    Document.objects.filter(pk=document.pk).delete()
    kept = ready(workspace, "others")
    assert reconciling.compare(workspace.pk).orphans == 1
    assert wiring.index().counts(str(workspace.pk)) == {str(kept.pk): 1}


def test_files_that_no_row_knows_are_removed_once_they_are_old(workspace: Workspace) -> None:
    orphan, kept = make(workspace, "orphan"), make(workspace, "kept")
    Document.objects.filter(pk=orphan.pk).delete()
    unfinished = Path(django_settings.FILES_DIR, "new", "half")
    unfinished.write_text("half")
    assert reconciling.tidy() == 0
    past = time.time() - 100_000
    for path in (files.path_of(orphan.folder), files.path_of(kept.folder), unfinished):
        os.utime(path, (past, past))
    assert reconciling.tidy() == 1
    assert not files.path_of(orphan.folder).exists()
    assert not unfinished.exists()
    assert files.path_of(kept.folder).exists()


def test_a_look_at_an_index_that_is_down_breaks_nothing(workspace: Workspace, settings: Any) -> None:
    make(workspace, "x", status=Status.READY)
    wiring.index.cache_clear()
    settings.QDRANT_URL = "http://127.0.0.1:9"
    try:
        reconciling.glance()
    finally:
        wiring.index.cache_clear()
        wiring.retriever.cache_clear()


@pytest.mark.django_db(transaction=True)
def test_a_deleted_workspace_leaves_no_points_and_no_files(workspace: Workspace, broker: Any) -> None:
    document = ready(workspace, "words")
    pk = str(workspace.pk)
    broker.delete("index")
    workspace.delete()
    assert broker.llen("index") == 1
    tasks.forget_workspace(pk)
    assert wiring.index().counts(pk) == {}
    assert not files.path_of(document.folder).exists()
