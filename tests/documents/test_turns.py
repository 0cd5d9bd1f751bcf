"""Whose turn it is: bulk holds nobody up."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from north.documents import tasks
from north.documents.models import Document, Source
from north.workspaces.models import Workspace

pytestmark = pytest.mark.django_db


def waiting(workspace: Workspace, count: int, source: Source | None = None) -> list[Document]:
    rows = [Document(workspace=workspace, source=source, external_id=f"{number}", name="x", sha256="0" * 64) for number in range(count)]
    return Document.objects.bulk_create(rows)


def source_of(workspace: Workspace, name: str) -> Source:
    return Source.objects.create(workspace=workspace, connector="folder", name=name)


@pytest.fixture(autouse=True)
def nobody_had_a_turn() -> None:
    for turns in tasks.TURNS.values():
        turns.workspace = None
        turns.sources.clear()


def taken(count: int, kind: str = "unread") -> list[Document]:
    return [document for _number in range(count) if (document := tasks.take_next(kind))]


def test_one_upload_waits_for_one_document_of_another_workspace_with_thousands(workspace: Workspace, other_workspace: Workspace) -> None:
    waiting(workspace, 5000, source_of(workspace, "Bulk"))
    assert len(taken(3)) == 3
    (upload,) = waiting(other_workspace, 1)
    assert upload in taken(2)


def test_sources_of_a_workspace_and_its_uploads_have_their_turns(workspace: Workspace) -> None:
    big, small = sorted([source_of(workspace, "Big"), source_of(workspace, "Small")], key=lambda source: source.pk.hex)
    waiting(workspace, 20, big)
    waiting(workspace, 3, small)
    waiting(workspace, 3)
    assert [document.source for document in taken(10)] == [None, big, small, None, big, small, None, big, small, big]
    assert len(taken(50)) == 16


def test_of_a_source_the_longest_waiting_is_next(workspace: Workspace) -> None:
    rows = waiting(workspace, 3)
    Document.objects.filter(pk=rows[2].pk).update(status_at=timezone.now() - timedelta(hours=1))
    assert taken(1) == [rows[2]]


def test_what_comes_from_a_paused_source_waits_and_what_is_deleted_in_it_goes(workspace: Workspace) -> None:
    held = source_of(workspace, "Held")
    waiting(workspace, 2, held)
    Source.objects.update(paused_at=timezone.now())
    assert taken(1) == []
    Document.objects.filter(external_id="0").bury()
    assert len(taken(2, "buried")) == 1
    Source.objects.update(paused_at=None)
    assert len(taken(2)) == 1


def test_a_turn_costs_few_queries_however_many_wait(workspace: Workspace, django_assert_max_num_queries: object) -> None:
    waiting(workspace, 300, source_of(workspace, "Bulk"))
    taken(1)
    with django_assert_max_num_queries(9):  # type: ignore[operator]
        taken(1)
