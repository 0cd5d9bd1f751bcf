"""The memory of all processes while they ingest, without a chat model: the largest sum of their proportional set sizes (PSS)."""

from __future__ import annotations

import time

from tests.bench.figures import Figure
from tests.bench.installations import Installations, demo
from tests.bench.processes import Peak, memory
from tests.bench.texts import document
from tests.bench.upload import uploaded, wait_until_all_ready

GOAL = 1_500_000_000
DOCUMENTS, CHARACTERS = 12, 100_000


def measure(installations: Installations) -> list[Figure]:
    installation = installations.get("scripted")
    idle = memory(installation)
    with Peak(installation) as peak:
        began = time.monotonic()
        installation.manage("demo")
        with demo(installation) as api:
            for number in range(DOCUMENTS):
                uploaded(api, f"long-{number}.md", document(CHARACTERS, number).encode())
            counts = api.get("/documents").json()["counts"]
            wait_until_all_ready(api, sum(counts.values()) - counts["failed"], 300)
        seconds = time.monotonic() - began
    total = sum(peak.highest.values())
    name = "memory of all processes without the chat model, ingesting"
    numbers = {"highest": peak.highest, "each": peak.each, "idle": idle, "seconds": seconds, "looked": peak.looked}
    notes = [
        f"MB then: {told(peak.highest)}",
        f"before it, idle: {sum(idle.values()) / 1e9:.2f} GB ({told(idle)})",
        f"the sample company's files (PDF, Office, mail and text) and {DOCUMENTS} texts of {CHARACTERS // 1000} kB in {seconds:.0f} s; "
        f"{peak.looked} looks, with the reading children and the supervisor; multilingual-e5-small int8, one thread",
    ]
    return [Figure(name, "<= 1.5 GB PSS", f"{total / 1e9:.2f} GB PSS at the highest moment", total <= GOAL, numbers, notes)]


def told(parts: dict[str, float]) -> str:
    return ", ".join(f"{name} {value / 1e6:.0f}" for name, value in sorted(parts.items(), key=lambda part: -part[1]))
