"""What a source brought waits while somebody searches, though never for ever; what a person brought does not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest
import redis

from north import wiring
from north.documents import courtesy, tasks
from north.documents.models import Document, Source, Status
from north.workspaces.models import Membership, Workspace
from tests.documents.conftest import make, read, ready
from tests.hashing import HashingEmbedder

FOR_EVER = 60.0


@pytest.fixture(autouse=True)
def nobody_searches(broker: redis.Redis) -> Iterator[None]:
    broker.delete(courtesy.searches())
    yield
    broker.delete(courtesy.searches())


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bulk work waits however long a search takes, so that a test that ends shows that it did not wait."""
    monkeypatch.setattr(courtesy, "LONGEST_SECONDS", FOR_EVER)


class Started(threading.Thread):
    def __init__(self, what: Callable[[], object]) -> None:
        super().__init__(daemon=True)
        self.what, self.over = what, threading.Event()
        self.start()

    def run(self) -> None:
        self.what()
        self.over.set()


def queued(workspace: Workspace, source: Source | None = None) -> Document:
    return Document.objects.create(workspace=workspace, source=source, external_id="x", name="x", sha256="0" * 64)


@pytest.mark.usefixtures("patient")
def test_bulk_work_waits_until_the_last_search_has_ended() -> None:
    with courtesy.searching():
        with courtesy.searching():
            bulk = Started(courtesy.stand_back)
            assert not bulk.over.wait(0.2)
        assert not bulk.over.wait(0.2), "the other search is still under way"
    assert bulk.over.wait(10)


@pytest.mark.django_db
def test_however_steadily_people_search_bulk_has_its_turn(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(courtesy, "LONGEST_SECONDS", 0.1)
    source = Source.objects.create(workspace=workspace, connector="folder", name="Many")
    document = queued(workspace, source)
    with courtesy.searching():
        assert tasks.take_next("unread") == document


@pytest.mark.django_db
@pytest.mark.usefixtures("patient")
def test_an_upload_waits_for_no_search(workspace: Workspace) -> None:
    document, began = queued(workspace), time.monotonic()
    with courtesy.searching():
        assert tasks.take_next("unread") == document
    assert time.monotonic() - began < FOR_EVER / 2


@pytest.mark.usefixtures("patient")
def test_a_search_whose_process_died_is_forgotten(broker: redis.Redis) -> None:
    broker.zadd(courtesy.searches(), {"died": time.time() - 1})
    assert not courtesy.somebody_searches()
    with courtesy.searching():
        assert courtesy.somebody_searches()


@pytest.mark.usefixtures("patient")
def test_without_the_broker_bulk_work_goes_on(settings: Any) -> None:
    settings.REDIS_URL = "redis://127.0.0.1:9/0"
    courtesy.redis_client.cache_clear()
    try:
        with courtesy.searching():
            courtesy.stand_back()
    finally:
        courtesy.redis_client.cache_clear()


SEEN: list[bool] = []


class Looking(HashingEmbedder):
    """Says for each question whether bulk work knew that somebody searches."""

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        SEEN.append(courtesy.somebody_searches())
        return self.embed_passages(texts)


def looking(**_arguments: object) -> Looking:
    return Looking()


@pytest.mark.django_db
@pytest.mark.usefixtures("vectors")
def test_a_search_says_that_it_is_under_way_and_when_it_has_ended(
    workspace: Workspace, reader: Membership, settings: Any, broker: redis.Redis
) -> None:
    settings.MODELS = {**settings.MODELS, "embed": {**settings.MODELS["embed"], "engine": f"{__name__}.looking"}}
    ready(workspace, "words")
    SEEN.clear()
    tasks.search("north:search:test", str(workspace.pk), str(reader.user_id), "words", 5)
    assert broker.lpop("north:search:test")
    assert SEEN == [True] and not courtesy.somebody_searches()


class Interrupted(HashingEmbedder):
    """Somebody begins to search while a document is embedded; as that search ends, `inside` says how much of it is in the index."""

    inside: Callable[[], int]

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        search = courtesy.searching()
        search.__enter__()

        def end() -> None:
            SEEN.append(bool(self.inside()))
            search.__exit__(None, None, None)

        threading.Timer(0.3, end).start()
        return super().embed_passages(texts)


INTERRUPTED = Interrupted()


def interrupted(**_arguments: object) -> Interrupted:
    return INTERRUPTED


@pytest.mark.django_db
@pytest.mark.usefixtures("vectors", "patient")
def test_what_is_embedded_when_somebody_begins_to_search_is_written_down_afterwards(workspace: Workspace, settings: Any) -> None:
    settings.MODELS = {**settings.MODELS, "embed": {**settings.MODELS["embed"], "engine": f"{__name__}.interrupted"}}
    source = Source.objects.create(workspace=workspace, connector="folder", name="Many")
    document, index = make(workspace, "words", source=source, external_id="x"), wiring.index()
    INTERRUPTED.inside = lambda: index.points(str(workspace.pk), str(document.pk))
    SEEN.clear()
    read(document, "words")
    tasks.index()
    document.refresh_from_db()
    assert SEEN == [False] and document.status == Status.READY and INTERRUPTED.inside() == 1
