"""Many small files of a folder, with the default models: how fast they can be found, what each costs, whether memory stays flat, what it
costs to look at all of them again, and whether people who search meanwhile notice.

NORTH_FILES says how many. Who searches does so in another workspace, whose documents stay the same: every other second, by REST. What that
costs the processors is taken off, as it was measured before.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path
from typing import Any

import httpx

from tests.bench.figures import Figure, spread, told
from tests.bench.ingestion import COUNTED, milliseconds
from tests.bench.installations import Installations
from tests.bench.processes import cpu_seconds, memory, used
from tests.bench.texts import document, question, source
from tests.bench.upload import uploaded, wait_until_all_ready
from tests.installation import Installation

FILES = int(os.environ.get("NORTH_FILES", "20000"))
CHARACTERS = 800
KNOWN, KNOWN_CHARACTERS = 60, 4000
"""Documents of the workspace in which somebody searches."""
SEARCHES, WARM, PAUSE = 120, 5, 2.0
MARKS = (0.25, 0.5, 0.75, 1.0)
FLAT, AGAIN_SECONDS, SLOWER = 1.1, 30, 1.1
STUCK_SECONDS = 300


def measure(installations: Installations) -> list[Figure]:
    installation = installations.get("real")
    folder = written(installation.folder / "shares" / "many")
    installation.people("many", mary="owner")
    known(installation.api())
    before = cpu_seconds(installation)
    idle = [searched(installation.api(), number) for number in range(SEARCHES)][WARM:]
    search = {name: seconds / SEARCHES for name, seconds in used(cpu_seconds(installation), before).items()}
    bulk = installation.api("mary", "many")
    given = {"name": "Many", "connector": "folder", "path": str(folder), "schedule": 0, "access": {"everyone": True}}
    began, before = time.monotonic(), cpu_seconds(installation)
    made = bulk.post("/sources", json=given).raise_for_status().json()["id"]
    during, memories = followed(installation, bulk, made)
    seconds = time.monotonic() - began
    worked = {name: value - len(during) * search[name] for name, value in used(cpu_seconds(installation), before).items()}
    again = synced_again(installation, bulk, made)
    return [
        speed(seconds, worked, sum(search.values()) * len(during)),
        flat(memories),
        unchanged(again),
        interactive(spread(idle), spread(during)),
    ]


def written(folder: Path) -> Path:
    for number in range(FILES):
        path = folder / f"{number // 100:04}" / f"note-{number:06}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(document(CHARACTERS, number))
    return folder


def known(api: httpx.Client) -> None:
    there = api.get("/documents").json()["counts"]["ready"]
    for number in range(KNOWN):
        uploaded(api, f"known-{number}.md", document(KNOWN_CHARACTERS, FILES + number).encode())
    wait_until_all_ready(api, there + KNOWN, 600)


def searched(api: httpx.Client, number: int) -> float:
    """Seconds of one search, after a pause."""
    time.sleep(PAUSE)
    query = question(document(KNOWN_CHARACTERS, FILES + number % KNOWN), random.Random(number))
    began = time.perf_counter()
    api.post("/search", json={"query": query, "top_k": 10}).raise_for_status()
    return time.perf_counter() - began


def followed(installation: Installation, bulk: httpx.Client, made: str) -> tuple[list[float], list[dict[str, float]]]:
    """Until all files are ready: the searches meanwhile, in seconds, and the memory at each of MARKS."""
    during: list[float] = []
    memories: list[dict[str, float]] = []
    ready, moved = 0, time.monotonic()
    while len(memories) < len(MARKS):
        during.append(searched(installation.api(), len(during)))
        counts = bulk.get(f"/sources/{made}/status").raise_for_status().json()["documents"]
        if counts.get("failed"):
            raise RuntimeError(f"{counts['failed']} of the files failed.")
        if counts.get("ready", 0) > ready:
            ready, moved = counts["ready"], time.monotonic()
        if ready >= MARKS[len(memories)] * FILES:
            memories.append(memory(installation))
        if time.monotonic() - moved > STUCK_SECONDS:
            raise RuntimeError(f"No further than {counts} in {STUCK_SECONDS} s.")
    return during, memories


def synced_again(installation: Installation, bulk: httpx.Client, made: str) -> dict[str, Any]:
    """A pass that finds everything as it was."""
    before, began = cpu_seconds(installation), time.monotonic()
    bulk.post(f"/sources/{made}/syncs").raise_for_status()
    while (run := bulk.get(f"/sources/{made}/syncs").raise_for_status().json()["items"][0])["status"] in ("queued", "running"):
        time.sleep(0.2)
    seconds = time.monotonic() - began
    if (run["status"], run["unchanged"]) != ("done", FILES):
        raise RuntimeError(f"The second pass over unchanged files ended so: {run}")
    return {"seconds": seconds, "parts": used(cpu_seconds(installation), before)}


def speed(seconds: float, worked: dict[str, float], searches: float) -> Figure:
    cost = sum(worked[name] for name in COUNTED) / FILES
    said = f"{FILES / seconds:.1f} documents/s, {milliseconds(cost)} CPU a document"
    parts = ", ".join(f"{name} {milliseconds(value / FILES)}" for name, value in worked.items())
    notes = [
        f"files of {CHARACTERS} characters ({source()}), all ready after {seconds:.0f} s; a document by process: {parts} (web, beat: not "
        f"counted); the searches meanwhile, {searches:.0f} s of CPU, are taken off"
    ]
    return Figure(
        f"{FILES:,} small files of a folder, until all can be found", "-", said, None, {"seconds": seconds, "parts": worked}, notes
    )


def flat(memories: list[dict[str, float]]) -> Figure:
    sums = [sum(parts.values()) for parts in memories]
    said = ", ".join(f"{one / 1e9:.2f}" for one in sums) + f" GB PSS at {', '.join(f'{mark:.0%}' for mark in MARKS)}"
    ends = ", ".join(f"{name} {memories[0][name] / 1e6:.0f} to {memories[-1][name] / 1e6:.0f} MB" for name in memories[0])
    return Figure(
        "memory of all processes meanwhile", f"end <= {FLAT} x quarter", said, sums[-1] <= FLAT * sums[0], {"at": memories}, [ends]
    )


def unchanged(again: dict[str, Any]) -> Figure:
    cpu = sum(again["parts"][name] for name in COUNTED)
    said = f"{again['seconds']:.1f} s"
    notes = [f"{milliseconds(cpu / FILES)} CPU a file of the workers, the vector daemon and the broker, what they use while idle included"]
    return Figure(
        f"the {FILES:,} files synced again, unchanged", f"<= {AGAIN_SECONDS} s", said, again["seconds"] <= AGAIN_SECONDS, again, notes
    )


def interactive(idle: dict[str, float], during: dict[str, float]) -> Figure:
    ratio = during["p95"] / idle["p95"]
    notes = [f"idle: {told(idle)}; during: {told(during)}"]
    numbers = {"idle": idle, "during": during}
    return Figure("search p95 by REST while they come, to idle", f"<= {SLOWER} x", f"{ratio:.2f} x", ratio <= SLOWER, numbers, notes)
