"""The one door of all APIs: who calls, what their key is for, how often they call, and what they have left.

A Bearer key in the Authorization header and nothing else: a session or a key in the URL opens nothing here. `caller(request, "write")` is
for any view; `Key("write")` is the same as django-ninja's `auth`, which asks before it reads the body. Whatever is wrong is `Denied`, with
status, code, sentence and headers; each dialect gives it its own shape. What a client should know of its limits is told in every answer's
headers by the middleware `tell`.

    401  no key, or one that is wrong, expired, revoked, replaced, or whose user left      WWW-Authenticate: Bearer ...
    403  the key is not for this: its scopes do not name it                                WWW-Authenticate: ... insufficient_scope
    429  too many requests a minute, or a budget that refuses is used up                   Retry-After where waiting is worth it
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import Http404, HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware
from django.utils.translation import gettext as _
from ninja.security import HttpBearer

from north.usage.budgets import Budget, budgets, seconds_left
from north.usage.rates import Bucket, Standing, take
from north.workspaces import access
from north.workspaces.models import KeyScope, Membership

WORTH_WAITING = 60
"""Seconds. Clients sleep silently for as long as Retry-After says, some twice: a longer wait is told in words instead."""
BY_METHOD = {"GET": KeyScope.READ, "HEAD": KeyScope.READ}
REALM = 'Bearer realm="north"'


class Denied(Exception):
    """`code`: unauthorized, insufficient_scope, rate_limited or budget_used."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str]) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers)


class Key(HttpBearer):
    """For django-ninja: `auth=Key("read", "infer")` lets in a key that has any of these scopes; `Key()` goes by the method: `read` for GET
    and HEAD, `write` for all others."""

    openapi_name = "key"
    openapi_description = "Made on the workspace's page of keys, or by `manage.py issue_key --workspace W --user U`."

    def __init__(self, *scopes: str) -> None:
        super().__init__()
        self.scopes = scopes

    def __call__(self, request: HttpRequest) -> Membership:
        return caller(request, *(self.scopes or (BY_METHOD.get(request.method or "", KeyScope.WRITE),)))

    def authenticate(self, request: HttpRequest, token: str) -> Membership | None:
        return self(request)


def caller(request: HttpRequest, *scopes: str) -> Membership:
    """The membership that the key of this request acts as, if the key has any of these scopes; counted as one request however often it is
    asked for. Where `infer` alone is asked for, a budget that refuses and is used up refuses. Raises `Denied`."""
    membership: Membership | None = getattr(request, "caller", None)
    if membership is None:
        membership = request.caller = admitted(request)  # type: ignore[attr-defined]
        request.user = membership.user
    demand_scope(membership, scopes)
    if scopes == (KeyScope.INFER,):
        demand_budget(request, membership)
    return membership


def admitted(request: HttpRequest) -> Membership:
    """Who calls, once they are known and not too fast."""
    key = bearer(request)
    if not key:
        raise unauthorized(_("This needs a key: Authorization: Bearer north_..."))
    try:
        membership = access.open_key(key)
    except access.KeyRefused as refusal:
        raise unauthorized(words(refusal), error="invalid_token") from None
    notice_old(request, membership)
    demand_rate(request, membership)
    return membership


def bearer(request: HttpRequest) -> str:
    scheme, _space, key = request.headers.get("Authorization", "").partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def words(refusal: access.KeyRefused) -> str:
    return {
        "unknown": _("This key is not known here. Check that it was copied whole, and to this server."),
        "expired": _("This key has expired. Make a new one on the workspace's page of keys."),
        "revoked": _("This key was revoked. Ask whoever gave it to you for a new one."),
        "replaced": _("This key was replaced by a new one, and the time for both is over. Use the new one."),
        "left": _("The one whom this key acts as is no member of the workspace any more, or is suspended."),
    }[refusal.reason]


def unauthorized(message: str, error: str = "") -> Denied:
    challenge = f'{REALM}, error="{error}", error_description="{quotable(message)}"' if error else REALM
    return Denied(401, "unauthorized", message, {"WWW-Authenticate": challenge})


def quotable(message: str) -> str:
    """For a header: ASCII, without quotes."""
    return message.encode("ascii", "replace").decode().replace('"', "'")


