"""North's own REST API, version 1: the same verbs as the pages, in JSON. `/api/docs` shows it, `/api/openapi.json` describes it."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Annotated

from django.core.exceptions import RequestDataTooBig
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from ninja import File, Form, NinjaAPI, Status, UploadedFile
from ninja.errors import AuthenticationError, HttpError, ValidationError

from north.api.keys import Key, by_key_or_404, caller
from north.api.schemas import (
    DocumentList,
    DocumentOut,
    Problem,
    RunIn,
    RunOut,
    SearchIn,
    SearchOut,
    ThreadIn,
    ThreadOut,
)
from north.api.shapes import document_out, run_out, search_out
from north.documents import actions as documents
from north.documents.errors import Busy, DocumentError, status_of
from north.documents.models import Document
from north.documents.models import Status as DocumentStatus
from north.threads import actions as threads
from north.threads import stream
from north.threads.errors import Refused as ThreadRefused
from north.threads.models import Run, Thread
from north.workspaces.access import principals
from north.workspaces.models import Group, Membership
from retrieval.errors import RetrievalError

PAGE = 100

api = NinjaAPI(
    title="North",
    version="1",
    auth=Key(),
    urls_namespace="api",
    docs_url="/docs",
    openapi_url="/openapi.json",
    description="Documents in, cited answers out. Every call needs a key (`Authorization: Bearer north_...`), which belongs to one "
    "workspace and acts as one user: it sees what that user may see.",
)
PROBLEMS = dict.fromkeys((401, 404, 409, 413, 415, 422, 429, 503, 507), Problem)


# --- faults: each error once ----------------------------------------------------------------------------------------------------------
def problem(request: HttpRequest, status: int, code: str, error: str, *, retry_after: int = 5) -> HttpResponse:
    response = api.create_response(request, {"error": error, "code": code}, status=status)
    if status in {429, 503}:
        response["Retry-After"] = str(retry_after)
    return response


@api.exception_handler(AuthenticationError)
def unknown_key(request: HttpRequest, error: AuthenticationError) -> HttpResponse:
    response = problem(request, 401, "unauthorized", "This needs a valid key: Authorization: Bearer north_...")
    response["WWW-Authenticate"] = "Bearer"
    return response


@api.exception_handler(Http404)
def not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    return problem(request, 404, "not_found", "There is nothing here, or it is not yours to see.")


@api.exception_handler(ValidationError)
def not_valid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    first = error.errors[0]
    place = ".".join(str(part) for part in first["loc"] if part not in {"body", "query", "path", "form", "file"})
    return problem(request, 422, "invalid", f"{place}: {first['msg']}"[:500])


@api.exception_handler(HttpError)
def not_readable(request: HttpRequest, error: HttpError) -> HttpResponse:
    return problem(request, error.status_code, "invalid", str(error.message))


@api.exception_handler(RequestDataTooBig)
def too_big(request: HttpRequest, error: RequestDataTooBig) -> HttpResponse:
    return problem(request, 413, "too_large", "This request is too large. Send files as multipart/form-data, one in each request.")


@api.exception_handler(Busy)
def too_much_to_do(request: HttpRequest, error: Busy) -> HttpResponse:
    return problem(request, status_of(error), "overloaded", str(error), retry_after=error.retry_after)


@api.exception_handler(DocumentError)
@api.exception_handler(RetrievalError)
def document_fault(request: HttpRequest, error: Exception) -> HttpResponse:
    status = status_of(error)
    code = {413: "too_large", 415: "unknown_type", 503: "unavailable", 507: "disk_full"}.get(status, "invalid")
    return problem(request, status, code, str(error))


@api.exception_handler(ThreadRefused)
def thread_fault(request: HttpRequest, error: ThreadRefused) -> HttpResponse:
    code = {409: "conflict", 429: "overloaded"}.get(error.status, "invalid")
    return problem(request, error.status, code, str(error))


# --- documents ------------------------------------------------------------------------------------------------------------------------
@api.post("/v1/documents", response={201: DocumentOut, **PROBLEMS}, summary="Upload a file", tags=["documents"])
def upload(
    request: HttpRequest, file: Annotated[UploadedFile, File()], groups: Annotated[list[str] | None, Form()] = None
) -> Status[DocumentOut]:
    """201 when the file and its row are durable. `groups`: names or ids of the groups that may read it, repeated or separated by commas;
    without it the workspace's default holds; an empty one means nobody."""
    actor = caller(request)
    if file.file is None:
        raise HttpError(422, "The file is missing.")
    document = documents.upload(file.file, name=file.name or "", size=file.size, groups=named_groups(groups, actor), actor=actor)
    return Status(201, document_out(document, actor.workspace))


def named_groups(groups: list[str] | None, actor: Membership) -> list[Group] | None:
    """None where nothing was said. Raises a 404 for a group that this workspace does not have."""
    if groups is None:
        return None
    wanted = {name.strip() for part in groups for name in part.split(",") if name.strip()}
    known = {key: group for group in actor.workspace.groups.all() for key in (group.name, str(group.pk))}
    if wanted - known.keys():
        raise Http404
    return list({known[name].pk: known[name] for name in sorted(wanted)}.values())


