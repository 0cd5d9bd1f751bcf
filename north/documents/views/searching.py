"""Search over documents: results by document, best first, with the words that were asked for marked. No chat model is needed."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_GET

from north.documents import actions, files, rendering
from north.documents.errors import Busy, DocumentError, FileLost, status_of
from north.documents.models import Document
from north.documents.rendering import Span
from north.documents.views.viewing import MARKDOWN, address, place_words
from north.workspaces.access import inside
from north.workspaces.models import Membership, Role
from retrieval.errors import IndexFault
from retrieval.types import Passage, Place

PASSAGES = 30
EACH = 3
"""Passages shown of one document."""


@dataclass(frozen=True)
class Found:
    html: SafeString
    place: str
    url: str


@dataclass(frozen=True)
class Result:
    document: Document
    url: str
    passages: list[Found]


@inside(Role.READER)
@require_GET
def search(request: HttpRequest, membership: Membership) -> HttpResponse:
    query = request.GET.get("q", "").strip()[:500]
    context: dict[str, object] = {"query": query, "nav": "search"}
    status, retry_after = 200, 0
    if query:
        try:
            passages = actions.search(query, top_k=PASSAGES, actor=membership)
            context["results"] = results(passages, query, membership)
        except Busy as error:
            context["error"], status, retry_after = str(error), status_of(error), error.retry_after
        except (DocumentError, IndexFault) as error:
            context["error"], status = str(error), status_of(error)
    response = render(request, "documents/search.html", context, status=status)
    if retry_after:
        response["Retry-After"] = str(retry_after)
    return response


def results(passages: list[Passage], query: str, membership: Membership) -> list[Result]:
    """One result a document, in the order of its best passage; read once more from the rows, as some time went by."""
    named = {passage.document for passage in passages}
    rows = {str(row.pk): row for row in actions.readable(membership).defer("text").filter(pk__in=named)}
    grouped: dict[str, list[Passage]] = {}
    for passage in passages:
        if passage.document in rows:
            grouped.setdefault(passage.document, []).append(passage)
    return [result(rows[document], found[:EACH], query, membership) for document, found in grouped.items()]


def result(row: Document, passages: list[Passage], query: str, membership: Membership) -> Result:
    slug, places = membership.workspace.slug, places_of(row)
    found = []
    for passage in passages:
        span, html = rendering.excerpt(passage.text, query, signs=row.media_type != MARKDOWN)
        span = Span(passage.start + span.start, passage.start + span.end)
        url = address(slug, passage.document, span, passage.sha256)
        found.append(Found(html, place_words(rendering.place_at(places, span.start)), url))
    return Result(row, address(slug, str(row.pk)), found)


def places_of(row: Document) -> tuple[Place, ...]:
    try:
        return files.read_layout(row.layout_of(row.indexed_sha256)).places
    except FileLost:
        return ()
