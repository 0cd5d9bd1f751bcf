"""Search with a cross-encoder, through the real worker: its verdicts order what is found; and what everybody sees when it is too busy. The
cross-encoder is real and tiny, its verdicts random but always the same."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.test import Client

from north import wiring
from north.celery import LOADERS, app
from north.documents import actions, passages
from north.documents.errors import Busy
from north.heartbeat import Reporter
from north.inference.encoding import Scorer
from north.workspaces.models import ApiKey, Membership, Workspace
from tests.documents.conftest import ready
from tests.inference import tiny

QUESTION = "how many days of leave"
TEXTS = [
    "employees have thirty days of leave.",
    "how many days do i get? leave?",
    "the canteen opens at noon.",
    "leave leave leave days days",
]
LOTS = ["leave " * 100] * 3000


@pytest.fixture
def scorer(settings: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scorer]:
    folder = tmp_path_factory.mktemp("cross-encoder")
    tiny.save(folder, head=True)
    settings.MODELS = {**settings.MODELS, "score": {"engine": "tests.inference.tiny.load", "folder": str(folder), "model": "tiny"}}
    settings.RERANK_BLEND = "0"
    wiring.retriever.cache_clear()
    yield wiring.scorer()
    tiny.GATE.set()
    wiring.retriever.cache_clear()


@pytest.fixture
def worker(broker: Any, vectors: str, scorer: Scorer, transactional_db: None) -> Iterator[None]:
    with start_worker(app, pool="solo", queues=["search"], perform_ping_check=False, loglevel="ERROR"):
        yield


def until(true: Any) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_the_cross_encoder_decides_the_order(worker: None, scorer: Scorer, workspace: Workspace, reader: Membership) -> None:
    for number, text in enumerate(TEXTS):
        ready(workspace, text, name=f"{number}.txt")
    before = scorer.batcher.stats()
    found = actions.search(QUESTION, top_k=5, actor=reader).passages
    logits = dict(zip(TEXTS, scorer(QUESTION, TEXTS), strict=True))
    assert [passage.text for passage in found] == sorted(logits, key=lambda text: -logits[text])[: len(found)]
    assert all(passage.why["rerank"] == pytest.approx(float(logits[passage.text]), abs=1e-3) for passage in found) and len(found) >= 3
    waited = scorer.batcher.stats().longest_wait
    assert waited["people"] > 0 and waited["bulk"] == before.longest_wait["bulk"], "a search is in a hurry"


def test_a_search_may_go_without_it(worker: None, scorer: Scorer, workspace: Workspace, reader: Membership) -> None:
    ready(workspace, TEXTS[0])
    entries = scorer.batcher.stats().entries
    found = passages.find(str(workspace.pk), str(reader.user_id), QUESTION, 5, judge=False)
    assert found.passages and "rerank" not in found.passages[0].why and not found.notice
    assert scorer.batcher.stats().entries == entries


def test_a_busy_engine_is_told_at_once_on_the_page_and_in_the_api_with_its_own_time(
    worker: None, scorer: Scorer, workspace: Workspace, reader: Membership, as_rita: Client
) -> None:
    ready(workspace, TEXTS[0])
    assert len(actions.search(QUESTION, top_k=5, actor=reader).passages) == 1
    tiny.GATE.clear()
    waits = threading.Thread(target=scorer, args=("leave", LOTS))
    waits.start()
    until(lambda: scorer.batcher.stats().running)
    began = time.monotonic()
    page = as_rita.get("/w/acme/search", {"q": QUESTION})
    headers = {"Authorization": f"Bearer {ApiKey.issue(workspace=workspace, user=reader.user)[1]}"}
    answer = Client().post("/api/v1/search", json.dumps({"query": QUESTION}), content_type="application/json", headers=headers)
    took = time.monotonic() - began
    tiny.GATE.set()
    waits.join(30)
    assert page.status_code == 503 and "Search has too much to do just now" in page.content.decode()
    assert answer.status_code == 503 and answer.json()["code"] == "overloaded" and took < 5
    assert int(page.headers["Retry-After"]) >= 1 and int(answer.headers["Retry-After"]) >= 1
    assert f"in {answer.headers['Retry-After']} seconds" in answer.json()["detail"]
    assert len(actions.search(QUESTION, top_k=5, actor=reader).passages) == 1, "afterwards all is well"


def test_a_search_that_nobody_waits_for_any_more_costs_no_pass(
    worker: None, scorer: Scorer, workspace: Workspace, reader: Membership, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(workspace, TEXTS[0])
    tiny.GATE.clear()
    runs = threading.Thread(target=scorer, args=("leave", ["noon"]))
    runs.start()
    until(lambda: scorer.batcher.stats().running)
    before = scorer.batcher.stats()
    monkeypatch.setattr(actions, "ANSWER_SECONDS", 1)
    found = actions.search(QUESTION, top_k=5, actor=reader)
    assert "the model worker does not answer" in found.notice and "rerank" not in found.passages[0].why
    until(lambda: scorer.batcher.stats().gone == before.gone + 1)
    tiny.GATE.set()
    runs.join(10)
    assert scorer.batcher.stats().entries == before.entries + 1


def test_busy_says_whole_seconds() -> None:
    assert Busy(3.2).retry_after == 4 and "in 4 seconds" in str(Busy(3.2))


def test_the_worker_loads_it_where_the_settings_name_one_and_says_how_it_is(scorer: Scorer, settings: Any) -> None:
    reporter = Reporter("gpu", LOADERS["gpu"])
    assert set(reporter.models) == {"embed", "score", "chat"} and reporter.models["score"].name == "tiny"
    reporter.load("score", LOADERS["gpu"]["score"])
    assert reporter.models["score"].state == "ready"
    settings.MODELS = {role: config for role, config in settings.MODELS.items() if role != "score"}
    assert set(Reporter("gpu", LOADERS["gpu"]).models) == {"embed", "chat"}
