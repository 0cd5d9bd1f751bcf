"""Programs as they call North: over HTTP, with a key, through the broker and a worker of this process. The embedder is the real small one,
the cross-encoder tiny and random, the chat model plays what a test tells it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from celery.contrib.testing.worker import start_worker
from django.db import connection

from north import wiring
from north.celery import app
from north.workspaces.models import ApiKey, Membership
from tests.api.calling import Caller
from tests.api.living import silent_worker
from tests.inference import tiny
from tests.threads.conftest import ACTOR, Actor, answered, model, notice, shelve  # noqa: F401

EMBEDDER = "all-minilm-l6-v2-int8"
SMALL = wiring.Embedders()
"""Loaded once for all tests."""


@pytest.fixture
def models(settings: Any, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Actor]:
    """The models of this test, made from its settings; what other tests of this process loaded stays as it was."""
    folder = tmp_path_factory.mktemp("cross-encoder")
    tiny.save(folder, head=True)
    settings.MODELS = {
        "embed": {**settings.MODELS["embed"], "engine": "north.inference.embedding.load", "model": EMBEDDER},
        "score": {"engine": "tests.inference.tiny.load", "folder": str(folder), "model": "tiny"},
        "chat": {"engine": "tests.threads.conftest.engine", "model": "scripted"},
    }
    monkeypatch.setattr(wiring, "embedder", SMALL)
    for name, role in (("scorer", "score"), ("chat_model", "chat")):
        monkeypatch.setattr(wiring, name, wiring.once(lambda role=role: wiring.engine(role)))
    ACTOR.as_before()
    yield ACTOR
    ACTOR.as_before()


@pytest.fixture
def lane(broker: Any, models: Actor, transactional_db: None) -> Iterator[Actor]:
    """A worker on the interactive lane."""
    with start_worker(app, pool="threads", concurrency=4, queues=["search"], perform_ping_check=False, loglevel="ERROR"):
        yield models


@pytest.fixture
def library(models: Actor, vectors: str, settings: Any) -> Iterator[None]:
    """An index of this test's own, for its embedder."""
    settings.QDRANT_COLLECTION = "programs"
    for part in (wiring.index, wiring.retriever):
        part.cache_clear()
    settings.MODELS = {role: one for role, one in settings.MODELS.items() if role != "score"}
    yield
    for part in (wiring.index, wiring.retriever):
        part.cache_clear()


@pytest.fixture
def whole_lane(broker: Any, library: None, models: Actor, transactional_db: None) -> Iterator[Actor]:
    """The same worker; it carries questions to the workspace's assistant, too."""
    with start_worker(app, pool="threads", concurrency=8, queues=["search", "runs"], perform_ping_check=False, loglevel="ERROR"):
        yield models


@pytest.fixture
def key(transactional_db: None, reader: Membership) -> str:
    return ApiKey.issue(workspace=reader.workspace, user=reader.user)[1]


@pytest.fixture
def program(server: str, key: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, headers={"Authorization": f"Bearer {key}"}, timeout=60) as client:
        yield client


@pytest.fixture
def worker(broker: Any, vectors: str, transactional_db: None, model: Actor) -> Iterator[Actor]:  # noqa: F811
    """Searches and answers, with a chat model that follows a script."""
    with start_worker(app, pool="solo", queues=["search", "runs"], perform_ping_check=False, loglevel="ERROR"):
        yield model


@pytest.fixture
def no_worker(broker: Any) -> Iterator[None]:
    """The model worker is known to have gone silent, so that no search waits for it."""
    silent_worker()
    yield
    broker.delete("north:health:gpu")


@pytest.fixture
def stored(settings: Any, tmp_path: Path) -> None:
    """Files lie in a folder of the test's own."""
    settings.FILES_DIR = tmp_path


@pytest.fixture
def alice_calls(owner: Membership) -> Caller:
    return Caller(owner)


@pytest.fixture
def bob_calls(editor: Membership) -> Caller:
    return Caller(editor)


@pytest.fixture
def rita_calls(reader: Membership) -> Caller:
    return Caller(reader)


@pytest.fixture
def looked_up(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each look-up of a name came within a transaction. Names of this world are public but `inside.example`."""
    real, found = socket.getaddrinfo, list[bool]()

    def asked(host: Any, *arguments: Any, **more: Any) -> Any:
        if not str(host).endswith(".example"):
            return real(host, *arguments, **more)
        found.append(connection.in_atomic_block)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1" if host == "inside.example" else "93.184.216.34", 443))]

    monkeypatch.setattr(socket, "getaddrinfo", asked)
    return found
