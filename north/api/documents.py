"""Documents by REST: list, upload, read, say who may read, vouch, retry, delete."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Annotated

from django.db.models import Count
from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import File, Form, Query, Status, UploadedFile
from ninja.errors import HttpError

from north.api.keys import caller
from north.api.paging import Paging, page, pieces
from north.api.router import answers, groups_of, readers_of, router
from north.api.schemas.knowledge import (
    AccessIn,
    ChunkOut,
    ChunkPage,
    DocumentOut,
    DocumentPage,
    DocumentsAsked,
    Span,
    TextOut,
    VerifiedIn,
    WayIn,
)
from north.api.shapes import document_out
from north.api.tags import held, tagged
from north.documents import actions, controls, passages, ways
from north.documents.models import Document, DocumentQuerySet
from north.documents.models import Status as DocumentStatus
from north.documents.readers import principals
from north.documents.views.viewing import download
from north.workspaces.models import Membership

TEXT_LENGTH = 100_000
routes = router()


def listed(actor: Membership) -> DocumentQuerySet:
    """Whose rows this person may see."""
    return Document.objects.listed_for(actor, principals(actor))


def one(document_id: uuid.UUID, actor: Membership) -> Document:
    return get_object_or_404(listed(actor).defer("text").prefetch_related("principals"), pk=document_id)


def readable(document_id: uuid.UUID, actor: Membership) -> Document:
    return get_object_or_404(actions.readable(actor), pk=document_id)


def described(actor: Membership, document: Document) -> DocumentOut:
    return document_out(document, actor.workspace)


@routes.post("", response=answers(201, DocumentOut, 409, 413, 415, 507), summary="Upload a file")
def upload(
    request: HttpRequest, file: Annotated[UploadedFile, File()], groups: Annotated[list[str] | None, Form()] = None
) -> Status[DocumentOut]:
    """201 when the file and its row are durable. `groups`: names or ids of the groups that may read it, repeated or separated by commas;
    without it the workspace's default holds; an empty one means nobody."""
    actor = caller(request)
    if file.file is None:
        raise HttpError(422, "The file is missing.")
    named = None if groups is None else groups_of([name for part in groups for name in part.split(",")], actor)
    document = actions.upload(file.file, name=file.name or "", size=file.size, groups=named, actor=actor)
    return Status(201, described(actor, document))


@routes.get("", response=answers(200, DocumentPage), summary="List documents")
def list_documents(request: HttpRequest, asked: Query[DocumentsAsked]) -> DocumentPage:
    """What the key's user may see, newest first. An owner sees every row to manage it, but not what is in it."""
    actor = caller(request)
    rows = listed(actor)
    counts = dict.fromkeys(DocumentStatus.values, 0) | dict(rows.order_by().values_list("status").annotate(Count("pk")))
    given = {"status": asked.status, "name__icontains": asked.name.strip(), "source": asked.source}
    rows = rows.filter(**{field: value for field, value in given.items() if value})
    rows = rows.defer("text").prefetch_related("principals")
    found, following = page(rows, asked, by="-created_at", within=actor.workspace_id)
    groups = list(actor.workspace.groups.all())
    return DocumentPage(items=[document_out(row, actor.workspace, groups) for row in found], counts=counts, next=following)


@routes.get("/{uuid:document_id}", response=answers(200, DocumentOut, 304), summary="One document")
def get_document(request: HttpRequest, response: HttpResponse, document_id: uuid.UUID) -> DocumentOut:
    actor = caller(request)
    return tagged(request, response, described(actor, one(document_id, actor)))


@routes.delete("/{uuid:document_id}", response=answers(204, None, 409, 412), summary="Delete a document")
def delete_document(request: HttpRequest, document_id: uuid.UUID) -> Status[None]:
    """Gone from every answer at once."""
    actor = caller(request)
    with held(request, listed(actor).filter(pk=document_id), partial(described, actor)) as document:
        actions.delete(document, actor=actor)
    return Status(204, None)


