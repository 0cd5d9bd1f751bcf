"""Many readers, one connection: a process follows the journals of all runs that are watched here in one loop, and hands each entry to
those who watch. Knows no rows and no pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import chain
from typing import Any
from weakref import WeakKeyDictionary

import redis.asyncio
from django.conf import settings

from north.threads.journal import LEFT, TOLD, Entry, entry, key, order

BLOCK_MILLISECONDS = 50
"""How long a loop waits for entries: a new watcher joins it after at most so long (what it had missed was read at once)."""
GATHER_SECONDS = 0.01
BUFFER_BYTES = 64 * 1024
CONNECTIONS = 32


class TooSlow(Exception):
    """This reader does not keep up, and is cut off: it comes back with the id that it saw last."""


class Watcher:
    """One reader of one journal: what has come and was not taken yet."""

    def __init__(self, stream: str, user: str) -> None:
        self.stream, self.user = stream, user
        self.called = False
        """This person lost a session or a membership: they may not be allowed to read any more."""
        self.last = "0-0"
        self.ended = False
        """The journal was at its end when this reader came."""
        self.waiting: list[Entry] = []
        self.bytes = 0
        self.lost: BaseException | None = None
        self.ready = asyncio.Event()
        self.task: asyncio.Task[object] | None = None

    def put(self, found: Entry, size: int) -> None:
        self.last = found.id
        self.bytes += size
        if self.bytes <= BUFFER_BYTES:
            self.waiting.append(found)
            self.ready.set()
        elif self.lost is None:
            self.break_off(TooSlow())
            if self.task:
                self.task.cancel()

    def call(self) -> None:
        self.called = True
        self.ready.set()

    def break_off(self, error: BaseException) -> None:
        self.waiting, self.lost = [], error
        self.ready.set()

    async def next(self, seconds: float) -> Sequence[Entry]:
        """What has come, at the latest after so many seconds or when it is called; may be nothing. Raises `RedisError` where the broker
        went away, and `TooSlow`."""
        self.task = asyncio.current_task()
        try:
            async with asyncio.timeout(seconds):
                await self.ready.wait()
        except TimeoutError:
            return []
        if self.lost:
            raise self.lost
        entries, self.waiting, self.bytes = self.waiting, [], 0
        self.ready.clear()
        return entries


class Follower:
    """The one loop of this process; it runs while anybody watches."""

    def __init__(self) -> None:
        pool = redis.asyncio.BlockingConnectionPool.from_url(
            settings.REDIS_URL, max_connections=CONNECTIONS, timeout=5, decode_responses=True, socket_timeout=5, socket_connect_timeout=2
        )
        self.redis = redis.asyncio.Redis(connection_pool=pool)
        self.watchers: dict[str, set[Watcher]] = {}
        self.task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watch(self, run_id: object, after: str, user_id: object) -> AsyncIterator[tuple[Watcher, list[Entry]]]:
        """A watcher for this person, and what the journal holds already: after the id `after` if it is one of this journal, else all."""
        watcher = Watcher(key(run_id), str(user_id))
        entries = await self.read(watcher.stream, after)
        watcher.last = entries[-1].id if entries else "0-0"
        watcher.ended = bool(entries) and entries[-1].kind == "end"
        caught_up = entries[1:] if entries and entries[0].id == after else entries
        self.watchers.setdefault(watcher.stream, set()).add(watcher)
        if self.task is None or self.task.done():
            self.task = asyncio.create_task(self.follow())
            self.task.add_done_callback(self.stopped)
        try:
            yield watcher, caught_up
        finally:
            self.watchers[watcher.stream].discard(watcher)
            if not self.watchers[watcher.stream]:
                del self.watchers[watcher.stream]

    async def read(self, stream: str, after: str) -> list[Entry]:
        """The entry `after` and what follows it, where the journal holds it; else all entries."""
        if known(after):
            found = await self.range(stream, after)
            if found and found[0].id == after:
                return found
        return await self.range(stream, "-")

    async def range(self, stream: str, start: str) -> list[Entry]:
        found: Any = await self.redis.xrange(stream, min=start)
        return [entry(id, fields) for id, fields in found]

    async def follow(self) -> None:
        latest: Any = await self.redis.xrevrange(LEFT, count=1)
        left = latest[0][0] if latest else "0-0"
        while self.watchers:
            places: dict[Any, Any] = {stream: min((watcher.last for watcher in here), key=order) for stream, here in self.watchers.items()}
            found: Any = await self.redis.xread({**places, LEFT: left}, block=BLOCK_MILLISECONDS)
            told = {stream: entries[0] for stream, entries in found.items()} if isinstance(found, dict) else dict(found)
            if gone := told.pop(LEFT, None):
                left = gone[-1][0]
                self.call({fields["user"] for _id, fields in gone})
            for stream, entries in told.items():
                self.hand_out(stream, entries)
            await asyncio.sleep(GATHER_SECONDS)

    def stopped(self, task: asyncio.Task[None]) -> None:
        """Whatever ended the loop, nobody waits for it in vain."""
        error = None if task.cancelled() else task.exception()
        if error:
            for watcher in chain.from_iterable(self.watchers.values()):
                watcher.break_off(error)

    def hand_out(self, stream: str, entries: Sequence[tuple[str, dict[str, str]]]) -> None:
        watchers = self.watchers.get(stream, set())
        for id, fields in entries:
            told, place = entry(id, fields), order(id)
            for watcher in watchers:
                if place > order(watcher.last):
                    watcher.put(told, len(fields[TOLD]))

    def call(self, users: set[str]) -> None:
        for watcher in chain.from_iterable(self.watchers.values()):
            if watcher.user in users:
                watcher.call()


def known(id: str) -> bool:
    """Whether this can be an id of a journal."""
    try:
        return len(id) < 40 and all(number >= 0 for number in order(id))
    except ValueError:
        return False


FOLLOWERS: WeakKeyDictionary[asyncio.AbstractEventLoop, Follower] = WeakKeyDictionary()


def follower() -> Follower:
    """This event loop's."""
    loop = asyncio.get_running_loop()
    if loop not in FOLLOWERS:
        FOLLOWERS[loop] = Follower()
    return FOLLOWERS[loop]
