"""Each way to keep vectors (`retrieval/vectors.py`): its memory and latency over many made-up chunks, and how well it finds in real sets.

NORTH_BENCH_CHUNKS says how many made-up chunks (100,000 unless told), NORTH_BENCH_SETS where the sets lie. NORTH_BENCH_CACHE keeps the
vectors of their texts.
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import Any

from retrieval.types import VECTOR_KINDS as KINDS
from retrieval.vectors import Vectors
from tests.bench import synthetic
from tests.bench.figures import Figure, spread
from tests.bench.installations import Installations
from tests.bench.processes import rollup
from tests.bench.scale import QUESTIONS, WARM, building, disk, fill, index_of, recall, searched
from tests.bench.talking import run
from tests.edge_process import start_edge, stop_edge
from tests.installation import ROOT

CHUNKS = int(os.environ.get("NORTH_BENCH_CHUNKS", "100000"))
SETS = os.environ.get("NORTH_BENCH_SETS", str(ROOT.parent / "shared" / "data" / "open"))
NAMES, QUERIES = ["cranfield", "xquad.to_en"], 200


def measure(_: Installations | None = None) -> list[Figure]:
    return [*found_in_sets(), *over_many()]


def found_in_sets() -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="north-bench-") as folder:
        cache = os.environ.get("NORTH_BENCH_CACHE", f"{folder}/vectors.sqlite3")
        environment = {"DJANGO_SETTINGS_MODULE": "north.settings", "NORTH_DATA_DIR": folder, "NORTH_INFERENCE_THREADS": "1"}
        found = run("quantising", environment, seconds=3600, root=SETS, sets=NAMES, queries=QUERIES, cache=cache)
    return [in_set(name, way, numbers, ways["full"]) for name, ways in found.items() for way, numbers in ways.items()]


def in_set(name: str, way: str, numbers: dict[str, float], whole: dict[str, float]) -> Figure:
    fused = f", fused {numbers['fused']:.3f} ({numbers['fused'] - whole['fused']:+.3f})" if "fused" in numbers else ""
    said = f"recall@10 {numbers['recall']:.3f}; nDCG@10 dense {numbers['dense']:.3f} ({numbers['dense'] - whole['dense']:+.3f}){fused}"
    return Figure(f"{name}, {way}", "-", said, None, numbers)


def over_many() -> list[Figure]:
    """Filled once; then each way's index is made of what is there, and the service started again, so that its memory is that way's."""
    world, figures = synthetic.World(), []
    questions = world.questions(QUESTIONS + WARM)
    with tempfile.TemporaryDirectory(prefix="north-bench-") as folder:
        for kind in KINDS:
            vectors = Vectors(kind, max(1, CHUNKS // 10), min(100_000, CHUNKS // 8))
            running = start_edge(Path(folder))
            if not figures:
                fill(running, index_of(running, vectors), world, CHUNKS, vectors)
            began = time.monotonic()
            index_of(running, vectors).ensure()
            while building(running):
                time.sleep(1)
            built = time.monotonic() - began
            stop_edge(running)
            running = start_edge(Path(folder))
            figures.append(over(kind, built, index_of(running, vectors), world, questions, running.process.pid, disk(Path(folder))))
            stop_edge(running)
    return figures


def over(kind: str, built: float, index: Any, world: synthetic.World, questions: list[Any], pid: int, kept: float) -> Figure:
    seconds = [searched(index, name, questions) for name in synthetic.SHARES]
    worst = spread([max(some) for some in zip(*seconds, strict=True)], 1)
    found = recall(index, world, [vector for vector, _ in questions[WARM:]], CHUNKS)
    own, files = rollup(pid, "Pss_Anon") / 1e6, rollup(pid, "Pss_File") / 1e6
    said = f"p50 / p95 {worst['p50']:g} / {worst['p95']:g} ms; recall@10 {min(found.values()):.3f}; {own:.0f} + {files:.0f} MB"
    each = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    notes = [f"index made in {built:.0f} s; memory of its own + files in the page cache; {kept / 1e6:.0f} MB on the disk; by share: {each}"]
    return Figure(
        f"{CHUNKS:,} made-up chunks, {kind}", "-", said, None, {"recall": found, "worst": worst, "own": own, "files": files}, notes
    )


if __name__ == "__main__":
    print("\n".join(f"{one.name} | {one.measured} | {one.notes}" for one in measure()))
