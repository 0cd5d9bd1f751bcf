"""Measurements as work of the model worker. The row is the job; a message only says "look at this one", may be lost, and may come twice.

What carries one out is reached by dotted path: each worker imports its tasks, and only the one that measures needs an index for it."""

from __future__ import annotations

import logging
import threading
import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from north import wiring
from north.evaluation.errors import EvaluationError, Stopped
from north.evaluation.models import Measurement
from north.hints import hint
from north.inference.errors import ModelError
from north.inference.metering import metered
from north.leases import OPEN, LeaseLost
from north.tracing import trace_id
from north.usage import models as usage
from retrieval.errors import RetrievalError

logger = logging.getLogger(__name__)
WATCH_SECONDS = 1.0


class Watch:
    """Raises `Stopped` where a person said so, and `LeaseLost` where another worker holds the measurement."""

    def __init__(self, measurement: Measurement, lost: threading.Event) -> None:
        self.measurement, self.lost, self.look_at = measurement, lost, 0.0

    def __call__(self) -> None:
        if self.lost.is_set():
            raise LeaseLost(f"Measurement {self.measurement.pk} is held by another worker.")
        if time.monotonic() >= self.look_at:
            if self.measurement.held().filter(cancel_requested=True).exists():
                raise Stopped
            self.look_at = time.monotonic() + WATCH_SECONDS


@shared_task
def measure(measurement_id: str) -> None:
    """Works at this measurement, if it is due. A killed one goes on at the question that it had come to."""
    measurement = Measurement.objects.take(measurement_id, status__in=OPEN)
    if measurement is None:
        return
    try:
        with measurement.kept_alive() as lost:
            if measurement.attempts > settings.ATTEMPTS:
                fail(measurement, _("North was interrupted %(count)d times while it measured.") % {"count": settings.ATTEMPTS})
                return
            work(measurement, Watch(measurement, lost))
    except LeaseLost:
        logger.warning("A measurement was taken over by another worker.")


def work(measurement: Measurement, watch: Watch) -> None:
    """One attempt and what becomes of it. `except Exception` here is the edge: no measurement ends without words."""
    with metered() as used:
        try:
            import_string("north.evaluation.asking.carry_out")(measurement, watch)
        except Stopped:
            measurement.give_back(status=Measurement.Status.CANCELLED, ended_at=timezone.now())
        except LeaseLost:
            raise
        except (EvaluationError, ModelError, RetrievalError) as error:
            fail(measurement, str(error))
        except Exception:
            fail(measurement, _("Something in North broke. It is in the logs under the number %s.") % (trace_id.get() or "-"))
            raise
    usage.add(
        usage.Kind.SEARCH, used, model=wiring.model_name("embed"), workspace=measurement.workspace_id, user=measurement.asked_by_id
    )  # fmt: skip


def fail(measurement: Measurement, words: str) -> None:
    measurement.give_back(status=Measurement.Status.FAILED, ended_at=timezone.now(), error=words)


@shared_task
def sweep() -> None:
    """Hints again at measurements that are due."""
    for pk in Measurement.objects.open().due().values_list("pk", flat=True):
        hint("evaluation.measure", str(pk), expires=30)
