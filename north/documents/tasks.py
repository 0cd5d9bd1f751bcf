"""What the workers do for documents. The rows are the work; a message is only a hint that some is due, so a lost one is a delay, a double
one nothing, and each task takes whatever is due, by lease, until nothing is.

    prepare   cpu     queued, fetching, parsing
    index     gpu     indexing, changed access, tombstones; one at a time a process
    sync      cpu     one pass over a source
    tend_channels  cpu  the channels by which a source tells of changes
    close_channels cpu  those of a source that is gone
    search    gpu     one search for a person who waits
    sweep     beat    hints at everything that is due; finds what the index has lost
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

import redis
from celery import current_task, shared_task
from celery.worker import state as worker_state
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import F, Q
from django.http import Http404
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from kombu.exceptions import OperationalError

from north import wiring
from north.broker import redis_client
from north.documents import channels, courtesy, ending, files, filtering, passages, reconciling, stages, stuck, syncing
from north.documents.errors import Crowded, DocumentError, FileLost
from north.documents.hooks import Hook
from north.documents.models import UNHELD, UNTOLD, Document, DocumentQuerySet, Source, Status, SyncRun
from north.documents.turns import Turns
from north.hints import hint
from north.indexes.models import Generation
from north.inference.batching import patience
from north.inference.errors import Gone, ModelError
from north.inference.metering import Used, metered
from north.leases import LeaseLost
from north.tracing import trace_id
from north.usage import models as usage
from retrieval.errors import ParseError, RateLimited, ReaderUnavailable, RetrievalError

logger = logging.getLogger(__name__)
SLICE_SECONDS = 5.0
REPLY_SECONDS = 30
HINTS = 2
"""At unread documents of each status, at a sweep: each is for one child of a worker."""
DRAINING, WANTED = threading.Lock(), threading.Event()
TURNS = {kind: Turns() for kind in ("unread", "unindexed", "untold", "buried", "uncopied")}
Stage = Callable[[Document], None]
OWN_FAULTS = (ParseError, FileLost, ReaderUnavailable)
"""Of one document's, and of no other's; a reader that was killed may have been killed by what it read."""
OUTAGES = (ModelError, RetrievalError, DocumentError, OSError, DatabaseError, redis.RedisError, OperationalError)
"""Of a part of North (index, model, disk, broker, database), in words, where it is not one of OWN_FAULTS."""


@shared_task
def prepare() -> None:
    """Reads what is due. After some seconds it lets other tasks of the worker in and comes again."""
    until = time.monotonic() + SLICE_SECONDS
    while document := take_next("unread"):
        if attempt(document, stages.read) and document.status == Status.INDEXING:
            hint("documents.index")
        if time.monotonic() > until:
            hint("documents.prepare")
            return


@shared_task
def index() -> None:
    """Indexes what is due. Only one at a time works in a process; a hint that comes meanwhile makes it look again."""
    WANTED.set()
    while WANTED.is_set() and DRAINING.acquire(blocking=False):
        try:
            WANTED.clear()
            drain()
        finally:
            DRAINING.release()


def drain() -> None:
    """Tombstones first, then changed access, then what waits to be indexed and, by turns, what another index still lacks; until nothing is
    due, or a fault that all would meet."""
    well, indexed = True, False
    while well and not worker_state.should_stop:
        others = list(Generation.objects.others().due())
        pressed = any(one.swap_presses() for one in others)
        if document := take_next("buried"):
            well = upkeep(document, stages.forget)
        elif document := take_next("untold"):
            well = upkeep(document, stages.tell_access)
        elif (pressed or indexed) and copy_next(others):
            indexed = False
        elif not pressed and (document := take_next("unindexed")):
            well, indexed = attempt(document, stages.index), True
        elif not copy_next(others):
            return


def copy_next(others: Sequence[Generation]) -> bool:
    """Brings a document into an index that lacks it; whether there was one. What fails there waits, and keeps nothing else waiting."""
    for generation in others:
        if document := TURNS["uncopied"].take(Document.objects.uncopied(generation)):
            courtesy.stand_back()
            upkeep(document, partial(bring, generation=generation))
            return True
    return False


def bring(document: Document, generation: Generation) -> None:
    row = Generation.objects.filter(pk=generation.pk)
    try:
        stages.copy(document, generation)
    except OUTAGES as error:
        row.update(error=str(error), try_at=timezone.now() + timedelta(seconds=10))
        raise
    if generation.error:
        row.update(error="")


def take_next(kind: str) -> Document | None:
    """The next document of that kind of work, leased; each workspace and each of its sources in turn. What a source brought lets a search
    that is under way end first; for an upload somebody waits, too."""
    document = TURNS[kind].take(*waiting(kind))
    if document and document.source_id:
        courtesy.stand_back()
    return document


def waiting(kind: str) -> list[DocumentQuerySet]:
    """What was begun and broken off goes first: that is little, and so two queues, each with its index. What comes from a source that is
    paused waits."""
    alive = Document.objects.alive()
    running = alive.filter(Q(source=None) | Q(source__paused_at=None))
    match kind:
        case "unread":
            return [running.filter(status__in=[Status.FETCHING, Status.PARSING]), running.filter(status=Status.QUEUED)]
        case "unindexed":
            return [running.filter(status=Status.INDEXING)]
        case "untold":
            return [alive.filter(UNTOLD, status=Status.READY)]
        case _:
            return [Document.objects.filter(deleted_at__isnull=False)]


def attempt(document: Document, stage: Stage) -> bool:
    """Runs the stage. False: the fault is not the document's, others would meet it. `except Exception` is the edge: whatever goes wrong
    with one document becomes its status and a sentence, and the others go on."""
    try:
        if document.attempts > settings.ATTEMPTS:
            give_up(document)
            return True
        with document.kept_alive():
            stage(document)
    except LeaseLost as loss:
        logger.info("%s", loss, extra={"document": document.pk})
    except Exception as error:
        return settle(document, error)
    return True


def upkeep(document: Document, stage: Stage) -> bool:
    """Runs a stage that is never given up. `except Exception` is the edge: whatever goes wrong is recorded and tried again later, since
    a point that stays in the index or keeps its old readers is found by those who may not find it."""
    try:
        with document.kept_alive():
            stage(document)
    except LeaseLost as loss:
        logger.info("%s", loss, extra={"document": document.pk})
    except Exception as error:
        logger.warning("Upkeep of a document waits: %s", error, exc_info=not is_outage(error), extra={"document": document.pk})
        document.held().update(try_at=timezone.now() + timedelta(seconds=5), lease_token=None, lease_until=None, attempts=0)
        return False
    return True


def give_up(document: Document) -> None:
    """Its attempts ended without an outcome: the process died in each."""
    words = _("North stopped %(times)d times while it worked on this file, so it was put aside. Try again, or save it in another format.")
    document.move(Status.FAILED, error=words % {"times": settings.ATTEMPTS}, **UNHELD)


def is_outage(error: Exception) -> bool:
    """Whether a part of North is the cause and not the document."""
    return isinstance(error, OUTAGES) and not isinstance(error, OWN_FAULTS)


def settle(document: Document, error: Exception) -> bool:
    """An outage waits and costs no attempt; a fault of the document's is final, or final after some attempts."""
    if is_outage(error):
        logger.warning("A document waits: %s", error, extra={"document": document.pk})
        document.give_back(error=str(error), attempts=max(document.attempts - 1, 0), try_at=later(document, error))
        return False
    words = str(error)
    if not isinstance(error, OWN_FAULTS):
        logger.exception("A document's stage failed", exc_info=error, extra={"document": document.pk})
        words = _("North could not process this file (%(kind)s). Tell your administrator this number: %(trace)s.") % {
            "kind": type(error).__name__,
            "trace": trace_id.get() or "-",
        }
    if getattr(error, "permanent", False) or document.attempts >= settings.ATTEMPTS:
        document.move(Status.FAILED, error=words, **UNHELD)
    else:
        document.give_back(error=words, try_at=later(document, error))
    return True


