"""Runs as work: one task that carries one run as far as it goes, and the sweeper that finds what is due. The row is the job; a message
only says "look at this one", may be lost, and may come twice."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.errors import Cancelled
from north.hints import hint
from north.inference.errors import OutOfMemory, Overloaded
from north.leases import OPEN, LeaseLost
from north.threads import journal
from north.threads.actions import MESSAGE_SECONDS
from north.threads.checkpoints import checkpointer
from north.threads.errors import SourcesChanged
from north.threads.execution import attempt
from north.threads.models import Approval, Run, Thread
from north.threads.recording import Recorder, told
from north.tracing import new_trace

logger = logging.getLogger(__name__)

SLOTS = threading.BoundedSemaphore(settings.RUNS_AT_ONCE)
SWEPT = 50
PENDING_MINUTES = 30
BUSY_SECONDS = 60.0


def publish(run_id: UUID) -> None:
    hint("threads.execute", str(run_id), expires=MESSAGE_SECONDS)


@shared_task
def execute(run_id: str) -> None:
    """Carries this run as far as it goes, if it is due and this process has room; then says which one is next."""
    if not SLOTS.acquire(blocking=False):
        return
    try:
        run = Run.objects.select_related("thread__workspace", "thread__user", "agent", "version").take(run_id, status__in=OPEN)
        if run:
            work(run)
    finally:
        SLOTS.release()
    for waiting in due()[:1]:
        publish(waiting)


def due() -> QuerySet:
    """Ids of runs that wait for a worker, oldest first."""
    return Run.objects.open().due().filter(thread__deleted_at=None).order_by("created_at").values_list("pk", flat=True)


def work(run: Run) -> None:
    """One attempt and what becomes of it. `except Exception` here is the edge: nothing leaves a run without an end in words."""
    new_trace(run.trace)
    started = run.started_at or timezone.now()
    try:
        run.write(status=Run.Status.RUNNING, started_at=started, checkpointed=True)
        recorder = Recorder(run, journal.pen())
        with run.kept_alive() as lost:
            try:
                if run.attempts > settings.ATTEMPTS:
                    words = _("North was interrupted %(count)d times while it worked on this. Ask again.")
                    recorder.failed(words % {"count": settings.ATTEMPTS})
                else:
                    attempt(run, recorder, lost)
            except LeaseLost:
                raise
            except Exception as error:
                settle(run, recorder, error)
    except LeaseLost:
        logger.warning("A run was taken over by another worker.", extra={"run": run.pk})
        return
    finally:
        clear(run)


def settle(run: Run, recorder: Recorder, error: Exception) -> None:
    """Ends the attempt as its error demands; what nobody foresaw is recorded and raised again."""
    error = OutOfMemory() if isinstance(error, MemoryError) else error
    permanent = getattr(error, "permanent", None)
    logger.info("A run stopped: %s", type(error).__name__, extra={"run": run.pk, "attempt": run.attempts})
    if isinstance(error, Cancelled):
        recorder.cancelled()
    elif isinstance(error, Overloaded):  # nothing is wrong with the run, so it costs no attempt
        recorder.put_back(str(error), seconds=min(error.retry_after, BUSY_SECONDS), attempts=max(run.attempts - 1, 0))
    elif permanent is False and run.attempts < settings.ATTEMPTS:
        if isinstance(error, SourcesChanged):
            recorder.forget()
            run.approvals.exclude(standing=Approval.Standing.DONE).delete()
            checkpointer().delete_thread(str(run.pk))
        recorder.put_back(str(error), seconds=2**run.attempts)
    elif permanent is not None:
        recorder.failed(str(error))
    else:
        words = _("Something in North broke. Ask again; if it happens again, give your administrator the number %(trace)s.")
        recorder.failed(words % {"trace": run.trace or str(run.pk)})
        raise error


def clear(run: Run) -> None:
    """Checkpoints go when their run is over."""
    if run.over:
        checkpointer().delete_thread(str(run.pk))
        Run.objects.filter(pk=run.pk).update(checkpointed=False)


@shared_task
def sweep() -> None:
    """Publishes what is due, ends what nobody took, and clears what is over or deleted."""
    give_up()
    for run_id in due()[:SWEPT]:
        publish(run_id)
    a_minute_ago = timezone.now() - timedelta(minutes=1)
    for run in Run.objects.over().filter(checkpointed=True, ended_at__lt=a_minute_ago)[:SWEPT]:
        clear(run)
    for thread in Thread.objects.exclude(deleted_at=None)[:SWEPT]:
        bury(thread)


def give_up() -> None:
    """Ends runs that no worker took for a long time."""
    long_ago = timezone.now() - timedelta(minutes=PENDING_MINUTES)
    forgotten = Run.objects.due().filter(status=Run.Status.PENDING, created_at__lt=long_ago, approvals=None)
    words = _("No worker took this question for %(minutes)d minutes. Ask again, or tell your administrator.")
    over = {"status": Run.Status.FAILED, "ended_at": timezone.now(), "error": words % {"minutes": PENDING_MINUTES}}
    for run in forgotten.select_related("thread")[:SWEPT]:
        with transaction.atomic():
            if forgotten.filter(pk=run.pk).update(**over):
                run.status = Run.Status.FAILED
                told(run)


def bury(thread: Thread) -> None:
    """Clears a deleted thread, once no worker writes to it any more."""
    runs = thread.runs.all()
    if runs.filter(Q(lease_until__gte=timezone.now())).exists():
        return
    for run in runs:
        checkpointer().delete_thread(str(run.pk))
        journal.forget(run.pk)
    thread.delete()
