"""Many threads, one engine: what they hand in is merged into batches, of which few run at a time. Knows nothing of texts and models.

There is no thread here: of those who wait, one leads. It runs batches, its own entries' and others', until its own are done, then wakes the
next. A batch is chosen by token budget: entries of near length while longest x (n + 1) fits, around the shortest of the caller who was
served least recently, so that long work keeps nobody from his turn. A longer entry goes alone. One batch runs at a time; before a device
two may, each of half the budget, so that one is packed and the last one's results are handed out while the device works.

Two lanes: people before bulk, so that somebody who waits, waits for at most the budget that runs. While people keep coming, each
EACHth batch is bulk's, or it would never end. And while people have just been served here, or other models compute for them in the same
place, bulk has SHARE of the time: two engines on the same cores do not halve each other's pace, they ruin it.
"""

from __future__ import annotations

import itertools
import logging
import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from north.inference import metering
from north.inference.errors import Gone, OutOfMemory, Overloaded
from north.inference.lanes import Call, Entry, Lane, Patience
from north.inference.vitals import QUIET_SECONDS

logger = logging.getLogger(__name__)
Item = TypeVar("Item")
Result = TypeVar("Result")

EACH = 8
SHARE, REST_SECONDS = 0.05, 5.0
"""Of the time that people need the same cores: what bulk has. After a batch of a twentieth of a second it rests for nineteen, which is
longer than a search takes, so that hardly any meets a second one; at most so long."""
BATCHES_WAITING = 512
"""As many full batches may wait in a lane, some ten seconds of work; then it is overloaded."""
LOOK_SECONDS = 0.25
"""How often a caller who waits is asked whether it still wants it."""
CAREFUL_SECONDS = 60.0
"""After the engine ran out of memory, batches stay smaller for so long."""
UNMEASURED_SECONDS = 5.0
NO_END = Patience()
PATIENCE: ContextVar[Patience] = ContextVar("patience", default=NO_END)


@contextmanager
def patience(seconds: float = math.inf, gone: Callable[[], bool] | None = None) -> Iterator[None]:
    """For all that is handed in here: given up (Gone) after `seconds`, or soon after `gone()` says so, before it costs a batch."""
    outer = PATIENCE.get()
    token = PATIENCE.set(Patience(min(time.monotonic() + seconds, outer.until), gone or outer.gone))
    try:
        yield
    finally:
        PATIENCE.reset(token)


@dataclass(frozen=True, slots=True)
class Stats:
    """Since the start, but for what waits now. Seconds; tokens without padding; lanes by name."""

    batches: int
    entries: int
    tokens: int
    busy: float
    refused: int
    gone: int
    halved: int
    budget: int
    waiting: dict[str, int]
    waiting_tokens: dict[str, int]
    oldest: dict[str, float]
    longest_wait: dict[str, float]
    running: float
    """How long the batch that runs now has run; 0 if none does."""


