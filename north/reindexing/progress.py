"""How far an index is that does not answer yet, for pages and the command."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from django.utils import timezone

from north.documents.models import Copy, Document
from north.indexes.models import Generation

RECENT_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Progress:
    """Documents. `rate`: a second, over the last minute; `seconds` that it will take yet, None where that cannot be told."""

    done: int
    of: int
    rate: float

    @property
    def seconds(self) -> int | None:
        return round((self.of - self.done) / self.rate) if self.rate else None

    @property
    def percent(self) -> int:
        return 100 * self.done // self.of if self.of else 100


def progress(generation: Generation) -> Progress:
    of = Document.objects.alive().exclude(indexed_sha256="").count()
    now = timezone.now()
    since = max(generation.created_at, now - timedelta(seconds=RECENT_SECONDS))
    recent = Copy.objects.filter(generation=generation, copied_at__gte=since).count()
    rate = recent / max((now - since).total_seconds(), 1)
    return Progress(of - Document.objects.uncopied(generation).count(), of, rate)
