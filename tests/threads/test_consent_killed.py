"""kill -9 around an action that a person allowed: at every point before, in and after it. Nothing is lost and nothing is done twice."""

from __future__ import annotations

import subprocess
import sys

import pytest
import redis
from django.db import connection

from north.documents.models import Document
from north.threads import actions
from north.threads.models import Approval, Artifact, ArtifactVersion, Run
from north.workspaces.models import AuditEvent, Membership
from tests.threads.conftest import Actor, finish

pytestmark = pytest.mark.django_db(transaction=True)
ORDER = "Please write a report about the notice period."

# One process that dies again and again: each fork begins where the last one was killed, so that Django is loaded once.
LIFE = """
import os, signal, sys, django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[2]
settings.MODELS = {**settings.MODELS, "chat": {"engine": "tests.threads.conftest.engine", "model": "scripted"}}
django.setup()
import itertools
from datetime import timedelta
from django.db import connections
from django.utils import timezone
from north import failpoints
from north.threads import approving, checkpoints, tasks, journal
from north.threads.models import Approval, Run
from north.workspaces.access import enter

def approve():
    row = Approval.objects.get(run=sys.argv[1])
    run = Run.objects.select_related("thread__user").get(pk=sys.argv[1])
    approving.approve(row, seen=row.proposed, actor=enter(run.thread.user, pk=run.thread.workspace_id))

def work():
    tasks.execute(sys.argv[1])

for point in sys.argv[3].split():
    deed, stage, nth = point.split("/")
    child = os.fork()
    if not child:
        failpoints.STAGE, failpoints.NTH, failpoints.REACHED = stage, nth, itertools.count(1)
        {"work": work, "approve": approve}[deed]()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(point, os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), flush=True)
    Run.objects.filter(pk=sys.argv[1], status="running").update(lease_until=timezone.now() - timedelta(seconds=1))
    Run.objects.filter(pk=sys.argv[1], status="running").update(attempts=0)
    connections.close_all()
"""


def lives(run: Run, *points: str) -> list[str]:
    """Workers and web processes that take up the run one after the other, each killed at its point ("work/act/1": the worker, the first
    time it comes to `act`). How each ended."""
    name = str(connection.settings_dict["NAME"])
    command = [sys.executable, "-c", LIFE, str(run.pk), name, " ".join(points)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return [line.rpartition(" ")[2] for line in done.stdout.splitlines()]


BEFORE = [
    "work/generate/1", "work/propose/1", "work/rest/1", "work/propose/1", "work/rest/1", "work/rested/1", "approve/decide/1",
    "approve/decide/1",
]  # fmt: skip
AFTER = [
    "work/propose/1", "work/act/1", "work/acted/1", "work/propose/1", "work/act/1", "work/acted/1", "work/acted/1", "work/act/1",
    "work/propose/1", "work/acted/1", "work/act/1", "work/done/1",
]  # fmt: skip


@pytest.mark.timeout(600)
def test_twenty_kills_around_an_action_lose_nothing_and_double_nothing(
    broker: redis.Redis, model: Actor, notice: Document, reader: Membership
) -> None:
    run = actions.start(ORDER, actor=reader)
    ends = lives(run, *BEFORE, "approve/-/1", *AFTER)
    assert len(BEFORE + AFTER) == 20
    assert ends == ["9"] * len(BEFORE) + ["0"] + ["9"] * len(AFTER), "a decision whose transaction was killed can be made again"
    assert (Approval.objects.get().standing, ArtifactVersion.objects.count()) == ("done", 1)
    finished = finish(run)
    assert (finished.status, finished.answer) == ("done", "The notice period is thirty days for all staff.")
    assert ArtifactVersion.objects.count() == Artifact.objects.count() == Approval.objects.count() == 1
    assert AuditEvent.objects.filter(action="approval.done").count() == 1
    assert [step.key for step in finished.steps.all()] == ["plan", "search:1", "read:1", "answer", "cite", "act:1"]
