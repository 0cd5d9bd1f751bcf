"""Pausing, resuming, stopping, trying again, passing over; and what is stuck."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.http import Http404
from django.utils import timezone

from north.documents import actions, controls, doing, ending, stuck, syncing, tasks
from north.documents.doing import Stage
from north.documents.errors import GaveWay, Refused
from north.documents.models import Document, Source, Status, SyncRun
from north.documents.watching import Watch
from north.webhooks.models import Webhook
from north.workspaces.models import AuditEvent, Membership, Workspace
from retrieval.types import Cursor, Item, Listing
from tests.conftest import membership_of
from tests.documents import stalling
from tests.documents.conftest import make
from tests.documents.test_sources import pass_over, synced

at_once = pytest.mark.django_db
for_real = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def begin() -> None:
    stalling.REACHED.clear()
    stalling.STALLS[0] = 0


def source_of(workspace: Workspace, things: int = 3, stalls: int = 0) -> Source:
    config = {"things": things, "stalls": stalls}
    return Source.objects.create(workspace=workspace, connector="stalling", name="Slow", config=config, principals=[workspace.everyone])


def meanwhile(verb: Callable[[], Any]) -> threading.Thread:
    """Does it from another process's place, as soon as the connector hangs."""

    def work() -> None:
        assert stalling.REACHED.wait(20)
        verb()
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def sync(source: Source) -> tuple[SyncRun, float]:
    run = source.begin() or source.sync_runs.get(status__in=SyncRun.WORKING)
    began = time.monotonic()
    tasks.sync(str(run.pk))
    run.refresh_from_db()
    return run, time.monotonic() - began


# --- stopping ----------------------------------------------------------------------------------------------------------------------
@for_real
def test_a_pass_that_hangs_in_its_connector_stops_within_seconds_and_deletes_nothing(workspace: Workspace, editor: Membership) -> None:
    source = source_of(workspace)
    sync(source)
    Source.objects.update(config={"things": 2, "stalls": 1}, cursor=None)
    thread = meanwhile(lambda: controls.cancel(source, actor=editor))
    run, seconds = sync(source)
    thread.join()
    assert (run.status, run.lease_token, seconds < 8) == ("cancelled", None, True)
    assert Document.objects.alive().count() == 3
    assert AuditEvent.objects.filter(action="source.cancel").count() == 1
    run, _seconds = sync(source)
    assert (run.status, Document.objects.alive().count()) == ("done", 2)


@at_once
def test_stopping_keeps_what_was_read_and_the_next_pass_goes_on(workspace: Workspace, editor: Membership) -> None:
    source = source_of(workspace)
    work = pass_over(source)
    work.take(Listing())
    work.take(Item("a", "a.txt", b"first"))
    work.settle_items()
    assert controls.cancel(source, actor=editor)
    with pytest.raises(tasks.LeaseLost):
        work.take(Cursor({}, complete=True))
    assert Document.objects.alive().count() == 1
    assert not controls.cancel(source, actor=editor)
    assert source.begin() is not None


@at_once
def test_a_connector_that_hears_no_signal_ends_with_its_process() -> None:
    """As where foreign code sleeps: what is called then is the last resort."""
    ended = threading.Event()
    watch = Watch(SyncRun(), last_resort=ended.set)
    watch.lost = True
    with pytest.raises(tasks.LeaseLost), watch.outside():
        pytest.fail("nothing is begun after the loss")
    assert not ended.is_set()


# --- pausing -----------------------------------------------------------------------------------------------------------------------
@for_real
def test_a_paused_pass_lets_go_and_goes_on_when_resumed(workspace: Workspace, editor: Membership) -> None:
    source = source_of(workspace, stalls=1)
    thread = meanwhile(lambda: controls.pause(source, actor=editor))
    run, seconds = sync(source)
    thread.join()
    assert (run.status, seconds < 8) == ("queued", True)
    tasks.sync(str(run.pk))
    run.refresh_from_db()
    assert run.status == "queued"
    controls.resume(source, actor=editor)
    run, _seconds = sync(source)
    assert (run.status, run.new + run.unchanged) == ("done", 3)


@at_once
def test_what_a_paused_source_brought_is_neither_read_nor_taken_from_its_worker(workspace: Workspace, editor: Membership) -> None:
    source = source_of(workspace)
    document = make(workspace, "x", source=source)
    held = Document.objects.take(document.pk)
    held.move(Status.FETCHING)
    controls.pause(source, actor=editor)
    with pytest.raises(tasks.LeaseLost):
        held.move(Status.PARSING)
    assert tasks.take_next("unread") is None
    controls.resume(source, actor=editor)
    assert tasks.take_next("unread") == document