class Batcher(Generic[Item, Result]):
    """`run` takes items and gives a result each, in their order; called by `at_once` threads at a time. `budget`: tokens that run, padding
    counted, shared by them; `most`: tokens that may wait in a lane (a caller finds an empty lane open, however much it brings);
    `others_at_work`: whether people need the same cores or device for something else just now."""

    def __init__(
        self, run: Callable[[list[Item]], Sequence[Result]], *, budget: int, most: int = 0, at_once: int = 1,
        others_at_work: Callable[[], bool] = lambda: False,
    ) -> None:  # fmt: skip
        self._run, self._budget, self._most, self._at_once = run, max(1, budget // at_once), most or BATCHES_WAITING * budget, at_once
        self._others_at_work = others_at_work
        self._lock = threading.Lock()
        self._people, self._bulk = Lane(), Lane()
        self._numbers = itertools.count()
        self._running: list[float] = []
        """When each began that runs now."""
        self._ended = 0.0
        self._in_a_row = 0
        self._rested_at, self._served_at = 0.0, -math.inf
        self._careful = (0.0, self._budget)
        self._rate = 0.0
        self._batches = self._entries = self._tokens = self._refused = self._gone = self._halved = 0
        self._busy = 0.0

    def __call__(self, items: Sequence[Item], lengths: Sequence[int], *, hurry: bool) -> list[Result]:
        """A result for each item, in order; `lengths` are their tokens. `hurry`: a person waits.

        Raises Overloaded at once where too much waits; Gone (see `patience`); OutOfMemory where one item alone is too much; and what `run`
        raised for a batch with an item of this caller's, whose other items are then dropped.
        """
        if not items:
            return []
        with self._lock:
            call = Call(items, [None] * len(items), len(items), threading.Condition(self._lock), PATIENCE.get())
            lane = self._people if hurry else self._bulk
            self._admit(lane, sum(lengths))
            lane.put([Entry(max(length, 1), next(self._numbers), call, place) for place, length in enumerate(lengths)])
            try:
                self._wait(call)
            finally:
                call.over = True
                lane.drop(call)
                self._wake()
        if call.error:
            raise call.error
        metering.note(sum(lengths), call.seconds)
        return call.results

    def stats(self) -> Stats:
        with self._lock:
            now = time.monotonic()
            lanes = {"people": self._people, "bulk": self._bulk}
            return Stats(
                batches=self._batches,
                entries=self._entries,
                tokens=self._tokens,
                busy=self._busy,
                refused=self._refused,
                gone=self._gone,
                halved=self._halved,
                budget=self._budget_now(),
                waiting={name: len(lane.entries) for name, lane in lanes.items()},
                waiting_tokens={name: lane.tokens for name, lane in lanes.items()},
                oldest={name: max((now - call.since for call in lane.calls), default=0.0) for name, lane in lanes.items()},
                longest_wait={name: lane.longest_wait for name, lane in lanes.items()},
                running=now - min(self._running, default=now),
            )

    # --- all that follows holds the lock ----------------------------------------------------------------------------------------------
    def _admit(self, lane: Lane, tokens: int) -> None:
        if lane.tokens and lane.tokens + tokens > self._most:
            self._refused += 1
            before = self._people.tokens + (self._bulk.tokens if lane is self._bulk else 0)
            raise Overloaded(max(1.0, before / self._rate) if self._rate else UNMEASURED_SECONDS)

    def _wait(self, call: Call) -> None:
        """Until the call is over: leads where nobody does."""
        look_at = time.monotonic() + LOOK_SECONDS
        while not call.over:
            now = time.monotonic()
            if now >= call.patience.until:
                self._give_up(call)
            elif call.patience.gone and now >= look_at:
                if self._asked(call.patience.gone) and not call.over:
                    self._give_up(call)
                look_at = time.monotonic() + LOOK_SECONDS
            elif not (rest := self._rest()):
                self._lead()
            else:
                call.waits = True
                until = min(call.patience.until, look_at if call.patience.gone else math.inf, now + rest)
                call.awake.wait(None if until == math.inf else max(until - now, 0.001))
                call.waits = False

    def _give_up(self, call: Call) -> None:
        self._gone += 1
        call.end(Gone())

    def _asked(self, gone: Callable[[], bool]) -> bool:
        """Without the lock, since it may take its time; meanwhile another may lead."""
        self._wake()
        with self._unlocked():
            return gone()

    def _wake(self) -> None:
        """Where another may lead and work waits, somebody who sleeps is woken for it; whoever does not sleep looks by itself."""
        if self._free():
            for call in itertools.chain(self._people.calls, self._bulk.calls):
                if call.waits:
                    call.awake.notify()
                    return

    def _free(self) -> bool:
        """Whether somebody may lead: what waits is more than what runs already."""
        return len(self._running) < self._at_once and bool(self._people.entries or self._bulk.entries)

    def _rest(self) -> float:
        """Seconds until it is time to look again: without end where none may lead, some where only bulk waits and people come first; 0
        where a batch may run."""
        if not self._free():
            return math.inf
        now = time.monotonic()
        if self._people.entries or now >= self._rested_at or not (now < self._served_at + QUIET_SECONDS or self._others_at_work()):
            return 0.0
        return min(LOOK_SECONDS, self._rested_at - now)

    def _lead(self) -> None:
        """Runs one batch. `except Exception` is right here: a failure belongs to those who handed the batch in, not to who runs it."""
        lane = self._next_lane()
        if lane is None:
            return
        batch = lane.take(self._budget_now())
        results: Sequence[Any] | None = None
        error: Exception | None = None
        began = time.monotonic()
        self._running.append(began)
        self._wake()
        try:
            with self._unlocked():
                results = self._run([entry.call.items[entry.place] for entry in batch])
                if len(results) != len(batch):
                    raise ValueError(f"{len(results)} results for {len(batch)} items")
        except Exception as failure:
            error = failure
        finally:
            self._running.remove(began)
            ended = time.monotonic()
            seconds, self._ended = ended - max(began, self._ended), ended
            if lane is self._people:
                self._served_at = ended
            else:
                self._rested_at = ended + min(seconds * (1 / SHARE - 1), REST_SECONDS)
            self._busy += seconds
            self._batches += 1
            if isinstance(error, OutOfMemory | MemoryError) and len(batch) > 1:
                self._halve(batch)
                self._put_back(lane, batch)
            elif error:
                self._fail(lane, batch, OutOfMemory() if isinstance(error, MemoryError) else error)
            elif results is None:  # whoever led was interrupted, the others were not
                self._put_back(lane, batch)
            else:
                self._settle(batch, results, seconds)

    def _next_lane(self) -> Lane | None:
        """People's, or each EACHth time bulk's. Callers whose time is up are sent away first."""
        now = time.monotonic()
        for lane in (self._people, self._bulk):
            for call in [call for call in lane.calls if now >= call.patience.until]:
                lane.drop(call)
                self._give_up(call)
        if self._people.entries and (not self._bulk.entries or self._in_a_row < EACH - 1):
            self._in_a_row = self._in_a_row + 1 if self._bulk.entries else 0
            return self._people
        self._in_a_row = 0
        return self._bulk if self._bulk.entries else None

    def _budget_now(self) -> int:
        until, budget = self._careful
        return budget if time.monotonic() < until else self._budget

    def _halve(self, batch: list[Entry]) -> None:
        budget = max(1, len(batch) * batch[-1].length // 2)
        self._careful = time.monotonic() + CAREFUL_SECONDS, budget
        self._halved += 1
        logger.warning("An engine ran out of memory at %d items; batches of %d tokens for a while.", len(batch), budget)

    def _put_back(self, lane: Lane, batch: list[Entry]) -> None:
        lane.put([entry for entry in batch if not entry.call.over])

    def _fail(self, lane: Lane, batch: list[Entry], error: Exception) -> None:
        for call in {entry.call for entry in batch}:
            lane.drop(call)
            call.end(error)

    def _settle(self, batch: list[Entry], results: Sequence[Any], seconds: float) -> None:
        for entry, result in zip(batch, results, strict=True):
            call = entry.call
            call.results[entry.place] = result
            call.left -= 1
            if not call.left and not call.over:
                call.end(None)
        tokens = sum(entry.length for entry in batch)
        for entry in batch:
            entry.call.seconds += seconds * entry.length / tokens
        self._entries += len(batch)
        self._tokens += tokens
        rate = tokens / max(seconds, 1e-6)
        self._rate = 0.9 * self._rate + 0.1 * rate if self._rate else rate

    @contextmanager
    def _unlocked(self) -> Iterator[None]:
        self._lock.release()
        try:
            yield
        finally:
            self._lock.acquire()
