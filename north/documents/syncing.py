"""One pass over a source: what is new, changed, unchanged and gone, against the rows. A partial listing never deletes, and whatever is met
twice is done once. Knows no broker; runs under the lease of its `SyncRun`."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from north import wiring
from north.documents import files
from north.documents.models import Document, Principal, Source, Status, SyncRun
from north.failpoints import failpoint
from north.webhooks.announcing import announce
from north.webhooks.models import Event
from retrieval.errors import ParseError
from retrieval.types import Cursor, Deleted, Item, Skipped, Unchanged

KEPT_RUNS = 30
TOLD = 200
"""So many skipped things are named; the others are counted."""


def run(row: SyncRun, *, found: Callable[[], None]) -> None:
    """The whole pass. `found` is called when something new waits to be read. Raises SourceErrors, StorageFull, LeaseLost."""
    row.write(
        status=SyncRun.Status.RUNNING, started_at=row.started_at or timezone.now(), new=0, changed=0, unchanged=0, deleted=0, skipped=[]
    )
    work = Pass(row, found)
    for thing in wiring.connector(row.source.connector)(row.source.config, row.source.cursor):
        work.take(thing)
    end(row, **work.counts())


def end(row: SyncRun, *, error: str = "", **counts: Any) -> None:
    status = SyncRun.Status.FAILED if error else SyncRun.Status.DONE
    with transaction.atomic():
        row.give_back(status=status, ended_at=timezone.now(), error=error, try_at=None, **counts)
        if error:
            tell_failed(row)
    old = SyncRun.objects.filter(source=row.source_id).values_list("pk", flat=True)[KEPT_RUNS:]
    SyncRun.objects.filter(pk__in=list(old)).delete()


def tell_failed(row: SyncRun) -> None:
    """Tells the workspace's webhooks, if the pass before did not fail as well."""
    before = SyncRun.objects.filter(source=row.source_id).exclude(pk=row.pk).values_list("status", flat=True).first()
    if before != SyncRun.Status.FAILED:
        source = row.source
        announce(Event.SYNC_FAILED, workspace=source.workspace_id, source=source.pk, sync=row.pk, name=source.name, error=row.error)


class Pass:
    """What one pass has met so far. Its counts are written about once a second, so that a page can show them."""

    def __init__(self, row: SyncRun, found: Callable[[], None]) -> None:
        self.row, self.source, self.found = row, row.source, found
        self.new = self.changed = self.unchanged = self.deleted = self.left_out = 0
        self.skipped: list[dict[str, str]] = []
        self.seen: set[str] = set()
        self.written, self.fresh = 0.0, False

    def counts(self) -> dict[str, Any]:
        return {
            "new": self.new,
            "changed": self.changed,
            "unchanged": self.unchanged,
            "deleted": self.deleted,
            "skipped": self.skipped,
            "left_out": self.left_out,
        }

    def take(self, thing: Item | Unchanged | Deleted | Skipped | Cursor) -> None:
        match thing:
            case Item():
                self.seen.add(thing.external_id)
                failpoint("fetch")
                self.receive(thing)
            case Unchanged():
                self.seen.add(thing.external_id)
                self.unchanged += 1
            case Skipped():
                self.seen.add(thing.external_id)
                self.skip(thing.name, thing.reason)
            case Deleted():
                self.deleted += self.documents().filter(external_id=thing.external_id).bury()
            case Cursor():
                self.remember(thing)
        if time.monotonic() - self.written > 1:
            self.tell()

    def tell(self) -> None:
        self.row.write(**self.counts())
        if self.fresh:
            self.found()
        self.written, self.fresh = time.monotonic(), False

    def documents(self) -> Any:
        return Document.objects.alive().filter(source=self.source, parent=None)

    def skip(self, name: str, reason: str) -> None:
        if len(self.skipped) < TOLD:
            self.skipped.append({"name": name, "reason": reason})
        else:
            self.left_out += 1

    def receive(self, item: Item) -> None:
        """Stores what is new or changed, and queues it."""
        if len(item.external_id) > 1024:
            self.skip(item.name, _("Its path is longer than 1024 characters. Move it to a folder nearer to the top."))
            return
        document = self.documents().defer("text").filter(external_id=item.external_id).first()
        try:
            if document is None:
                self.add(item)
            elif self.update(document, item):
                self.changed += 1
            else:
                self.unchanged += 1
        except ParseError as error:
            self.skip(item.name, str(error))

    def add(self, item: Item) -> None:
        document = Document(
            workspace=self.source.workspace,
            source=self.source,
            external_id=item.external_id,
            name=item.name,
            modified_at=item.modified_at,
            kept_in=item.folder,
        )
        document.sha256, document.bytes = files.store(io.BytesIO(item.data), document.folder)
        with transaction.atomic():
            self.fence()
            document.save(force_insert=True)
            Principal.objects.bulk_create([Principal(document=document, value=value) for value in self.principals_of(item)])
        self.new += 1
        self.fresh = True

    def update(self, document: Document, item: Item) -> bool:
        """Whether the item's bytes, name or readers differ from the document's, which then has them."""
        sha256 = hashlib.sha256(item.data).hexdigest()
        with transaction.atomic():
            self.fence()
            restricted = document.restrict(self.principals_of(item)) if item.principals is not None else False
        if sha256 == document.sha256 and item.name == document.name:
            return restricted
        _sha256, size = files.store(io.BytesIO(item.data), document.folder)
        with transaction.atomic():
            self.fence()
            changed = {"sha256": sha256, "bytes": size, "name": item.name, "modified_at": item.modified_at, "kept_in": item.folder}
            document.requeue(Status.QUEUED, **changed, version=document.version + 1)
        self.fresh = True
        return True

    def fence(self) -> None:
        """In a transaction: who lost the lease, or whose source was deleted, writes nothing more; and who may read is as the source says
        now, and stays so until the commit."""
        self.row.renew()
        self.source.principals = Source.objects.select_for_update().get(pk=self.source.pk).principals

    def principals_of(self, item: Item) -> set[str]:
        """The source system's own are named for it, so that no two systems' "staff" are taken for one."""
        if item.principals is None:
            return set(self.source.principals)
        return {f"s:{self.source.pk}:{hashlib.sha256(value.encode()).hexdigest()[:40]}" for value in item.principals}

    def remember(self, cursor: Cursor) -> None:
        """What a complete listing did not name is gone; then the next pass may begin from here."""
        with transaction.atomic():
            self.fence()
            if cursor.complete:
                known = self.documents().values_list("pk", "external_id")
                gone = [pk for pk, external_id in known if external_id not in self.seen]
                for number in range(0, len(gone), 500):
                    self.deleted += Document.objects.filter(pk__in=gone[number : number + 500]).bury()
            Source.objects.filter(pk=self.source.pk).update(cursor=dict(cursor.value))
