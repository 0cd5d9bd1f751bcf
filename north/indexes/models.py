"""Which indexes there are, and which of them answers. A row is a collection of the vector service with what it is made with; the row that
serves is what every process asks, so that one transaction makes all of them ask another.

Knows no document: how far a new one is stands with them (`documents/copies.py`), and `reindexing/` makes, compares, swaps and removes them.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from north.leases import Leased, LeasedQuerySet
from retrieval.chunking import CUTS
from retrieval.types import LAYOUT


class State(models.TextChoices):
    BUILDING = "building", _("being built")
    COMPARING = "comparing", _("being compared")
    READY = "ready", _("ready to be swapped in")
    SERVING = "serving", _("answers")
    KEPT = "kept", _("kept, to go back to")
    LEAVING = "leaving", _("being removed")
    REMOVED = "removed", _("removed")


UNDER_WAY = [State.BUILDING, State.COMPARING, State.READY]
PRESSING_SECONDS = 60


class GenerationQuerySet(LeasedQuerySet):
    def serving(self) -> Generation:
        """The one that answers; as the settings say, and in no row, as long as nobody has looked."""
        row: Any = self.filter(state=State.SERVING).first()
        return row or Generation.of_settings()

    def filled(self) -> list[Generation]:
        """Those that are told of every document that comes, changes and goes; the one that answers first."""
        others: Any = self.others().order_by("pk")
        return [self.serving(), *others]

    def others(self) -> Self:
        """Filled, too, and asked by nobody."""
        return self.filter(state__in=[State.KEPT, *UNDER_WAY])

    def under_way(self) -> Generation | None:
        row: Any = self.filter(state__in=UNDER_WAY).first()
        return row


class Generation(Leased):
    """One index. `state` goes along building, comparing, ready, serving, kept, leaving, removed; kept and serving change places."""

    collection = models.CharField(max_length=100, unique=True)
    model = models.CharField(max_length=200)
    engine = models.CharField(max_length=200)
    """By its dotted path; where the settings name this model, theirs is used."""
    characters = models.PositiveIntegerField()
    """Of a chunk, at most."""
    made_with = models.CharField(max_length=300)
    """Model, chunks, and the versions of what cuts and what is written to the index."""
    made_by = models.CharField(max_length=300)
    """What the settings would have had it made with when it was begun: once they say something else, they were changed, and are followed.
    """
    state = models.CharField(max_length=10, choices=State.choices, default=State.BUILDING)
    swaps_itself = models.BooleanField(default=False)
    """As soon as it is ready and nothing speaks against it."""
    swap_asked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ready_at = models.DateTimeField(null=True)
    swapped_at = models.DateTimeField(null=True)
    """Since when it serves, or is kept."""
    keep_until = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    """What keeps it from going on, in words."""
    figures = models.JSONField(default=dict)
    """What the comparison with the one that serves found: `reindexing/comparing.py`."""

    objects = GenerationQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering: ClassVar = ["-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["state"], condition=Q(state="serving"), name="one_index_serves"),
        ]

    def __str__(self) -> str:
        return self.collection

    @classmethod
    def of_settings(cls) -> Self:
        """As the settings would have the first one; not saved."""
        model, characters = str(settings.MODELS["embed"]["model"]), int(settings.CHUNK_CHARACTERS)
        said = described(model, characters)
        return cls(
            collection=settings.QDRANT_COLLECTION,
            model=model,
            engine=str(settings.MODELS["embed"]["engine"]),
            characters=characters,
            made_with=said,
            made_by=said,
            state=State.SERVING,
        )

    @property
    def key(self) -> tuple[str, str, str, int]:
        """All that decides what its points are."""
        return self.collection, self.model, self.engine, self.characters

    @property
    def overlap(self) -> int:
        return self.characters * 12 // 100

    def move(self, state: State, *before: State, **values: object) -> bool:
        """Whether it was in one of these states and now is in this one."""
        row = type(self).objects.filter(pk=self.pk, state__in=before)
        if not row.update(state=state, lease_token=None, lease_until=None, try_at=None, attempts=0, **values):
            return False
        self.state = state
        for name, value in values.items():
            setattr(self, name, value)
        return True

    def serves_still(self) -> bool:
        """Within a transaction, whose end a swap waits for: whether what was read from here is still what answers."""
        row = Generation.objects.select_for_update().filter(state=State.SERVING).first()
        return row is None or row.collection == self.collection

    def swap_presses(self) -> bool:
        """For a minute after a swap was asked for, new documents wait for it and not it for them."""
        asked = self.swap_asked_at
        return asked is not None and (timezone.now() - asked).total_seconds() < PRESSING_SECONDS


def described(model: str, characters: int) -> str:
    return f"{model}, {characters} characters, cut {CUTS}, layout {LAYOUT}"
