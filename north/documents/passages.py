"""From a question to passages that this person may read now: the index proposes, the rows decide."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, NamedTuple, TypedDict
from uuid import UUID

from django.conf import settings
from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from north import wiring
from north.documents import files
from north.documents.errors import FileLost, NoAnswer
from north.documents.models import Document, SearchWeights
from north.documents.readers import scope_of
from north.inference.errors import Gone, ModelError, Overloaded
from north.workspaces.access import enter_by
from north.workspaces.models import Membership, User
from retrieval.chunking import chunk
from retrieval.fusion import Weights
from retrieval.fusion import weights_of as weights_suiting
from retrieval.questions import By
from retrieval.reranking import recency
from retrieval.similarity import editions
from retrieval.types import EVERYTHING, Chunk, Filters, Found, Parsed, Passage, Scope


def recheck(scope: Scope, passages: Sequence[Passage]) -> list[Passage]:
    """The passages that this scope may read according to the rows as they are now, with their words from the row, and in `why` what age
    and a person's word for the document count; the others are dropped. Two queries for all."""
    known = _readable(scope, passages)
    allowed = [passage for passage in passages if (passage.document, passage.sha256) in known]
    newest = editions({document: row.likeness for (document, _), row in known.items()})
    return [
        replace(passage, text=text, name=row.name, why={**passage.why, **row.weights}, edition=newest.get(passage.document, ""))
        for passage, text in zip(allowed, _words(allowed), strict=True)
        for row in [known[passage.document, passage.sha256]]
        if text
    ]


class Readable(NamedTuple):
    name: str
    weights: dict[str, float]
    likeness: str


def _readable(scope: Scope, passages: Sequence[Passage]) -> dict[tuple[str, str], Readable]:
    """Those documents of the passages that this scope may read, by their key and the revision that is indexed, newest first."""
    documents = Document.objects.in_scope(scope).filter(pk__in={UUID(passage.document) for passage in passages})
    rows = documents.values_list("pk", "indexed_sha256", "name", "changed_at", "source__half_life", "verified_at", "likeness")
    return {
        (str(pk), sha256): Readable(name, _weights(at, half_life, verified), likeness)
        for pk, sha256, name, at, half_life, verified, likeness in rows.order_by("-changed_at", "-created_at", "pk")
    }


def _weights(changed_at: datetime | None, half_life: int | None, verified_at: datetime | None) -> dict[str, float]:
    weights = {"verified": 1.0} if verified_at else {}
    if half_life and changed_at:
        weights["recency"] = recency((timezone.now() - changed_at).total_seconds() / 86_400, half_life)
    return weights


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


def chunks_of(document: Document) -> list[Chunk]:
    """The pieces that the index holds of a document; none where it was not read yet."""
    if not document.searchable:
        return []
    try:
        return chunk(files.read_layout(document.layout_of(document.indexed_sha256)))
    except FileLost:
        return chunk(Parsed(document.text, document.media_type))


def search(
    workspace_id: str, user_id: str, query: str, top_k: int, filters: Filters = EVERYTHING, *, key_id: UUID | None = None
) -> list[Passage]:
    """In the model worker: the best passages for this person, whose rights are read now. `Http404` for who is no member any more."""
    asked = scope(workspace_id, user_id, filters, key_id)
    return wiring.retriever(recheck).search(query, asked, top_k, **weights_of(workspace_id))


def find(
    workspace_id: str, user_id: str, query: str, top_k: int, filters: Filters = EVERYTHING, *, key_id: UUID | None = None,
    explain: bool = True, patient: bool = False, judge: bool = True,
) -> Found:  # fmt: skip
    """The same without the models that do not work, which is said. `patient`: a model that is being loaded is
    waited for; `judge`: the one that judges is asked."""
    asked, fault, weights = scope(workspace_id, user_id, filters, key_id), "", weights_of(workspace_id)
    ways: list[By] = ["all", "meaning", "words"] if settings.MODELS.get("score") else ["all", "words"]
    if not judge and "meaning" in ways:
        ways.remove("all")
    if not patient and wiring.embedder.loading():  # type: ignore[attr-defined]
        ways, fault = ["words"], _("the embedding model is still being loaded.")
    for by in ways:
        try:
            found = wiring.retriever(recheck).search(query, asked, top_k, by=by, explain=explain, **weights)
            return Found(found, notice(by, fault) if fault else "")
        except (Overloaded, Gone):
            raise
        except ModelError as error:
            fault = fault or str(error)
    raise AssertionError("words need no model")


def notice(by: By, fault: str) -> str:
    if by == "words":
        return _("Only words are compared just now, not what they mean: %s") % fault
    return _("The order is the index's own, for the model that judges passages does not work: %s") % fault


def find_by_words(membership: Membership, query: str, top_k: int, filters: Filters) -> list[Passage]:
    """In any process, for want of the model worker: by words alone, with no model at all. Raises NoAnswer where only the model itself knows
    how the index was made."""
    if wiring.dimensions() is None:
        raise NoAnswer
    asked = replace(scope_of(membership), filters=filters)
    return wiring.retriever(recheck).search(query, asked, top_k, by="words")


class Weighing(TypedDict, total=False):
    weights: Weights
    first: float


def weights_of(workspace_id: str) -> Weighing:
    """What this workspace's searches weigh by; empty where that is as everywhere, or was fitted for other models than those of today."""
    row = SearchWeights.objects.filter(workspace=UUID(workspace_id)).first()
    judge = wiring.model_name("score") if settings.MODELS.get("score") else ""
    if row is None or (row.embed_model, row.score_model) != (wiring.model_name("embed"), judge):
        return {}
    return {"weights": Weights(row.cosine, row.words, row.offset), "first": row.blend}


def default_weights() -> Weights:
    return wiring.fusion_weights() or weights_suiting(wiring.model_name("embed"))


def scope(workspace_id: str, user_id: str, filters: Filters, key_id: UUID | None = None) -> Scope:
    return replace(scope_of(enter_by(key_id, User(pk=user_id), workspace=workspace_id)), filters=filters)
