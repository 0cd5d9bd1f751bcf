"""Finds work that gets no further although its worker lives, ends it, begins it again, and tells: the page, the audit log, the webhooks.
It looks at progress and not at the process: what a source was asked and did not answer, what a reader never finished."""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from north.documents.models import UNHELD, Document, Source, Status, SyncRun
from north.webhooks.announcing import announce
from north.webhooks.models import Event
from north.workspaces.audit import record

logger = logging.getLogger(__name__)
READING_GRACE = 60


def begin_again() -> list[SyncRun]:
    """What was stuck and is due again; the documents are found by whoever takes the next one."""
    if not settings.STUCK_SECONDS:
        return []
    for document in stuck_documents():
        free(document)
    return [run for run in SyncRun.objects.filter(status=SyncRun.Status.RUNNING).stuck(settings.STUCK_SECONDS) if restart(run)]


def stuck_documents() -> list[Document]:
    """A reader has limits of its own, so more is not asked of it."""
    held = Document.objects.alive().defer("text", "notes")
    reading = max(settings.STUCK_SECONDS, settings.PARSE_SECONDS + settings.OCR_SECONDS + READING_GRACE)
    return [
        *held.filter(status__in=[Status.FETCHING, Status.PARSING]).stuck(reading),
        *held.filter(status=Status.INDEXING).stuck(settings.STUCK_SECONDS),
    ]


@transaction.atomic
def restart(run: SyncRun) -> bool:
    """Takes the pass from its worker, which lets go of it within seconds. After so many times it has failed."""
    last = run.restarts + 1 >= settings.ATTEMPTS
    words = said(last) % {"minutes": round(settings.STUCK_SECONDS / 60, 1)}
    values: dict[str, Any] = {"restarts": run.restarts + 1, "error": words, "fault": "Stuck", **UNHELD}
    values |= {"status": SyncRun.Status.FAILED, "ended_at": timezone.now()} if last else {"status": SyncRun.Status.QUEUED}
    if not run.held().update(**values):
        return False
    source = Source.objects.select_related("workspace").get(pk=run.source_id)
    logger.warning("A sync got no further and is begun again: %s", source.name, extra={"source": source.pk})
    record("source.stuck", actor=None, workspace=source.workspace, thing=source, name=source.name, restarts=run.restarts + 1)
    announce(Event.SYNC_STUCK, workspace=source.workspace_id, source=source.pk, sync=run.pk, name=source.name, restarted=not last)
    return not last


def said(last: bool) -> str:
    if last:
        return _("The source gave no sign for %(minutes)s minutes, each time, so the sync was given up. Look whether the source works.")
    return _("The source gave no sign for %(minutes)s minutes, so the sync was begun again from where it was.")


@transaction.atomic
def free(document: Document) -> None:
    """Gives it back with its attempts, so that one that always gets stuck is put aside."""
    words = _("It got no further for some minutes, so it was begun again.")
    values = {**UNHELD, "attempts": document.attempts, "error": words}
    if document.held().update(**values):
        logger.warning("A document got no further and is begun again", extra={"document": document.pk})
        record("document.stuck", actor=None, workspace=document.workspace, thing=document, name=document.name, status=document.status)
