"""Django's middlewares for the event loop: their hooks run where the request is. Django itself hands every hook of each to a thread and
waits, some thirty times a request, though nearly all only look at headers; what may wait for the database still goes to a thread."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction, sync_to_async
from csp.middleware import CSPMiddleware
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest, HttpResponseBase
from django.middleware.clickjacking import XFrameOptionsMiddleware
from django.middleware.common import CommonMiddleware
from django.middleware.csrf import CsrfViewMiddleware
from django.middleware.locale import LocaleMiddleware
from django.middleware.security import SecurityMiddleware
from django.utils.decorators import sync_and_async_middleware
from django.utils.deprecation import MiddlewareMixin
from whitenoise.middleware import WhiteNoiseMiddleware


class Here(MiddlewareMixin):
    """Before one of Django's: `process_request` and `process_response` are called here. `waits` says whether the latter may wait."""

    def waits(self, request: HttpRequest) -> bool:
        return False

    async def __acall__(self, request: HttpRequest) -> HttpResponseBase:
        response: HttpResponseBase | None = self.process_request(request) if hasattr(self, "process_request") else None
        if response is None:
            response = await self.get_response(request)  # type: ignore[misc]
        if not hasattr(self, "process_response"):
            return response
        process = sync_to_async(self.process_response) if self.waits(request) else None
        return await process(request, response) if process else self.process_response(request, response)


class Security(Here, SecurityMiddleware):
    pass


class ContentSecurityPolicy(Here, CSPMiddleware):
    pass


class Sessions(Here, SessionMiddleware):
    def waits(self, request: HttpRequest) -> bool:
        """What nobody changed is not saved."""
        return bool(request.session.modified)


class Locale(Here, LocaleMiddleware):
    pass


class Common(Here, CommonMiddleware):
    pass


class Csrf(Here, CsrfViewMiddleware):
    pass


class Authentication(Here, AuthenticationMiddleware):
    pass


class Messages(Here, MessageMiddleware):
    def waits(self, request: HttpRequest) -> bool:
        """Those that were read or added are stored."""
        stored = request._messages  # type: ignore[attr-defined]
        return stored.used or stored.added_new


class Frames(Here, XFrameOptionsMiddleware):
    pass


@sync_and_async_middleware
def static(get_response: Callable[[HttpRequest], Any]) -> Callable:
    """Answers with the file, where the path is that of one: WhiteNoise, whose own middleware knows no event loop."""
    file_or_none = WhiteNoiseMiddleware(lambda request: None)

    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponseBase:
            return file_or_none(request) or await get_response(request)

        return markcoroutinefunction(middleware)
    return lambda request: file_or_none(request) or get_response(request)
