"""From a question to passages that this person may read now: the index proposes, the rows decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from django.db.models import Case, QuerySet, Value, When
from django.db.models.functions import Substr

from north import wiring
from north.documents.models import Document
from north.documents.readers import scope_of
from north.workspaces.access import enter
from north.workspaces.models import User
from retrieval.types import Passage, Scope


def recheck(scope: Scope, passages: Sequence[Passage]) -> list[Passage]:
    """The passages that this scope may read according to the rows as they are now, with their words from the row; the others are dropped.
    One query for all."""
    rows = {str(row["pk"]): row for row in _rows(scope, passages)} if passages else {}
    found = []
    for number, passage in enumerate(passages):
        row = rows.get(passage.document)
        if row and row["indexed_sha256"] == passage.sha256 and row[f"text_{number}"]:
            found.append(replace(passage, text=row[f"text_{number}"], name=row["name"]))
    return found


def _rows(scope: Scope, passages: Sequence[Passage]) -> QuerySet:
    """One row a document, with the words of each of its passages cut out by the database: a long text does not travel for a few lines."""
    words = {
        f"text_{number}": Case(
            When(pk=passage.document, then=Substr("text", passage.start + 1, passage.end - passage.start)), default=Value("")
        )
        for number, passage in enumerate(passages)
    }
    documents = Document.objects.readable_by(scope.principals).filter(
        workspace=UUID(scope.workspace), pk__in={passage.document for passage in passages}
    )
    if scope.sources is not None:
        documents = documents.filter(source__in=[UUID(source) for source in scope.sources])
    return documents.annotate(**words).values("pk", "name", "indexed_sha256", *words)


def search(workspace_id: str, user_id: str, query: str, top_k: int) -> list[Passage]:
    """In the model worker: the best passages for this person, whose rights are read now. `Http404` for who is no member any more."""
    membership = enter(User(pk=user_id), pk=workspace_id)
    return list(wiring.retriever(recheck).search(query, scope_of(membership), top_k))
