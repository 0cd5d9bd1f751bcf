"""What a worker says of itself: loading, failed and tried again, at work, hung, short of memory. The chat model is no real one here;
tests/whole/test_failures.py lets whole installations meet the same."""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import redis

from north import health, heartbeat, wiring
from north.heartbeat import Reporter
from north.inference import vitals
from north.inference.errors import ModelMissing, OutOfMemory

TRIES: list[Exception | None] = []


def loader() -> object:
    fault = TRIES.pop(0)
    if fault:
        raise fault
    return object()


@pytest.fixture
def reporter(broker: redis.Redis, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reporter]:
    monkeypatch.setattr(vitals, "_short", {})
    monkeypatch.setattr(heartbeat, "RETRY_SECONDS", 0.2)
    monkeypatch.setattr(heartbeat, "HANG_SECONDS", 0.4)
    broker.delete("north:health:gpu", "north:ended:gpu")
    yield Reporter("gpu", {"chat": "tests.test_heartbeat.loader"})
    broker.delete("north:health:gpu", "north:ended:gpu")


def say(reporter: Reporter) -> health.Health:
    """One beat, without the end that a hang would bring."""
    reporter.spent.append((time.monotonic(), time.process_time()))
    silences = {silence.role: silence for silence in vitals.silences() if silence.seconds >= heartbeat.HANG_SECONDS}
    reporter.say([reporter.state(role, silences) for role in reporter.models])
    return health.worker("gpu")


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (MemoryError(), "memory", "does not fit into this machine's memory. Choose a smaller one with NORTH_CHAT_MODEL"),
        (ModelMissing("qwen"), "failed", "models pull qwen"),
        (KeyError("bos_token"), "failed", "could not be loaded (KeyError: 'bos_token')"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_said_and_tried_again(reporter: Reporter, fault: Exception, kind: str, words: str) -> None:
    assert say(reporter).kind == "loading"
    TRIES[:] = [fault, None]
    thread = threading.Thread(target=reporter.load, args=("chat", "tests.test_heartbeat.loader"))
    thread.start()
    deadline = time.monotonic() + 5
    while reporter.models["chat"].state == "loading" and time.monotonic() < deadline:
        time.sleep(0.01)
    seen = say(reporter)
    assert (seen.ok, seen.kind) == (False, kind)
    assert words in seen.message
    thread.join(5)
    assert say(reporter).ok
    assert health.models()[0]["state"] == "ready"


@pytest.fixture
def ready(reporter: Reporter) -> Reporter:
    TRIES[:] = [None]
    reporter.load("chat", "tests.test_heartbeat.loader")
    return reporter


def stuck_in(where: vitals.Where, over: threading.Event) -> threading.Thread:
    def work() -> None:
        with vitals.working("chat", where):
            over.wait(20)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def idle_beats(reporter: Reporter, seconds: float) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        reporter.spent.append((time.monotonic(), time.process_time()))
        time.sleep(0.05)


@pytest.mark.parametrize("where", ["processor", "device"])
def test_a_model_that_gives_no_sign_hangs(ready: Reporter, where: vitals.Where) -> None:
    over = threading.Event()
    thread = stuck_in(where, over)
    idle_beats(ready, 0.6)
    seen = say(ready)
    over.set()
    thread.join()
    assert (seen.ok, seen.kind) == (False, "hung")
    assert "gave no sign of life" in seen.message
    assert health.models()[0]["state"] == "hung"
    assert say(ready).ok


def test_a_long_step_on_a_busy_processor_is_no_hang_until_much_later(ready: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()
    thread = stuck_in("processor", over)
    until = time.monotonic() + 0.6
    while time.monotonic() < until:
        ready.spent.append((time.monotonic(), time.process_time()))
        sum(range(20_000))
    assert say(ready).ok
    monkeypatch.setattr(heartbeat, "HANG_BUSY_SECONDS", 0.5)
    assert say(ready).kind == "hung"
    over.set()
    thread.join()


def test_a_remote_model_that_is_silent_is_said_and_ends_no_process(ready: Reporter) -> None:
    over = threading.Event()
    thread = stuck_in("remote", over)
    idle_beats(ready, 0.6)
    seen = say(ready)
    hangs = [ready.hangs(silence) for silence in vitals.silences()]
    over.set()
    thread.join()
    assert (seen.ok, seen.kind) == (False, "hung")
    assert "Look at that server" in seen.message
    assert hangs == [False]


def test_lack_of_memory_at_work_is_told_for_a_while(ready: Reporter, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OutOfMemory), vitals.working("chat", "processor"):
        raise MemoryError
    seen = say(ready)
    assert (seen.ok, seen.kind) == (False, "memory")
    assert "ran out of memory" in seen.message and "smaller model" in seen.message
    monkeypatch.setattr(heartbeat, "SHORT_SECONDS", 0.0)
    assert say(ready).ok


def test_a_worker_that_was_not_heard_of_is_not_well_and_silent_ones_are_started_again(
    ready: Reporter, broker: redis.Redis, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(ready)
    pid = os.getpid()
    assert health.stuck("gpu", pid, since=time.monotonic()) == ""
    monkeypatch.setattr(health, "FRESH_SECONDS", 0.1)
    monkeypatch.setattr(health, "STILL_SECONDS", 0.2)
    time.sleep(0.15)
    assert health.worker("gpu").kind == "silent"
    assert health.stuck("gpu", pid, since=time.monotonic()) == "", "the broker may have been away"
    time.sleep(0.25)
    assert "said nothing" in health.stuck("gpu", pid, since=time.monotonic())
    assert health.stuck("gpu", pid + 1, since=time.monotonic()) == "", "another process said it"
    health.tell_end("gpu", "It was tired.")
    assert "It was tired." in health.worker("gpu").message


def test_reports_of_other_machines_are_kept_apart(ready: Reporter, broker: redis.Redis) -> None:
    say(ready)
    other = Reporter("gpu", {"chat": "tests.test_heartbeat.loader"})
    other.host = "elsewhere"
    other.say([other.state("chat", {})])
    assert {report["host"] for report in health.reports("gpu")} == {"elsewhere", platform.node()}
    assert health.worker("gpu").ok, "one of the two has its models"


WORKER = """
import django, threading, time
django.setup()
from north import heartbeat
from north.inference import vitals
heartbeat.HANG_SECONDS, heartbeat.BEAT_SECONDS, heartbeat.SEEN_SECONDS = 1.0, 0.1, 0.3
reporter = heartbeat.Reporter("gpu", {"chat": "tests.test_heartbeat.nothing"})
reporter.start()
with vitals.working("chat", "processor"):
    time.sleep(60)
"""


def nothing() -> object:
    return object()


def test_a_process_whose_model_hangs_ends_itself_and_says_why(broker: redis.Redis) -> None:
    broker.delete("north:health:gpu", "north:ended:gpu")
    began = time.monotonic()
    done = subprocess.run([sys.executable, "-c", WORKER], env=os.environ, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL
    assert time.monotonic() - began < 30
    assert "hung" in health.why_ended("gpu")
    assert health.reports("gpu")[0]["models"][0]["state"] == "hung"
    broker.delete("north:health:gpu", "north:ended:gpu")


def test_the_failpoints_of_models_are_reached_by_their_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    assert vitals.reached is wiring.failpoint
    monkeypatch.setattr(vitals, "reached", seen.append)
    with vitals.working("embed", "processor"):
        pass
    assert seen == ["model-embed"]


def test_memory_is_that_of_the_whole_family(tmp_path: Any) -> None:
    child = subprocess.Popen([sys.executable, "-c", "x = bytearray(50_000_000); print('x', flush=True); input()"], stdin=-1, stdout=-1)
    assert child.stdout
    child.stdout.readline()
    alone, together = heartbeat.memory(child.pid), heartbeat.memory(os.getpid())
    child.communicate(b"\n")
    assert alone["rss"] >= alone["pss"] > 50_000_000
    assert together["pss"] > heartbeat.memory(os.getpid())["pss"] + 40_000_000
    assert heartbeat.memory(2**22 + 1) == {}
