"""From the first byte of an upload to the search that finds it, while nothing else happens."""

from __future__ import annotations

import time
from typing import Any

import httpx

from tests.bench.figures import Figure, spread, told
from tests.bench.installations import Installations
from tests.bench.processes import cpu_seconds, used
from tests.bench.texts import document

COUNT, CHARACTERS, POLL, PAUSE = 21, 10_000, 0.02, 1.0
GOAL = 1500


def measure(installations: Installations) -> list[Figure]:
    installation = installations.get("real")
    api = installation.api()
    timed, before = [], cpu_seconds(installation)
    for number in range(COUNT):
        time.sleep(PAUSE)
        timed.append(once(api, number))
    ready, found = (spread([one[name] for one in timed]) for name in ("ready", "found"))
    worked = {name: seconds / COUNT for name, seconds in used(cpu_seconds(installation), before).items()}
    accepted = spread([one["accepted"] for one in timed])
    notes = [
        f"until POST /search has answered with the document; to 201: {told(accepted)}; to ready: {told(ready)}",
        "processor ms a document: " + ", ".join(f"{name} {seconds * 1000:.0f}" for name, seconds in worked.items()),
    ]
    numbers = {"accepted": accepted, "ready": ready, "found": found, "worked": worked}
    name = "upload to searchable, one 10 kB document, idle"
    return [Figure(name, "p95 <= 1,500 ms", told(found), found["p95"] <= GOAL, numbers, notes)]


def once(api: httpx.Client, number: int) -> dict[str, float]:
    """One new document: seconds until it was accepted, until it was ready, and until a search had found it."""
    mark = f"Zanzibar{number}x{time.monotonic_ns()}"
    content = f"{document(CHARACTERS - 60, number)}\n\nThe mark is {mark}.\n".encode()
    began = time.monotonic()
    id = uploaded(api, f"upload-{number}.md", content)
    accepted = time.monotonic() - began
    wait_until_ready(api, id, POLL)
    ready = time.monotonic() - began
    results = api.post("/search", json={"query": mark}).raise_for_status().json()["results"]
    if not any(result["document"] == id for result in results):
        raise RuntimeError(f"The document {id} is ready, and a search for a word of it does not find it.")
    return {"accepted": accepted, "ready": ready, "found": time.monotonic() - began}


def uploaded(api: httpx.Client, name: str, content: bytes) -> str:
    """The id of the document that this file became."""
    return str(api.post("/documents", files={"file": (name, content)}).raise_for_status().json()["id"])


def wait_until_ready(api: httpx.Client, id: str, poll: float, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        said: dict[str, Any] = api.get(f"/documents/{id}").raise_for_status().json()
        if said["status"] == "ready":
            return
        if said["status"] == "failed":
            raise RuntimeError(f"{said['name']} failed: {said['error']}")
        time.sleep(poll)
    raise RuntimeError(f"{said['name']} is still {said['status']} after {seconds:.0f} s. {said['error']}")


def wait_until_all_ready(api: httpx.Client, count: int, seconds: float, poll: float = 0.25) -> None:
    """Until so many documents are ready. One that failed is told."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        counts = api.get("/documents").raise_for_status().json()["counts"]
        if counts["failed"]:
            failed = api.get("/documents", params={"status": "failed"}).json()["items"][0]
            raise RuntimeError(f"{failed['name']} failed: {failed['error']}")
        if counts["ready"] >= count:
            return
        time.sleep(poll)
    raise RuntimeError(f"After {seconds:.0f} s only these are done: {counts}")
