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
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.errors import Cancelled
from agents.run import documents_of, rewind
from north import wiring
from north.failpoints import failpoint
from north.hints import hint
from north.inference.errors import OutOfMemory, Overloaded
from north.leases import OPEN, LeaseLost
from north.threads import journal, traces
from north.threads.actions import MESSAGE_SECONDS
from north.threads.checkpoints import checkpointer
from north.threads.control import KEPT, ask_next
from north.threads.errors import RightsLost, SourcesChanged
from north.threads.execution import attempt, member
from north.threads.models import Approval, Queued, Run, Step, Thread
from north.threads.reading import open_documents
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
        run.write(status=Run.Status.RUNNING, started_at=started, checkpointed=True, model=wiring.model_name("chat"))
        recorder = Recorder(run, journal.pen())
        with run.kept_alive() as lost:
            try:
                if run.attempts > settings.ATTEMPTS:
                    words = _("North was interrupted %(count)d times while it worked on this. Ask again.")
                    recorder.failed(words % {"count": settings.ATTEMPTS})
                else:
                    if run.resumed_at:
                        reopen(run, recorder)
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
        if run.over:
            ask_next(run.thread_id)


def reopen(run: Run, recorder: Recorder) -> None:
    """Before a run goes on that was over: what was taken away from its reader since is forgotten, and it is put back to the step from which
    it shall be done again. Can be done twice."""
    saved = documents_of(checkpointer(), str(run.pk), run.question)
    if not saved <= open_documents(member(run), saved).keys():
        checkpointer().delete_thread(str(run.pk))
        recorder.forget()
    elif run.retry_from:
        rewind(checkpointer(), str(run.pk), run.question, run.retry_from)
        failpoint("rewind")
        recorder.forget(run.retry_from)
    run.write(retry_from="")
    recorder.journal.restart()


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
        if isinstance(error, RightsLost | SourcesChanged):
            forget(run)
    else:
        words = _("Something in North broke. Ask again; if it happens again, give your administrator the number %(trace)s.")
        recorder.failed(words % {"trace": run.trace or str(run.pk)})
        raise error


def clear(run: Run) -> None:
    """Checkpoints go when their run is over, but for what may go on or be done again from a step: that is kept for a while."""
    if run.over and not stalled(Run.objects.filter(pk=run.pk, ended_at__gte=timezone.now() - KEPT)).exists():
        forget(run)


def stalled(runs: QuerySet) -> QuerySet:
    """Those that did not come to their end, or in which a step failed."""
    faulty = Exists(Step.objects.filter(run=OuterRef("pk")).exclude(error=""))
    return runs.filter(~Q(status=Run.Status.DONE) | ~Q(cut_short="") | Q(faulty))


def forget(run: Run) -> None:
    checkpointer().delete_thread(str(run.pk))
    Run.objects.filter(pk=run.pk).update(checkpointed=False)


@shared_task
def sweep() -> None:
    """Publishes what is due, ends what nobody took, and clears what is over or deleted."""
    give_up()
    for run_id in due()[:SWEPT]:
        publish(run_id)
    a_minute_ago = timezone.now() - timedelta(minutes=1)
    over = Run.objects.over().filter(checkpointed=True, ended_at__lt=a_minute_ago)
    kept = stalled(over.filter(ended_at__gte=timezone.now() - KEPT)).values("pk")
    for run in over.exclude(pk__in=kept)[:SWEPT]:
        clear(run)
    busy = Run.objects.filter(thread=OuterRef("thread"), status__in=OPEN)
    for thread_id in Queued.objects.filter(~Exists(busy), thread__deleted_at=None).values_list("thread", flat=True).distinct()[:SWEPT]:
        ask_next(thread_id)
    for thread in Thread.objects.exclude(deleted_at=None)[:SWEPT]:
        bury(thread)


@shared_task
def sweep_traces() -> None:
    """Takes words of deleted documents, and what is too old, out of what is kept of runs; nobody was shown them meanwhile."""
    traces.forget_gone()
    traces.expire()


def give_up() -> None:
    """Ends runs that no worker took for a long time."""
    long_ago = timezone.now() - timedelta(minutes=PENDING_MINUTES)
    forgotten = (
        Run.objects.due().filter(status=Run.Status.PENDING, created_at__lt=long_ago, approvals=None).exclude(resumed_at__gte=long_ago)
    )
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
