"""One id from the request through every task, on every line that is logged; no secret and no document text is logged."""

from __future__ import annotations

import json
import logging
import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from celery.signals import before_task_publish, task_postrun, task_prerun
from django.http import HttpRequest, HttpResponseBase
from django.utils.decorators import sync_and_async_middleware

trace_id: ContextVar[str] = ContextVar("trace_id", default="")
WELL_FORMED = re.compile(r"[0-9a-f]{32}")
ONE_TIME = re.compile(r"/(welcome|invitation)/[^\s\"'?]+")
"""The paths of one-time links, which are secrets."""
EXTRA = ("workspace", "document", "run", "source", "seconds", "attempt", "status", "path", "method")


def new_trace(given: str = "") -> str:
    trace = given if WELL_FORMED.fullmatch(given) else uuid.uuid4().hex
    trace_id.set(trace)
    return trace


@sync_and_async_middleware
def trace(get_response: Callable[[HttpRequest], Any]) -> Callable:
    """Gives each request its id (or keeps the caller's X-Request-ID if it is one of ours) and says it in the answer."""

    if iscoroutinefunction(get_response):

        async def middleware(request: HttpRequest) -> HttpResponseBase:
            trace = new_trace(request.headers.get("X-Request-ID", ""))
            response = await get_response(request)
            response["X-Request-ID"] = trace
            return response

        return markcoroutinefunction(middleware)

    def sync_middleware(request: HttpRequest) -> HttpResponseBase:
        trace = new_trace(request.headers.get("X-Request-ID", ""))
        response = get_response(request)
        response["X-Request-ID"] = trace
        return response

    return sync_middleware


@before_task_publish.connect
def send_along(headers: dict | None = None, **_: object) -> None:
    if headers is not None:
        headers["trace"] = trace_id.get() or uuid.uuid4().hex


@task_prerun.connect
def take_over(task: object = None, **_: object) -> None:
    new_trace(str(getattr(getattr(task, "request", None), "trace", "") or ""))


@task_postrun.connect
def let_go(**_: object) -> None:
    trace_id.set("")


class TraceFilter(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.trace = trace_id.get()
        return True


class JsonFormatter(logging.Formatter):
    """One line of JSON a record: control characters cannot forge a second one."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "trace": getattr(record, "trace", ""),
            "message": ONE_TIME.sub(r"/\1/***", record.getMessage()),
        }
        line |= {name: str(getattr(record, name)) for name in EXTRA if hasattr(record, name)}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)