@at_once
def test_a_paused_source_is_not_synced_by_hand_or_by_schedule(workspace: Workspace, editor: Membership, broker: object) -> None:
    source = source_of(workspace)
    controls.pause(source, actor=editor)
    controls.pause(source, actor=editor)
    with pytest.raises(Refused, match="Resume it first"):
        actions.sync_now(source, actor=editor)
    tasks.sync_due()
    assert not source.sync_runs.exists()
    assert AuditEvent.objects.filter(action="source.pause").count() == 1


# --- stuck -------------------------------------------------------------------------------------------------------------------------
@for_real
def test_a_pass_that_gets_no_further_is_begun_again_and_people_are_told(workspace: Workspace, editor: Membership, settings: Any) -> None:
    settings.STUCK_SECONDS = 1
    hook = Webhook(workspace=workspace, url="https://hooks.example/", events=["sync.stuck"])
    hook.set_secret()
    hook.save()
    source = source_of(workspace, stalls=1)

    def look() -> None:
        for _second in range(10):
            time.sleep(0.5)
            if stuck.begin_again():
                return

    thread = meanwhile(look)
    run, seconds = sync(source)
    thread.join()
    assert (run.status, run.restarts, run.fault, seconds < 10) == ("queued", 1, "Stuck", True)
    assert AuditEvent.objects.get(action="source.stuck").actor == ""
    assert hook.deliveries.get().event == "sync.stuck"
    run, _seconds = sync(source)
    assert (run.status, run.error, run.restarts) == ("done", "", 1)


@at_once
def test_what_is_stuck_again_and_again_has_failed_in_words(workspace: Workspace, settings: Any) -> None:
    source = source_of(workspace)
    run = SyncRun.objects.take(source.begin().pk)
    run.write(status=SyncRun.Status.RUNNING, restarts=settings.ATTEMPTS - 1, progress_at=timezone.now() - timedelta(hours=1))
    assert stuck.begin_again() == []
    run.refresh_from_db()
    assert (run.status, run.lease_token) == ("failed", None)
    assert "given up" in run.error
    assert "Look whether the source works" in doing.of_source(source).mend


@at_once
def test_what_gets_on_is_not_stuck_nor_what_waits(workspace: Workspace, settings: Any) -> None:
    hour = timezone.now() - timedelta(hours=1)
    source = source_of(workspace)
    run = SyncRun.objects.take(source.begin().pk)
    run.write(status=SyncRun.Status.RUNNING)
    waits = make(workspace, "x", source=source)
    Document.objects.filter(pk=waits.pk).update(status_at=hour, progress_at=hour)
    assert (stuck.begin_again(), stuck.stuck_documents()) == ([], [])
    settings.STUCK_SECONDS = 0
    SyncRun.objects.update(progress_at=hour)
    assert stuck.begin_again() == []


@at_once
def test_a_document_that_gets_no_further_is_taken_from_its_worker(workspace: Workspace, settings: Any) -> None:
    document = make(workspace, "x")
    held = Document.objects.take(document.pk)
    held.move(Status.FETCHING)
    long = timedelta(seconds=settings.PARSE_SECONDS + settings.OCR_SECONDS + 120)
    held.write(progress_at=timezone.now() - long)
    stuck.begin_again()
    document.refresh_from_db()
    assert (document.lease_token, document.attempts, "begun again" in document.error) == (None, 1, True)


# --- trying again, passing over ------------------------------------------------------------------------------------------------------
@at_once
def test_all_that_failed_of_a_source_begins_again(workspace: Workspace, editor: Membership) -> None:
    source = source_of(workspace)
    for number in range(3):
        make(workspace, "x", source=source, external_id=str(number), status=Status.FAILED, error="Broken.")
    elsewhere = make(workspace, "x", status=Status.FAILED)
    assert controls.retry_failed(source, actor=editor) == 3
    assert controls.retry_failed(source, actor=editor) == 0
    elsewhere.refresh_from_db()
    assert elsewhere.status == Status.FAILED
    assert AuditEvent.objects.get(action="source.retry").detail["documents"] == 3


@at_once
@pytest.mark.parametrize("status", [Status.QUEUED, Status.INDEXING, Status.FAILED])
def test_a_document_is_passed_over_until_it_changes_or_is_tried_again(workspace: Workspace, editor: Membership, status: Status) -> None:
    document = make(workspace, "x", status=status, uploaded_by=editor.user)
    assert controls.skip(document, actor=editor)
    assert tasks.take_next("unread") is None
    assert tasks.take_next("unindexed") is None
    document.refresh_from_db()
    assert (document.status, document.error) == (Status.SKIPPED, "")
    assert not controls.skip(document, actor=editor)
    actions.retry(document, actor=editor)
    assert tasks.take_next("unread") == document


