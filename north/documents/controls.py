"""What people do about a source at work: hold it up, let it go on, stop its pass, try again what failed, pass over what is in the way.
Each verb: rows and audit event in one transaction, work on commit."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from north.documents import channels
from north.documents.actions import managed, owned, soon
from north.documents.models import UNHELD, Document, DocumentQuerySet, Source, Status, SyncRun
from north.workspaces.audit import record
from north.workspaces.models import Membership


def pause(source: Source, *, actor: Membership) -> None:
    """Its pass stops within seconds and goes on from where it was when it is resumed; what came from it is neither read nor indexed until
    then. What is read already stays in answers. Twice is once."""
    owned(source, actor)
    with transaction.atomic():
        if Source.objects.filter(pk=source.pk, paused_at=None).update(paused_at=timezone.now()):
            source.begin_again()
            let_go(Document.objects.filter(source=source))
            channels.look_again(source)
            record("source.pause", actor=actor, thing=source, name=source.name)


def resume(source: Source, *, actor: Membership) -> None:
    owned(source, actor)
    with transaction.atomic():
        if Source.objects.filter(pk=source.pk, paused_at__isnull=False).update(paused_at=None):
            channels.look_again(source)
            record("source.resume", actor=actor, thing=source, name=source.name)
            for pk in SyncRun.objects.filter(source=source, status__in=SyncRun.WORKING).values_list("pk", flat=True):
                soon("documents.sync", str(pk))
            soon("documents.prepare")
            soon("documents.index")


def cancel(source: Source, *, actor: Membership) -> bool:
    """Stops its pass, at work or waiting: it writes nothing from this commit on and its worker is free within seconds. What it brought
    stays, and nothing is deleted, since its listing did not come to its end. Whether there was one."""
    owned(source, actor)
    with transaction.atomic():
        working = SyncRun.objects.filter(source=source, status__in=SyncRun.WORKING)
        values = {"status": SyncRun.Status.CANCELLED, "ended_at": timezone.now(), "error": "", "fault": ""}
        if not working.update(**values, **UNHELD):
            return False
        record("source.cancel", actor=actor, thing=source, name=source.name)
        return True


def retry_failed(source: Source, *, actor: Membership) -> int:
    """All that failed begins again from the stored files. Returns how many."""
    owned(source, actor)
    with transaction.atomic():
        failed = Document.objects.alive().filter(workspace=source.workspace_id, source=source, status=Status.FAILED)
        count = failed.move(Status.QUEUED, error="", **UNHELD)
        if count:
            record("source.retry", actor=actor, thing=source, name=source.name, documents=count)
            soon("documents.prepare")
        return count


def skip(document: Document, *, actor: Membership) -> bool:
    """Passes over it, until its source has another revision or somebody tries again. What an earlier revision said stays."""
    managed(document, actor)
    with transaction.atomic():
        if not Document.objects.alive().filter(pk=document.pk).move(Status.SKIPPED, error="", **UNHELD):
            return False
        record("document.skip", actor=actor, thing=document, name=document.name)
        return True


def let_go(documents: DocumentQuerySet) -> None:
    """Whoever works on them writes nothing more; they are begun again when their turn comes."""
    at_work = documents.alive().filter(Q(status__in=[Status.FETCHING, Status.PARSING, Status.INDEXING]), lease_token__isnull=False)
    at_work.update(**UNHELD)
