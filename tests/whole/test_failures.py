"""Models that hang, cannot be loaded or run out of memory, each in a whole installation of its own: seen within 15 s, said in words, mended
without a hand, and nothing that was asked is lost."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from tests.installation import SCRIPTED, Installation, wait_until
from tests.whole.test_survival import WITHIN, ask, ended, noted, problem, put, settled

pytestmark = pytest.mark.whole


def started(folder: Path, failpoint: str) -> tuple[Installation, httpx.Client]:
    north = failing(folder, failpoint)
    return north, alice(north)


def failing(folder: Path, failpoint: str, **environment: str) -> Installation:
    return Installation(folder, **SCRIPTED, **environment, SCRIPTED_DELAY="0.02", NORTH_FAILPOINT=failpoint).start()


def alice(north: Installation) -> httpx.Client:
    north.people(alice="owner")
    return north.api("alice")


def test_a_chat_model_that_hangs_is_seen_and_its_run_is_finished(tmp_path: Path) -> None:
    north, api = started(tmp_path, "model-chat:6:hang")
    try:
        noted(api)
        before = north.part("gpu").pid
        began = time.monotonic()
        run = ask(api, "What does the pump do?")
        assert "hangs" in wait_until(lambda: problem(north), WITHIN + 5)
        assert time.monotonic() - began < WITHIN
        done = ended(api, run)
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
        wait_until(lambda: not problem(north), 60)
    finally:
        north.stop()


def test_a_model_that_does_not_fit_into_memory_is_said_and_tried_again(tmp_path: Path) -> None:
    north = failing(tmp_path, "load:1:memory", NORTH_MODEL_RETRY_SECONDS="40")
    try:
        assert "could not be loaded" in problem(north) or "memory" in problem(north)
        states = north.run_python("from north import health\nfor m in health.models(): print(m['state'], m['error'])")
        assert "does not fit into this machine's memory" in states
        api = alice(north)
        wait_until(lambda: not problem(north), 90)
        noted(api)
        assert ended(api, ask(api, "What does the pump do?"))["status"] == "done"
    finally:
        north.stop()
