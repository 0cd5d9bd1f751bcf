"""What is asked of an address of the dialects that North does not serve, or so that no view sees it: said in the clients' own shape."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.views import defaults
from django.views.decorators.csrf import csrf_exempt

from north.api import faults
from north.api.faults import Fault
from north.tracing import trace_id

PREFIXES = ("/v1/", "/v2/", "/compatibility/")
SERVED = (
    "POST /v2/chat, /v2/embed, /v2/rerank, /v1/chat, /v1/embed, /v1/rerank, /v1/tokenize, /v1/detokenize, /v1/check-api-key, "
    "/v1/chat/completions, /v1/embeddings; GET /v1/models"
)
INSTEAD = {
    "/v1/responses": "Use chat completions: POST /v1/chat/completions.",
    "/v1/completions": "Use chat completions: POST /v1/chat/completions (llama-index: is_chat_model=True).",
    "/v1/generate": "Use POST /v2/chat.",
    "/v1/summarize": "Use POST /v2/chat.",
}


def said(path: str) -> str:
    doubled = " Give the client its base URL without /v1." if path.startswith(("/v1/v1/", "/v1/v2/")) else ""
    return f"There is no {path} here.{doubled} {INSTEAD.get(path, f'North serves {SERVED}.')}"


@csrf_exempt
def nothing(request: HttpRequest, **_: Any) -> HttpResponse:
    return faults.response(Fault(404, said(request.path)))


def is_theirs(request: HttpRequest) -> bool:
    return request.path.startswith(PREFIXES)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_theirs(request):
        return faults.response(Fault(400, f"This request cannot be read: {type(exception).__name__}. Check the address and the headers."))
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if is_theirs(request):
        words = f"Something in North broke. Give your administrator the number {trace_id.get() or '-'}."
        return faults.response(Fault(500, words, code="internal_error"))
    return defaults.server_error(request)
