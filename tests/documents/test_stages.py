"""A document's way from its file to the index, and what faults do to it."""

from __future__ import annotations

import errno
import io
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from north import wiring
from north.documents import files, stages, tasks
from north.documents.models import Document, Status
from north.documents.passages import recheck
from north.documents.readers import scope_of
from north.inference.errors import Overloaded
from north.workspaces.models import Membership, Workspace
from retrieval.errors import IndexUnavailable, ReaderUnavailable, Unreadable
from tests.documents.conftest import make, read, ready

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("vectors")]


def take(document: Document) -> Document:
    taken = Document.objects.take(document.pk)
    assert taken is not None
    return taken


def test_an_upload_becomes_searchable(workspace: Workspace, reader: Membership) -> None:
    document = make(workspace, "# Leave\n\nParental leave lasts sixteen weeks.", name="leave.md")
    tasks.prepare()
    document.refresh_from_db()
    assert (document.status, document.error) == (Status.INDEXING, "")
    tasks.index()
    document.refresh_from_db()
    assert (document.status, document.indexed_sha256, document.media_type) == (Status.READY, document.sha256, "text/markdown")
    found = wiring.retriever(recheck).search("parental leave", scope_of(reader), 5)
    assert [(passage.document, passage.name) for passage in found] == [(str(document.pk), "leave.md")]
    assert document.text[found[0].start : found[0].end] == found[0].text


def test_a_broken_file_fails_with_words_and_holds_nobody_up(workspace: Workspace) -> None:
    broken = make(workspace, "this is no PDF", name="broken.pdf")
    good = make(workspace, "Good words.", name="good.txt")
    tasks.prepare()
    broken.refresh_from_db()
    good.refresh_from_db()
    assert broken.status == Status.FAILED
    assert "broken or is not what its name says" in broken.error
    assert good.status == Status.INDEXING


def test_a_damaged_file_is_noticed_by_its_checksum(workspace: Workspace) -> None:
    document = make(workspace, "some words")
    files.path_of(document.file_of(document.sha256)).write_text("other words")
    tasks.prepare()
    document.refresh_from_db()
    assert document.status == Status.FAILED
    assert "missing or damaged" in document.error


def test_each_stage_can_run_twice(workspace: Workspace) -> None:
    document = ready(workspace, "One truth.")
    before = wiring.index().counts(str(workspace.pk))
    assert document.requeue(Status.INDEXING)
    tasks.index()
    document.refresh_from_db()
    assert document.status == Status.READY
    assert wiring.index().counts(str(workspace.pk)) == before == {str(document.pk): 1}


def test_answers_use_the_old_revision_until_the_new_one_is_ready(workspace: Workspace, reader: Membership) -> None:
    document = ready(workspace, "The old rule about parking.")
    sha256, _size = files.store(io.BytesIO(b"The new rule about parking."), document.folder)
    document.requeue(sha256=sha256, version=2)
    document.refresh_from_db()
    read(document, "The new rule about parking.")

    def found() -> list[str]:
        return [passage.text for passage in wiring.retriever(recheck).search("rule parking", scope_of(reader), 5)]

    assert found() == ["The old rule about parking."]
    tasks.index()
    assert found() == ["The new rule about parking."]
    assert not files.path_of(document.file_of(document.indexed_sha256)).exists()
    assert files.path_of(document.file_of(sha256)).exists()


def test_a_killed_attempt_counts_and_the_fourth_is_not_made(workspace: Workspace) -> None:
    document = make(workspace, "poison")
    for _kill in range(settings.ATTEMPTS):
        take(document).move(Status.FETCHING)
        Document.objects.filter(pk=document.pk).update(lease_until=timezone.now() - timedelta(seconds=1))
    tasks.prepare()
    document.refresh_from_db()
    assert (document.status, document.lease_token) == (Status.FAILED, None)
    assert "stopped 3 times" in document.error


def test_a_busy_engine_is_asked_again_when_it_said(workspace: Workspace) -> None:
    document = make(workspace, "words")
    assert not tasks.attempt(take(document), raising(Overloaded(40)))
    document.refresh_from_db()
    assert (document.status, document.attempts) == (Status.QUEUED, 0)
    assert 35 < (document.try_at - timezone.now()).total_seconds() < 41


