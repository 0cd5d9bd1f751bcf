"""How much of the models was used, by whom and where: one row a day for each who, where and what, added to with every use.

Ids without foreign keys: what was used stays counted when a person, a key or a workspace is gone. One run's own figures stand in its row.
"""

from __future__ import annotations

import uuid
from datetime import date
from typing import ClassVar

from django.db import IntegrityError, models, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from north.inference.metering import Used

NAMESPACE = uuid.UUID("5a3c9f5e-52a0-4f0e-8f43-6d1f3c0a9c11")


class Kind(models.TextChoices):
    RUN = "run", _("questions")
    SEARCH = "search", _("searches")
    INDEX = "index", _("documents")
    CHAT = "chat", _("chats of programs")
    EMBED = "embed", _("embeddings of programs")
    RERANK = "rerank", _("rerankings of programs")


class Usage(models.Model):
    """`id` is made of the day, who, where and what, so that two processes can only ever add to the same row. Days are UTC."""

    id = models.UUIDField(primary_key=True, editable=False)
    day = models.DateField(db_index=True)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    workspace = models.UUIDField()
    user = models.UUIDField(null=True)
    """None: nobody asked for it, as where a source was synced."""
    key = models.UUIDField(null=True)
    """The API key; None: in the browser."""
    agent = models.CharField(max_length=80, null=True)
    model = models.CharField(max_length=200)
    count = models.PositiveBigIntegerField(default=0)
    """Questions, searches, documents, calls of programs."""
    tokens_in = models.PositiveBigIntegerField(default=0)
    tokens_cached = models.PositiveBigIntegerField(default=0)
    """Of `tokens_in`: not read again, since the model still knew them."""
    tokens_out = models.PositiveBigIntegerField(default=0)
    milliseconds = models.PositiveBigIntegerField(default=0)
    """That calls held the model."""

    class Meta:
        indexes: ClassVar = [models.Index(fields=["workspace", "day"])]

    def __str__(self) -> str:
        return f"{self.day} {self.kind} {self.model}"


def add(
    kind: Kind,
    used: Used,
    *,
    model: str,
    workspace: uuid.UUID,
    user: uuid.UUID | None,
    key: uuid.UUID | None = None,
    agent: str | None = None,
    count: int = 0,
) -> None:
    """Adds to today's row. One UPDATE; an INSERT at the first use of a day."""
    day = today()
    who = {"kind": kind, "workspace": workspace, "user": user, "key": key, "agent": agent, "model": model}
    id = uuid.uuid5(NAMESPACE, "|".join(map(str, [day, *who.values()])))
    figures = {
        "count": count,
        "tokens_in": used.tokens_in,
        "tokens_cached": used.tokens_cached,
        "tokens_out": used.tokens_out,
        "milliseconds": round(used.seconds * 1000),
    }
    more = {name: F(name) + figure for name, figure in figures.items() if figure}
    rows = Usage.objects.filter(pk=id)
    if not more or rows.update(**more):
        return
    try:
        with transaction.atomic():
            Usage.objects.create(id=id, day=day, **who, **figures)
    except IntegrityError:  # another process made the row meanwhile
        rows.update(**more)


def today() -> date:
    return timezone.now().date()
