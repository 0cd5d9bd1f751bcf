"""kill -9 of every part of a running installation, under work: nothing accepted is lost, nothing is there twice, nothing hangs."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.installation import Installation, events, wait_until

pytestmark = pytest.mark.whole
WITHIN = 15.0
"""Seconds until something that does not work is seen."""
PARTS = ["web", "gpu", "cpu", "vectors", "broker", "beat"]


def put(api: httpx.Client, name: str, text: str) -> str | None:
    """The id of an accepted document; None where North did not say that it has it."""
    try:
        answer = api.post("/documents", files={"file": (name, text.encode())})
    except httpx.HTTPError:
        return None
    return answer.json()["id"] if answer.status_code == 201 else None


def settled(api: httpx.Client, ids: set[str], seconds: float = 60) -> dict[str, str]:
    """The status of these documents once all are ready or failed."""

    def over() -> dict[str, str] | None:
        listed = {one["id"]: one["status"] for one in everything(api) if one["id"] in ids}
        return listed if len(listed) == len(ids) and set(listed.values()) <= {"ready", "failed"} else None

    return wait_until(over, seconds, every=0.3)


def everything(api: httpx.Client) -> list[dict[str, Any]]:
    documents: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get("/documents", params={"cursor": cursor, "limit": 100}).json()
        documents += page["items"]
        cursor = page["next"]
    return documents


@pytest.mark.parametrize("part", PARTS)
def test_every_accepted_document_is_ready_once_after_a_kill(north: Installation, part: str) -> None:
    api = north.api("alice")
    accepted: list[str] = []

    def upload() -> None:
        for number in range(100):
            name = f"{part}-{number}.txt"
            found = put(api, name, f"The code word of {name} is {part}{number}xq. " * 20)
            accepted.extend([found] if found else [])
            if len(accepted) == 12:
                return
            time.sleep(0.05 if found else 0.5)

    uploads = threading.Thread(target=upload)
    uploads.start()
    time.sleep(0.4)
    north.kill(part)
    uploads.join()
    wait_until(lambda: north.ready()["status"] == "ok", 60)
    assert len(accepted) == 12
    statuses = settled(api, set(accepted))
    assert set(statuses.values()) == {"ready"}
    names = Counter(one["name"] for one in everything(api) if one["name"].startswith(f"{part}-") and one["id"] in statuses)
    assert max(names.values()) == 1
    found = wait_until(lambda: api.post("/search", json={"query": f"code word {part}1xq", "top_k": 3}).json().get("results"), 30)
    documents = [result["document"] for result in found]
    assert len(documents) == len(set(documents))


def ask(api: httpx.Client, question: str) -> str:
    thread = api.post("/threads").json()["id"]
    return api.post(f"/threads/{thread}/runs", json={"question": question}).json()["id"]


def follow(api: httpx.Client, run: str) -> dict[str, Any]:
    """Reads the stream to its end, coming back with the last id whenever it breaks; what the events add up to."""
    state: dict[str, Any] = {"text": "", "ids": [], "last": "", "end": None}
    deadline = time.monotonic() + 90
    while state["end"] is None and time.monotonic() < deadline:
        try:
            headers = {"Last-Event-ID": state["last"]} if state["last"] else {}
            with api.stream("GET", f"/runs/{run}/events", headers=headers, timeout=20) as answer:
                if answer.status_code != 200:
                    time.sleep(0.5)
                    continue
                for id, kind, data in events(answer.iter_lines()):
                    take(state, id, kind, data)
        except httpx.HTTPError:
            time.sleep(0.3)
    return state


def take(state: dict[str, Any], id: str, kind: str, data: Any) -> None:
    if id:
        assert id not in state["ids"], f"the event {id} came twice"
        state["ids"].append(id)
        state["last"] = id
    if kind == "restart":
        result = data.get("result")
        state["text"] = result["text"] if result else data["answer"]
    elif kind == "reset":
        state["text"] = ""
    elif kind == "delta":
        assert data["offset"] == len(state["text"]), "a piece is missing or came twice"
        state["text"] += data["text"]
    elif kind == "answer":
        state["text"] = data["text"]
    elif kind == "end":
        state["end"] = data["status"]


@pytest.fixture(scope="module")
def handbook(north: Installation) -> str:
    text = "\n\n".join(f"Rule {n}: the notice period of grade {n} is {n + 3} weeks and begins on a Monday in every case." for n in range(9))
    api = north.api("alice")
    found = put(api, "handbook.txt", text)
    assert found
    settled(api, {found})
    return found


@pytest.mark.parametrize("part", PARTS)
def test_a_run_ends_and_its_stream_tells_all_of_it_once(north: Installation, handbook: str, part: str) -> None:
    api = north.api("alice")
    run = ask(api, f"What is the notice period of grade 4? ({part})")
    seen: dict[str, Any] = {}
    reader = threading.Thread(target=lambda: seen.update(follow(api, run)))
    reader.start()
    time.sleep(0.7)
    north.kill(part)
    final = ended(api, run)
    reader.join(60)
    assert not reader.is_alive()
    assert final["status"] == "done", final
    assert seen["end"] == "done" and seen["text"] == final["answer"]
    keys = [step["key"] for step in final["steps"]]
    assert len(keys) == len(set(keys))
    wait_until(lambda: north.ready()["status"] == "ok", 60)


def test_a_wiped_broker_loses_nothing(north: Installation, handbook: str) -> None:
    api = north.api("alice")
    run = ask(api, "What is the notice period of grade 7?")
    accepted = {put(api, f"wiped-{number}.txt", f"Wiped note {number}. " * 30) for number in range(6)} - {None}
    shutil.rmtree(north.folder / "broker")
    north.kill("broker")
    wait_until(lambda: north.ready()["status"] == "ok", 60)
    assert len(accepted) == 6
    assert set(settled(api, {str(id) for id in accepted}).values()) == {"ready"}
    said = ended(api, run)
    assert said["status"] == "done"
    assert follow(api, run)["text"] == said["answer"]


def test_lost_vectors_are_made_again_from_the_text(north: Installation, handbook: str) -> None:
    api = north.api("alice")
    shutil.rmtree(north.folder / "vectors")
    north.kill("vectors")
    wait_until(lambda: north.ready()["status"] == "ok", 60)

    def found() -> bool:
        results = api.post("/search", json={"query": "notice period of grade 4", "top_k": 5}).json().get("results", [])
        return any(result["document"] == handbook for result in results)

    wait_until(found, 90, every=0.5)


def noted(api: httpx.Client) -> None:
    document = put(api, "pump.txt", "The pump stands.")
    assert document and set(settled(api, {document}).values()) == {"ready"}


def problem(north: Installation) -> str:
    """What /readyz says of the model worker; empty while it is well."""
    said = httpx.get(f"{north.url}/readyz", trust_env=False, timeout=10)
    assert said.status_code == (200 if said.json()["status"] == "ok" else 503)
    return said.json().get("problems", {}).get("gpu", "")


def ended(api: httpx.Client, run: str) -> dict[str, Any]:
    return wait_until(lambda: (said := api.get(f"/runs/{run}").json())["status"] in {"done", "failed"} and said, 90, every=0.2)


def test_a_worker_that_falls_silent_is_seen_and_started_again(north: Installation) -> None:
    api = north.api("alice")
    noted(api)
    victim = north.part("gpu").pid
    began = time.monotonic()
    os.kill(victim, signal.SIGSTOP)
    run = ask(api, "What does the pump do?")
    assert "not been heard of" in wait_until(lambda: problem(north), WITHIN + 5)
    assert time.monotonic() - began < WITHIN
    assert ended(api, run)["status"] == "done"
    assert north.part("gpu").pid != victim
    wait_until(lambda: north.ready()["status"] == "ok", 60)


def test_a_poison_file_holds_nobody_up_and_says_why(north: Installation) -> None:
    api = north.api("alice")
    bad = {
        "broken.pdf": b"%PDF-1.7\n" + b"\xff" * 4000,
        "encrypted.docx": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 5000,
        "not-really.xlsx": b"PK\x03\x04" + b"\0" * 900,
    }
    ids = {}
    for name, data in bad.items():
        answer = api.post("/documents", files={"file": (name, data)})
        assert answer.status_code in {201, 415, 422}, answer.text
        if answer.status_code == 201:
            ids[name] = answer.json()["id"]
    good = put(api, "good.txt", "A good file among bad ones. " * 20)
    statuses = settled(api, {*ids.values(), str(good)}, 90)
    assert statuses[str(good)] == "ready"
    for name, id in ids.items():
        document = api.get(f"/documents/{id}").json()
        assert document["status"] == "failed" and document["error"].endswith("."), (name, document)


@pytest.mark.parametrize(
    ("name", "data", "status"),
    [
        ("empty.txt", b"", 422),
        ("program.exe", b"MZ\x90\0" + b"\0" * 99, 415),
        ("../../etc/passwd.txt", b"root is nobody here.", 201),
        ("exe\u202etxt.md", b"# Hidden\n\nA right-to-left override in the name.", 201),
        ("page.html", b"<script>alert(1)</script><p>Hello there, reader.</p>", 201),
    ],
)
def test_strange_uploads_get_a_clear_answer(north: Installation, name: str, data: bytes, status: int) -> None:
    answer = north.api("alice").post("/documents", files={"file": (name, data)})
    assert answer.status_code == status, answer.text
    if status == 201:
        kept = answer.json()["name"]
        assert "/" not in kept and "\u202e" not in kept and ".." not in kept
        assert not list(Path(north.folder).parent.glob("etc"))
    else:
        assert answer.json()["detail"].endswith(".")
