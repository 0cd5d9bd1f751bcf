"""/metrics, read with Prometheus' own parser."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from north.api.exposition import Family, text
from north.documents.models import Document, Status
from north.heartbeat import Reporter
from north.hints import hint
from north.inference.metering import Used
from north.threads.models import Run, Thread
from north.usage import models as usage
from north.workspaces.models import User, Workspace

pytestmark = pytest.mark.django_db


@pytest.fixture
def stage(broker: redis.Redis) -> Iterator[redis.Redis]:
    broker.flushall()
    yield broker
    broker.flushall()


def read(client: Client | None = None, **headers: str) -> dict[tuple[str, ...], float]:
    answer = (client or Client()).get("/metrics", headers=headers)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples: list[Sample] = [one for family in text_string_to_metric_families(answer.content.decode()) for one in family.samples]
    return {(one.name, *one.labels.values()): one.value for one in samples}


def test_it_says_how_runs_documents_and_queues_are(stage: redis.Redis, workspace: Workspace, rita: User) -> None:
    thread = Thread.objects.create(workspace=workspace, user=rita)
    waiting = Run.objects.create(thread=thread, question="Why?")
    Run.objects.filter(pk=waiting.pk).update(created_at=timezone.now() - timedelta(seconds=90))
    Document.objects.create(
        workspace=workspace, name="a", sha256="0" * 64, status=Status.INDEXING, status_at=timezone.now() - timedelta(seconds=50)
    )
    Document.objects.create(workspace=workspace, name="b", sha256="1" * 64, status=Status.FAILED)
    hint("threads.execute", "one")
    hint("threads.execute", "two")
    found = read()
    assert found["north_runs", "pending"] == 1 and found["north_runs", "done"] == 0
    assert 90 <= found["north_runs_oldest_waiting_seconds",] < 120
    assert found["north_documents", "indexing"] == 1 and found["north_documents", "failed"] == 1
    assert 50 <= found["north_documents_oldest_waiting_seconds", "indexing"] < 80
    assert found["north_queue_messages", "runs"] == 2 and found["north_queue_messages", "search"] == 0
    assert 0 <= found["north_queue_age_seconds", "runs"] < 30
    assert found["north_up", "broker"] == 1 and found["north_up", "gpu"] == 0
    assert found["north_process_memory_bytes", "web", *_hosts(found), "pss"] > 10_000_000


def _hosts(found: dict[tuple[str, ...], float]) -> set[str]:
    return {key[2] for key in found if key[0] == "north_process_memory_bytes"}


def test_it_counts_tokens_by_model_since_midnight(stage: redis.Redis, workspace: Workspace, rita: User) -> None:
    usage.add(usage.Kind.RUN, Used(100, 30, 9, 2.5), model='odd "name"\n\\', workspace=workspace.pk, user=rita.pk, count=1)
    usage.Usage.objects.create(
        id=rita.pk, day=usage.today() - timedelta(days=1), kind="run", workspace=workspace.pk, model="yesterday", tokens_in=5
    )
    found = read()
    tokens = {key[3]: value for key, value in found.items() if key[:3] == ("north_tokens_total", "run", 'odd "name"\n\\')}
    assert tokens == {"in": 100, "cached": 30, "out": 9}
    assert found["north_model_seconds_total", "run", 'odd "name"\n\\'] == 2.5
    assert not any("yesterday" in key for key in found)


def test_it_says_what_workers_say_of_their_models_and_batches(stage: redis.Redis) -> None:
    reporter = Reporter("gpu", {"embed": "nothing", "chat": "nothing"})
    state = reporter.state("embed", {})
    state.state, state.stats = "ready", {"batches": 4, "entries": 100, "tokens": 5000, "busy": 2.5, "waiting": {"people": 1, "bulk": 7}}
    reporter.host = "gpu-1"
    reporter.say([state, reporter.state("chat", {})])
    found = read()
    embed, chat = ("gpu", "gpu-1", "embed", state.name), ("gpu", "gpu-1", "chat", reporter.models["chat"].name)
    assert found["north_batcher_batches_total", *embed] == 4 and found["north_batcher_entries_total", *embed] == 100
    assert found["north_batcher_tokens_total", *embed] == 5000 and found["north_batcher_busy_seconds_total", *embed] == 2.5
    assert found["north_batcher_waiting", *embed, "bulk"] == 7
    assert found["north_model_state", *embed, "ready"] == 1 and found["north_model_state", *chat, "loading"] == 1
    assert 0 <= found["north_worker_heartbeat_age_seconds", "gpu", "gpu-1"] < 5
    assert found["north_process_memory_bytes", "gpu", "gpu-1", "rss"] > 10_000_000


@pytest.mark.parametrize(
    ("address", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("::1", {}, 200),
        ("10.0.0.7", {}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "10.0.0.7"}, 404),
        ("127.0.0.1", {"Forwarded": "for=10.0.0.7"}, 404),
        ("", {}, 404),
    ],
)
def test_without_a_token_only_this_machine_reads(stage: redis.Redis, address: str, headers: dict[str, str], status: int) -> None:
    assert Client(REMOTE_ADDR=address).get("/metrics", headers=headers).status_code == status


@pytest.mark.parametrize(
    ("said", "status"), [("Bearer s3cret", 200), ("Bearer s3cret ", 404), ("Bearer", 404), ("s3cret", 404), ("Bearer é", 404), ("", 404)]
)
def test_with_a_token_it_alone_opens(stage: redis.Redis, settings: Any, said: str, status: int) -> None:
    settings.METRICS_TOKEN = "s3cret"
    assert Client(REMOTE_ADDR="10.0.0.7").get("/metrics", headers={"Authorization": said}).status_code == status
    assert Client(REMOTE_ADDR="127.0.0.1").get("/metrics").status_code == 404


@pytest.mark.usefixtures("workspace")
def test_nobody_is_named(stage: redis.Redis, rita: User) -> None:
    page = Client().get("/metrics").content.decode().lower()
    assert not any(name in page for name in ("acme", "rita", "alice"))


def test_it_takes_few_queries(stage: redis.Redis, django_assert_max_num_queries: Any) -> None:
    with django_assert_max_num_queries(12):
        read()


@given(
    st.lists(
        st.tuples(st.text(alphabet=st.characters(exclude_categories=["Cs"])), st.floats(allow_nan=False)),
        max_size=5,
        unique_by=lambda x: x[0],
    )
)
def test_any_label_and_number_is_read_back(samples: list[tuple[str, float]]) -> None:
    family = Family("anything", "gauge", "Help\nwith a \\ and a second line.")
    for label, value in samples:
        family.add(value, label=label)
    wanted = {label: float(f"{value:.15g}") for label, value in samples}
    found = {s.labels["label"]: s.value for f in text_string_to_metric_families(text([family])) for s in f.samples}
    assert found == wanted