@at_once
def test_nobody_controls_what_is_not_theirs(workspace: Workspace, reader: Membership, other_workspace: Workspace, charlie: Any) -> None:
    source, document = source_of(workspace), make(workspace, "x")
    for actor in (reader, membership_of(charlie, other_workspace)):
        for verb in (controls.pause, controls.resume, controls.cancel, controls.retry_failed):
            with pytest.raises(Http404):
                verb(source, actor=actor)
        with pytest.raises(Http404):
            controls.skip(document, actor=actor)


# --- turns and room ------------------------------------------------------------------------------------------------------------------
@at_once
def test_a_sync_waits_while_as_many_are_under_way_as_may_be(workspace: Workspace, settings: Any) -> None:
    settings.SYNCS_AT_ONCE = 1
    first = source_of(workspace)
    second = Source.objects.create(workspace=workspace, connector="stalling", name="Second", config={"things": 1, "stalls": 0})
    at_work = SyncRun.objects.take(first.begin().pk)
    run = second.begin()
    assert doing.of_source(second).place == 2 - 1
    tasks.sync(str(run.pk))
    run.refresh_from_db()
    assert run.status == "queued"
    ending.end(at_work)
    assert synced(second).status == "done"


@at_once
def test_a_pass_gives_way_where_it_can_go_on_and_its_counts_go_on_too(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    source = source_of(workspace)
    work = pass_over(source)
    other = Source.objects.create(workspace=workspace, connector="stalling", name="Other", config={"things": 0, "stalls": 0})
    other.begin()
    work.began -= syncing.TURN_SECONDS + 1
    work.take(Listing())
    work.take(Item("a", "a.txt", b"first"))
    with pytest.raises(GaveWay) as gave:
        work.take(Cursor({"after": "a"}))
    ending.wait(work.row, gave.value)
    assert [run.source.name for run in tasks.waiting_syncs().due()] == ["Other", "Slow"]
    run = SyncRun.objects.get(source=source)
    assert (run.new, run.fault, Source.objects.get(pk=source.pk).cursor) == (1, "GaveWay", {"after": "a"})


@at_once
def test_no_more_is_brought_than_is_read(workspace: Workspace, settings: Any) -> None:
    settings.WAITING_DOCUMENTS = 2
    source = source_of(workspace, things=120)
    run = synced(source)
    assert (run.status, run.fault, doing.of_source(source).stage) == ("queued", "Crowded", Stage.RESTING)
    brought = Document.objects.count()
    assert 2 <= brought < 120, "one batch, or what came in its second"
    SyncRun.objects.update(try_at=None)
    assert synced(source).fault == "Crowded"
    assert Document.objects.count() == brought
    Document.objects.update(status=Status.READY)
    SyncRun.objects.update(try_at=None)
    assert synced(source).new == 120 - brought


# --- what is told --------------------------------------------------------------------------------------------------------------------
@at_once
def test_each_stage_is_told_with_its_position_and_estimate(workspace: Workspace, editor: Membership) -> None:
    source = source_of(workspace)
    assert doing.of_source(source).stage == Stage.NEW
    run = source.begin()
    assert (doing.of_source(source).stage, doing.of_source(source).place) == (Stage.WAITING, 1)
    held = SyncRun.objects.take(run.pk)
    held.write(status=SyncRun.Status.RUNNING)
    assert doing.of_source(source).stage == Stage.CONNECTING
    held.write(new=20, unchanged=30, expected=150, speed=2.0)
    told = doing.of_source(source)
    assert (told.stage, told.position, told.seconds_left) == (Stage.LISTING, (50, 150), 50)
    began = timezone.now() - timedelta(minutes=3)
    ending.end(held, began)
    source.refresh_from_db()
    assert (doing.of_source(source).stage, source.fresh_at) == (Stage.FRESH, began)
    for number in range(6):
        status = Status.READY if number < 3 else Status.QUEUED
        make(workspace, "x", source=source, external_id=str(number), status=status, ready_at=timezone.now())
    told = doing.of_source(source)
    assert (told.stage, told.position, told.speed) == (Stage.READING, (3, 6), 0.1)
    controls.pause(source, actor=editor)
    source.refresh_from_db()
    assert (doing.of_source(source).stage, doing.of_source(source).seconds_left) == (Stage.PAUSED, None)


@at_once
def test_a_fault_is_told_with_what_to_do(workspace: Workspace) -> None:
    source = source_of(workspace)
    ending.end(SyncRun.objects.take(source.begin().pk), error="Refused.", fault="TokenRefused")
    told = doing.of_source(source)
    assert (told.stage, told.error, "new credentials" in told.mend) == (Stage.FAILED, "Refused.", True)


@pytest.mark.parametrize(("seconds", "words"), [(None, ""), (20, "less than a minute"), (60, "about a minute"), (600, "about 10 minutes"),
                                                (7200, "about 2 hours")])  # fmt: skip
def test_an_estimate_is_rough(seconds: int | None, words: str) -> None:
    assert doing.in_words(seconds) == words
