from __future__ import annotations

import threading
import uuid
from datetime import UTC, datetime

import pytest
from django.db import connections
from django.utils import timezone

from north.inference.metering import Used
from north.usage import models as usage
from north.usage.models import Kind, Usage

WHERE, WHO = uuid.uuid4(), uuid.uuid4()


def add(used: Used, **more: object) -> None:
    usage.add(Kind.RUN, used, **{"model": "m", "workspace": WHERE, "user": WHO, "count": 0, **more})  # type: ignore[arg-type]


@pytest.mark.django_db
def test_what_the_same_people_use_on_a_day_is_one_row() -> None:
    add(Used(100, 40, 7, 1.2), count=1)
    add(Used(50, 0, 3, 0.3))
    row = Usage.objects.get()
    assert (row.count, row.tokens_in, row.tokens_cached, row.tokens_out, row.milliseconds) == (1, 150, 40, 10, 1500)
    assert (row.day, row.kind, row.workspace, row.user, row.key) == (timezone.now().date(), "run", WHERE, WHO, None)


@pytest.mark.django_db
def test_another_day_user_key_model_kind_agent_or_workspace_is_another_row(monkeypatch: pytest.MonkeyPatch) -> None:
    used = Used(1)
    add(used)
    for other in ({"user": None}, {"key": uuid.uuid4()}, {"model": "n"}, {"agent": "clerk"}, {"workspace": uuid.uuid4()}):
        add(used, **other)
    usage.add(Kind.SEARCH, used, model="m", workspace=WHERE, user=WHO)
    monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 1, 1, tzinfo=UTC))
    add(used)
    assert Usage.objects.count() == 8


@pytest.mark.django_db
def test_nothing_used_writes_nothing() -> None:
    add(Used())
    assert not Usage.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_where_many_add_at_once() -> None:
    together = threading.Barrier(6)

    def work() -> None:
        together.wait()
        for _ in range(10):
            add(Used(tokens_in=1), count=1)
        connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [(row.count, row.tokens_in) for row in Usage.objects.all()] == [(60, 60)]
