"""What is wrong with a call, as RFC 9457 has it: `application/problem+json` with a `type` that can be looked up, the sentence for people as
`detail`, and for each field what is wrong with it. Every error of every app is mapped to a status here, once."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.core.exceptions import RequestDataTooBig
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.decorators import sync_and_async_middleware
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError

from north.api.keeping import Repeated
from north.api.keys import Denied
from north.api.paging import WrongCursor
from north.api.tags import Changed, NotModified
from north.documents.errors import Busy, DocumentError
from north.documents.errors import Refused as DocumentRefused
from north.documents.errors import status_of as document_status
from north.evaluation.errors import Refused as EvaluationRefused
from north.threads.errors import Refused as ThreadRefused
from north.workspaces.errors import Refused as WorkspaceRefused
from north.workspaces.errors import Unfit, Wider
from retrieval.errors import RetrievalError

MEDIA_TYPE = "application/problem+json"
KINDS = {
    "bad_request": (400, "The request cannot be read."),
    "unauthorized": (401, "This needs a valid key."),
    "forbidden": (403, "This is not allowed."),
    "insufficient_scope": (403, "The key is not for this."),
    "not_found": (404, "There is nothing here, or it is not yours to see."),
    "not_allowed": (405, "This address does not take this method."),
    "conflict": (409, "This does not go together with how things are now."),
    "repeat_under_way": (409, "The first request with this Idempotency-Key is still under way."),
    "gone": (410, "What was stored here is lost."),
    "changed": (412, "It was changed since you read it."),
    "too_large": (413, "This is too large."),
    "unknown_type": (415, "Nothing here reads a file of this type."),
    "invalid": (422, "A value is missing or wrong."),
    "repeat_differs": (422, "This Idempotency-Key was used for another request."),
    "overloaded": (429, "There is too much to do just now."),
    "rate_limited": (429, "Too many requests in a minute."),
    "budget_used": (429, "The budget of tokens is used up."),
    "broken": (500, "North made a mistake. It is logged under the X-Request-ID of this answer."),
    "unavailable": (503, "A part of North does not answer."),
    "disk_full": (507, "The disk of the server is full."),
}
"""For programs: code -> its usual status, and what it means."""
BY_STATUS = {
    400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "not_allowed", 409: "conflict", 410: "gone",
    412: "changed", 413: "too_large", 415: "unknown_type", 429: "overloaded", 500: "broken", 503: "unavailable", 507: "disk_full",
}  # fmt: skip
Fields = Iterable[tuple[str, str]]


def problem(status: int, code: str = "", detail: str = "", *, errors: Fields = (), retry_after: int = 5, allow: str = "") -> HttpResponse:
    """`errors`: each wrong field as a JSON pointer into the body, or a parameter's name, and what is wrong with it."""
    code = code or BY_STATUS.get(status, "invalid")
    told: dict[str, Any] = {
        "type": f"/api/problems/{code}",
        "title": KINDS[code][1],
        "status": status,
        "detail": detail or KINDS[code][1],
        "code": code,
    }
    if fields := [{"field": field, "detail": words} for field, words in errors]:
        told["errors"] = fields
    response = JsonResponse(told, status=status, content_type=MEDIA_TYPE)
    if status in {429, 503}:
        response["Retry-After"] = str(retry_after)
    if status == 401:
        response["WWW-Authenticate"] = "Bearer"
    if allow:
        response["Allow"] = allow
    return response


@csrf_exempt
def explain(request: HttpRequest, code: str) -> HttpResponse:
    """What a problem's `type` means."""
    if code not in KINDS:
        return problem(404)
    status, title = KINDS[code]
    return JsonResponse({"type": f"/api/problems/{code}", "title": title, "status": status})


@csrf_exempt
def nowhere(request: HttpRequest, rest: str = "") -> HttpResponse:
    return problem(404, detail="There is no such address in this API. /api/docs shows those that there are.")


class Conflict(Exception):
    """This does not go together with how things are now, in words."""


class Wrong(Exception):
    """A field that no shape could judge."""

    def __init__(self, field: str, words: str) -> None:
        self.field = field
        super().__init__(words)


