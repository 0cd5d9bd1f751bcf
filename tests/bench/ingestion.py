"""Processor seconds of the whole ingestion against a bare loop over the same model and chunks.

Counted: all that the two workers (with the reading children), the vector daemon and the broker used from the first upload to the last
document ready: check, parse, chunk, embed, tokenise, upsert, rows, leases, messages, and what they use anyway while idle. Not counted:
web (it takes the upload and answers the bench's polling) and beat; both are told. The bare loop runs before and after, each
time over half of the chunks, with the same number of threads, over the chunks' text alone, without headings.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tests.bench.figures import Figure
from tests.bench.installations import Installations
from tests.bench.processes import cpu_seconds, used
from tests.bench.talking import run
from tests.bench.texts import document, source
from tests.bench.upload import uploaded, wait_until_all_ready
from tests.installation import Installation

SIZES = {10_000: 16, 50_000: 4, 200_000: 1}
"""Documents of so many characters: how many."""
COUNTED = ("gpu", "cpu", "vectors", "broker")
GOAL = 1.15
IDLE_SECONDS = 5


def measure(installations: Installations) -> list[Figure]:
    installation = installations.get("minilm")
    folder = installation.folder / "corpus"
    sets = {size: written(folder / str(size), size, count) for size, count in SIZES.items()}
    whole = folder / "whole"
    whole.mkdir()
    for files in sets.values():
        for path in files:
            (whole / path.name).symlink_to(path)
    uploaded(installation.api(), "warm.md", document(3000, 1).encode())
    wait_until_all_ready(installation.api(), 1, 60)
    idle = idle_rate(installation)
    before = run("bare_loop", installation.environment, folder=str(whole), half=0)
    ingested = {size: ingest(installation, files) for size, files in sets.items()}
    after = run("bare_loop", installation.environment, folder=str(whole), half=1)
    return [compared(before, after, ingested, idle)]


def written(folder: Path, size: int, count: int) -> list[Path]:
    folder.mkdir(parents=True)
    files = [folder / f"{size}-{number:03}.md" for number in range(count)]
    for number, path in enumerate(files):
        path.write_text(document(size, size + number))
    return files


def idle_rate(installation: Installation) -> float:
    """Processor seconds a second that the counted parts use while nothing happens."""
    time.sleep(1)
    before = cpu_seconds(installation)
    time.sleep(IDLE_SECONDS)
    return sum(used(cpu_seconds(installation), before)[name] for name in COUNTED) / IDLE_SECONDS


def ingest(installation: Installation, files: list[Path]) -> dict[str, Any]:
    """Uploads the files and waits until all are ready. What each part used, and how many chunks came of it."""
    api = installation.api()
    there = api.get("/documents").json()["counts"]["ready"]
    before, began = cpu_seconds(installation), time.monotonic()
    for path in files:
        uploaded(api, path.name, path.read_bytes())
    wait_until_all_ready(api, there + len(files), 240)
    seconds = time.monotonic() - began
    time.sleep(0.5)  # the child of the last file is counted when its parent has buried it
    parts = used(cpu_seconds(installation), before)
    said = installation.run_python(
        "from django.db.models import Sum\nfrom north.documents.models import Document\n"
        f"print(Document.objects.filter(name__startswith='{files[0].name.split('-')[0]}-').aggregate(n=Sum('chunks'))['n'])"
    )
    return {"documents": len(files), "chunks": int(said.split()[-1]), "parts": parts, "seconds": seconds}


def compared(before: dict[str, Any], after: dict[str, Any], ingested: dict[int, dict[str, Any]], idle: float) -> Figure:
    chunks = before["chunks"] + after["chunks"]
    said = sum(one["chunks"] for one in ingested.values())
    if said != chunks:
        raise RuntimeError(f"North indexed {said} chunks, and the bare loop embedded {chunks}: they cannot be compared.")
    bare = (before["loop"] + after["loop"]) / chunks
    embed, shown, sparse = ((before[name] + after[name]) / chunks for name in ("north_embed", "north_embed_with_headings", "sparse"))
    whole = sum(one["parts"][name] for one in ingested.values() for name in COUNTED) / chunks
    ratio = whole / bare
    each = {size: sum(one["parts"][name] for name in COUNTED) / one["chunks"] for size, one in ingested.items()}
    parts = {name: sum(one["parts"][name] for one in ingested.values()) for name in ("gpu", "cpu", "vectors", "broker", "web", "beat")}
    numbers = {"bare": bare, "whole": whole, "ratio": ratio, "embed": embed, "idle_rate": idle, "before": before, "after": after, "sets": ingested}
    return Figure(
        "ingestion CPU a 1,000-character chunk, MiniLM int8, to bare loop", "<= 1.15 x",
        f"{ratio:.2f} x ({whole * 1000:.1f} ms against {bare * 1000:.1f} ms a chunk)", ratio <= GOAL, numbers,
        [
            f"{chunks} chunks ({(before['characters'] + after['characters']) / chunks:.0f} characters each) of {sum(SIZES.values())} Markdown documents, sentences from "
            f"{source()}; one thread. By size: " + ", ".join(f"{SIZES[size]} of {size // 1000} kB {value / bare:.2f} x" for size, value in each.items()),
            f"embedding alone: {embed / bare:.2f} x; with the headings that North puts before each chunk: {shown / bare:.2f} x, so the whole is "
            f"{whole / shown:.2f} x of embedding what it embeds; BM25 tokens {sparse / bare:.2f} x",
            "by process, ms a chunk: " + ", ".join(f"{name} {value / chunks * 1000:.2f}" for name, value in parts.items())
            + f" (web and beat are not counted). While idle the counted parts use {idle:.3f} cores: {idle * sum(o['seconds'] for o in ingested.values()) / chunks * 1000:.2f} ms a chunk of it.",
            f"bare loop before and after: {before['loop'] / before['chunks'] * 1000:.1f} and {after['loop'] / after['chunks'] * 1000:.1f} ms a chunk, in batches of "
            f"{before['batch']}, the cheapest of {', '.join(map(str, before['tried']))}; smallest cosine to North's vectors {before['cosine']:.4f}",
        ],
    )  # fmt: skip
