"""The way back to whoever called: what was asked comes along once."""

from __future__ import annotations

import asyncio
import json

import redis

from north.serving.calls import Call
from north.serving.replying import Reply, asked_key
from north.serving.tasks import rerank


def test_what_was_asked_is_found_once(broker: redis.Redis) -> None:
    broker.set(asked_key("one"), json.dumps({"query": "Größe?", "documents": ["a"]}))
    assert Reply("inbox-one", "one").take() == {"query": "Größe?", "documents": ["a"]}
    assert Reply("inbox-one", "one").take() is None and not broker.exists(asked_key("one"))


def test_a_call_that_is_delivered_again_or_too_late_does_nothing_and_says_so(broker: redis.Redis) -> None:
    rerank(["inbox-two", "two"], {"workspace": "", "user": "", "key": ""}, 0.0)
    (_, taken), (call, event) = (json.loads(broker.lpop("inbox-two")) for _ in range(2))  # type: ignore[arg-type]
    assert taken == {"kind": "taken"}
    assert call == "two" and event["kind"] == "error" and event["status"] == 503
    assert broker.lpop("inbox-two") is None


def test_a_caller_hears_once_that_its_call_is_taken() -> None:
    async def heard() -> int:
        call = Call()
        for _ in range(2):
            call.put({"kind": "taken"})
        return call.events.qsize()

    assert asyncio.run(heard()) == 1
