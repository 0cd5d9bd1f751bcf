"""As of when a document is known to be as its source has it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from north.documents.models import Document, Status


def as_of(status: str, fresh_at: datetime | None) -> datetime | None:
    """`fresh_at` of its source, None for an upload; None also while a newer revision waits or could not be read."""
    return fresh_at if status == Status.READY else None


def of(document: Document) -> datetime | None:
    return as_of(document.status, document.source.fresh_at) if document.source else None


def of_all(documents: Iterable[str]) -> dict[str, datetime | None]:
    """By their ids; those that come from sources."""
    rows = Document.objects.alive().filter(pk__in=set(documents), source__isnull=False)
    return {str(pk): as_of(status, fresh_at) for pk, status, fresh_at in rows.values_list("pk", "status", "source__fresh_at")}