# --- each error once ------------------------------------------------------------------------------------------------------------------
def of_documents(error: Exception) -> HttpResponse:
    status = document_status(error)
    field = getattr(error, "field", "") if isinstance(error, DocumentRefused) else ""
    retry_after = error.retry_after if isinstance(error, Busy) else 5
    code = "overloaded" if isinstance(error, Busy) else ""
    return problem(status, code, str(error), errors=[(f"/{field}", str(error))] if field else (), retry_after=retry_after)


def of_fields(error: ValidationError) -> HttpResponse:
    fields = [(place(one["loc"]), str(one["msg"])[:300]) for one in error.errors[:20]]
    return problem(422, "invalid", f"{fields[0][0]}: {fields[0][1]}"[:500], errors=fields)


def place(loc: Iterable[Any]) -> str:
    """Of a body a JSON pointer, of everything else the parameter's name."""
    where, *path = loc
    if where == "body":
        return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path[1:]) or "/"
    return ".".join(str(part) for part in path[-1:])


def denied(error: Denied) -> HttpResponse:
    """Waiting is worth it only where the door says how long."""
    response = problem(error.status, error.code, error.message)
    del response["Retry-After"]
    for name, value in error.headers.items():
        response[name] = value
    return response


def of_threads(error: ThreadRefused) -> HttpResponse:
    code = {409: "conflict", 429: "overloaded"}.get(error.status, "invalid")
    return problem(error.status if code != "invalid" else 422, code, str(error))


def not_modified(error: NotModified) -> HttpResponse:
    response = HttpResponse(status=304)
    response["ETag"] = error.tag
    return response


HANDLED: dict[type[Exception], Callable[[Any], HttpResponse]] = {
    Denied: denied,
    Http404: lambda error: problem(404),
    ValidationError: of_fields,
    HttpError: lambda error: problem(error.status_code, detail=str(error.message)),
    RequestDataTooBig: lambda error: problem(
        413, detail="This request is too large. Send files as multipart/form-data, one in each request."
    ),
    DocumentError: of_documents,
    RetrievalError: of_documents,
    ThreadRefused: of_threads,
    EvaluationRefused: lambda error: problem(409, "conflict", str(error)),
    Conflict: lambda error: problem(409, detail=str(error)),
    Wrong: lambda error: problem(422, "invalid", str(error), errors=[(error.field, str(error))]),
    Unfit: lambda error: problem(422, "invalid", str(error), errors=[(f"/{error.field}", str(error))]),
    Wider: lambda error: problem(403, detail=str(error)),
    WorkspaceRefused: lambda error: problem(409, "conflict", str(error)),
    WrongCursor: lambda error: problem(422, "invalid", str(error), errors=[("cursor", str(error))]),
    Repeated: lambda error: problem(error.status, error.code, str(error), retry_after=1),
    Changed: lambda error: problem(412, detail=str(error)),
    NotModified: not_modified,
}


def handle(api: NinjaAPI) -> None:
    for kind, answer in HANDLED.items():
        api.add_exception_handler(kind, answering(answer))


def answering(answer: Callable[[Any], HttpResponse]) -> Callable[[HttpRequest, Any], HttpResponse]:
    return lambda request, error: answer(error)


# --- what never reaches a view --------------------------------------------------------------------------------------------------------
@sync_and_async_middleware
def told(get_response: Callable[[HttpRequest], Any]) -> Callable:
    """Errors that Django itself answers for an address of the API (wrong host, wrong method, broken form, a fault) are problems, too."""
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponseBase:
            return as_problem(request, await get_response(request))

        return markcoroutinefunction(middleware)

    return lambda request: as_problem(request, get_response(request))


def as_problem(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
    if not request.path.startswith("/api/") or response.status_code < 400 or "json" in response.get("Content-Type", ""):
        return response
    status = response.status_code if response.status_code in BY_STATUS else 400
    words = {s.value: s.phrase for s in HTTPStatus}.get(response.status_code, "")
    said = KINDS[BY_STATUS[status]][1] if status != 400 else f"The request cannot be read ({words})."
    return problem(response.status_code, BY_STATUS[status], said, allow=response.get("Allow", ""))
