"""Signed-in browsers, kept as rows so that a person can see and end them. Django's own session stays the truth; a row here only describes
one, and ending it takes Django's away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from axes.helpers import get_client_ip_address
from django.contrib.auth import SESSION_KEY
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.validators import validate_ipv46_address
from django.db import models, transaction
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponseBase
from django.utils import timezone
from django.utils.decorators import sync_and_async_middleware

from north.workspaces.audit import record
from north.workspaces.models import User, UserSession

SEEN_SECONDS = 60
BROWSERS = {"Edg": "Edge", "OPR": "Opera", "Firefox": "Firefox", "Chrome": "Chrome", "Safari": "Safari", "curl": "curl"}
SYSTEMS = {
    "Android": "Android",
    "iPhone": "iOS",
    "iPad": "iPadOS",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "CrOS": "ChromeOS",
    "Linux": "Linux",
}


@receiver(user_logged_in)
def started(request: HttpRequest, user: User, **_: object) -> None:
    with transaction.atomic():
        if not request.session.session_key:
            request.session.save()
        UserSession.objects.update_or_create(
            session_key=request.session.session_key,
            defaults={"user": user, "browser": browser_of(request), "address": address_of(request)},
        )
        record("session.start", actor=user, address=address_of(request))


@receiver(user_logged_out)
def left(request: HttpRequest, user: User | None, **_: object) -> None:
    if user is not None:
        with transaction.atomic():
            UserSession.objects.filter(user=user, session_key=request.session.session_key).delete()
            record("session.end", actor=user)


def end(sessions: models.QuerySet[UserSession]) -> int:
    """Ends these sessions; the next request of each browser is a stranger's. How many there were."""
    keys = list(sessions.values_list("session_key", flat=True))
    Session.objects.filter(session_key__in=keys).delete()
    UserSession.objects.filter(session_key__in=keys).delete()
    return len(keys)


def renamed(request: HttpRequest, before: str | None) -> None:
    """The browser's session got a new key: its row goes with it."""
    UserSession.objects.filter(session_key=before).update(session_key=request.session.session_key)


def alive(user: User) -> models.QuerySet[UserSession]:
    """The user's sessions that still stand, the latest first."""
    standing = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    return UserSession.objects.filter(user=user, session_key__in=standing).order_by("-seen_at")


def browser_of(request: HttpRequest) -> str:
    """In words: "Firefox, Linux"."""
    agent = str(request.META.get("HTTP_USER_AGENT", ""))
    names = [next((name for mark, name in table.items() if mark in agent), "") for table in (BROWSERS, SYSTEMS)]
    return ", ".join(name for name in names if name)


def address_of(request: HttpRequest) -> str | None:
    address = get_client_ip_address(request)
    try:
        validate_ipv46_address(address)
    except (ValidationError, TypeError):
        return None
    return address


def due(request: HttpRequest) -> str | None:
    """The key of the request's signed-in session, once a minute. Never asks the database: a session that nobody read stays unread."""
    session = getattr(request, "session", None)
    if session is None or not session.accessed or not session.session_key or SESSION_KEY not in session:
        return None
    return session.session_key if cache.add(f"seen:{session.session_key}", 1, SEEN_SECONDS) else None


@sync_and_async_middleware
def seen(get_response: Callable[[HttpRequest], HttpResponseBase | Awaitable[HttpResponseBase]]) -> Callable:
    """Notes when a session was last used, at most once a minute."""
    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponseBase:
            response = await get_response(request)  # type: ignore[misc]
            if key := due(request):
                await UserSession.objects.filter(session_key=key).aupdate(seen_at=timezone.now())
            return response

        return markcoroutinefunction(middleware)

    def sync_middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if key := due(request):
            UserSession.objects.filter(session_key=key).update(seen_at=timezone.now())
        return response  # type: ignore[return-value]

    return sync_middleware
