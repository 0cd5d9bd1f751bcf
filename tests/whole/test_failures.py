"""Models that hang, cannot be loaded or run out of memory, and a worker that is silent, in whole installations: seen within 15 s, said in
words, mended without a hand, and nothing that was asked is lost."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.installation import SCRIPTED, Installation, wait_until
from tests.whole.test_survival import ask, put, settled

pytestmark = pytest.mark.whole
WITHIN = 15.0


def started(folder: Path, failpoint: str) -> tuple[Installation, httpx.Client]:
    north = Installation(folder, **SCRIPTED, SCRIPTED_DELAY="0.02", NORTH_FAILPOINT=failpoint).start()
    north.people(alice="owner")
    return north, north.api("alice")


def noted(api: httpx.Client) -> None:
    document = put(api, "pump.txt", "The pump stands.")
    assert document and set(settled(api, {document}).values()) == {"ready"}


def problem(north: Installation) -> str:
    """What /readyz says of the model worker; empty while it is well."""
    said = httpx.get(f"{north.url}/readyz", trust_env=False, timeout=10)
    assert said.status_code == (200 if said.json()["status"] == "ok" else 503)
    return said.json().get("problems", {}).get("gpu", "")


def over(api: httpx.Client, run: str) -> dict[str, Any]:
    return wait_until(lambda: (said := api.get(f"/runs/{run}").json())["status"] in {"done", "failed"} and said, 90, every=0.2)


def test_a_chat_model_that_hangs_is_seen_and_its_run_is_finished(tmp_path: Path) -> None:
    north, api = started(tmp_path, "model-chat:6:hang")
    try:
        noted(api)
        before = north.part("gpu").pid
        began = time.monotonic()
        run = ask(api, "What does the pump do?")
        assert "hangs" in wait_until(lambda: problem(north), WITHIN + 5)
        assert time.monotonic() - began < WITHIN
        done = over(api, run)
        assert (done["status"], done["answer"]) == ("done", "The pump stands.")
        assert north.part("gpu").pid != before
        wait_until(lambda: not problem(north), 60)
        assert "The model scripted hung" in north.manage("doctor")
    finally:
        north.stop()


def test_an_embedding_model_that_hangs_is_seen_and_the_document_is_indexed(tmp_path: Path) -> None:
    north, api = started(tmp_path, "model-embed:2:hang")
    try:
        noted(api)
        began = time.monotonic()
        document = put(api, "valve.txt", "The valve opens.")
        assert "hangs" in wait_until(lambda: problem(north), WITHIN + 10)
        assert time.monotonic() - began < WITHIN + 3, "the file is read first"
        assert set(settled(api, {str(document)}, 90).values()) == {"ready"}
        assert not problem(north)
    finally:
        north.stop()


def test_a_model_that_does_not_fit_into_memory_is_said_and_tried_again(tmp_path: Path) -> None:
    north, api = started(tmp_path, "load:1:memory")
    try:
        assert "could not be loaded" in problem(north) or "memory" in problem(north)
        states = north.run_python("from north import health\nfor m in health.models(): print(m['state'], m['error'])")
        assert "does not fit into this machine's memory" in states
        wait_until(lambda: not problem(north), 60)
        noted(api)
        assert over(api, ask(api, "What does the pump do?"))["status"] == "done"
    finally:
        north.stop()


def test_a_worker_that_falls_silent_is_seen_and_started_again(tmp_path: Path) -> None:
    north, api = started(tmp_path, "")
    try:
        noted(api)
        victim = north.part("gpu").pid
        began = time.monotonic()
        os.kill(victim, signal.SIGSTOP)
        run = ask(api, "What does the pump do?")
        assert "not been heard of" in wait_until(lambda: problem(north), WITHIN + 5)
        assert time.monotonic() - began < WITHIN
        assert over(api, run)["status"] == "done"
        assert north.part("gpu").pid != victim
    finally:
        north.stop()
