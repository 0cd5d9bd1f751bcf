"""What a source is doing, how far it is, how long that takes, and what to do where it cannot: for pages and API alike. From counts that
indexes answer and from the row of the pass; nothing here writes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, F, TextChoices
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from north.documents.models import WORKING, Document, Source, Status, SyncRun
from north.workspaces.models import Workspace

LATELY = 60
"""Seconds over which documents are counted that became ready."""


class Stage(TextChoices):
    PAUSED = "paused", _lazy("paused")
    WAITING = "waiting", _lazy("waits for its turn")
    RESTING = "resting", _lazy("waits")
    CONNECTING = "connecting", _lazy("connecting")
    LISTING = "listing", _lazy("listing")
    READING = "reading", _lazy("reading")
    INDEXING = "indexing", _lazy("indexing")
    FAILED = "failed", _lazy("failed")
    STOPPED = "stopped", _lazy("stopped")
    FRESH = "fresh", _lazy("up to date")
    NEW = "new", _lazy("never synced")


AT_WORK = {Stage.WAITING, Stage.RESTING, Stage.CONNECTING, Stage.LISTING, Stage.READING, Stage.INDEXING}
MEND = {
    "TokenRefused": _lazy("Open its settings, enter new credentials, and try it there."),
    "RightMissing": _lazy("Have the right granted in the source, then sync now."),
    "SettingWrong": _lazy("Open its settings and put that right; then sync now."),
    "SourceNotAllowed": _lazy("An administrator allows places in NORTH_FOLDER_ROOTS and NORTH_OUTBOUND_ALLOWED; or choose another place."),
    "SourceMissing": _lazy("Mount it or put the path right in its settings, then sync now."),
    "SourceUnreadable": _lazy("Give North's account the right to read it, then sync now."),
    "SourceUnreachable": _lazy("Look whether it runs and North's machine reaches it. It is tried again with the next sync."),
    "SourceGarbled": _lazy("Check the address in its settings; if it is right, try again later."),
    "StorageFull": _lazy("Make room on the server's disk, then sync now."),
    "Stuck": _lazy("Look whether the source works. It is tried again; NORTH_STUCK_SECONDS says after how long."),
    "Unexpected": _lazy("Tell your administrator; the logs say more."),
}


@dataclass(frozen=True, slots=True)
class Doing:
    """`seen` of about `expected` in the pass, `place` of those that wait; documents by status; `speed` things or documents a second;
    `seconds_left`: None where that cannot be told. `error` and `mend`: what went wrong last, and what to do."""

    stage: Stage
    at_work: bool
    seen: int
    expected: int | None
    place: int | None
    counts: Mapping[str, int]
    speed: float
    seconds_left: int | None
    error: str
    mend: str
    fault: str
    fresh_at: datetime | None
    paused_at: datetime | None
    since: datetime | None
    run: SyncRun | None

    @property
    def waiting(self) -> int:
        return sum(self.counts.get(status, 0) for status in WORKING)

    @property
    def done(self) -> int:
        return self.total - self.waiting

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def ready(self) -> int:
        return self.counts.get(Status.READY, 0)

    @property
    def failed(self) -> int:
        return self.counts.get(Status.FAILED, 0)

    @property
    def skipped(self) -> int:
        return self.counts.get(Status.SKIPPED, 0)

    @property
    def syncing(self) -> bool:
        return bool(self.run and self.run.status in SyncRun.WORKING)

    @property
    def position(self) -> tuple[int, int] | None:
        """How many of how many: of the pass while it lists, then of the documents."""
        if self.stage == Stage.LISTING:
            return (self.seen, max(self.seen, self.expected)) if self.expected else None
        return (self.done, self.total) if self.waiting else None


def of_source(source: Source) -> Doing:
    return of_sources([source], source.workspace)[source.pk]


def of_sources(sources: Sequence[Source], workspace: Workspace) -> dict[UUID, Doing]:
    """In five queries, however many there are."""
    runs = newest(sources)
    counts, lately = counted(workspace, sources), speeds(workspace, sources)
    places = places_of(runs.values())
    return {
        source.pk: described(source, runs.get(source.pk), counts.get(source.pk, {}), lately.get(source.pk, 0.0), places)
        for source in sources
    }


def newest(sources: Sequence[Source]) -> dict[UUID, SyncRun]:
    rows = SyncRun.objects.filter(source__in=[source.pk for source in sources]).order_by("source", "-created_at")
    last: dict[UUID, UUID] = {}
    for pk, source in rows.values_list("pk", "source"):
        last.setdefault(source, pk)
    return {run.source_id: run for run in SyncRun.objects.filter(pk__in=last.values())}


def counted(workspace: Workspace, sources: Iterable[Source]) -> dict[UUID | None, dict[str, int]]:
    rows = Document.objects.alive().filter(workspace=workspace, source__in=list(sources)).order_by()
    found: dict[UUID | None, dict[str, int]] = {}
    for source, status, count in rows.values_list("source", "status").annotate(Count("status")):
        found.setdefault(source, {})[status] = count
    return found


def speeds(workspace: Workspace, sources: Iterable[Source]) -> dict[UUID, float]:
    since = timezone.now() - timedelta(seconds=LATELY)
    rows = Document.objects.alive().filter(workspace=workspace, source__in=list(sources), ready_at__gt=since).order_by()
    return {source: count / LATELY for source, count in rows.values_list("source").annotate(Count("source"))}


def places_of(runs: Iterable[SyncRun]) -> dict[UUID, int]:
    """The place of each that waits for a worker, among all of the installation."""
    if not any(run.status == SyncRun.Status.QUEUED for run in runs):
        return {}
    waiting = SyncRun.objects.filter(status=SyncRun.Status.QUEUED, source__paused_at=None).due()
    ordered = waiting.order_by(F("progress_at").asc(nulls_first=True), "created_at").values_list("pk", flat=True)
    return {pk: place for place, pk in enumerate(ordered, start=1)}


def described(source: Source, run: SyncRun | None, counts: dict[str, int], ready_speed: float, places: Mapping[UUID, int]) -> Doing:
    stage = stage_of(source, run, counts)
    listing = stage == Stage.LISTING
    seen = seen_of(run) if run else 0
    waiting = sum(counts.get(status, 0) for status in WORKING)
    speed = run.speed if listing and run else ready_speed
    troubled = run if run and run.error else None
    return Doing(
        stage=stage,
        at_work=stage in AT_WORK,
        seen=seen,
        expected=run.expected if run else None,
        place=places.get(run.pk) if run else None,
        counts=counts,
        speed=round(speed, 2),
        seconds_left=None if stage not in AT_WORK else longest(left_of(run, seen) if listing else None, left(waiting, ready_speed)),
        error=troubled.error if troubled else "",
        mend=str(MEND.get(troubled.fault, "")) if troubled else "",
        fault=troubled.fault if troubled else "",
        fresh_at=source.fresh_at,
        paused_at=source.paused_at,
        since=(run.progress_at or run.started_at) if run and run.status == SyncRun.Status.RUNNING else None,
        run=run,
    )


def stage_of(source: Source, run: SyncRun | None, counts: Mapping[str, int]) -> Stage:
    if source.paused_at:
        return Stage.PAUSED
    if run and run.status == SyncRun.Status.RUNNING:
        return Stage.LISTING if seen_of(run) else Stage.CONNECTING
    if run and run.status == SyncRun.Status.QUEUED:
        return Stage.RESTING if run.try_at and run.try_at > timezone.now() else Stage.WAITING
    if any(counts.get(status) for status in (Status.QUEUED, Status.FETCHING, Status.PARSING)):
        return Stage.READING
    if counts.get(Status.INDEXING):
        return Stage.INDEXING
    ends = {SyncRun.Status.FAILED: Stage.FAILED, SyncRun.Status.CANCELLED: Stage.STOPPED, SyncRun.Status.DONE: Stage.FRESH}
    return ends[SyncRun.Status(run.status)] if run else Stage.NEW


def seen_of(run: SyncRun) -> int:
    return run.new + run.changed + run.unchanged + len(run.skipped) + run.left_out


def left_of(run: SyncRun | None, seen: int) -> int | None:
    return left(run.expected - seen, run.speed) if run and run.expected and run.expected > seen else None


def left(count: int, speed: float) -> int | None:
    """Seconds, where something is left and the speed is known."""
    return round(count / speed) if count > 0 and speed > 0 else None


def longest(*seconds: int | None) -> int | None:
    return max((one for one in seconds if one is not None), default=None)


def in_words(seconds: int | None) -> str:
    """A rough time, as an estimate is."""
    if seconds is None:
        return ""
    if seconds < 90:
        return _("less than a minute") if seconds < 50 else _("about a minute")
    if seconds < 90 * 60:
        return _("about %d minutes") % round(seconds / 60)
    return _("about %d hours") % round(seconds / 3600)


def whole(doings: Iterable[Doing]) -> dict[str, Any]:
    """Of a workspace: what is at work, waits and failed in all of its sources."""
    rows = list(doings)
    at_work = [row for row in rows if row.at_work]
    return {
        "at_work": len(at_work),
        "waiting": sum(row.waiting for row in rows),
        "failed": sum(row.failed for row in rows),
        "speed": round(sum(row.speed for row in at_work if row.waiting), 2),
        "seconds_left": longest(*(row.seconds_left for row in at_work)),
        "troubled": sum(1 for row in rows if row.stage == Stage.FAILED),
        "paused": sum(1 for row in rows if row.stage == Stage.PAUSED),
    }
