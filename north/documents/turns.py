"""Whose turn it is: the next document of a workspace and a source, one after another, however many wait in each. Bulk holds nobody up: who
uploads one file waits for one document of each of the others.

By queries on the rows that stop at the first row of an index, so a hundred thousand that wait cost no more than ten.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from uuid import UUID

from north.documents.models import Document, DocumentQuerySet


@dataclass
class Turns:
    """Of one kind of work in one process: after whom comes the next. `sources`: whose turn was last in each workspace; None: the uploads,
    which are a source like others, and the first."""

    workspace: UUID | None = None
    sources: dict[UUID, UUID | None] = field(default_factory=dict)

    def take(self, *queues: DocumentQuerySet) -> Document | None:
        """The next document that is due, leased; of the first queue that has one."""
        for queue in queues:
            while pk := self.next(queue.due().order_by()):
                if document := queue.take(pk):
                    return document
        return None

    def next(self, rows: DocumentQuerySet) -> UUID | None:
        workspaces = rows.order_by("workspace").values_list("workspace", flat=True)
        if (workspace := workspaces.first()) is None:
            return None
        if self.workspace and self.workspace >= workspace:
            workspace = workspaces.filter(workspace__gt=self.workspace).first() or workspace
        self.workspace = workspace
        return self.of_workspace(rows.filter(workspace=workspace), workspace)

    def of_workspace(self, rows: DocumentQuerySet, workspace: UUID) -> UUID | None:
        """The oldest of the source whose turn it is: after the last source the next, at the end the uploads, then from the beginning."""
        named = rows.filter(source__isnull=False)
        last = self.sources.get(workspace)
        ways = [rows.filter(source=None), named]
        if workspace in self.sources:
            ways.insert(0, named.filter(source__gt=last) if last else named)
        for way in ways:
            if found := way.order_by("source", "status_at").values_list("pk", "source").first():
                self.sources[workspace] = found[1]
                return found[0]
        return None
