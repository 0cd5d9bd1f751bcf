"""Search from the page through the broker and a real worker, and back; and the recheck by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from celery.contrib.testing.worker import start_worker
from django.test import Client

from north import wiring
from north.celery import app
from north.documents import actions, tasks
from north.documents.models import Document
from north.documents.passages import recheck
from north.documents.quoting import digest
from north.documents.readers import scope_of
from north.workspaces.models import Group, Membership, Workspace
from retrieval.types import Passage
from tests.documents.conftest import ready

PAGE = "/w/acme/search"


def passage_of(document: Document, start: int, end: int) -> Passage:
    return Passage(str(document.pk), "", 0, start, end, "", 1.0, sha256=document.indexed_sha256)


@pytest.mark.django_db
@pytest.mark.usefixtures("vectors")
class TestRecheck:
    def test_it_fills_words_and_name_from_the_row(self, workspace: Workspace, reader: Membership) -> None:
        document = ready(workspace, "zéro 日本語 text", name="a.txt")
        found = recheck(scope_of(reader), [passage_of(document, 5, 8), passage_of(document, 0, 4)])
        assert [(passage.text, passage.name) for passage in found] == [("日本語", "a.txt"), ("zéro", "a.txt")]

    def test_it_needs_two_queries_for_all(self, workspace: Workspace, reader: Membership, django_assert_num_queries: Any) -> None:
        documents = [ready(workspace, f"words {number}") for number in range(3)]
        scope = scope_of(reader)
        with django_assert_num_queries(2):
            assert len(recheck(scope, [passage_of(document, 0, 5) for document in documents] * 10)) == 30

    def test_it_drops_what_is_deleted_restricted_changed_or_elsewhere(
        self, workspace: Workspace, reader: Membership, other_workspace: Workspace, hr: Group
    ) -> None:
        scope = scope_of(reader)
        gone, closed, changed = (ready(workspace, f"words {number}") for number in range(3))
        elsewhere = ready(other_workspace, "words", principals=[workspace.everyone])
        old = [passage_of(document, 0, 5) for document in (gone, closed, changed, elsewhere)]
        Document.objects.filter(pk=gone.pk).bury()
        closed.restrict([])
        old[2] = replace(old[2], sha256="0" * 64)
        assert recheck(scope, old) == []
        assert recheck(replace(scope, principals=frozenset()), [passage_of(changed, 0, 5)]) == []
        assert recheck(replace(scope, sources=frozenset()), [passage_of(changed, 0, 5)]) == []
        assert recheck(scope, []) == []


@pytest.fixture
def worker(broker: Any, vectors: str, transactional_db: None) -> Iterator[None]:
    """A worker on the real broker, in a thread of this process."""
    with start_worker(app, pool="solo", queues=["search"], perform_ping_check=False, loglevel="ERROR"):
        yield


def test_a_page_of_results_marks_the_words_and_links_to_the_span(worker: None, as_rita: Client, workspace: Workspace, hr: Group) -> None:
    text = "Intro. " * 100 + "Parental leave lasts sixteen weeks."
    document = ready(workspace, text, name="leave.txt")
    ready(workspace, "Parental leave of the board", name="secret.txt", principals=[])
    html = as_rita.get(PAGE, {"q": "parental leave"}).content.decode()
    assert "<mark>Parental</mark> <mark>leave</mark>" in html
    linked = re.search(rf"/w/acme/documents/{document.pk}\?start=(\d+)&amp;end=(\d+)&amp;of=(\w+)", html)
    assert linked and digest(text[int(linked[1]) : int(linked[2])]) == linked[3]
    assert "secret.txt" not in html
    assert "Nothing found" in as_rita.get(PAGE, {"q": "?!"}).content.decode()


def test_who_left_the_workspace_finds_nothing(worker: None, workspace: Workspace, reader: Membership) -> None:
    ready(workspace, "words")
    assert len(actions.search("words", top_k=5, actor=reader).passages) == 1
    Membership.objects.filter(pk=reader.pk).delete()
    assert actions.search("words", top_k=5, actor=reader).passages == []


@pytest.mark.django_db
def test_without_worker_and_index_that_is_said_in_words(
    as_rita: Client, workspace: Workspace, broker: Any, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(actions, "ANSWER_SECONDS", 0.4)
    wiring.index.cache_clear()
    wiring.retriever.cache_clear()
    settings.QDRANT_URL = "http://127.0.0.1:9"
    try:
        answer = as_rita.get(PAGE, {"q": "words"})
    finally:
        wiring.index.cache_clear()
        wiring.retriever.cache_clear()
        broker.delete("search")
    assert answer.status_code == 503
    assert "The search index does not answer" in answer.content.decode()


@pytest.mark.django_db
def test_an_outage_in_the_worker_is_said_in_words(workspace: Workspace, reader: Membership, settings: Any, broker: Any) -> None:
    wiring.index.cache_clear()
    wiring.retriever.cache_clear()
    settings.QDRANT_URL = "http://127.0.0.1:9"
    try:
        tasks.search("north:search:test", str(workspace.pk), str(reader.user_id), "words", 5)
    finally:
        wiring.index.cache_clear()
        wiring.retriever.cache_clear()
    said = broker.lpop("north:search:test")
    assert "does not answer" in said
    with pytest.raises(actions.IndexFault):
        actions.unpacked(json.loads(said))


@pytest.mark.django_db
def test_the_empty_page_asks_for_words(as_rita: Client, as_charlie: Client, workspace: Workspace) -> None:
    assert as_rita.get(PAGE).status_code == 200
    assert as_charlie.get(PAGE).status_code == 404
