"""Processor seconds of the whole ingestion against a bare loop over the same model and chunks.

Counted: all that the two workers (with the reading children), the vector daemon and the broker used from the first upload to the last
document ready: check, parse, chunk, embed, tokenise, upsert, rows, leases, messages, and what they use anyway while idle. Not counted:
web (it takes the upload, and answers the bench as often as it would an open page) and beat; both are told. The bare loop runs before,
between and after, each time over an equal part of the chunks, because the speed of a shared machine drifts; with the same number of
threads, over the chunks' text alone, without headings.
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
IDLE_SECONDS = 20
POLL = 2.0
"""Seconds: as often as an open page of documents asks."""


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
    rounds = [(size, part) for size, files in sets.items() for part in halves(files)]
    bare = [run("bare_loop", installation.environment, folder=str(whole), part=0, parts=len(rounds) + 1, batch=0)]
    ingested = []
    for number, (size, files) in enumerate(rounds, start=1):
        ingested.append(ingest(installation, size, files))
        bare.append(
            run("bare_loop", installation.environment, folder=str(whole), part=number, parts=len(rounds) + 1, batch=bare[0]["batch"])
        )
    return [compared(bare, ingested, idle)]


def halves(files: list[Path]) -> list[list[Path]]:
    """Two, or one of a single file."""
    middle = len(files) // 2
    return [part for part in (files[:middle], files[middle:]) if part]


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


def ingest(installation: Installation, size: int, files: list[Path]) -> dict[str, Any]:
    """Uploads the files and waits until all are ready. What each part used, and how many chunks came of it."""
    api = installation.api()
    there = api.get("/documents").json()["counts"]["ready"]
    before, began = cpu_seconds(installation), time.monotonic()
    for path in files:
        uploaded(api, path.name, path.read_bytes())
    wait_until_all_ready(api, there + len(files), 240, POLL)
    seconds = time.monotonic() - began
    time.sleep(0.5)  # the child of the last file is counted when its parent has buried it
    parts = used(cpu_seconds(installation), before)
    said = installation.run_python(
        "from django.db.models import Sum\nfrom north.documents.models import Document\n"
        f"print(Document.objects.filter(name__in={[path.name for path in files]}).aggregate(n=Sum('chunks'))['n'])"
    )
    return {"size": size, "documents": len(files), "chunks": int(said.split()[-1]), "parts": parts, "seconds": seconds}


def compared(bare: list[dict[str, Any]], ingested: list[dict[str, Any]], idle: float) -> Figure:
    chunks, indexed = (sum(one["chunks"] for one in some) for some in (bare, ingested))
    if indexed != chunks:
        raise RuntimeError(f"North indexed {indexed} chunks, and the bare loop embedded {chunks}: they cannot be compared.")
    alone = {name: sum(one[name] for one in bare) / chunks for name in ("loop", "north_embed", "north_embed_with_headings", "sparse")}
    parts = {name: sum(one["parts"][name] for one in ingested) / chunks for name in PARTS}
    whole, loop, seconds = sum(parts[name] for name in COUNTED), alone["loop"], sum(one["seconds"] for one in ingested)
    sizes = {size: used_by([one for one in ingested if one["size"] == size]) / loop for size in SIZES}
    numbers = {
        "whole": whole,
        "ratio": whole / loop,
        "alone": alone,
        "parts": parts,
        "sizes": sizes,
        "idle_rate": idle,
        "sets": ingested,
        "bare": bare,
    }
    shown = alone["north_embed_with_headings"]
    name = "ingestion CPU a 1,000-character chunk, MiniLM, to bare loop"
    said = f"{whole / loop:.2f} x ({milliseconds(whole)} against {milliseconds(loop)} a chunk)"
    corpus = f"{chunks} chunks of {sum(one['characters'] for one in bare) / chunks:.0f} characters on average"
    notes = [
        f"{corpus} from {sum(SIZES.values())} Markdown documents ({source()}), one thread: "
        + ", ".join(f"{SIZES[size]} of {size // 1000} kB {ratio:.2f} x" for size, ratio in sizes.items()),
        f"embedding the chunks alone: {alone['north_embed'] / loop:.2f} x; with the headings that North puts before them: "
        f"{shown / loop:.2f} x, so the whole is {whole / shown:.2f} x of embedding what North embeds; BM25 tokens: "
        f"{alone['sparse'] / loop:.2f} x",
        "by process: " + ", ".join(f"{part} {milliseconds(value)}" for part, value in parts.items()) + " (web, beat: not counted); "
        f"idle, the counted ones use {idle:.3f} cores: {milliseconds(idle * seconds / chunks)} of it",
        f"bare loop before, between and after: {', '.join(milliseconds(one['loop'] / one['chunks']) for one in bare)}, in batches of "
        f"{bare[0]['batch']}, the cheapest of {', '.join(bare[0]['tried'])}; "
        f"cosine to North's vectors at least {min(one['cosine'] for one in bare):.4f}",
    ]
    return Figure(name, f"<= {GOAL} x", said, whole / loop <= GOAL, numbers, notes)


def used_by(ingested: list[dict[str, Any]]) -> float:
    """Processor seconds a chunk of the counted parts."""
    return sum(one["parts"][name] for one in ingested for name in COUNTED) / sum(one["chunks"] for one in ingested)


def milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"
