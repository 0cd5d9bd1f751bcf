"""The door for other people's clients: the key first, then the body, then the view; whatever is wrong is said by `faults.py`.

A view is `async view(call)`; what the address names comes as further arguments. Knows no dialect.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import orjson
from asgiref.sync import sync_to_async
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

from north.api import faults
from north.api.faults import Fault
from north.api.given import Given
from north.api.keys import Denied, bearer, caller
from north.serving.errors import CallFailed
from north.workspaces.models import Membership

MEGABYTE = 1_000_000
CODES = {"unauthorized": "invalid_api_key", "rate_limited": "rate_limit_exceeded", "budget_used": "insufficient_quota"}
"""As OpenAI's clients know them."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, with what; `query` is what stands behind the address' question mark."""

    actor: Membership
    given: Given
    query: Given
    key: str


View = Callable[..., Coroutine[Any, Any, HttpResponseBase]]


def door(*methods: str, scopes: tuple[str, ...] = ("infer",)) -> Callable[[View], View]:
    """For a view that takes these methods, and keys that have any of these scopes."""

    def decorate(view: View) -> View:
        @csrf_exempt
        @functools.wraps(view)
        async def wrapper(request: HttpRequest, **named: Any) -> HttpResponseBase:
            try:
                actor = await sync_to_async(admit)(request, scopes)
                if request.method not in methods:
                    raise Fault(405, f"This address takes {' and '.join(methods)}, not {request.method}.")
                given = Given(read(request) if request.method == "POST" else {})
                return await view(Caller(actor, given, Given(request.GET.dict()), bearer(request)), **named)
            except Fault as fault:
                return faults.response(fault)
            except CallFailed as error:
                return faults.response(faults.of(error))

        return wrapper

    return decorate


def admit(request: HttpRequest, scopes: tuple[str, ...]) -> Membership:
    """As `keys.caller`, in a thread. Raises `Fault`."""
    try:
        return caller(request, *scopes)
    except Denied as denied:
        before = {401: "invalid api token: " if bearer(request) else "no api key supplied: "}.get(denied.status, "")
        raise Fault(denied.status, before + denied.message, headers=denied.headers, code=CODES.get(denied.code, denied.code)) from None


def read(request: HttpRequest) -> dict[str, Any]:
    """The body as an object; without any, an empty one. Django's own limit is for forms."""
    most = settings.API_MEGABYTES * MEGABYTE
    body = request.read(most + 1)
    if len(body) > most:
        raise Fault(413, f"This request has more than {settings.API_MEGABYTES} megabytes. Send less at once.")
    if not body.strip():
        return {}
    try:
        found = orjson.loads(body)
    except ValueError as error:
        raise Fault(400, f"invalid request: the body is no JSON in UTF-8: {error}"[:300]) from None
    if not isinstance(found, dict):
        raise Fault(400, "invalid request: the body must be a JSON object")
    return found


def answer(found: dict[str, Any]) -> HttpResponse:
    """As JSON; arrays of numpy included."""
    written = orjson.dumps(found, option=orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS)
    return HttpResponse(written, content_type="application/json")
