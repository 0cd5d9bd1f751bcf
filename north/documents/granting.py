"""The rights that a pass brings. Who may read a thing hangs on two lists, the things' rights and the people in groups, and a pass reads one
after the other; what lies between may be open to somebody to whom it never was: who left a group that a thing was opened to since.

So what a pass takes away holds at once, and what it adds only from when both have been read to their end. A feed names a thing once, so
what it adds waits in rows of its own (`PendingPrincipal`), which nobody who reads looks at; people are named in every pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from django.db import transaction

from north.documents import identities
from north.documents.models import Document, PendingPrincipal, Principal, Source
from retrieval.types import Account, Item, Members

BATCH = 500
"""So many documents are opened in one transaction."""


class Granting:
    """Of one pass. `fence` is called in each of its transactions, and raises where the pass may write no more."""

    def __init__(self, source: Source, fence: Callable[[], None]) -> None:
        self.source, self.fence = source, fence
        self.people: list[Account | Members] = []
        self._opening: frozenset[str] | None = None

    # --- things --------------------------------------------------------------------------------------------------------------------
    def listed_by(self, item: Item) -> frozenset[str] | None:
        """Whom the item's document is to list; None where that is not the source's to say. A rule is there before a document lists it."""
        if not self.source.as_source:
            return None
        principals, clauses = identities.listed_by(item.rights, self.source)
        if clauses is not None:
            with transaction.atomic():
                self.fence()
                if identities.keep_rules(self.source, {next(iter(principals)): clauses}):
                    self.resolve()
        return principals

    def parted(self, principals: frozenset[str], before: frozenset[str] = frozenset()) -> tuple[frozenset[str], frozenset[str]]:
        """Those that a document which lists `before` may list now, and those that have to wait. One that no account holds yet opens
        nothing, so on a first sync none waits."""
        if self._opening is None:
            self._opening = identities.held_in(self.source)
        waiting = (principals & self._opening) - before
        return principals - waiting, waiting

    def restrict(self, document: Document, principals: frozenset[str], before: frozenset[str]) -> None:
        """What is known of already lists these from now on, or when the pass has come to its end. In a transaction."""
        now, waiting = self.parted(principals, before)
        document.restrict(now)
        PendingPrincipal.objects.bulk_create([PendingPrincipal(document=document, value=value) for value in waiting])

    def open(self) -> None:
        """Things and people have been read: what waits is listed now. Killed on the way, the next pass goes on."""
        documents = list(PendingPrincipal.objects.filter(document__source=self.source).values_list("document", flat=True).distinct())
        for number in range(0, len(documents), BATCH):
            some = documents[number : number + BATCH]
            with transaction.atomic():
                self.fence()
                wanted = values_of(Principal, some)
                for pk, values in values_of(PendingPrincipal, some).items():
                    wanted.setdefault(pk, set()).update(values)
                alike: dict[frozenset[str], list[Any]] = {}
                for pk, values in wanted.items():
                    alike.setdefault(frozenset(values), []).append(pk)
                for principals, those in alike.items():
                    Document.objects.filter(pk__in=those).restrict(principals)

    # --- people --------------------------------------------------------------------------------------------------------------------
    def settle(self, listing: int | None, *, adding: bool, complete: bool = False) -> None:
        """In a transaction: the people named so far, all of whom a listing that is `complete` has named."""
        people, self.people = self.people, []
        if people:
            identities.take(self.source, people, listing or 0, adding=adding)
        if complete and listing is not None:
            identities.drop(self.source, listing)
        if people or (complete and listing is not None):
            self.resolve()

    def resolve(self) -> None:
        identities.resolve(self.source)
        self._opening = None


def values_of(rows: type[Principal] | type[PendingPrincipal], documents: Iterable[Any]) -> dict[Any, set[str]]:
    """What these documents list, or are to list."""
    found: dict[Any, set[str]] = {}
    for pk, value in rows.objects.filter(document__in=list(documents)).values_list("document", "value"):
        found.setdefault(pk, set()).add(value)
    return found
