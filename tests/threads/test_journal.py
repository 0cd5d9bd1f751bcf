from __future__ import annotations

import json
import time
import uuid
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from north.threads.journal import ENTRIES, PAUSE_SECONDS, TOLD, Journal, key, order


class Writer:
    """Says words, one after the other, and knows what it has said."""

    def __init__(self, client: redis.Redis) -> None:
        self.run, self.said = uuid.uuid4(), ""
        self.journal = Journal(client, self.run, lambda: {"answer": self.said})

    def say(self, text: str) -> None:
        self.said += text
        self.journal.append("delta", {"offset": len(self.said) - len(text), "text": text})


@pytest.fixture
def writer(broker: redis.Redis) -> Writer:
    writer = Writer(broker)
    writer.journal.restart()
    return writer


def entries(client: redis.Redis, writer: Writer) -> list[tuple[str, Any]]:
    return [tuple(json.loads(fields[TOLD])) for _, fields in client.xrange(key(writer.run))]


def read_out(client: redis.Redis, writer: Writer) -> str:
    """What somebody shows who reads from the start."""
    shown = ""
    for kind, payload in entries(client, writer):
        shown = payload["answer"] if kind == "restart" else shown + payload.get("text", "")
    return shown


def test_it_opens_with_a_restart_and_closes_with_an_end(broker: redis.Redis, writer: Writer) -> None:
    writer.say("Thirty ")
    writer.journal.close({"status": "done"})
    assert [kind for kind, _ in entries(broker, writer)] == ["restart", "delta", "end"]


def test_it_goes_a_day_after_the_end(broker: redis.Redis, writer: Writer) -> None:
    writer.journal.close({"status": "done"})
    assert 0 < broker.ttl(key(writer.run)) <= 24 * 3600


def test_a_wiped_broker_gets_everything_so_far_once(broker: redis.Redis, writer: Writer) -> None:
    writer.say("Thirty ")
    broker.flushall()
    writer.say("days.")
    writer.say(" All.")
    assert entries(broker, writer)[0] == ("restart", {"answer": "Thirty days."})
    assert read_out(broker, writer) == "Thirty days. All."


def test_after_a_wipe_ids_go_on_though_the_clock_was_set_back(broker: redis.Redis, writer: Writer) -> None:
    in_an_hour = f"{int((time.time() + 3600) * 1000)}-0"
    broker.xadd(key(writer.run), {TOLD: json.dumps(["reset", {}])}, id=in_an_hour)
    writer.say("Thirty ")
    seen = broker.xrevrange(key(writer.run), count=1)[0][0]
    broker.flushall()
    writer.say("days.")
    ids = [id for id, _ in broker.xrange(key(writer.run))]
    assert len(ids) == 1
    assert order(ids[0]) > order(seen) > order(in_an_hour)


def test_an_end_after_a_wipe_comes_with_everything_before_it(broker: redis.Redis, writer: Writer) -> None:
    writer.say("Thirty days.")
    broker.flushall()
    writer.journal.close({"status": "done"})
    assert entries(broker, writer) == [("restart", {"answer": "Thirty days."}), ("end", {"status": "done"})]


def test_it_does_not_grow_without_end(broker: redis.Redis, writer: Writer) -> None:
    for _ in range(ENTRIES + 10):
        writer.say("a")
    assert broker.xlen(key(writer.run)) < ENTRIES
    assert read_out(broker, writer) == "a" * (ENTRIES + 10)


def test_a_broker_that_is_away_holds_nothing_up_and_doubles_nothing(broker: redis.Redis, writer: Writer) -> None:
    writer.say("Thirty ")
    writer.journal.client = redis.Redis(unix_socket_path="/nowhere/broker.sock", retry=Retry(NoBackoff(), 0))
    before = time.monotonic()
    writer.say("days")
    writer.say(" for")
    assert time.monotonic() - before < PAUSE_SECONDS
    time.sleep(PAUSE_SECONDS)
    writer.journal.client = broker
    writer.say(" all.")
    assert read_out(broker, writer) == "Thirty days for all."
