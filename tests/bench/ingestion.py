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
from tests.bench.processes import PARTS, cpu_seconds, used
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
    indexed = sum(one["chunks"] for one in ingested.values())
    if indexed != chunks:
        raise RuntimeError(f"North indexed {indexed} chunks, and the bare loop embedded {chunks}: they cannot be compared.")
    alone = {name: (before[name] + after[name]) / chunks for name in ("loop", "north_embed", "north_embed_with_headings", "sparse")}
    parts = {name: sum(one["parts"][name] for one in ingested.values()) / chunks for name in PARTS}
    whole, bare, seconds = sum(parts[name] for name in COUNTED), alone["loop"], sum(one["seconds"] for one in ingested.values())
    sizes = {size: sum(one["parts"][name] for name in COUNTED) / one["chunks"] / bare for size, one in ingested.items()}
    numbers = {
        "whole": whole, "ratio": whole / bare, "alone": alone, "parts": parts, "sizes": sizes, "idle_rate": idle, "sets": ingested,
        "before": before, "after": after,
    }  # fmt: skip
    shown = alone["north_embed_with_headings"]
    name = "ingestion CPU a 1,000-character chunk, MiniLM, to bare loop"
    said = f"{whole / bare:.2f} x ({milliseconds(whole)} against {milliseconds(bare)} a chunk)"
    corpus = f"{chunks} chunks of {(before['characters'] + after['characters']) / chunks:.0f} characters on average"
    notes = [
        f"{corpus} from {sum(SIZES.values())} Markdown documents ({source()}), one thread: "
        + ", ".join(f"{SIZES[size]} of {size // 1000} kB {ratio:.2f} x" for size, ratio in sizes.items()),
        f"embedding the chunks alone: {alone['north_embed'] / bare:.2f} x; with the headings that North puts before them: "
        f"{shown / bare:.2f} x, so the whole is {whole / shown:.2f} x of embedding what North embeds; BM25 tokens: "
        f"{alone['sparse'] / bare:.2f} x",
        "by process: " + ", ".join(f"{part} {milliseconds(value)}" for part, value in parts.items()) + " (web, beat: not counted); "
        f"idle, the counted ones use {idle:.3f} cores: {milliseconds(idle * seconds / chunks)} of it",
        f"bare loop before and after: {milliseconds(before['loop'] / before['chunks'])} and "
        f"{milliseconds(after['loop'] / after['chunks'])}, in batches of {before['batch']}, the cheapest of {', '.join(before['tried'])}; "
        f"cosine to North's vectors at least {before['cosine']:.4f}",
    ]
    return Figure(name, f"<= {GOAL} x", said, whole / bare <= GOAL, numbers, notes)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
