"""Work that a row stands for: who holds it, since when, how often it was tried. The row is the job; a broker message is only a hint.

A worker takes a row by a conditional UPDATE (`take`), says that it lives (`renew`), and gives it back with its outcome. The token is a
fence: a worker that was away longer than its lease finds its token gone and may write nothing any more.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import Any, Self

from django.conf import settings
from django.db import close_old_connections, models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class LeaseLost(Exception):
    """Somebody else holds this row now; whatever was done without it must not be written."""


class Status(models.TextChoices):
    """How far a `Job` is."""

    PENDING = "pending", _("waiting")
    RUNNING = "running", _("working")
    DONE = "done", _("done")
    FAILED = "failed", _("failed")
    CANCELLED = "cancelled", _("stopped")


OPEN = [Status.PENDING, Status.RUNNING]


class LeasedQuerySet(models.QuerySet):
    def due(self) -> Self:
        """Rows nobody holds, or whose holder has gone silent, and whose time to be tried (again) has come."""
        now = timezone.now()
        return self.filter(Q(lease_until__isnull=True) | Q(lease_until__lt=now)).filter(Q(try_at__isnull=True) | Q(try_at__lte=now))

    def take(self, pk: Any, **conditions: Any) -> Any | None:
        """The row, leased to the caller for `LEASE_SECONDS` and counted as one more attempt; `None` where it is not due."""
        token = uuid.uuid4()
        until = timezone.now() + timedelta(seconds=settings.LEASE_SECONDS)
        values = {"lease_token": token, "lease_until": until, "attempts": F("attempts") + 1, **self.at_taking()}
        taken = self.due().filter(pk=pk, **conditions).update(**values)
        return self.filter(pk=pk, lease_token=token).first() if taken else None

    def at_taking(self) -> dict[str, Any]:
        """What else is written where a row is taken."""
        return {}


class Leased(models.Model):
    lease_token = models.UUIDField(null=True, editable=False)
    lease_until = models.DateTimeField(null=True, editable=False, db_index=True)
    try_at = models.DateTimeField(null=True, editable=False)
    attempts = models.PositiveSmallIntegerField(default=0, editable=False)

    objects = LeasedQuerySet.as_manager()

    class Meta:
        abstract = True

    def held(self) -> models.QuerySet:
        """This row, if the caller still holds it: every write of leased work goes through here."""
        return type(self)._default_manager.filter(pk=self.pk, lease_token=self.lease_token, lease_token__isnull=False)

    def write(self, **values: Any) -> None:
        """Writes `values` under the lease. Raises `LeaseLost`."""
        if not self.held().update(**values):
            raise LeaseLost(f"{type(self).__name__} {self.pk} is held by another worker.")
        for name, value in values.items():
            setattr(self, name, value)

    def renew(self) -> None:
        self.write(lease_until=timezone.now() + timedelta(seconds=settings.LEASE_SECONDS))

    def give_back(self, **values: Any) -> None:
        """Ends the lease and writes the outcome in the same UPDATE."""
        self.write(lease_token=None, lease_until=None, **values)

    @contextmanager
    def kept_alive(self) -> Iterator[Event]:
        """Renews the lease in the background while the block runs; the event is set if it was lost."""
        stopped, lost = Event(), Event()

        def beat() -> None:
            while not stopped.wait(settings.LEASE_SECONDS / 3):
                try:
                    self.renew()
                except LeaseLost:
                    lost.set()
                    return
                finally:
                    close_old_connections()

        thread = Thread(target=beat, name=f"lease-{self.pk}", daemon=True)
        thread.start()
        try:
            yield lost
        finally:
            stopped.set()
            thread.join(timeout=5)


class WatchedQuerySet(LeasedQuerySet):
    def at_taking(self) -> dict[str, Any]:
        return {"progress_at": timezone.now()}

    def stuck(self, seconds: float) -> Self:
        """Rows whose holder lives and has got no further for so long."""
        now = timezone.now()
        return self.filter(lease_until__gt=now, progress_at__lt=now - timedelta(seconds=seconds))


class Watched(Leased):
    """Leased work that says when it got on: a holder may live, and hang."""

    progress_at = models.DateTimeField(null=True, editable=False)
    stirred = 0.0

    objects = WatchedQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        abstract = True

    def stir(self, every: float = 1.0) -> None:
        """It gets on; written at most so often. Raises `LeaseLost`."""
        if time.monotonic() - self.stirred >= every:
            self.write(progress_at=timezone.now())
            self.stirred = time.monotonic()


class JobQuerySet(LeasedQuerySet):
    def open(self) -> Self:
        return self.filter(status__in=OPEN)

    def over(self) -> Self:
        return self.exclude(status__in=OPEN)


class Job(Leased):
    """Leased work that somebody asked for, watches and may stop."""

    Status = Status
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING, db_index=True)
    error = models.TextField(blank=True)
    cancel_requested = models.BooleanField(default=False)

    objects = JobQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        abstract = True

    @property
    def over(self) -> bool:
        return self.status not in OPEN
