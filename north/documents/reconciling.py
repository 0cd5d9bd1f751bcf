"""Rows are the record, points and files are derived: finds what one has and the other has not, and puts it right.

A document whose points are lost is indexed again from what was read of it, without reading the file again; points and files that no row
knows are removed.
"""

from __future__ import annotations

import logging
import random
from dataclasses import dataclass
from uuid import UUID

from north import wiring
from north.documents import files
from north.documents.models import Copy, Document, Status
from north.indexes.models import Generation
from retrieval.errors import IndexFault

logger = logging.getLogger(__name__)
ORPHAN_SECONDS = 3600
"""A file whose row is not there may be one whose upload is just being finished."""


@dataclass
class Difference:
    lost: int = 0
    """Documents whose points are missing; they are indexed again."""
    orphans: int = 0
    """Documents in the index that no row knows; their points are removed."""
    files: int = 0
    """Folders of files that no row knows; removed."""

    def __bool__(self) -> bool:
        return bool(self.lost or self.orphans or self.files)

    def __add__(self, other: Difference) -> Difference:
        return Difference(self.lost + other.lost, self.orphans + other.orphans, self.files + other.files)


def reconcile() -> Difference:
    """Every workspace's rows against the index, and the files against the rows. Raises IndexFaults."""
    found = Difference(files=tidy())
    for workspace in Document.objects.order_by().values_list("workspace", flat=True).distinct():
        one = compare(workspace)
        found.lost, found.orphans = found.lost + one.lost, found.orphans + one.orphans
    return found


def lost() -> list[Document]:
    """The ready documents whose points are not all in the index. Changes nothing. Raises IndexFaults."""
    workspaces = Document.objects.alive().order_by().values_list("workspace", flat=True).distinct()
    return [document for workspace in list(workspaces) for document in missing(workspace)[0]]


def missing(workspace: UUID) -> tuple[list[Document], dict[str, int]]:
    """The workspace's documents whose points are missing, and what the index holds. Rows are read before the index is asked: what becomes
    ready meanwhile is not missed for lost."""
    serving = wiring.serving()
    ready = Document.objects.alive().filter(workspace=workspace, status=Status.READY, lease_token=None)
    expected = list(ready.only("pk", "name", "chunks"))
    counts = wiring.index(of=serving).counts(str(workspace))
    return [document for document in expected if counts.get(str(document.pk), 0) != document.chunks], counts


def compare(workspace: UUID) -> Difference:
    """One workspace's rows against the index."""
    gone, counts = missing(workspace)
    known = {str(pk) for pk in Document.objects.filter(workspace=workspace).values_list("pk", flat=True)} if counts else set()
    found = Difference(lost=sum(document.requeue(Status.INDEXING) for document in gone))
    for pk in counts.keys() - known:
        wiring.index().forget(str(workspace), pk)
        found.orphans += 1
    for generation in Generation.objects.others():
        found += compare_copies(workspace, generation)
    if found:
        logger.warning("Index and rows differed: %d documents lost, %d unknown", found.lost, found.orphans, extra={"workspace": workspace})
    return found


def compare_copies(workspace: UUID, generation: Generation) -> Difference:
    """The same for an index that does not answer: what it has lost is brought there again. A copy's row is written after its points, so
    rows are read first, and what is not in them yet is not missed."""
    copies = Copy.objects.filter(generation=generation, document__workspace=workspace, document__lease_token=None)
    expected = dict(copies.values_list("document", "chunks"))
    counts = wiring.index(of=generation).counts(str(workspace))
    gone = [pk for pk, chunks in expected.items() if counts.get(str(pk), 0) != chunks]
    known = {str(pk) for pk in Document.objects.filter(workspace=workspace).values_list("pk", flat=True)} if counts else set()
    for pk in counts.keys() - known:
        wiring.index(of=generation).forget(str(workspace), pk)
    for start in range(0, len(gone), 500):
        copies.filter(document__in=gone[start : start + 500]).delete()
    return Difference(lost=len(gone), orphans=len(counts.keys() - known))


def glance() -> None:
    """A look at one workspace by lot; where something is lost there, at all."""
    workspaces = list(Document.objects.alive().filter(status=Status.READY).order_by().values_list("workspace", flat=True).distinct())
    try:
        if workspaces and compare(random.choice(workspaces)):  # noqa: S311
            reconcile()
    except IndexFault as fault:
        logger.info("The index was not compared with the rows: %s", fault)


def tidy() -> int:
    """Removes files that no row knows, and what was left half-written; returns how many folders went."""
    files.remove_unfinished()
    old = [folder for folder, age in files.folders() if age > ORPHAN_SECONDS]
    gone = 0
    for start in range(0, len(old), 500):
        some = {folder.rpartition("/")[2]: folder for folder in old[start : start + 500]}
        known = {str(pk) for pk in Document.objects.filter(pk__in=some).values_list("pk", flat=True)}
        for pk in some.keys() - known:
            files.remove(some[pk])
            gone += 1
    return gone
