"""From a web process to the model worker and back: a call is a task of the interactive lane, its events come into this process's inbox.

An inbox is a list in the broker, one for each event loop, which a single reader empties; each message names its call, so that hundreds of
calls need one connection. An event is a dictionary with its `kind`: first `taken`, last `done` or `error`, between them what the task
tells. Nothing is kept: with the broker the calls under way are lost, and say so.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import orjson
import redis
import redis.asyncio
from django.conf import settings
from kombu.exceptions import OperationalError

from north import health
from north.broker import redis_client
from north.hints import send
from north.inference.errors import Overloaded
from north.serving.errors import CallFailed, Silent, TooLong, failed
from north.serving.replying import alive_key, asked_key, gone_key
from north.workspaces.models import Membership

WAIT_SECONDS = 60
"""So long a call may wait before it is handed to the workers."""
TAKEN_SECONDS = 20
"""So long a call may wait for a worker."""
CALL_SECONDS = 280
"""So long it may take in all: clients wait for 300."""
ALIVE_SECONDS = 60
"""A web process that says nothing for so long is gone, and with it whoever called."""
BLOCK_SECONDS, AT_ONCE = 1, 500
SENDERS = ThreadPoolExecutor(4, thread_name_prefix="calls")
Event = dict[str, Any]


class Call:
    """One question to the worker, as the view that asks sees it."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        self.taken = self.over = False
        self.until = time.monotonic() + CALL_SECONDS

    def put(self, event: Event) -> None:
        """The broker may bring a call to the workers twice: that it is taken is told once."""
        if event["kind"] != "taken" or not self.taken:
            self.taken = self.taken or event["kind"] == "taken"
            self.events.put_nowait(event)

    async def next(self, seconds: float = CALL_SECONDS) -> Event | None:
        """The next event; None after so many seconds without one. Raises CallFailed where the call has failed or takes too long."""
        left = self.until - time.monotonic()
        try:
            async with asyncio.timeout(max(0.0, min(seconds, left))):
                event = await self.events.get()
        except TimeoutError:
            if left > seconds:
                return None
            raise TooLong from None
        self.over = event["kind"] in {"done", "error"}
        if event["kind"] == "error":
            raise CallFailed(event["status"], event["message"], code=event["code"], retry_after=event["retry_after"])
        return event


class Inbox:
    """The one reader of this event loop; it runs while anybody waits."""

    def __init__(self) -> None:
        self.name = f"north:inbox:{uuid.uuid4().hex}"
        self.redis = redis.asyncio.Redis.from_url(
            settings.REDIS_URL, decode_responses=True, socket_timeout=BLOCK_SECONDS + 5, socket_connect_timeout=2
        )
        self.calls: dict[str, Call] = {}
        self.room = asyncio.Semaphore(settings.CALLS_AT_ONCE)
        self.task: asyncio.Task[None] | None = None

    def expect(self, call: Call) -> None:
        self.calls[call.id] = call
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self.read())
            self.task.add_done_callback(self.stopped)

    async def read(self) -> None:
        told = time.monotonic()
        while self.calls:
            found: Any = await self.redis.blmpop(BLOCK_SECONDS, 1, self.name, direction="LEFT", count=AT_ONCE)
            for message in found[1] if found else []:
                id, event = json.loads(message)
                if id in self.calls:
                    self.calls[id].put(event)
            if time.monotonic() - told > ALIVE_SECONDS / 3:
                told = time.monotonic()
                await self.redis.set(alive_key(self.name), 1, ex=ALIVE_SECONDS)

    def stopped(self, task: asyncio.Task[None]) -> None:
        """Whatever ended the reader, nobody waits for it in vain."""
        if not task.cancelled() and task.exception():
            lost = CallFailed(503, "The broker went away while this was at work.", code="unavailable", retry_after=5)
            for call in self.calls.values():
                call.put({"kind": "error", "status": 503, "message": lost.message, "code": lost.code, "retry_after": 5})


INBOXES: WeakKeyDictionary[asyncio.AbstractEventLoop, Inbox] = WeakKeyDictionary()


def inbox() -> Inbox:
    """This event loop's."""
    loop = asyncio.get_running_loop()
    if loop not in INBOXES:
        INBOXES[loop] = Inbox()
    return INBOXES[loop]


@asynccontextmanager
async def calling(task: str, asked: Mapping[str, Any], actor: Membership) -> AsyncIterator[Call]:
    """A worker has taken the call when the block begins; who leaves it early stops the work. `task` as in hints.send.
    Raises CallFailed."""
    here, call = inbox(), Call()
    here.expect(call)
    who = {"workspace": str(actor.workspace_id), "user": str(actor.user_id), "key": str(actor.key_id or "")}
    loop = asyncio.get_running_loop()
    try:
        await loop.run_in_executor(SENDERS, partial(publish, task, here.name, call.id, dict(asked), who))
        if await call.next(TAKEN_SECONDS) is None:
            raise Silent
        yield call
    finally:
        del here.calls[call.id]
        if not call.over:
            loop.run_in_executor(SENDERS, tell_gone, call.id)


async def answer(task: str, asked: Mapping[str, Any], actor: Membership) -> Event:
    """The last event of a call that tells nothing on its way; at most so many at a time. Raises CallFailed."""
    async with roomy(inbox().room), calling(task, asked, actor) as call:
        event = await call.next()
        if event is None:
            raise Silent
        return event


@asynccontextmanager
async def roomy(room: asyncio.Semaphore) -> AsyncIterator[None]:
    """A place in it. Raises CallFailed where none becomes free for long."""
    try:
        async with asyncio.timeout(WAIT_SECONDS):
            await room.acquire()
    except TimeoutError:
        raise failed(Overloaded()) from None
    try:
        yield
    finally:
        room.release()


def publish(task: str, inbox: str, call: str, asked: dict[str, Any], who: dict[str, str]) -> None:
    """What is asked goes beside the message, which Celery would write and read five times: a hundred passages cost it some 7 ms."""
    try:
        with redis_client().pipeline(transaction=False) as sent:
            sent.set(alive_key(inbox), 1, ex=ALIVE_SECONDS)
            sent.set(asked_key(call), orjson.dumps(asked), ex=2 * TAKEN_SECONDS)
            sent.hgetall(health.said_key("gpu"))
            *_, said = sent.execute()
        told = health.known(said)
        if told and health.age(told[0]) >= health.FRESH_SECONDS:
            raise Silent
        send(task, [inbox, call], who, time.time() + CALL_SECONDS, expires=TAKEN_SECONDS)
    except (OperationalError, redis.RedisError) as error:
        raise CallFailed(503, "The broker does not answer now.", code="unavailable", retry_after=5) from error


def tell_gone(call: str) -> None:
    """Only a hint, too: without it the worker does in vain what was asked."""
    with contextlib.suppress(redis.RedisError):
        redis_client().set(gone_key(call), 1, ex=CALL_SECONDS)
