"""Search without models: by words, in the worker or without one, and saying so on the page and in the API."""

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
from north.celery import app
from north.documents import actions, passages
from north.inference.errors import ModelMissing, Overloaded
from north.workspaces.models import ApiKey, Membership, Workspace
from retrieval.types import Filters
from tests.documents.conftest import ready

PAGE, CALL = "/w/acme/search", "/api/v1/search"


class Broken:
    """An embedding engine as `wiring` makes it, whose model is not there."""

    dimensions = 384
    fault: Exception = ModelMissing("tiny")

    def embed_queries(self, texts: list[str]) -> Any:
        raise self.fault

    embed_passages = embed_queries


def broken(**_: Any) -> Broken:
    return Broken()


@pytest.fixture
def worker(broker: Any, vectors: str, transactional_db: None) -> Iterator[None]:
    with start_worker(app, pool="solo", queues=["search"], perform_ping_check=False, loglevel="ERROR"):
        yield


@pytest.fixture
def no_embedder(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.MODELS = {**settings.MODELS, "embed": {**settings.MODELS["embed"], "engine": "tests.documents.test_words_only.broken"}}
    monkeypatch.setattr(wiring, "embedder", wiring.Embedders())


def call(workspace: Workspace, reader: Membership, body: object) -> Any:
    headers = {"Authorization": f"Bearer {ApiKey.issue(workspace=workspace, user=reader.user)[1]}"}
    return Client().post(CALL, json.dumps(body), content_type="application/json", headers=headers)


def fill(workspace: Workspace) -> None:
    ready(workspace, "Parental leave lasts sixteen weeks.", name="leave.txt")
    ready(workspace, "The canteen opens at noon.", name="food.txt")
    ready(workspace, "Parental leave of the board.", name="secret.txt", principals=[])


def test_a_model_that_is_missing_leaves_the_words_and_is_named(
    worker: None, workspace: Workspace, reader: Membership, as_rita: Client, request: pytest.FixtureRequest
) -> None:
    fill(workspace)
    request.getfixturevalue("no_embedder")
    html = as_rita.get(PAGE, {"q": "parental leave"}).content.decode()
    assert "Only words are compared just now" in html and "The model tiny is not on this machine" in html
    assert "leave.txt" in html and "food.txt" not in html and "secret.txt" not in html
    answer = call(workspace, reader, {"query": "parental leave"}).json()
    assert "The model tiny is not on this machine" in answer["notice"]
    why = answer["results"][0]["passages"][0]["why"]
    assert why["sparse"] > 0 and "dense" not in why and 0 < answer["results"][0]["score"] < 1


def test_an_agent_is_not_given_the_worse_answer(
    vectors: str, workspace: Workspace, reader: Membership, transactional_db: None, request: pytest.FixtureRequest
) -> None:
    fill(workspace)
    request.getfixturevalue("no_embedder")
    with pytest.raises(ModelMissing):
        passages.search(str(workspace.pk), str(reader.user_id), "parental leave", 5)


def test_an_engine_that_is_too_busy_is_not_missing(
    vectors: str, workspace: Workspace, reader: Membership, transactional_db: None, request: pytest.FixtureRequest, monkeypatch: Any
) -> None:
    fill(workspace)
    request.getfixturevalue("no_embedder")
    monkeypatch.setattr(Broken, "fault", Overloaded())
    with pytest.raises(Overloaded):
        passages.find(str(workspace.pk), str(reader.user_id), "parental leave", 5)


def test_a_model_that_is_being_loaded_is_not_waited_for(
    vectors: str, workspace: Workspace, reader: Membership, transactional_db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(workspace)
    gate, slow = threading.Event(), None

    def load() -> Broken:
        gate.wait(30)
        return Broken()

    slow = wiring.once(load)
    monkeypatch.setattr(wiring, "embedder", slow)
    assert not slow.loading()
    loader = threading.Thread(target=slow)
    loader.start()
    try:
        while not slow.loading():
            time.sleep(0.005)
        found = passages.find(str(workspace.pk), str(reader.user_id), "parental leave", 5)
    finally:
        gate.set()
        loader.join()
    assert [one.name for one in found.passages] == ["leave.txt"] and "still being loaded" in found.notice
    assert not slow.loading()


def test_without_the_worker_the_web_process_asks_the_index_by_words(
    broker: Any, vectors: str, workspace: Workspace, reader: Membership, as_rita: Client, transactional_db: None, monkeypatch: Any
) -> None:
    fill(workspace)
    monkeypatch.setattr(actions, "ANSWER_SECONDS", 0.4)
    html = as_rita.get(PAGE, {"q": "parental leave"}).content.decode()
    assert "the model worker does not answer" in html and "leave.txt" in html and "secret.txt" not in html
    answer = call(workspace, reader, {"query": "parental leave", "filters": {"type": ["pdf"]}}).json()
    assert answer["results"] == [] and "the model worker does not answer" in answer["notice"]
    broker.delete("search")


def test_a_worker_that_is_known_to_be_away_is_not_waited_for(
    broker: Any, vectors: str, workspace: Workspace, reader: Membership, transactional_db: None
) -> None:
    fill(workspace)
    broker.hset("north:health:gpu", "here", json.dumps({"at": time.time() - 60, "pid": 1, "models": []}))
    began = time.monotonic()
    try:
        found = actions.search("parental leave", top_k=5, actor=reader, filters=Filters(types=frozenset({"text"})))
    finally:
        broker.delete("north:health:gpu")
    assert time.monotonic() - began < 5 and len(found.passages) == 1 and found.notice


def test_without_the_broker_too(
    vectors: str, workspace: Workspace, reader: Membership, transactional_db: None, monkeypatch: pytest.MonkeyPatch, settings: Any
) -> None:
    fill(workspace)
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    actions.redis_client.cache_clear()
    try:
        found = actions.search("parental leave", top_k=5, actor=reader)
    finally:
        actions.redis_client.cache_clear()
    assert [one.name for one in found.passages] == ["leave.txt"] and found.notice
