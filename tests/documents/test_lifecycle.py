"""A document's states under duplicated, reordered and crashed work: whatever happens, after recovery each accepted document is ready,
put aside with a reason, or forgotten, and index and rows agree."""

from __future__ import annotations

import io
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, multiple, rule, run_state_machine_as_test

from north import wiring
from north.documents import files, stages, tasks
from north.documents.models import UNREAD, Document, Principal, Status
from north.documents.passages import recheck
from north.workspaces.models import Workspace
from retrieval.errors import IndexUnavailable, Unreadable
from retrieval.types import Parsed, Scope
from tests.documents.conftest import make

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("vectors")]


class Killed(BaseException):
    """What kill -9 is to the code: nothing after it runs, and the lease stays."""


def quick_read(document: Document) -> None:
    """The stage `read` without its child process."""
    document.move(Status.FETCHING)
    text = files.check(document.file_of(document.sha256), document.sha256).read_text()
    document.move(Status.PARSING)
    if "poison" in text:
        raise Unreadable("poison")
    if "killer" in text:
        raise Killed
    files.write_layout(document.layout_of(document.sha256), Parsed(text, "text/plain"))
    document.move(Status.INDEXING, error="", lease_token=None, lease_until=None, try_at=None, attempts=0)


def killed_before(document: Document) -> None:
    raise Killed


def killed_after_upsert(document: Document) -> None:
    stages.put(document, files.read_layout(document.layout_of(document.sha256)))
    raise Killed


def index_is_down(document: Document) -> None:
    raise IndexUnavailable("down")


class Life(RuleBasedStateMachine):
    """Rules are what people, workers and faults do, in any order; `held` are attempts of workers that may come back late."""

    documents = Bundle("documents")
    held = Bundle("held")

    def __init__(self) -> None:
        super().__init__()
        self.workspace = Workspace.objects.create(slug=f"life-{Workspace.objects.count()}", name="Life")
        self.accepted: set[Any] = set()
        self.deleted: set[Any] = set()

    @rule(target=documents, text=st.sampled_from(["plain words", "poison words", "killer words", "other words"]))
    def upload(self, text: str) -> Any:
        document = make(self.workspace, f"{text} {len(self.accepted)}")
        self.accepted.add(document.pk)
        return document.pk

    @rule(pk=documents, text=st.sampled_from(["changed words", "plain words again"]))
    def revise(self, pk: Any, text: str) -> None:
        if document := Document.objects.alive().filter(pk=pk).first():
            sha256, _size = files.store(io.BytesIO(text.encode()), document.folder)
            document.requeue(sha256=sha256, version=document.version + 1)

    @rule(pk=documents)
    def delete(self, pk: Any) -> None:
        if Document.objects.filter(pk=pk).bury():
            self.deleted.add(pk)

    @rule(pk=documents, everyone=st.booleans())
    def restrict(self, pk: Any, everyone: bool) -> None:
        if document := Document.objects.alive().filter(pk=pk).first():
            document.restrict([self.workspace.everyone] if everyone else [])

    @rule(pk=documents)
    def retry(self, pk: Any) -> None:
        if document := Document.objects.alive().filter(pk=pk).first():
            document.requeue()

    @rule(target=held, pk=documents)
    def a_worker_takes_it_and_stalls(self, pk: Any) -> Any:
        row = Document.objects.alive().filter(status__in=[*UNREAD, Status.INDEXING]).take(pk)
        return row if row else multiple()

    @rule(document=consumes(held))
    def the_stalled_worker_comes_back(self, document: Document) -> None:
        stage = stages.index if document.status == Status.INDEXING else quick_read
        self.attempt(document, stage)

    @rule(pk=documents, fault=st.sampled_from([killed_before, killed_after_upsert, index_is_down]))
    def indexing_goes_wrong(self, pk: Any, fault: tasks.Stage) -> None:
        if document := Document.objects.alive().filter(status=Status.INDEXING).take(pk):
            self.attempt(document, fault)

    @rule(pk=documents)
    def reading_is_killed(self, pk: Any) -> None:
        if document := Document.objects.alive().filter(status__in=UNREAD).take(pk):
            self.attempt(document, killed_before)

    @rule(pk=documents)
    def it_is_read(self, pk: Any) -> None:
        if document := Document.objects.alive().filter(status__in=UNREAD).take(pk):
            self.attempt(document, quick_read)

    @rule()
    def the_indexer_works(self) -> None:
        tasks.index()

    @rule()
    def leases_run_out(self) -> None:
        past = timezone.now() - timedelta(seconds=1)
        Document.objects.filter(lease_until__isnull=False).update(lease_until=past)
        Document.objects.filter(try_at__isnull=False).update(try_at=past)

    def attempt(self, document: Document, stage: tasks.Stage) -> None:
        try:
            tasks.attempt(document, stage)
        except Killed:
            return

    @invariant()
    def what_answers_use_is_one_whole_revision(self) -> None:
        everyone = Scope(str(self.workspace.pk), frozenset({self.workspace.everyone}))
        for passage in wiring.retriever(recheck).search("words", everyone, 50):
            row = Document.objects.get(pk=passage.document)
            assert row.deleted_at is None
            assert row.text[passage.start : passage.end] == passage.text
            assert Principal.objects.filter(document=row, value=self.workspace.everyone).exists()

    def teardown(self) -> None:
        """Recovery: everybody who died is restarted, leases run out, and the workers go on until nothing is due."""
        for _round in range(12):
            self.leases_run_out()
            while document := tasks.take_next("unread"):
                self.attempt(document, quick_read)
            tasks.index()
        rows = Document.objects.in_bulk(self.accepted)
        assert set(rows) == self.accepted - self.deleted, "accepted = ready + put aside, and nothing else"
        for row in rows.values():
            assert row.status in (Status.READY, Status.FAILED)
            assert row.error or row.status == Status.READY
            assert row.access == row.indexed_access or row.status == Status.FAILED
        counts = wiring.index().counts(str(self.workspace.pk))
        ready = {str(pk): row.chunks for pk, row in rows.items() if row.status == Status.READY}
        assert {pk: count for pk, count in counts.items() if pk in ready} == ready, "no document lost or twice in the index"
        assert all(rows[pk].indexed_sha256 for pk in rows if str(pk) in counts and str(pk) in ready)
        assert set(counts) <= {str(pk) for pk in rows}, "nothing of a forgotten document is left"


@pytest.mark.timeout(300)
def test_no_order_of_faults_loses_a_document() -> None:
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        Life, settings=settings(max_examples=30, stateful_step_count=20, deadline=None, suppress_health_check=checks, database=None)
    )
