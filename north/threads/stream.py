"""A run as it is seen while it works: server-sent events for the page and, as JSON, for the API. The one async view.

Whoever reads is let in before the first byte, looked at again every few seconds, and at once when they sign out or are removed. What the
journal cannot say (it is gone, or its writer died between the last row and the last entry) is told from the rows.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from functools import partial
from html import escape
from typing import TypeVar
from uuid import UUID

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth import SESSION_KEY, get_user
from django.contrib.sessions.models import Session
from django.db import close_old_connections, connection, transaction
from django.db.models.signals import post_delete
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from redis.exceptions import RedisError

from north.leases import OPEN
from north.threads import pages
from north.threads.following import TooSlow, follower
from north.threads.journal import Entry, tell_left
from north.threads.models import Run
from north.threads.reading import documents_told, open_documents, payload_shown
from north.threads.recording import citation_payload, result_payload, step_payload
from north.workspaces.access import enter
from north.workspaces.models import Membership, User

logger = logging.getLogger(__name__)

LOOK_SECONDS = 8
GRACE_SECONDS = 1
"""From the last row to the last entry of the journal."""
PING_SECONDS = 12
SHOWN = "threads/thread.html"

Door = Callable[[], Membership]
"""Who reads, as they are now; raises `Http404` where they may not any more."""
Render = Callable[[Entry], AsyncIterator[str]]
"""An entry as server-sent events."""
T = TypeVar("T")

ROWS = ThreadPoolExecutor(4, thread_name_prefix="stream-rows")
"""The streams' own few threads for the database: hundreds of streams must not hold hundreds of connections."""


async def rows(ask: Callable[[], T]) -> T:
    def asked() -> T:
        try:
            return ask()
        finally:
            close_old_connections()

    return await asyncio.get_running_loop().run_in_executor(ROWS, asked)


# --- what a run tells, for one reader ----------------------------------------------------------------------------------------------


async def batches(run_id: UUID, after: str, door: Door) -> AsyncGenerator[Sequence[Entry], None]:
    """What the run tells this reader, from the start or after the entry `after`, to its end; empty batches while nothing happens.
    Raises `Http404` before the first batch where the reader has no such run, and ends where they lose it. Raises `RedisError`."""
    over, reader = await rows(partial(look, run_id, door))
    async with follower().watch(run_id, after, reader) as (watcher, caught_up):
        entries: Sequence[Entry] = caught_up
        looked = time.monotonic()
        if not entries and watcher.ended:
            return
        while True:
            try:
                yield await readable(door, entries)
                if entries and entries[-1].kind == "end":
                    return
                if over and not entries:
                    yield await rows(partial(from_rows, run_id, door))
                    return
                entries = await watcher.next(GRACE_SECONDS if over else LOOK_SECONDS)
                if not over and (watcher.called or time.monotonic() - looked >= LOOK_SECONDS):
                    watcher.called, looked = False, time.monotonic()
                    over, reader = await rows(partial(look, run_id, door))
            except Http404:
                return


async def events(run_id: UUID, after: str, door: Door) -> AsyncIterator[Entry]:
    """The same, one entry at a time."""
    async with aclosing(batches(run_id, after, door)) as found:
        async for entries in found:
            for told in entries:
                yield told


async def readable(door: Door, entries: Sequence[Entry]) -> Sequence[Entry]:
    """The entries without what this reader may not open (any more)."""
    told: set[str] = set().union(*(documents_told(entry.payload) for entry in entries if entry.kind not in {"delta", "reset", "end"}))
    if not told:
        return entries
    known = await rows(lambda: open_documents(door(), told))
    return [Entry(entry.id, entry.kind, payload_shown(entry.payload, known)) for entry in entries]


def look(run_id: UUID, door: Door) -> tuple[bool, UUID]:
    """Whether the run is over, and who reads. Raises `Http404` where they may not."""
    reader = door()
    status = Run.objects.of(reader).filter(pk=run_id).values_list("status", flat=True).first()
    if status is None:
        raise Http404
    return status not in OPEN, reader.user_id


def from_rows(run_id: UUID, door: Door) -> Sequence[Entry]:
    """A finished run in two entries."""
    membership = door()
    run = get_object_or_404(Run.objects.of(membership), pk=run_id)
    citations = [citation_payload(citation) for citation in run.citations.all()]
    result = result_payload(run, citations) if run.status == Run.Status.DONE else None
    steps = [step_payload(step) for step in run.steps.all()]
    state = {"status": run.status, "notice": "", "steps": steps, "answer": run.answer, "result": result}
    known = open_documents(membership, documents_told(state))
    return [Entry("", "restart", payload_shown(state, known)), Entry("", "end", {"status": run.status, "error": run.error})]


# --- as server-sent events ---------------------------------------------------------------------------------------------------------


def sent(kind: str, data: str, id: str = "") -> str:
    lines = "".join(f"data: {line}\n" for line in data.replace("\r", "").split("\n"))
    return f"event: {kind}\n{lines}" + (f"id: {id}\n\n" if id else "\n")


