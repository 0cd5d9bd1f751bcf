"""What searches and indexing read of the embedding model is counted for whoever asked, by which key, and where."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from django.test import Client

from north.documents import tasks
from north.documents.models import Document
from north.usage.models import Usage
from north.workspaces.models import ApiKey, Membership, Workspace
from tests.documents.conftest import make, read, ready
from tests.documents.test_search import worker  # noqa: F401  (a fixture)

pytestmark = pytest.mark.django_db(transaction=True)


def counted(kind: str) -> Usage:
    """The row, once the worker has written it: people do not wait for that."""
    deadline = time.monotonic() + 5
    while not (row := Usage.objects.filter(kind=kind).first()) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert row
    return row


@pytest.mark.usefixtures("worker")
def test_a_search_by_key_is_counted_for_the_key(workspace: Workspace, reader: Membership) -> None:
    ready(workspace, "seven words of a note on holidays")
    key, secret = ApiKey.issue(workspace=workspace, user=reader.user)
    headers = {"Authorization": f"Bearer {secret}"}
    answer = Client().post("/api/v1/search", json.dumps({"query": "holidays note"}), content_type="application/json", headers=headers)
    assert len(answer.json()["results"]) == 1
    row = counted("search")
    assert (row.workspace, row.user, row.key, row.count, row.tokens_in) == (workspace.pk, reader.user_id, key.pk, 1, 2)


@pytest.mark.usefixtures("worker")
def test_a_search_in_the_browser_is_counted_for_the_person_alone(workspace: Workspace, as_rita: Client, reader: Membership) -> None:
    as_rita.get("/w/acme/search", {"q": "holidays"})
    row = counted("search")
    assert (row.user, row.key, row.count) == (reader.user_id, None, 1)


@pytest.mark.usefixtures("vectors")
def test_an_indexed_document_is_counted_for_who_uploaded_it(workspace: Workspace, editor: Membership) -> None:
    ready(workspace, "seven words of a note on holidays", uploaded_by=editor.user)
    row = counted("index")
    assert (row.workspace, row.user, row.count) == (workspace.pk, editor.user_id, 1)
    assert row.tokens_in >= 7


@pytest.mark.usefixtures("vectors")
def test_an_attempt_that_failed_counts_its_tokens_and_no_document(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    document = make(workspace, "seven words of a note on holidays")
    read(document, "seven words of a note on holidays")
    replace = tasks.wiring.index().replace

    def broken(*_: Any) -> None:
        raise ValueError

    monkeypatch.setattr(tasks.wiring.index(), "replace", broken)
    tasks.index()
    assert (counted("index").count, counted("index").tokens_in) == (0, 7)
    monkeypatch.setattr(tasks.wiring.index(), "replace", replace)
    Document.objects.update(try_at=None)
    tasks.index()
    assert (counted("index").count, counted("index").tokens_in) == (1, 14)
