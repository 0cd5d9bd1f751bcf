from __future__ import annotations

from datetime import timedelta

import pytest
import redis
from celery.contrib.testing.worker import start_worker
from django.utils import timezone

from north.celery import app
from north.documents.models import Document
from north.threads import actions, tasks
from north.threads.checkpoints import checkpointer
from north.threads.journal import key
from north.threads.models import Run, Thread
from north.workspaces.models import Membership
from tests.installation import wait_until
from tests.threads.conftest import Actor

pytestmark = pytest.mark.django_db(transaction=True)


def offered(broker: redis.Redis) -> int:
    return broker.llen("runs")


@pytest.fixture
def asked(transactional_db: None, broker: redis.Redis, reader: Membership) -> Run:
    run = actions.start("How long is the notice period?", actor=reader)
    broker.flushall()
    return run


def test_a_message_that_was_lost_is_sent_again(asked: Run, broker: redis.Redis) -> None:
    tasks.sweep()
    assert offered(broker) == 1


@pytest.mark.parametrize("status", ["pending", "running"])
def test_a_run_whose_worker_has_gone_silent_is_offered_again_and_no_sooner(asked: Run, broker: redis.Redis, status: str) -> None:
    Run.objects.update(status=status, lease_until=timezone.now() + timedelta(seconds=5))
    tasks.sweep()
    assert offered(broker) == 0
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    tasks.sweep()
    assert offered(broker) == 1


@pytest.mark.parametrize("status", ["done", "failed", "cancelled"])
def test_what_is_over_is_never_offered_again(asked: Run, broker: redis.Redis, status: str) -> None:
    Run.objects.update(status=status)
    tasks.sweep()
    tasks.execute(str(asked.pk))
    assert offered(broker) == 0
    assert Run.objects.get().attempts == 0


def test_a_question_that_nobody_takes_ends_in_words(asked: Run) -> None:
    Run.objects.update(created_at=timezone.now() - timedelta(minutes=tasks.PENDING_MINUTES + 1))
    tasks.sweep()
    run = Run.objects.get()
    assert run.status == "failed"
    assert "No worker took this question" in run.error


def test_a_deleted_thread_is_cleared_with_all_that_hangs_on_it_once_nobody_works_on_it(
    answered: Run, broker: redis.Redis, reader: Membership
) -> None:
    saver, config = checkpointer(), {"configurable": {"thread_id": str(answered.pk), "checkpoint_ns": ""}}
    saver.put(config, {"v": 4, "id": "1", "ts": "", "channel_values": {}, "channel_versions": {}, "versions_seen": {}}, {}, {})
    actions.delete(answered.thread, actor=reader)
    Run.objects.update(lease_until=timezone.now() + timedelta(seconds=5))
    tasks.sweep()
    assert Thread.objects.exists()
    Run.objects.update(lease_until=None)
    tasks.sweep()
    assert not Thread.objects.exists()
    assert not broker.exists(key(answered.pk))
    assert saver.get(config) is None


def test_a_real_worker_answers_what_is_asked(
    transactional_db: None, broker: redis.Redis, model: Actor, notice: Document, reader: Membership
) -> None:
    with start_worker(app, pool="threads", concurrency=3, queues=["runs"], perform_ping_check=False):
        runs = [actions.start("How long is the notice period?", actor=reader) for _ in range(3)]
        wait_until(lambda: not Run.objects.open().exists(), 30)
    assert [Run.objects.get(pk=run.pk).answer for run in runs] == ["The notice period is thirty days for all staff."] * 3