async def as_json(entry: Entry) -> AsyncIterator[str]:
    yield sent(entry.kind, json.dumps(entry.payload), entry.id)


async def respond(run_id: UUID, after: str, door: Door, render: Render = as_json) -> HttpResponseBase:
    """The stream as an answer. Raises `Http404`; without its broker an answer that says when to come back."""
    found = batches(run_id, after, door)
    try:
        first = await anext(found, None)
    except RedisError:
        words = _("Live answers are away for a moment. Nothing is lost: reload the page.")
        return HttpResponse(words, status=503, headers={"Retry-After": "2"}, content_type="text/plain; charset=utf-8")
    if first is None:
        return HttpResponse(status=204)  # so a browser stops to ask for more
    headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(body(first, found, render), content_type="text/event-stream; charset=utf-8", headers=headers)


async def body(first: Sequence[Entry], found: AsyncGenerator[Sequence[Entry], None], render: Render) -> AsyncIterator[str]:
    """`except Exception` here is the edge: the headers are out, so a fault can only be recorded and the stream cut off. Whoever reads
    comes back with the id that they saw last."""
    yield "retry: 1000\n\n"
    spoke = time.monotonic()
    try:
        async with aclosing(found):
            entries: Sequence[Entry] | None = first
            while entries is not None:
                said = [event for entry in entries async for event in render(entry)]
                if not said and time.monotonic() - spoke >= PING_SECONDS:
                    said = [": ping\n\n"]
                if said:
                    yield "".join(said)
                    spoke = time.monotonic()
                entries = await anext(found, None)
    except (RedisError, TooSlow) as error:
        logger.warning("A stream was cut off: %r", error)
    except Http404:
        return  # what was shown is no longer theirs
    except Exception:
        logger.exception("A stream broke.")
        raise


# --- for the page ------------------------------------------------------------------------------------------------------------------


class Page:
    """Renders entries as partials of the thread's page."""

    def __init__(self, slug: str, run_id: UUID, door: Door) -> None:
        self.slug, self.run_id, self.door = slug, run_id, door
        self.language = translation.get_language()

    async def __call__(self, entry: Entry) -> AsyncIterator[str]:
        match entry.kind:
            case "delta":
                yield sent("delta", escape(entry.payload["text"]), entry.id)
            case "restart" if entry.payload.get("asking"):
                yield sent("restart", self.partial(entry) + await rows(self.asked), entry.id)
            case "restart" | "reset" | "step":
                yield sent("step" if entry.kind == "step" else "restart", self.partial(entry), entry.id)
            case "end":
                yield sent("final", await rows(self.final), entry.id)
                yield sent("end", entry.payload["status"], entry.id)

    def partial(self, entry: Entry) -> str:
        told = entry.payload
        steps = told.get("steps", [told] if entry.kind == "step" else [])
        values = {**told, "steps": [pages.told_line(step, self.slug) for step in steps], "run_id": self.run_id}
        with translation.override(self.language):
            return render_to_string(f"{SHOWN}#{entry.kind}", values)

    def asked(self) -> str:
        """What the run waits for, in its place on the page."""
        with translation.override(self.language):
            values = {"run_id": self.run_id, "approvals": pages.waiting_cards(self.run_id, self.door())}
            return render_to_string(f"{SHOWN}#approvals", values)

    def final(self) -> str:
        """The finished run, as a reload of the page would show it."""
        with translation.override(self.language):
            run = pages.run_page(self.run_id, self.door())
            return render_to_string(f"{SHOWN}#run", {"run": run, "out_of_band": True})


@require_GET
async def stream(request: HttpRequest, slug: str, run_id: UUID) -> HttpResponseBase:
    """Goes on after `Last-Event-ID`, or after `?last-event-id=`, which a browser needs that had to connect anew."""
    after = request.headers.get("Last-Event-ID") or request.GET.get("last-event-id", "")
    door = partial(by_session, request.session.session_key, slug)
    response = await respond(run_id, after, door, Page(slug, run_id, door))
    await sync_to_async(let_go)()
    return response


def by_session(session_key: str | None, slug: str) -> Membership:
    """The membership of whoever is signed in by this session, read anew each time."""
    request = HttpRequest()
    request.session = STORE(session_key)
    user = get_user(request)
    if session_key is None or not isinstance(user, User):
        raise Http404
    return enter(user, slug=slug)


@receiver(post_delete, sender=Session)
def signed_out(instance: Session, **_: object) -> None:
    if user_id := instance.get_decoded().get(SESSION_KEY):
        transaction.on_commit(partial(tell_left, user_id), robust=True)


@receiver(post_delete, sender=Membership)
def removed(instance: Membership, **_: object) -> None:
    transaction.on_commit(partial(tell_left, instance.user_id), robust=True)


def let_go() -> None:
    """The connection that middlewares and the door used: an answer may take minutes and needs it no more."""
    if not connection.in_atomic_block:
        connection.close()


STORE = import_string(f"{settings.SESSION_ENGINE}.SessionStore")
