"""kill -9 around an action that a person allowed: at every point before, in and after it. Nothing is lost and nothing is done twice."""

from __future__ import annotations

import json
import os
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


# The same without chosen points: each life is ended after a random while, at whatever it does then. Minutes, so only where it is asked for.
KILLS = int(os.environ.get("NORTH_KILLS", "0"))
ORDERS = (ORDER, "What is 12 * 30? Write a report about the notice period.")
LIVES = """
import json, os, random, signal, sys, time, django
from django.conf import settings
settings.DATABASES["default"]["NAME"] = sys.argv[1]
settings.MODELS = {**settings.MODELS, "chat": {"engine": "tests.threads.conftest.engine", "model": "scripted"}}
django.setup()
from collections import Counter
from datetime import timedelta
from django.db import connections
from django.utils import timezone
from north.threads import approving, checkpoints, tasks, journal
from north.threads.models import Approval, Run
from north.workspaces.access import enter
from tests.threads.conftest import ACTOR
ACTOR.delay = 0.01
chance, kills, target, where, longest = random.Random(int(sys.argv[4])), 0, int(sys.argv[2]), Counter(), {}

def approve(run):
    row = Approval.objects.get(run=run)
    run = Run.objects.select_related("thread__user").get(pk=run)
    approving.approve(row, seen=row.proposed, actor=enter(run.thread.user, pk=run.thread.workspace_id))

def life(deed, run, seconds):
    began, child = time.monotonic(), os.fork()
    if not child:
        deed(run)
        os._exit(0)
    while seconds is None or time.monotonic() - began < seconds:
        if os.waitpid(child, os.WNOHANG)[0]:
            return time.monotonic() - began, False
        time.sleep(0.002)
    os.kill(child, signal.SIGKILL)
    return seconds, os.WIFSIGNALED(os.waitpid(child, 0)[1])

for place, run in enumerate(json.loads(sys.argv[3])):
    left = 0 if not place else -(-(target - kills) // (len(json.loads(sys.argv[3])) - place))
    while True:
        state = Run.objects.get(pk=run)
        if state.status in {"done", "failed", "cancelled"}:
            break
        waits = Approval.objects.filter(run=run, standing="waiting").exists() and state.status == "pending"
        deed = approve if waits else tasks.execute
        decided = Approval.objects.filter(run=run, standing="approved").exists()
        kind = "approving" if waits else "after" if decided else "before"
        connections.close_all()
        seconds = chance.uniform(0, longest.get(kind, 1.0)) if left > 0 else None
        took, killed = life(deed, run, seconds)
        print(place, kills, kind, state.status, f"{took:.2f} s", "killed" if killed else "ended", file=sys.stderr, flush=True)
        if seconds is None:
            longest.setdefault(kind, took)
        if killed:
            kills, left = kills + 1, left - 1
            last = Run.objects.get(pk=run).steps.order_by("-ordinal").values_list("key", "ended_at").first()
            where[kind + " " + (f"{last[0]} {'done' if last[1] else 'begun'}" if last else "first")] += 1
        Run.objects.filter(pk=run, status="running").update(lease_until=timezone.now() - timedelta(seconds=1), attempts=0)
        connections.close_all()
print(json.dumps([kills, where]), flush=True)
"""


@pytest.mark.skipif(not KILLS, reason="takes minutes: NORTH_KILLS=200 in the environment asks for it")
@pytest.mark.timeout(3600)
def test_kills_at_random_points_lose_nothing_and_double_nothing(
    broker: redis.Redis, model: Actor, notice: Document, reader: Membership
) -> None:
    done, killed = list[Run](), 0
    while killed < KILLS:
        runs = [actions.start(ORDERS[number % 2], actor=reader) for number in range(5)]  # so many may be open at once
        done += runs
        kills, where = lived(runs, min(40, KILLS - killed), seed=len(done))
        killed += kills
        print(f"{killed} kills over {len(done)} runs: {where}", flush=True)
        assert kills, "a run may end before each of its kills was due, but not before all"
        assert set(Run.objects.values_list("status", flat=True)) == {"done"}, "none is lost"
        assert Approval.objects.filter(standing="done").count() == Approval.objects.count() == len(done)
        assert Artifact.objects.count() == ArtifactVersion.objects.count() == len(done), "none is done twice"
        assert AuditEvent.objects.filter(action="approval.done").count() == len(done)


def lived(runs: list[Run], kills: int, seed: int) -> tuple[int, dict[str, int]]:
    """How often they were killed before all were over, and where."""
    name, ids = str(connection.settings_dict["NAME"]), json.dumps([str(run.pk) for run in runs])
    command = [sys.executable, "-c", LIVES, name, str(kills), ids, str(seed)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, timeout=3000, check=True)
    number, where = json.loads(done.stdout.splitlines()[-1])
    return number, where
