"""A call as the view that asks sees it: what comes, what is over, and who leaves."""

from __future__ import annotations

import asyncio

import pytest

from north.serving.calls import Call
from north.serving.errors import CallFailed


def test_who_leaves_just_as_an_event_comes_has_left() -> None:
    async def scene() -> None:
        for turns in range(6):
            call = Call()
            waiting = asyncio.create_task(call.next())
            await asyncio.sleep(0)
            call.events.put_nowait({"kind": "text", "text": "word"})
            for _ in range(turns):
                await asyncio.sleep(0)
            left = waiting.cancel()
            if left:
                with pytest.raises(asyncio.CancelledError):
                    await waiting
            else:
                assert turns, "The event was given before anybody could have looked for it."

    asyncio.run(scene())


def test_an_event_that_comes_later_than_somebody_waited_is_not_lost() -> None:
    async def scene() -> None:
        call = Call()
        assert await call.next(0.01) is None
        call.events.put_nowait({"kind": "taken"})
        assert await call.next(0) == {"kind": "taken"}

    asyncio.run(scene())


def test_an_error_ends_the_call() -> None:
    async def scene() -> None:
        call = Call()
        call.events.put_nowait({"kind": "error", "status": 503, "message": "Gone.", "code": "unavailable", "retry_after": 5})
        with pytest.raises(CallFailed, match="Gone"):
            await call.next()
        assert call.over

    asyncio.run(scene())
