"""What we know: sources, the passes over them, and documents. The text is the fact; chunks and vectors are derived from it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from functools import partial
from typing import Any, ClassVar, Self

from django.core.validators import MaxValueValidator
from django.db import IntegrityError, models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.utils import timezone
from django.utils.translation import get_language_info
from django.utils.translation import gettext_lazy as _

from north.documents.accounts import Identity, PendingPrincipal, Rule, SourceGroup
from north.documents.consents import Connection
from north.documents.copies import Copy
from north.documents.hooks import Closing, Hook
from north.documents.searches import SavedSearch, SearchWeights
from north.documents.states import BEFORE, UNHELD, UNREAD, WORKING, Status
from north.hints import hint
from north.indexes.models import Generation
from north.leases import LeaseLost, Watched, WatchedQuerySet
from north.workspaces.models import Membership, User, Workspace
from retrieval.types import Parsed, Scope

__all__ = [
    "UNHELD", "UNREAD", "WORKING",
    "Closing", "Connection", "Copy", "Hook", "Identity", "PendingPrincipal", "Rule", "SavedSearch", "SearchWeights", "SourceGroup",
    "Status",
]  # fmt: skip


class Source(models.Model):
    """A connector set up in a workspace. `principals` are given to what comes from it, empty meaning nobody; with `as_source` each thing
    is as open as in its source instead."""

    class Schedule(models.IntegerChoices):
        BY_HAND = 0, _("only by button")
        QUARTER = 15 * 60, _("every 15 minutes")
        HOUR = 3600, _("every hour")
        DAY = 24 * 3600, _("every day")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="sources")
    connector = models.CharField(max_length=40)
    name = models.CharField(_("name"), max_length=120)
    config = models.JSONField(default=dict)
    secrets = models.TextField(blank=True)
    """The secret ones of its settings, sealed together."""
    cursor = models.JSONField(null=True)
    listings = models.PositiveIntegerField(default=0)
    """How many listings were begun: each has its number."""
    open_items = models.PositiveIntegerField(null=True)
    open_people = models.PositiveIntegerField(null=True)
    """The listings that `cursor` stands in the middle of."""
    principals = models.JSONField(default=list)
    as_source = models.BooleanField(default=False)
    rights_until = models.DateTimeField(null=True)
    """With `as_source`: how long what was read of rights is believed without a good pass. After that nobody sees the documents."""
    owed = models.JSONField(default=dict)
    """What could not be had, by its id, and in how many passes since nothing was heard of it."""
    removed = models.JSONField(default=dict)
    """What somebody deleted here, by its id, and its revision then: it comes back when the source has another."""
    include = models.JSONField(default=list)
    exclude = models.JSONField(default=list)
    """Patterns over the paths of things, such as "hr/*.pdf"; nothing included means everything."""
    half_life = models.PositiveIntegerField(_("half-life"), default=0, validators=[MaxValueValidator(36_500)])
    """Days after which a document's age has cost half of what age can cost in a search; 0: age does not count."""
    schedule = models.PositiveIntegerField(_("sync"), choices=Schedule.choices, default=Schedule.HOUR)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    synced_at = models.DateTimeField(null=True)
    """When a pass over it was begun last: the schedule counts from here."""
    fresh_at = models.DateTimeField(null=True)
    """It was here as it is there then: when the last pass began that came to its end."""
    paused_at = models.DateTimeField(null=True)
    """Since when somebody holds it up: no pass works on it, and what came from it waits."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "name"], name="one_source_a_name")]
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name

    def begin(self) -> SyncRun | None:
        """A pass that waits for a worker; `None` where one is under way."""
        try:
            with transaction.atomic():
                run = SyncRun.objects.create(source=self)
                Source.objects.filter(pk=self.pk).update(synced_at=timezone.now())
                return run
        except IntegrityError:
            return None

    def begin_again(self) -> None:
        """What is under way uses settings that have changed: it writes nothing more, and its work begins anew."""
        working = SyncRun.objects.filter(source=self.pk, status__in=SyncRun.WORKING)
        working.update(status=SyncRun.Status.QUEUED, **UNHELD)


class SyncRun(Watched):
    """One pass over a source."""

    class Status(models.TextChoices):
        QUEUED = "queued", _("queued")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("stopped")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    source = models.ForeignKey(Source, on_delete=models.CASCADE, related_name="sync_runs")
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    new = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    unchanged = models.PositiveIntegerField(default=0)
    deleted = models.PositiveIntegerField(default=0)
    skipped = models.JSONField(default=list)
    """[{"name": ..., "reason": a sentence}]"""
    left_out = models.PositiveIntegerField(default=0)
    """Skipped, too, and not named."""
    error = models.TextField(blank=True)
    fault = models.CharField(max_length=40, blank=True)
    """The kind of the error: `doing.py` knows what to do about it."""
    expected = models.PositiveIntegerField(null=True)
    """About how many things it will come to, where that can be told."""
    speed = models.FloatField(default=0)
    """Things a second: lately while it works, then over all."""
    restarts = models.PositiveSmallIntegerField(default=0)
    """How often it was found stuck."""

    WORKING: ClassVar = [Status.QUEUED, Status.RUNNING]

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["source"], condition=Q(status__in=["queued", "running"]), name="one_sync_at_a_time")
        ]


ALIVE, BURIED = Q(deleted_at=None), Q(deleted_at__isnull=False)
UNTOLD = ~Q(indexed_access=F("access"))
"""The index does not know yet who may read it."""


def readable(principals: Iterable[str]) -> Q:
    """What these principals open, if what is known of its rights is not too old."""
    believed = Q(source=None) | Q(source__rights_until=None) | Q(source__rights_until__gt=timezone.now())
    return believed & Q(Exists(Principal.objects.filter(document=OuterRef("pk"), value__in=list(principals))))


class DocumentQuerySet(WatchedQuerySet):
    def alive(self) -> Self:
        return self.filter(deleted_at=None)

    def readable_by(self, principals: Iterable[str]) -> Self:
        """What somebody holding these principals may read. Nobody listed means nobody."""
        return self.alive().filter(readable(principals))

    def uncopied(self, generation: Generation) -> Self:
        """What answers, and is not in this other index as it is now."""
        same = Copy.objects.filter(generation=generation.pk, document=OuterRef("pk"), sha256=OuterRef("indexed_sha256"))
        return self.alive().exclude(indexed_sha256="").filter(~Exists(same.filter(access=OuterRef("access"))))

    def in_scope(self, scope: Scope) -> Self:
        """The same within a workspace, and within the sources that a key is limited to."""
        found = self.readable_by(scope.principals).filter(workspace=scope.workspace)
        return found if scope.sources is None else found.filter(source__in=scope.sources)

    def listed_for(self, membership: Membership, principals: Iterable[str]) -> Self:
        """The rows, not the contents, that somebody may see: an owner all, to manage them; others what they may read, editors also
        what they uploaded."""
        listed = self.alive().filter(workspace=membership.workspace)
        if membership.sources is not None:
            listed = listed.filter(source__in=membership.sources)
        if membership.is_owner:
            return listed
        mine = readable(principals)
        return listed.filter(mine | Q(uploaded_by=membership.user) if membership.may_edit else mine)

    def move(self, status: str, **values: Any) -> int:
        """The one way a status changes, and only along `BEFORE`. Returns how many rows did."""
        allowed = [str(before) for before in BEFORE[Status(status)]]
        now = timezone.now()
        return self.filter(status__in=allowed).update(status=str(status), status_at=now, progress_at=now, **values)

    @transaction.atomic
    def restrict(self, principals: Iterable[str]) -> int:
        """Makes these the only ones who may read any of the rows. Holds from the commit on, whatever the index says. Returns how many rows
        changed."""
        wanted = set(principals)
        listed: dict[Any, set[str]] = {pk: set() for pk in self.select_for_update().values_list("pk", flat=True)}
        for pk, value in Principal.objects.filter(document__in=self.values("pk")).values_list("document", "value"):
            listed.setdefault(pk, set()).add(value)
        changed = [pk for pk, values in listed.items() if values != wanted]
        for number in range(0, len(changed), 500):
            some = changed[number : number + 500]
            Principal.objects.filter(document__in=some).exclude(value__in=wanted).delete()
            missing = [Principal(document_id=pk, value=value) for pk in some for value in wanted - listed[pk]]
            Principal.objects.bulk_create(missing)
            Document.objects.filter(pk__in=some).update(access=F("access") + 1)
        PendingPrincipal.objects.filter(document__in=self.values("pk")).delete()
        attached = Document.objects.alive().filter(parent__in=list(listed))
        if listed and attached.exists():
            attached.restrict(wanted)
        return len(changed)

    @transaction.atomic
    def bury(self) -> int:
        """Marks as deleted, with all that is attached to them: no answer uses them from here on. Their points, files and rows go later."""
        going = list(self.alive().values_list("pk", flat=True))
        for number in range(0, len(going), 500):
            some = going[number : number + 500]
            Document.objects.alive().filter(pk__in=some).update(deleted_at=timezone.now(), source=None, **UNHELD)
            Document.objects.filter(parent__in=some).bury()
        return len(going)


class Document(Watched):
    """One thing we know. `principals` (rows of `Principal`) say who may read it.

    `text`, `title`, `pages`, `notes` and `chunks` are those of the file `indexed_sha256`: while a new revision is read, answers still
    use the old one, and both change in the same UPDATE that makes the new one ready. A deleted document is a tombstone until its points
    are forgotten; then its row and file go.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="documents")
    source = models.ForeignKey(Source, on_delete=models.RESTRICT, null=True, related_name="documents")
    """None: an upload."""
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="attached")
    """The mail or archive that it came in: it has the same source and readers, and goes with it."""
    external_id = models.CharField(max_length=1024, blank=True)
    revision = models.CharField(max_length=200, blank=True)
    """As the source names what was fetched last: the same means the same bytes."""
    listed = models.PositiveIntegerField(default=0)
    """The listing of its source in which it was named last."""
    link = models.CharField(max_length=2000, blank=True)
    """Where people open it in its source."""
    name = models.CharField(max_length=255)
    title = models.CharField(max_length=300, blank=True)
    media_type = models.CharField(max_length=120, blank=True)
    bytes = models.PositiveBigIntegerField(default=0)
    sha256 = models.CharField(max_length=64)
    """Of the file as it was stored last: what is being, or was, parsed."""
    indexed_sha256 = models.CharField(max_length=64, blank=True)
    """Of the file whose points are in the index; empty: none are."""
    version = models.PositiveIntegerField(default=1)
    access = models.PositiveIntegerField(default=1)
    """Counts the changes of `principals`, and of what else the index knows beside the text."""
    indexed_access = models.PositiveIntegerField(default=0)
    """The count that the index knows. Where it lags, the index is told again; `recheck` does not wait for that."""
    text = models.TextField(blank=True)
    pages = models.PositiveIntegerField(default=0)
    notes = models.JSONField(default=list)
    way = models.JSONField(default=dict)
    """How its people want it read, where not as usual: `ways.py` says what may stand here."""
    likeness = models.CharField(max_length=512, blank=True)
    """A sketch of its words, by which nearly equal documents are told."""
    chunks = models.PositiveIntegerField(default=0)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.QUEUED)
    error = models.TextField(blank=True)
    """Why it failed, or why it waits, in words."""
    verified_at = models.DateTimeField(null=True)
    """Since when somebody who manages it vouches for it; a new revision takes that away."""
    verified_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    uploaded_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True)
    modified_at = models.DateTimeField(null=True)
    """As its source says."""
    author = models.CharField(max_length=200, blank=True)
    language = models.CharField(max_length=8, blank=True)
    """ISO 639-1; empty where it cannot be told."""
    kept_in = models.CharField(max_length=1024, blank=True)
    """Its folder in the source."""
    written_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(null=True)
    """When it was made, and changed last: as the file says, else as its source does, else when it came here."""
    created_at = models.DateTimeField(auto_now_add=True)
    status_at = models.DateTimeField(default=timezone.now)
    """Since when it has this status."""
    ready_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    objects = DocumentQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["workspace", "status"]),
            models.Index(fields=["status", "workspace", "source", "status_at"], name="documents_whose_turn"),
            models.Index(fields=["status", "workspace", "source", "status_at"], condition=UNTOLD, name="documents_untold"),
            models.Index(fields=["workspace", "source", "status_at"], condition=BURIED, name="documents_buried"),
            models.Index(fields=["workspace", "source", "status"], condition=ALIVE, name="documents_counted"),
            models.Index(fields=["workspace", "source", "ready_at"], condition=ALIVE, name="documents_lately"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source", "external_id"], condition=Q(source__isnull=False, deleted_at__isnull=True), name="one_document_a_thing"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def folder(self) -> str:
        """Where its files lie below `FILES_DIR`: our own ids, never a name from outside."""
        return f"{self.workspace_id}/{self.pk}"

    def file_of(self, sha256: str) -> str:
        return f"{self.folder}/{sha256}"

    def layout_of(self, sha256: str) -> str:
        """Where the text, the places and the words' boxes lie, beside the file that they were read from."""
        return f"{self.folder}/{sha256}.layout"

    def take_facts(self, parsed: Parsed) -> dict[str, Any]:
        """What is known of the revision that was read, beside its text; set here, and to be written with it."""
        changed = parsed.updated_at or self.modified_at or parsed.created_at or self.created_at
        facts = {
            "media_type": parsed.media_type,
            "author": parsed.author,
            "language": parsed.language,
            "changed_at": changed,
            "written_at": parsed.created_at or min(changed, self.created_at),
        }
        for name, value in facts.items():
            setattr(self, name, value)
        return facts

    @property
    def language_name(self) -> str:
        return language_name(self.language)

    @property
    def working(self) -> bool:
        return self.status in WORKING

    @property
    def searchable(self) -> bool:
        return bool(self.indexed_sha256) and self.deleted_at is None

    def move(self, status: str, **values: Any) -> None:
        """Changes the status under the lease. Raises `LeaseLost`."""
        held: DocumentQuerySet = DocumentQuerySet(Document).filter(pk=self.pk, lease_token=self.lease_token, lease_token__isnull=False)
        if not held.move(status, **values):
            raise LeaseLost(f"Document {self.pk} is held by another worker, or was {self.status} no more.")
        self.status = status
        for name, value in values.items():
            setattr(self, name, value)

    def requeue(self, status: str = Status.QUEUED, **values: Any) -> bool:
        """Begins its work (again), whoever holds it now: from the file, or with `INDEXING` from what was read of it."""
        return bool(Document.objects.alive().filter(pk=self.pk).move(status, error="", **UNHELD, **values))

    def restrict(self, principals: Iterable[str]) -> bool:
        """Makes these the only ones who may read it; whether that changed anything."""
        return bool(Document.objects.filter(pk=self.pk).restrict(principals))


class Principal(models.Model):
    """One of those who may read a document: `w:<workspace>` all its members, `g:<group>`, `u:<user>`."""

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="principals")
    value = models.CharField(max_length=200, db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["document", "value"], name="one_principal_a_value")]

    def __str__(self) -> str:
        return self.value


def language_name(code: str) -> str:
    """A language as people call it; the code where Django does not know it."""
    try:
        return str(get_language_info(code)["name_translated"]) if code else ""
    except KeyError:
        return code


@receiver(post_delete, sender=Workspace)
def take_along(instance: Workspace, **_arguments: Any) -> None:
    """A deleted workspace takes its points and files with it."""
    transaction.on_commit(partial(hint, "documents.forget_workspace", str(instance.pk)), robust=True)