@api.get("/v1/documents", response={200: DocumentList, **PROBLEMS}, summary="List documents", tags=["documents"])
def list_documents(request: HttpRequest, status: str = "", offset: int = 0) -> DocumentList:
    """What the key's user may see, newest first, a hundred at a time. An owner sees every row to manage it, but not what is in it."""
    actor = caller(request)
    rows = Document.objects.listed_for(actor, principals(actor))
    counts = dict.fromkeys(DocumentStatus.values, 0) | dict(rows.order_by().values_list("status").annotate(Count("pk")))
    if status:
        rows = rows.filter(status=status)
    start = max(offset, 0)
    found = list(rows.prefetch_related("principals").order_by("-created_at", "pk")[start : start + PAGE + 1])
    listed = [document_out(document, actor.workspace) for document in found[:PAGE]]
    return DocumentList(documents=listed, counts=counts, next=start + PAGE if len(found) > PAGE else None)


@api.get("/v1/documents/{uuid:document_id}", response={200: DocumentOut, **PROBLEMS}, summary="One document", tags=["documents"])
def get_document(request: HttpRequest, document_id: uuid.UUID) -> DocumentOut:
    actor = caller(request)
    return document_out(the_document(document_id, actor), actor.workspace)


@api.delete("/v1/documents/{uuid:document_id}", response={204: None, **PROBLEMS}, summary="Delete a document", tags=["documents"])
def delete_document(request: HttpRequest, document_id: uuid.UUID) -> Status[None]:
    """Gone from every answer at once."""
    actor = caller(request)
    documents.delete(the_document(document_id, actor), actor=actor)
    return Status(204, None)


def the_document(document_id: uuid.UUID, actor: Membership) -> Document:
    found = Document.objects.listed_for(actor, principals(actor)).filter(pk=document_id).first()
    if found is None:
        raise Http404
    return found


@api.post("/v1/search", response={200: SearchOut, **PROBLEMS}, summary="Search the documents", tags=["search"])
def search(request: HttpRequest, query: SearchIn) -> SearchOut:
    """The best documents with their passages; `start` and `end` count code points of the document's text."""
    return search_out(documents.search(query.query, top_k=query.top_k, actor=caller(request)))


# --- threads and runs -------------------------------------------------------------------------------------------------------------------
@api.post("/v1/threads", response={201: ThreadOut, **PROBLEMS}, summary="Begin a thread", tags=["threads"])
def create_thread(request: HttpRequest, body: ThreadIn | None = None) -> Status[Thread]:
    actor = caller(request)
    thread = threads.create(actor=actor)
    if body and body.title.strip():
        threads.rename(thread, body.title, actor=actor)
    return Status(201, thread)


@api.post("/v1/threads/{uuid:thread_id}/runs", response={202: RunOut, **PROBLEMS}, summary="Ask a question", tags=["threads"])
def ask(request: HttpRequest, thread_id: uuid.UUID, body: RunIn) -> Status[RunOut]:
    actor = caller(request)
    thread = Thread.objects.of(actor).filter(pk=thread_id).first()
    if thread is None:
        raise Http404
    return Status(202, run_out(threads.ask(thread, body.question, actor=actor), actor))


@api.get("/v1/runs/{uuid:run_id}", response={200: RunOut, **PROBLEMS}, summary="One run: steps, answer, citations", tags=["runs"])
def get_run(request: HttpRequest, run_id: uuid.UUID) -> RunOut:
    actor = caller(request)
    return run_out(the_run(run_id, actor), actor)


@api.post("/v1/runs/{uuid:run_id}/cancel", response={202: RunOut, **PROBLEMS}, summary="Stop a run", tags=["runs"])
def cancel(request: HttpRequest, run_id: uuid.UUID) -> Status[RunOut]:
    actor = caller(request)
    threads.cancel(the_run(run_id, actor), actor=actor)
    return Status(202, run_out(the_run(run_id, actor), actor))


def the_run(run_id: uuid.UUID, actor: Membership) -> Run:
    run = Run.objects.of(actor).select_related("thread").prefetch_related("steps", "citations").filter(pk=run_id).first()
    if run is None:
        raise Http404
    return run


@api.get("/v1/runs/{uuid:run_id}/events", summary="Follow a run: server-sent events", tags=["runs"], response={200: None, **PROBLEMS})
async def run_events(request: HttpRequest, run_id: uuid.UUID) -> HttpResponseBase:
    """`text/event-stream`: each event has an `id`, its kind as `event` and JSON as `data` (kinds and fields: north/threads/journal.py).
    After a lost connection send the last id as `Last-Event-ID`: nothing is missed, nothing comes twice."""
    key = request.headers.get("Authorization", "").partition(" ")[2].strip()
    return await stream.respond(run_id, request.headers.get("Last-Event-ID", ""), partial(by_key_or_404, key))