def demand_scope(membership: Membership, scopes: tuple[str, ...]) -> None:
    held = membership.key.scopes if membership.key else []
    if scopes and not set(scopes) & set(held):
        wanted = " ".join(scopes)
        message = _("This key is not for that: it needs the scope %(wanted)s, and has %(held)s. Make a key that has it.") % {
            "wanted": _(" or ").join(scopes),
            "held": ", ".join(held),
        }
        challenge = f'{REALM}, error="insufficient_scope", scope="{wanted}"'
        raise Denied(403, "insufficient_scope", message, {"WWW-Authenticate": challenge})


# --- limits ---------------------------------------------------------------------------------------------------------------------------
def demand_rate(request: HttpRequest, membership: Membership) -> None:
    standing = take(buckets_of(membership))
    if standing is None:
        return
    say(request, rate_headers(standing))
    if standing.wait:
        message = _("Too many requests: %(limit)d a minute are allowed. Wait %(seconds)d seconds.")
        seconds = math.ceil(standing.wait)
        raise Denied(429, "rate_limited", message % {"limit": standing.limit, "seconds": seconds}, retry_after(standing.wait))


def buckets_of(membership: Membership) -> list[Bucket]:
    found = [Bucket(f"user:{membership.workspace_id}:{membership.user_id}", membership.workspace.requests_per_minute or 0)]
    if membership.key:
        found.append(Bucket(f"key:{membership.key.pk}", membership.key.requests_per_minute or 0))
    return [bucket for bucket in found if bucket.per_minute]


def retry_after(wait: float) -> dict[str, str]:
    return {"Retry-After": str(math.ceil(wait)), "retry-after-ms": str(math.ceil(wait * 1000))} if wait <= WORTH_WAITING else {}


def rate_headers(standing: Standing) -> dict[str, str]:
    """OpenAI's names, Cohere's one (seconds since 1970, which its client waits for), and those of the IETF's draft."""
    full_in = math.ceil(standing.full_in)
    told = {
        "x-ratelimit-limit-requests": str(standing.limit),
        "x-ratelimit-remaining-requests": str(standing.remaining),
        "x-ratelimit-reset-requests": f"{full_in}s",
        "RateLimit-Policy": f'"requests";q={standing.limit};w=60',
        "RateLimit": f'"requests";r={standing.remaining};t={math.ceil(standing.wait or full_in)}',
    }
    return told | ({"X-RateLimit-Reset": str(math.ceil(time.time() + standing.wait))} if standing.wait else {})


def demand_budget(request: HttpRequest, membership: Membership) -> None:
    """Refuses once: a client that comes again at once, as they do, would only be refused again."""
    found = budgets(membership)
    if not found:
        return
    tightest = min(found, key=lambda budget: (not budget.refuses, budget.remaining))
    say(request, budget_headers(tightest))
    if worst := max((budget for budget in found if budget.near), key=lambda budget: budget.percent, default=None):
        say(request, {"x-north-notice": quotable(str(worst))})
    if tightest.refuses and tightest.over:
        message = _("%(used)s No more until %(ends)s.") % {"used": tightest, "ends": tightest.ends.isoformat()}
        raise Denied(429, "budget_used", message, {"x-should-retry": "false"} | retry_after(seconds_left(tightest)))


def budget_headers(budget: Budget) -> dict[str, str]:
    return {
        "x-ratelimit-limit-tokens": str(budget.limit),
        "x-ratelimit-remaining-tokens": str(budget.remaining),
        "x-ratelimit-reset-tokens": f"{seconds_left(budget)}s",
    }


def notice_old(request: HttpRequest, membership: Membership) -> None:
    """Who still sends the key from before a rotation is told until when it is taken."""
    if membership.by_old_key and membership.key and membership.key.old_until:
        until = membership.key.old_until.isoformat()
        say(request, {"x-north-notice": quotable(_("This key was replaced. It is taken until %s; use the new one.") % until)})


# --- what every answer tells ------------------------------------------------------------------------------------------------------------
def say(request: HttpRequest, headers: Mapping[str, str]) -> None:
    """These headers come with the answer to this request, whatever it is."""
    request.__dict__.setdefault("to_tell", {}).update(headers)


@sync_and_async_middleware
def tell(get_response: Callable[[HttpRequest], Any]) -> Callable:
    """Puts what was said into the answer's headers."""

    def told(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        for name, value in request.__dict__.get("to_tell", {}).items():
            response.headers.setdefault(name, value)
        return response

    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponseBase:
            return told(request, await get_response(request))

        return markcoroutinefunction(middleware)
    return lambda request: told(request, get_response(request))


def by_key_or_404(key: str) -> Membership:
    """The membership as it is now: for streams, which ask again while they last."""
    membership = access.by_key(key)
    if membership is None:
        raise Http404
    return membership