@pytest.mark.parametrize("fault", [IndexUnavailable("down"), OSError(errno.ENOSPC, "full"), ConnectionError("gone"), Overloaded(2)])
def test_an_outage_waits_and_costs_no_attempt(workspace: Workspace, fault: Exception) -> None:
    document = make(workspace, "words")
    for _time in range(settings.ATTEMPTS + 2):
        Document.objects.filter(pk=document.pk).update(try_at=None)
        taken = take(document)
        assert not tasks.attempt(taken, raising(fault))
    document.refresh_from_db()
    assert (document.status, document.attempts) == (Status.QUEUED, 0)
    assert document.error == str(fault)
    assert document.try_at is not None
    assert document.try_at > timezone.now()


def raising(fault: Exception) -> tasks.Stage:
    def stage(document: Document) -> None:
        raise fault

    return stage


def test_a_fault_of_the_documents_own_is_final_if_it_is_permanent(workspace: Workspace) -> None:
    document = make(workspace, "words")
    assert tasks.attempt(take(document), raising(Unreadable("bad")))
    document.refresh_from_db()
    assert (document.status, document.error) == (Status.FAILED, str(Unreadable("bad")))


def test_a_reader_that_is_killed_again_and_again_puts_the_file_aside(workspace: Workspace) -> None:
    document = make(workspace, "words")
    for _time in range(settings.ATTEMPTS):
        Document.objects.filter(pk=document.pk).update(try_at=None)
        assert tasks.attempt(take(document), raising(ReaderUnavailable("killed")))
    document.refresh_from_db()
    assert document.status == Status.FAILED
    assert "killed" in document.error


def test_an_unexpected_fault_says_its_kind_and_never_the_text(workspace: Workspace) -> None:
    document = make(workspace, "words")
    for _time in range(settings.ATTEMPTS):
        Document.objects.filter(pk=document.pk).update(try_at=None)
        tasks.attempt(take(document), raising(KeyError("secret text of the document")))
    document.refresh_from_db()
    assert document.status == Status.FAILED
    assert "KeyError" in document.error
    assert "secret" not in document.error


def test_a_worker_that_lost_its_lease_writes_nothing_and_mends_the_index(workspace: Workspace) -> None:
    document = make(workspace, "first words")
    read(document, "first words")
    late = take(document)
    sha256, _size = files.store(io.BytesIO(b"second words"), document.folder)
    document.requeue(sha256=sha256)
    document.refresh_from_db()
    read(document, "second words")
    tasks.index()
    assert tasks.attempt(late, stages.index)
    document.refresh_from_db()
    assert document.indexed_sha256 == sha256
    tasks.index()
    document.refresh_from_db()
    assert (document.status, document.text) == (Status.READY, "second words")
    assert wiring.index().counts(str(workspace.pk)) == {str(document.pk): 1}


def test_a_lost_layout_is_read_again_from_the_file(workspace: Workspace) -> None:
    document = make(workspace, "plain words", name="a.txt")
    read(document, "plain words")
    files.path_of(document.layout_of(document.sha256)).unlink()
    tasks.index()
    document.refresh_from_db()
    assert document.status == Status.QUEUED
    tasks.prepare()
    tasks.index()
    document.refresh_from_db()
    assert document.status == Status.READY


def test_a_deleted_document_leaves_nothing_behind(workspace: Workspace) -> None:
    document = ready(workspace, "to be forgotten")
    folder = files.path_of(document.folder)
    assert folder.exists()
    Document.objects.filter(pk=document.pk).bury()
    tasks.index()
    assert not Document.objects.filter(pk=document.pk).exists()
    assert not folder.exists()
    assert wiring.index().counts(str(workspace.pk)) == {}


def test_changed_access_reaches_the_index(workspace: Workspace, reader: Membership) -> None:
    document = ready(workspace, "restricted words")
    document.restrict([])
    tasks.index()
    document.refresh_from_db()
    assert document.access == document.indexed_access
    assert wiring.index().query(scope_of(reader), wiring.embedder().embed_queries(["restricted words"])[0], ([], []), limit=5) == []


def test_only_one_drainer_works_in_a_process(workspace: Workspace) -> None:
    document = make(workspace, "words")
    read(document, "words")
    with tasks.DRAINING:
        tasks.index()
        document.refresh_from_db()
        assert document.status == Status.INDEXING
        assert tasks.WANTED.is_set()
    tasks.index()
    document.refresh_from_db()
    assert document.status == Status.READY
