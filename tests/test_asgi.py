"""The web process uses its threads, and with them its connections to the database, again."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.signals import request_started

from north.asgi import KEPT_THREADS, Handler

pytestmark = pytest.mark.django_db(transaction=True)
SCOPE = {
    "type": "http",
    "method": "GET",
    "path": "/healthz",
    "headers": [(b"host", b"localhost")],
    "query_string": b"",
    "http_version": "1.1",
}


@pytest.fixture
def threads() -> Any:
    """Those that began a request, in their order."""
    found: list[int] = []

    def note(**_: Any) -> None:
        found.append(threading.get_ident())

    request_started.connect(note)
    yield found
    request_started.disconnect(note)


async def got(handler: Handler) -> int:
    asking = ApplicationCommunicator(handler, dict(SCOPE))  # type: ignore[arg-type]
    await asking.send_input({"type": "http.request", "body": b""})
    began = await asking.receive_output(5)
    while (await asking.receive_output(5)).get("more_body"):
        pass
    await asking.wait(5)
    return int(began["status"])


def test_requests_one_after_the_other_have_the_same_thread(threads: list[int]) -> None:
    async def ask() -> list[int]:
        handler = Handler()
        return [await got(handler) for _ in range(3)]

    assert asyncio.run(ask()) == [200] * 3
    assert len(set(threads)) == 1


def test_requests_at_once_have_threads_of_their_own_of_which_a_few_are_kept(threads: list[int]) -> None:
    async def ask() -> Handler:
        handler = Handler()
        assert await asyncio.gather(*(got(handler) for _ in range(KEPT_THREADS + 3))) == [200] * (KEPT_THREADS + 3)
        return handler

    handler = asyncio.run(ask())
    assert len(set(threads)) > 1 and len(handler.idle) <= KEPT_THREADS
