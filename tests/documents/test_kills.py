"""kill -9 at every stage: what was accepted is ready after recovery, once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.utils import timezone

from north import wiring
from north.documents import actions, tasks
from north.documents.models import Document, Status, SyncRun
from north.documents.readers import Readers
from north.reindexing import actions as reindexing
from north.reindexing.tasks import tend
from north.workspaces.models import Membership, Workspace
from tests.documents.conftest import make, ready

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("vectors")]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def workers(django_db_setup: None) -> Iterator[subprocess.Popen]:
    """Forks worker processes, each for one order."""
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "tests.settings"}
    command = [sys.executable, "-m", "tests.documents.worker_process"]
    environment["NORTH_TEST_DATABASE"] = str(connection.settings_dict["NAME"])
    with subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()


def work_until_killed(workers: subprocess.Popen, failpoint: str) -> int:
    """The exit code of a worker process that dies at the failpoint."""
    roots = [str(root) for root in django_settings.FOLDER_ROOTS]
    workers.stdin.write(json.dumps({"failpoint": failpoint, "files": str(django_settings.FILES_DIR), "roots": roots}) + "\n")
    workers.stdin.flush()
    return int(workers.stdout.readline())


def recover() -> None:
    """As if the leases had run out and the sweeper had hinted."""
    past = timezone.now() - timedelta(seconds=1)
    Document.objects.filter(lease_until__isnull=False).update(lease_until=past)
    SyncRun.objects.filter(lease_until__isnull=False).update(lease_until=past)
    for run in SyncRun.objects.filter(status__in=SyncRun.WORKING):
        tasks.sync(str(run.pk))
    tasks.prepare()
    tasks.index()


@pytest.mark.parametrize("stage", ["fetch", "parse", "chunk", "embed", "upsert", "commit"])
def test_a_worker_killed_at_a_stage_loses_nothing(workspace: Workspace, workers: subprocess.Popen, stage: str) -> None:
    documents = [make(workspace, f"words of number {number}") for number in range(2)]
    assert work_until_killed(workers, f"{stage}:2") == -9
    recover()
    rows = Document.objects.in_bulk([document.pk for document in documents])
    assert {(row.status, row.error) for row in rows.values()} == {(Status.READY, "")}
    assert wiring.index().counts(str(workspace.pk)) == {str(document.pk): 1 for document in documents}


def test_a_sync_killed_in_the_middle_begins_again_and_doubles_nothing(
    editor: Membership, workers: subprocess.Popen, tmp_path: Path, settings: Any
) -> None:
    folder = tmp_path / "shares" / "many"
    folder.mkdir(parents=True)
    settings.FOLDER_ROOTS = [tmp_path / "shares"]
    for number in range(5):
        (folder / f"{number}.txt").write_text(f"words of number {number}")
    source = actions.create_source(name="Many", given={"path": str(folder)}, schedule=0, readers=Readers(everyone=True), actor=editor)
    assert work_until_killed(workers, "fetch:3") == -9
    assert source.documents.count() == 2
    recover()
    run = source.sync_runs.get()
    assert (run.status, run.new, run.unchanged) == ("done", 3, 2)
    assert sorted(source.documents.values_list("name", "status")) == [(f"{number}.txt", "ready") for number in range(5)]


@pytest.mark.parametrize("stage", ["chunk", "embed", "upsert", "copy"])
def test_killed_while_a_document_is_brought_into_a_new_index_it_is_there_once(
    workers: subprocess.Popen, broker: Any, workspace: Workspace, stage: str
) -> None:
    documents = [ready(workspace, f"words of document {number}") for number in range(2)]
    coming = reindexing.begin(wiring.serving().model, 400, swaps_itself=False, actor=None)
    assert work_until_killed(workers, f"{stage}:2") == -9
    assert Document.objects.uncopied(coming).count() == 1, "what was done is not done again"
    recover()
    assert wiring.index(of=coming).counts(str(workspace.pk)) == {str(document.pk): 1 for document in documents}
    assert not Document.objects.uncopied(coming).exists() and wiring.serving() != coming
    reindexing.stop(coming, actor=None)
    tend()
    assert wiring.collection(coming).made() is None
