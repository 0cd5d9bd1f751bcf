"""A worker that is killed while it writes: the next one goes on, and who watches neither misses nor doubles a word."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta

import pytest
import redis
from django.db import connection
from django.utils import timezone

from north.documents.models import Document
from north.threads import actions
from north.threads.models import Run
from north.workspaces.models import Membership, User
from tests.threads.conftest import Actor, Told, finish, in_background, listening

pytestmark = pytest.mark.django_db(transaction=True)

WORKER = """
import sys, django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[2]
settings.MODELS = {**settings.MODELS, "chat": {"engine": "tests.threads.conftest.engine", "model": "scripted"}}
django.setup()
from north.threads import tasks
tasks.execute(sys.argv[1])
"""


def killed(run: Run, failpoint: str) -> None:
    """A worker of its own takes the run and dies at this point, as by kill -9."""
    environment = {**os.environ, "NORTH_FAILPOINT": failpoint}
    name = str(connection.settings_dict["NAME"])
    done = subprocess.run([sys.executable, "-c", WORKER, str(run.pk), name], env=environment, timeout=90, check=False)
    assert done.returncode == -signal.SIGKILL
    assert Run.objects.get(pk=run.pk).status == "running"
    Run.objects.filter(pk=run.pk).update(lease_until=timezone.now() - timedelta(seconds=1))


def words(events: Sequence[Told]) -> str:
    """What a page shows of the answer when these events have come."""
    shown = ""
    for event in events:
        shown = "" if event.kind == "restart" else shown + event.data if event.kind == "delta" else shown
    return shown


@pytest.mark.parametrize("failpoint", ["generate:1", "generate:4"])
def test_a_run_whose_worker_was_killed_is_finished_once(
    server: str, broker: redis.Redis, model: Actor, notice: Document, reader: Membership, rita: User, failpoint: str
) -> None:
    run = actions.start("How long is the notice period?", actor=reader)
    told: list[Told] = []

    def listen() -> None:
        with listening(server, run, rita) as (_, events):
            told.extend(events)

    listener = in_background(listen)
    killed(run, failpoint)
    finished = finish(run)
    listener.join(20)
    assert (finished.status, finished.attempts) == ("done", 2)
    assert finished.answer == "The notice period is thirty days for all staff."
    assert [step.kind for step in finished.steps.all()] == ["plan", "search", "read", "answer", "cite"]
    assert finished.citations.count() == 1
    assert [event.kind for event in told].count("restart") >= 2
    assert words(told) == finished.answer
    assert told[-1].kind == "end"
