"""From a question to passages that this person may read now: the index proposes, the rows decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db import connection

from north import wiring
from north.documents.models import Document
from north.documents.readers import scope_of
from north.workspaces.access import enter
from north.workspaces.models import User
from retrieval.types import Passage, Scope


def recheck(scope: Scope, passages: Sequence[Passage]) -> list[Passage]:
    """The passages that this scope may read according to the rows as they are now, with their words from the row; the others are dropped.
    Two queries for all."""
    names = _readable(scope, passages)
    allowed = [passage for passage in passages if (passage.document, passage.sha256) in names]
    return [
        replace(passage, text=text, name=names[passage.document, passage.sha256])
        for passage, text in zip(allowed, _words(allowed), strict=True)
        if text
    ]


def _readable(scope: Scope, passages: Sequence[Passage]) -> dict[tuple[str, str], str]:
    """The names of those documents of the passages that this scope may read, by their key and the revision that is indexed."""
    documents = Document.objects.readable_by(scope.principals).filter(
        workspace=UUID(scope.workspace), pk__in={UUID(passage.document) for passage in passages}
    )
    if scope.sources is not None:
        documents = documents.filter(source__in=[UUID(source) for source in scope.sources])
    return {(str(pk), sha256): name for pk, sha256, name in documents.values_list("pk", "indexed_sha256", "name")}


def _words(passages: Sequence[Passage]) -> list[str]:
    """The words of each passage, cut out by the database: a long text does not travel for a few lines. Empty if the revision is gone
    meanwhile. In SQL, since the ORM would need one expression for each passage, and longer to write the query than the database to answer.
    """
    if not passages:
        return []
    table, key = Document._meta.db_table, Document._meta.pk
    one_of_them = f"SELECT substr(text, %s, %s), CAST(%s AS integer) FROM {table} WHERE id = %s AND indexed_sha256 = %s"  # noqa: S608
    asked = " UNION ALL ".join([one_of_them] * len(passages))
    given: list[Any] = []
    for number, one in enumerate(passages):
        given += [one.start + 1, one.end - one.start, number, key.get_db_prep_value(UUID(one.document), connection), one.sha256]
    words = [""] * len(passages)
    with connection.cursor() as cursor:
        cursor.execute(asked, given)
        for text, number in cursor.fetchall():
            words[number] = text
    return words


def search(workspace_id: str, user_id: str, query: str, top_k: int) -> list[Passage]:
    """In the model worker: the best passages for this person, whose rights are read now. `Http404` for who is no member any more."""
    membership = enter(User(pk=user_id), pk=workspace_id)
    return list(wiring.retriever(recheck).search(query, scope_of(membership), top_k))
