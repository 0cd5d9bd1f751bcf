"""The way back to whoever called: what was asked comes along once."""

from __future__ import annotations

import json

import redis

from north.serving.replying import Reply, asked_key
from north.serving.tasks import rerank


def test_what_was_asked_is_found_once(broker: redis.Redis) -> None:
    broker.set(asked_key("one"), json.dumps({"query": "Größe?", "documents": ["a"]}))
    assert Reply("inbox-one", "one").asked() == {"query": "Größe?", "documents": ["a"]}
    assert Reply("inbox-one", "one").asked() is None and not broker.exists(asked_key("one"))


def test_a_call_that_is_delivered_again_or_too_late_does_nothing_and_says_so(broker: redis.Redis) -> None:
    rerank(["inbox-two", "two"], {"workspace": "", "user": "", "key": ""}, 0.0)
    call, event = json.loads(broker.lpop("inbox-two"))  # type: ignore[arg-type]
    assert call == "two" and event["kind"] == "error" and event["status"] == 503
    assert broker.lpop("inbox-two") is None
