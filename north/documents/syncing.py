"""One pass over a source: what is new, changed, unchanged and gone, and who may read it, against the rows. Only a listing that came to its
end deletes what it did not name, and whatever is met twice is done once. Knows no broker; runs under the lease of its `SyncRun`."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from north.documents import files, reaching
from north.documents.ending import end
from north.documents.errors import Crowded, GaveWay
from north.documents.granting import Granting, values_of
from north.documents.models import WORKING, Document, PendingPrincipal, Principal, Source, Status, SyncRun
from north.documents.pace import Pace
from north.documents.watching import Watch
from north.failpoints import failpoint
from retrieval.errors import CursorExpired, ItemBroken, ParseError, SourceError
from retrieval.types import Account, Cursor, Deleted, Fetched, Item, Listing, Members, Skipped

TOLD = 200
"""So many skipped things are named; the others are counted."""
BATCH = 100
"""So many things are looked up in the rows at a time."""
LONGEST_ID = 1024
TURN_SECONDS = 60
"""Then a pass gives way where it may go on from later, if another waits."""
COUNTED = ("new", "changed", "unchanged", "deleted", "skipped", "left_out", "expected")
NOTHING: dict[str, Any] = {"new": 0, "changed": 0, "unchanged": 0, "deleted": 0, "skipped": [], "left_out": 0, "expected": None}
OWED = 1000
"""So many things that could not be had are remembered."""


def run(row: SyncRun, *, found: Callable[[], None], before: Callable[[], None]) -> None:
    """The whole pass. `found` is called when something new waits to be read, `before` each time before bytes are fetched. Raises
    SourceErrors, StorageFull, LeaseLost."""
    waiting = crowd(row.source)
    if row.fault == Crowded.__name__ and waiting > settings.WAITING_DOCUMENTS // 2:
        raise Crowded(waiting)
    began = timezone.now()
    counts = {name: getattr(row, name) for name in COUNTED} if row.fault == GaveWay.__name__ else NOTHING
    row.write(status=SyncRun.Status.RUNNING, started_at=row.started_at or began, error="", fault="", **counts)
    with Watch(row) as watch:
        work = Pass(row, found, before, watch)
        work.bring()
        if work.resumed:
            work.resumed = False
            work.bring()
        work.ask_again()
    end(row, began, **work.counts())


def crowd(source: Source) -> int:
    """How many documents of the source wait to be read or indexed."""
    return Document.objects.alive().filter(workspace=source.workspace_id, source=source, status__in=WORKING).count()


@dataclass(frozen=True)
class Known:
    """A document of the source as the rows have it, and who may read it."""

    document: Document
    principals: frozenset[str]
    waiting: frozenset[str]
    """Those that it is to list besides, when the pass has come to its end."""


class Pass:
    """What one pass has met so far. Things are taken in batches, people when all are named; whatever else comes is preceded by what waits.
    Its counts are written about once a second, so that a page can show them.

    `resumed`: it goes on in the middle of a listing, whose first part may have changed since; so what it adds to rights waits until all
    has been asked for once more."""

    def __init__(self, row: SyncRun, found: Callable[[], None], before: Callable[[], None], watch: Watch) -> None:
        self.row, self.source, self.found, self.before, self.watch = row, row.source, found, before, watch
        self.new, self.changed, self.unchanged, self.deleted = row.new, row.changed, row.unchanged, row.deleted
        self.skipped, self.left_out = list(row.skipped), row.left_out
        self.items: list[Item] = []
        self.rights = Granting(self.source, self.fence)
        self.open_items, self.open_people = self.source.open_items, self.source.open_people
        self.resumed = self.source.as_source and self.open_items is not None
        self.scope = reaching.scope_of(self.source)
        self.owed_before: dict[str, int] = dict(self.source.owed)
        self.owed, self.met, self.began_items = dict(self.owed_before), set[str](), False
        self.written, self.fresh = 0.0, False
        self.expected, self.pace, self.began = row.expected, Pace(), time.monotonic()

    def counts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in COUNTED} | {"speed": self.pace.overall(self.seen)}

    @property
    def seen(self) -> int:
        return self.new + self.changed + self.unchanged + len(self.skipped) + self.left_out

    def bring(self) -> None:
        """All that the source has to say."""
        try:
            self.through(reaching.fetched(self.row, self.watch))
        except CursorExpired:
            self.forget_cursor()
            self.through(reaching.fetched(self.row, self.watch))

    def through(self, events: Iterable[Fetched]) -> None:
        """What came before a fault is true, and is kept; of people, what takes rights away."""
        try:
            for event in events:
                self.take(event)
        except SourceError:
            self.settle_items()
            self.settle_people(adding=False)
            raise
        self.settle_items()
        self.settle_people(adding=not self.resumed)
        if not self.resumed:
            self.rights.open()

    def take(self, thing: Fetched) -> None:
        match thing:
            case Item():
                self.items.append(thing)
                if len(self.items) >= BATCH or time.monotonic() - self.written > 1:
                    self.settle_items()
                    if self.fresh:
                        self.hold_back()
            case Account() | Members():
                self.rights.people.append(thing)
            case _:
                self.settle_items()
                self.take_other(thing)
        if time.monotonic() - self.written > 1:
            self.tell()

    def take_other(self, thing: Fetched) -> None:
        match thing:
            case Listing():
                self.begin(thing)
            case Skipped() if self.scope(thing):
                self.skip(thing.external_id, thing.name, thing.reason)
                self.hide(thing.external_id)
                self.named([thing.external_id])
            case Deleted():
                self.bury(self.documents().filter(external_id=thing.external_id))
                self.owed.pop(thing.external_id, None)
            case Cursor():
                self.remember(thing)

    def tell(self) -> None:
        """One small write, about once a second."""
        self.row.write(**self.counts() | {"speed": self.pace.lately(self.seen), "progress_at": timezone.now()})
        self.row.stirred = time.monotonic()
        if self.fresh:
            self.found()
            self.hold_back()
        self.written, self.fresh = time.monotonic(), False

    def hold_back(self) -> None:
        """More is not brought than is read. Raises Crowded."""
        if (waiting := crowd(self.source)) >= settings.WAITING_DOCUMENTS:
            self.settle_items()
            raise Crowded(waiting)

    def documents(self) -> Any:
        return Document.objects.alive().filter(source=self.source, parent=None)

    def skip(self, external_id: str, name: str, reason: str) -> None:
        self.owes(external_id)
        if len(self.skipped) < TOLD:
            self.skipped.append({"name": name, "reason": reason})
        else:
            self.left_out += 1

    def hide(self, external_id: str) -> None:
        """What is skipped tells no rights, so nobody may read what was known of it, until it tells them again."""
        documents = self.documents().filter(external_id=external_id)
        if self.source.as_source and documents.exists():
            with transaction.atomic():
                self.fence()
                documents.restrict(())

    # --- things --------------------------------------------------------------------------------------------------------------------
    def settle_items(self) -> None:
        """Against the rows, all of the batch looked up at once; the last word on each counts."""
        items = list({item.external_id: item for item in self.items}.values())
        self.items = []
        if not items:
            return
        listed = {item.external_id: self.rights.listed_by(item) for item in items}
        known = self.known([item.external_id for item in items])
        kept = []
        for item in items:
            if self.receive(item, listed[item.external_id], known.get(item.external_id)):
                kept.append(item.external_id)
        self.named(kept)

    def named(self, ids: list[str]) -> None:
        self.met |= self.owed_before.keys() & set(ids)
        if self.open_items is not None:
            with transaction.atomic():
                self.fence()
                self.documents().filter(external_id__in=ids, listed__lt=self.open_items).update(listed=self.open_items)

    def bury(self, documents: Any) -> None:
        with transaction.atomic():
            self.fence()
            self.deleted += documents.bury()

    def known(self, ids: list[str]) -> dict[str, Known]:
        rows = self.documents().defer("text", "notes").filter(external_id__in=ids)
        found = {row.pk: row for row in rows}
        listed, waiting = values_of(Principal, found), values_of(PendingPrincipal, found)
        return {row.external_id: Known(row, frozenset(listed.get(pk, ())), frozenset(waiting.get(pk, ()))) for pk, row in found.items()}

    def receive(self, item: Item, principals: frozenset[str] | None, known: Known | None) -> bool:
        """Stores what is new or changed, and queues it; whether it is to be there."""
        failpoint("fetch")
        self.owed.pop(item.external_id, None)
        if known is None and self.source.removed.get(item.external_id) == item.revision[:200]:
            return False
        if not self.scope(item):
            if known:
                self.bury(Document.objects.filter(pk=known.document.pk))
            return False
        if len(item.external_id) > LONGEST_ID:
            self.skip(item.external_id, item.name, _("Its path is longer than 1024 characters. Move it to a folder nearer to the top."))
            return False
        try:
            if known is None:
                self.add(item, principals)
            elif self.update(item, principals, known):
                self.changed += 1
            else:
                self.unchanged += 1
        except (ParseError, ItemBroken) as error:
            self.skip(item.external_id, item.name, str(error))
        return True

    def add(self, item: Item, principals: frozenset[str] | None) -> None:
        document = Document(workspace=self.source.workspace, source=self.source, external_id=item.external_id, **facts_of(item))
        document.sha256, document.bytes = files.store(io.BytesIO(self.bytes_of(item)), document.folder)
        document.revision, document.listed = item.revision[:200], self.open_items or 0
        with transaction.atomic():
            self.fence()
            document.save(force_insert=True)
            now, waiting = (self.source.principals, ()) if principals is None else self.rights.parted(principals)
            Principal.objects.bulk_create([Principal(document=document, value=value) for value in now])
            PendingPrincipal.objects.bulk_create([PendingPrincipal(document=document, value=value) for value in waiting])
        self.new += 1
        self.fresh = True

    def bytes_of(self, item: Item) -> bytes:
        self.before()
        with self.watch.outside():
            return item.read()

    def update(self, item: Item, principals: frozenset[str] | None, known: Known) -> bool:
        """Whether anything was another than the rows say. Rights first: they hold also where the bytes cannot be had."""
        document, changed = known.document, False
        if principals is not None and principals != known.principals | known.waiting:
            with transaction.atomic():
                self.fence()
                self.rights.restrict(document, principals, known.principals)
            changed = True
        if item.revision and item.revision[:200] == document.revision:
            sha256, size = document.sha256, document.bytes
        else:
            data = self.bytes_of(item)
            sha256, size = hashlib.sha256(data).hexdigest(), len(data)
            if sha256 != document.sha256:
                files.store(io.BytesIO(data), document.folder)
        return self.write(document, item, sha256, size) or changed

    def write(self, document: Document, item: Item, sha256: str, size: int) -> bool:
        """Queues what has other words or another name; else notes what is only kept elsewhere, which the index is told."""
        facts = facts_of(item)
        if (sha256, facts["name"]) != (document.sha256, document.name):
            with transaction.atomic():
                self.fence()
                values = {**facts, "sha256": sha256, "bytes": size, "revision": item.revision[:200], "version": document.version + 1}
                document.requeue(Status.QUEUED, **values)
            self.fresh = True
            return True
        if (document.revision, document.kept_in, document.link) == (item.revision[:200], facts["kept_in"], facts["link"]):
            return False
        elsewhere = document.kept_in != facts["kept_in"]
        more = {"access": F("access") + 1} if elsewhere else {}
        with transaction.atomic():
            self.fence()
            self.documents().filter(pk=document.pk).update(**facts, revision=item.revision[:200], **more)
        return elsewhere

    # --- what could not be had -------------------------------------------------------------------------------------------------------
    def owes(self, external_id: str) -> None:
        if len(self.owed) < OWED:
            self.owed[external_id] = self.owed.get(external_id, 0)

    def ask_again(self) -> None:
        """A feed of changes names a thing once, so what could not be had then is asked for at the end of each later pass; or everything is
        listed afresh, after one pass, two, four, and so on."""
        waiting = [one for one in self.owed if one in self.owed_before and one not in self.met]
        if waiting and (again := reaching.again(self.row, waiting, self.watch)):
            self.through(again)
        elif any(is_power_of_two(self.owed[one] + 1) for one in waiting):
            self.forget_cursor()
        self.owed = {one: passes + (one in waiting) for one, passes in self.owed.items()}
        with transaction.atomic():
            self.fence()
            self.keep(self.source.cursor)

    # --- people --------------------------------------------------------------------------------------------------------------------
    def settle_people(self, *, adding: bool) -> None:
        if self.rights.people:
            with transaction.atomic():
                self.fence()
                self.rights.settle(self.open_people, adding=adding)

    # --- where the pass is ---------------------------------------------------------------------------------------------------------
    def fence(self) -> None:
        """In a transaction: who lost the lease, or whose source was deleted, writes nothing more; and who may read is as the source says
        now, and stays so until the commit."""
        self.row.renew()
        now = Source.objects.select_for_update().get(pk=self.source.pk)
        self.source.principals, self.source.removed = now.principals, now.removed

    def begin(self, listing: Listing) -> None:
        """A number of its own, never used before: what a pass that died has named counts for nothing."""
        with transaction.atomic():
            self.fence()
            Source.objects.filter(pk=self.source.pk).update(listings=F("listings") + 1)
        self.source.refresh_from_db(fields=["listings"])
        setattr(self, f"open_{listing.of}", self.source.listings)
        if listing.of == "items":
            self.resumed, self.began_items, self.expected = False, True, self.documents().count() or None

    def remember(self, cursor: Cursor) -> None:
        """What a listing that came to its end did not name is gone; then the next pass may begin from here."""
        with transaction.atomic():
            self.fence()
            if cursor.complete and self.open_items is not None:
                self.bury_unnamed(self.open_items)
            if cursor.complete:
                self.rights.settle(self.open_people, adding=not self.resumed, complete=True)
            if cursor.complete and self.began_items:
                self.owed = {one: passes for one, passes in self.owed.items() if one in self.met or one not in self.owed_before}
            if cursor.complete:
                self.open_items = self.open_people = None
            self.keep(dict(cursor.value))
        if not cursor.complete and time.monotonic() - self.began > TURN_SECONDS and others_wait(self.row):
            self.tell()
            raise GaveWay

    def bury_unnamed(self, listing: int) -> None:
        gone = list(self.documents().filter(listed__lt=listing).values_list("pk", flat=True))
        for number in range(0, len(gone), 500):
            self.deleted += Document.objects.filter(pk__in=gone[number : number + 500]).bury()

    def forget_cursor(self) -> None:
        with transaction.atomic():
            self.fence()
            self.open_items = self.open_people = None
            self.keep(None)

    def keep(self, cursor: dict[str, Any] | None) -> None:
        place = {"cursor": cursor, "open_items": self.open_items, "open_people": self.open_people, "owed": self.owed}
        Source.objects.filter(pk=self.source.pk).update(**place)
        for name, value in place.items():
            setattr(self.source, name, value)


def others_wait(row: SyncRun) -> bool:
    waiting = SyncRun.objects.filter(status__in=SyncRun.WORKING, source__paused_at=None).due()
    return waiting.exclude(pk=row.pk).exists()


def facts_of(item: Item) -> dict[str, Any]:
    """What a document's row has from the item beside its bytes."""
    link = item.link if item.link.startswith(("http://", "https://")) and len(item.link) <= 2000 else ""
    return {"name": item.name[:255], "modified_at": item.modified_at, "kept_in": item.folder[:1024], "link": link}


def is_power_of_two(number: int) -> bool:
    return number > 0 and number & (number - 1) == 0