def later(document: Document, error: Exception) -> Any:
    """When to try again: the longer it waits already, the later, or when a busy engine said; from a second to a minute."""
    waited = (timezone.now() - document.status_at).total_seconds()
    return timezone.now() + timedelta(seconds=min(max(waited / 2, getattr(error, "retry_after", 1), 1), 60))


@shared_task
@courtesy.searching()
def search(  # noqa: PLR0917
    reply_to: str, workspace_id: str, user_id: str, query: str, top_k: int, key_id: str = "", filters: dict[str, Any] | None = None
) -> None:
    """Searches for a person who waits at the list `reply_to`; as long as they wait. What it used is counted
    once they have their answer."""
    used = Used()
    try:
        with metered() as used, patience(seconds_left()):
            narrowed = filtering.unpacked(filters or {})
            found = passages.find(workspace_id, user_id, query, top_k, narrowed, key_id=UUID(key_id) if key_id else None)
        answer: dict[str, Any] = {"passages": list(map(asdict, found.passages)), "notice": found.notice}
    except Http404:
        answer = {"passages": [], "notice": ""}
    except Gone:
        return
    except OUTAGES as error:
        answer = {"error": str(error), "retry_after": getattr(error, "retry_after", 0)}
    client = redis_client()
    client.rpush(reply_to, json.dumps(answer))
    client.expire(reply_to, REPLY_SECONDS)
    if used.tokens_in:
        workspace, user, key = UUID(workspace_id), UUID(user_id), UUID(key_id) if key_id else None
        usage.add(usage.Kind.SEARCH, used, model=wiring.model_name("embed"), workspace=workspace, user=user, key=key, count=1)


