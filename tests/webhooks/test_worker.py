"""A message on its way from what happened to the receiver, by a real broker and a real worker."""

from __future__ import annotations

import uuid

import pytest
import redis
from celery.contrib.testing.worker import start_worker

from north.celery import app
from north.webhooks import actions, tasks
from north.webhooks.announcing import announce
from north.webhooks.models import Delivery, Event
from north.workspaces.models import Membership
from tests.installation import wait_until
from tests.webhooks.conftest import Receiver

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("broker")]


def test_what_happens_is_told_at_once_and_what_the_broker_lost_by_the_sweeper(
    owner: Membership, receiver: Receiver, broker: redis.Redis
) -> None:
    hook, _secret = actions.create(receiver.url, Event.values, actor=owner)
    announce(Event.APPROVAL_NEEDED, workspace=hook.workspace_id, run=uuid.uuid4())
    broker.delete("webhooks")
    with start_worker(app, pool="threads", concurrency=2, queues=["webhooks"], perform_ping_check=False, loglevel="ERROR"):
        announce(Event.RUN_FINISHED, workspace=hook.workspace_id, run=uuid.uuid4())
        wait_until(lambda: len(receiver.came) == 1, 20)
        tasks.sweep()
        wait_until(lambda: Delivery.objects.filter(status=Delivery.Status.DONE).count() == 2, 20)
    assert [b"run.finished" in body for _headers, body in receiver.came] == [True, False]
