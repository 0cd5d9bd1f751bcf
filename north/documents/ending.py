"""How a pass over a source ends, or waits; and who is told."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from north.documents.errors import Crowded
from north.documents.models import Source, SyncRun
from north.webhooks.announcing import announce
from north.webhooks.models import Event
from retrieval.errors import RateLimited

KEPT_RUNS = 100


def end(row: SyncRun, began: Any = None, *, error: str = "", fault: str = "", **counts: Any) -> None:
    """`began`: when this worker began, if the pass came to its end: what is here now is at least as new as that."""
    now = timezone.now()
    status = SyncRun.Status.FAILED if error else SyncRun.Status.DONE
    with transaction.atomic():
        row.give_back(status=status, ended_at=now, error=error, fault=fault, try_at=None, **counts)
        if error:
            tell_failed(row)
        else:
            Source.objects.filter(pk=row.source_id).update(rights_until=believed_until(row.source), fresh_at=began or now)
    old = SyncRun.objects.filter(source=row.source_id).values_list("pk", flat=True)[KEPT_RUNS:]
    SyncRun.objects.filter(pk__in=list(old)).delete()


def wait(row: SyncRun, limit: RateLimited | Crowded) -> None:
    """The source asks to wait, or North has to: the pass goes on from its cursor then, and that is no failure."""
    row.give_back(
        status=SyncRun.Status.QUEUED, error=str(limit), fault=type(limit).__name__, attempts=max(row.attempts - 1, 0),
        try_at=timezone.now() + timedelta(seconds=limit.retry_after),
    )  # fmt: skip


def believed_until(source: Source) -> Any:
    """How long the rights are believed that were read just now; without a schedule for ever, since nobody promised to look again."""
    if not (source.as_source and source.schedule and settings.RIGHTS_HOURS):
        return None
    return timezone.now() + max(timedelta(hours=settings.RIGHTS_HOURS), timedelta(seconds=3 * source.schedule))


def tell_failed(row: SyncRun) -> None:
    """Tells the workspace's webhooks, if the pass before did not fail as well."""
    before = SyncRun.objects.filter(source=row.source_id).exclude(pk=row.pk).values_list("status", flat=True).first()
    if before != SyncRun.Status.FAILED:
        source = row.source
        announce(Event.SYNC_FAILED, workspace=source.workspace_id, source=source.pk, sync=row.pk, name=source.name, error=row.error)