def seconds_left() -> float:
    """How long whoever sent the task that runs now still waits for it."""
    expires = current_task.request.expires if current_task else None
    until = parse_datetime(expires) if expires else None
    return (until - timezone.now()).total_seconds() if until else math.inf


@shared_task
def sync(run_id: str) -> None:
    """One pass over a source, or the next part of one. Killed, it begins again: what it stored already is found unchanged.
    `except Exception` is the edge: no pass stays without an end in words."""
    run = take_sync(run_id)
    if run is None:
        return
    try:
        if run.attempts > settings.ATTEMPTS:
            ending.end(run, error=_("North stopped several times during this sync. Try again; if it happens again, look at the logs."))
            return
        with run.kept_alive():
            syncing.run(run, found=lambda: hint("documents.prepare"), before=courtesy.stand_back)
    except LeaseLost as loss:
        logger.info("%s", loss, extra={"source": run.source_id})
    except (RateLimited, Crowded) as limit:
        logger.info("A sync waits: %s", limit, extra={"source": run.source_id})
        ending.wait(run, limit)
    except OUTAGES as error:
        logger.warning("A sync failed: %s", error, extra={"source": run.source_id})
        ending.end(run, error=str(error), fault=type(error).__name__)
    except Exception as error:
        ending.end(run, error=_("Something unexpected happened (%s). It is in the logs.") % type(error).__name__, fault="Unexpected")
        raise
    hint("documents.prepare")
    hint("documents.index")
    hint_syncs()


def take_sync(run_id: str) -> SyncRun | None:
    """The pass, leased; None where it is not due, its source is paused, or as many are under way as may be: it is hinted at again then.
    Counted and taken in one transaction, which other takers wait for, or on PostgreSQL may now and then overtake."""
    with transaction.atomic():
        return waiting_syncs().take(run_id) if free_places() > 0 else None


def waiting_syncs() -> Any:
    """What is due, the longest waiting first: a pass that had a turn comes after those that had none."""
    rows = SyncRun.objects.filter(status__in=SyncRun.WORKING, source__paused_at=None)
    return rows.order_by(F("progress_at").asc(nulls_first=True), "created_at")


def free_places() -> int:
    return settings.SYNCS_AT_ONCE - SyncRun.objects.filter(lease_until__gt=timezone.now()).count()


def hint_syncs() -> None:
    """At as many waiting passes as there is room for."""
    if (places := free_places()) > 0:
        for pk in waiting_syncs().due().values_list("pk", flat=True)[:places]:
            hint("documents.sync", str(pk), expires=30)


@shared_task
def sync_due() -> None:
    """Begins a pass over each source whose time has come, or that said that something changed, and looks after the channels by which they
    say so; now and then clears away files that no row knows."""
    for hook in Hook.objects.select_related("source").filter(wanted_at__isnull=False):
        if run_id := hook.look():
            hint("documents.sync", str(run_id))
    for pk in channels.due().values_list("pk", flat=True):
        hint("documents.tend_channels", str(pk), expires=30)
    for number in channels.closings().values_list("pk", flat=True):
        hint("documents.close_channels", number, expires=30)
    for source in Source.objects.filter(schedule__gt=0, paused_at=None):
        due = source.synced_at is None or source.synced_at + timedelta(seconds=source.schedule) <= timezone.now()
        if due and (run := source.begin()):
            hint("documents.sync", str(run.pk))
    if redis_client().set("north:tidied", 1, nx=True, ex=3600):
        reconciling.tidy()


@shared_task
def tend_channels(source_id: str) -> None:
    """Opens, renews and closes what its service tells a source's door by."""
    channels.tend(UUID(source_id))


@shared_task
def close_channels(number: int) -> None:
    """Closes those of a door that is gone."""
    channels.close(number)


@shared_task
def sweep() -> None:
    """Hints at all that is due: after a crash, an outage, or a broker that lost its messages. Finds what is stuck, and what the index
    has lost."""
    for _number in range(sum(rows.due()[:HINTS].count() for rows in waiting("unread"))):
        hint("documents.prepare", expires=30)
    if any(rows.due().order_by().exists() for kind in ("unindexed", "untold", "buried") for rows in waiting(kind)):
        hint("documents.index", expires=30)
    stuck.begin_again()
    hint_syncs()
    reconciling.glance()


@shared_task
def forget_workspace(workspace_id: str) -> None:
    """What a deleted workspace left beside its rows: points and files."""
    for one in wiring.indexes():
        one.forget_workspace(workspace_id)
    files.remove(workspace_id)