@routes.post("/{uuid:document_id}/retry", response=answers(202, DocumentOut, 409), summary="Read a document again")
def retry_document(request: HttpRequest, document_id: uuid.UUID) -> Status[DocumentOut]:
    """From the stored file, as where it failed."""
    actor = caller(request)
    actions.retry(one(document_id, actor), actor=actor)
    return Status(202, described(actor, one(document_id, actor)))


@routes.post("/{uuid:document_id}/skip", response=answers(200, DocumentOut), summary="Pass over a document")
def skip_document(request: HttpRequest, document_id: uuid.UUID) -> DocumentOut:
    """One that waits, is read or failed: until its source has another revision, or it is retried. What an earlier revision said stays in
    answers. One that is ready stays ready."""
    actor = caller(request)
    controls.skip(one(document_id, actor), actor=actor)
    return described(actor, one(document_id, actor))


@routes.put("/{uuid:document_id}/reading", response=answers(202, DocumentOut, 409), summary="Read a document another way")
def read_again(request: HttpRequest, document_id: uuid.UUID, body: WayIn) -> Status[DocumentOut]:
    """From the stored file, this time and from now on. The old text answers until the new one is there."""
    actor = caller(request)
    actions.reread(one(document_id, actor), ways.chosen(**body.model_dump()), actor=actor)
    return Status(202, described(actor, one(document_id, actor)))


@routes.put("/{uuid:document_id}/access", response=answers(200, DocumentOut, 409, 412), summary="Say who may read a document")
def set_access(request: HttpRequest, response: HttpResponse, document_id: uuid.UUID, body: AccessIn) -> DocumentOut:
    """Holds from this answer on. The answer is a 404 where you gave away your own right to see it."""
    actor = caller(request)
    readers = readers_of(body.everyone, body.groups, actor)
    with held(request, listed(actor).filter(pk=document_id), partial(described, actor)) as document:
        actions.restrict(document, readers, actor=actor)
        changed = Document.objects.get(pk=document.pk)
    return tagged(request, response, described(actor, changed))


@routes.put("/{uuid:document_id}/verified", response=answers(200, DocumentOut, 409, 412), summary="Vouch for a document")
def set_verified(request: HttpRequest, response: HttpResponse, document_id: uuid.UUID, body: VerifiedIn) -> DocumentOut:
    """Who manages a document vouches for what it says now, or takes that back; it counts a little in searches."""
    actor = caller(request)
    with held(request, listed(actor).filter(pk=document_id), partial(described, actor)) as document:
        actions.verify(document, body.verified, actor=actor)
    return tagged(request, response, described(actor, one(document_id, actor)))


@routes.get("/{uuid:document_id}/text", response=answers(200, TextOut, 304), summary="Read a document's text")
def get_text(request: HttpRequest, response: HttpResponse, document_id: uuid.UUID, asked: Query[Span]) -> TextOut:
    """From `start` to `end` (exclusive), in code points; 100,000 of them at most. An empty text: nothing was read yet."""
    text = readable(document_id, caller(request)).text
    start = min(asked.start, len(text))
    until = min(len(text), start + TEXT_LENGTH, max(start, asked.end))
    return tagged(request, response, TextOut(start=start, end=until, length=len(text), text=text[start:until]))


@routes.get("/{uuid:document_id}/chunks", response=answers(200, ChunkPage), summary="A document as the index holds it")
def list_chunks(request: HttpRequest, document_id: uuid.UUID, paging: Query[Paging]) -> ChunkPage:
    """The pieces in which it is searched; a chunk begins with some words of the one before."""
    document = readable(document_id, caller(request))
    found, following = pieces(passages.chunks_of(document), paging, of=f"{document.pk}:{document.indexed_sha256}")
    items = [ChunkOut(ordinal=one.ordinal, start=one.start, end=one.end, text=one.text, heading=one.heading) for one in found]
    return ChunkPage(items=items, next=following)


@routes.get("/{uuid:document_id}/file", response=answers(200, None, 410), summary="Download a document's file")
def get_file(request: HttpRequest, document_id: uuid.UUID) -> FileResponse:
    """The bytes as they were stored."""
    document = readable(document_id, caller(request))
    return download(document)
