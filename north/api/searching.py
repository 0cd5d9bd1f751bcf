"""Search by REST, what it could be narrowed by, and the searches that a person keeps."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import parse_qs, urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status

from north.api.keys import Key, caller
from north.api.paging import Paging, page
from north.api.router import answers, router
from north.api.schemas.knowledge import (
    FacetOut,
    FacetsIn,
    FacetsOut,
    SavedSearchChange,
    SavedSearchIn,
    SavedSearchOut,
    SavedSearchPage,
    SearchIn,
    SearchOut,
)
from north.api.shapes import search_out
from north.api.tags import held, tagged
from north.documents import actions, saving
from north.documents.facets import facets
from north.documents.filtering import LISTS, NAMES, filters_of
from north.documents.models import SavedSearch

routes = Router()
saved = router()


@routes.post("", auth=Key("read"), response=answers(200, SearchOut), summary="Search the documents")
def search(request: HttpRequest, body: SearchIn) -> SearchOut:
    """The best documents with their passages, and in `why` the parts of each score; `start` and `end` count code points of the document's
    text."""
    actor = caller(request)
    filters = filters_of(body.filters, actions.readable(actor))
    return search_out(actions.search(body.query, top_k=body.top_k, filters=filters, actor=actor), actor)


@routes.post("/facets", auth=Key("read"), response=answers(200, FacetsOut), summary="What a search could be narrowed by")
def count_facets(request: HttpRequest, body: FacetsIn) -> FacetsOut:
    """How many readable documents are of each source, kind, language and year; each within all other filters."""
    readable = actions.readable(caller(request))
    counted = facets(readable, filters_of(body.filters, readable))
    return FacetsOut(**{name: [FacetOut(value=one.value, words=one.words, count=one.count) for one in found]
                        for name, found in counted.items()})  # fmt: skip


# --- saved searches -------------------------------------------------------------------------------------------------------------------
def saved_out(search: SavedSearch) -> SavedSearchOut:
    """A row holds the search page's query string."""
    said = parse_qs(search.query)
    filters: dict[str, Any] = {name: values if name in LISTS else values[0] for name, values in said.items() if name in NAMES}
    query = said.get("q", [""])[0]
    return SavedSearchOut(id=search.pk, name=search.name, query=query, filters=filters, created_at=search.created_at)


@saved.get("", response=answers(200, SavedSearchPage), summary="List saved searches")
def list_saved_searches(request: HttpRequest, paging: Query[Paging]) -> SavedSearchPage:
    """The key's user's own."""
    actor = caller(request)
    rows = SavedSearch.objects.filter(workspace=actor.workspace, user=actor.user)
    found, following = page(rows, paging, by="name", within=actor.workspace_id)
    return SavedSearchPage(items=[saved_out(one) for one in found], next=following)


@saved.post("", response=answers(201, SavedSearchOut, 409), summary="Save a search")
def save_search(request: HttpRequest, body: SavedSearchIn) -> Status[SavedSearchOut]:
    """A search that was saved under this name is replaced."""
    actor = caller(request)
    filters_of(body.filters, actions.readable(actor))
    kept = saving.save(body.name, urlencode({"q": body.query, **body.filters}, doseq=True), actor=actor)
    return Status(201, saved_out(kept))


@saved.get("/{uuid:search_id}", response=answers(200, SavedSearchOut, 304), summary="One saved search")
def get_saved_search(request: HttpRequest, response: HttpResponse, search_id: uuid.UUID) -> SavedSearchOut:
    return tagged(request, response, saved_out(get_object_or_404(saving.mine(caller(request), search_id))))


@saved.patch("/{uuid:search_id}", response=answers(200, SavedSearchOut, 409, 412), summary="Rename a saved search")
def rename_saved_search(request: HttpRequest, response: HttpResponse, search_id: uuid.UUID, body: SavedSearchChange) -> SavedSearchOut:
    actor = caller(request)
    with held(request, saving.mine(actor, search_id), saved_out):
        saving.rename(search_id, body.name, actor=actor)
    return tagged(request, response, saved_out(get_object_or_404(saving.mine(actor, search_id))))


@saved.delete("/{uuid:search_id}", response=answers(204, None, 409, 412), summary="Delete a saved search")
def delete_saved_search(request: HttpRequest, search_id: uuid.UUID) -> Status[None]:
    actor = caller(request)
    with held(request, saving.mine(actor, search_id), saved_out):
        saving.delete(search_id, actor=actor)
    return Status(204, None)
