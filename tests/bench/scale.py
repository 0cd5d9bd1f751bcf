"""Very many chunks on one machine: filled while it is searched, then searched under rights, with memory and recall.

NORTH_BENCH_CHUNKS says how many (a million unless told), NORTH_VECTORS and NORTH_VECTORS_EXACT how they are kept. The chunks are made up
(`synthetic`): measured is what they cost, and whether the nearest are found; not how well meanings are.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from qdrant_client import models

from retrieval.index import Index, connect
from retrieval.vectors import Vectors
from tests.bench import synthetic
from tests.bench.figures import Figure, percentile, spread
from tests.bench.installations import Installations
from tests.bench.processes import rollup
from tests.edge_process import Edge, start_edge, stop_edge

CHUNKS = int(os.environ.get("NORTH_BENCH_CHUNKS", "1000000"))
VECTORS = Vectors(os.environ.get("NORTH_VECTORS", "int8"), int(os.environ.get("NORTH_VECTORS_EXACT", "10000")))
QUESTIONS, WARM = 60, 5
GOAL_STALL, GOAL_P95, GOAL_RECALL = 1.0, 0.1, 0.99
PROBE_SECONDS = 0.05
COLLECTION = "synthetic"
BUILD_SECONDS = 4 * 3600
Question = tuple[np.ndarray, synthetic.Sparse]


def measure(_: Installations | None = None) -> list[Figure]:
    world = synthetic.World()
    with served(VECTORS) as (running, index):
        filled = fill(running, index, world, CHUNKS, VECTORS)
        questions = world.questions(QUESTIONS + WARM)
        seconds = {name: searched(index, name, questions) for name in synthetic.SHARES}
        found = recall(index, world, [vector for vector, _ in questions[WARM:]], CHUNKS)
        memory = {kind: rollup(running.process.pid, kind) for kind in ("Pss", "Pss_Anon", "Pss_File")}
        return told(filled, seconds, found, memory | {"disk": disk(Path(running.process.args[4]))})


@contextmanager
def served(vectors: Vectors, dimensions: int = synthetic.DIMENSIONS) -> Iterator[tuple[Edge, Index]]:
    """A vector service of its own over an empty folder."""
    with TemporaryDirectory(prefix="north-bench-") as folder:
        running = start_edge(Path(folder))
        try:
            yield running, index_of(running, vectors, dimensions)
        finally:
            stop_edge(running)


def index_of(running: Edge, vectors: Vectors, dimensions: int = synthetic.DIMENSIONS) -> Index:
    return Index(connect(running.url, running.api_key, timeout=600), COLLECTION, dimensions, "synthetic", vectors=vectors)


def fill(running: Edge, index: Index, world: synthetic.World, chunks: int, vectors: Vectors) -> dict[str, Any]:
    """Another process writes; this one searches all the while, and until the index is made."""
    index.ensure()
    began, waits, question = time.monotonic(), [], world.questions(1)[0]
    writer = multiprocessing.get_context("spawn").Process(target=write, args=(running.url, running.api_key, chunks, vectors))
    writer.start()
    while writer.is_alive():
        waits.append(wait(index, question))
    written = time.monotonic() - began
    if writer.exitcode:
        raise RuntimeError(f"the process that writes ended with {writer.exitcode}")
    while building(running):
        waits.append(wait(index, question))
    numbers = {"p95": percentile(waits, 95), "longest": max(waits), "searches": len(waits)}
    return numbers | {"chunks": chunks, "written": written, "ready": time.monotonic() - began}


def write(url: str, api_key: str, chunks: int, vectors: Vectors) -> None:
    world, client = synthetic.World(), connect(url, api_key, timeout=600)
    index = Index(client, COLLECTION, synthetic.DIMENSIONS, "synthetic", vectors=vectors)
    for number in synthetic.documents_of(chunks):
        one = world.document(number)
        index.replace(one.entry, one.chunks, one.dense, one.sparse)


def wait(index: Index, question: Question) -> float:
    """How long a search takes just now."""
    time.sleep(PROBE_SECONDS)
    began = time.monotonic()
    index.query(synthetic.scope("tenth"), *question, limit=10)
    return time.monotonic() - began


def building(running: Edge) -> bool:
    """Whether an index is being made, or about to be: it is looked every second whether one is due."""
    client = connect(running.url, running.api_key, timeout=600)
    until = time.monotonic() + 3
    while time.monotonic() < until:
        if client.get_collection(COLLECTION).status == models.CollectionStatus.YELLOW:
            return True
        time.sleep(0.2)
    return False


def searched(index: Index, principal: str, questions: list[Question]) -> list[float]:
    """Seconds of each search, by meaning and by words, for somebody who may read the principal's share."""
    seconds = []
    for vector, words in questions:
        began = time.perf_counter()
        index.query(synthetic.scope(principal), vector, words, limit=50)
        seconds.append(time.perf_counter() - began)
    return seconds[WARM:]


def recall(index: Index, world: synthetic.World, vectors: list[np.ndarray], chunks: int, k: int = 10) -> dict[str, float]:
    """By share, which part of the `k` nearest chunks that may be read is found by meaning alone."""
    nearest = synthetic.exact(world, len(list(synthetic.documents_of(chunks))), vectors, k)
    found = {}
    for name, truths in nearest.items():
        answers = [index.query(synthetic.scope(name), vector, ([], []), limit=k) for vector in vectors]
        shared = [len({(one.document, one.ordinal) for one in got} & truth) for got, truth in zip(answers, truths, strict=True)]
        parts = [both / len(truth) for both, truth in zip(shared, truths, strict=True) if truth]
        found[name] = float(np.mean(parts)) if parts else 1.0
    return found


def disk(folder: Path) -> float:
    return float(sum(path.stat().st_blocks * 512 for path in folder.rglob("*") if path.is_file()))


def told(filled: dict[str, Any], seconds: dict[str, list[float]], found: dict[str, float], memory: dict[str, float]) -> list[Figure]:
    size = f"{filled['chunks']:,} chunks, {VECTORS.kind}"
    spreads = {name: spread(values, 1) for name, values in seconds.items()}
    p95, worst = max(one["p95"] for one in spreads.values()) / 1000, min(found.values())
    stall = f"longest search meanwhile {filled['longest']:.2f} s (p95 {1000 * filled['p95']:.0f} ms, n={filled['searches']})"
    notes = [f"written in {filled['written']:.0f} s, index ready after {filled['ready']:.0f} s; made-up vectors, words and readers"]
    each = ", ".join(f"{name} {one['p50']:g} / {one['p95']:g}" for name, one in spreads.items())
    anon, file, kept = memory["Pss_Anon"] / 1e9, memory["Pss_File"] / 1e9, memory["disk"] / 1e9
    used = f"{anon:.2f} GB of its own and {file:.2f} GB of files in the page cache; {kept:.1f} GB on the disk"
    recalls = ", ".join(f"{name} {value:.3f}" for name, value in found.items())
    goal = f"p95 <= {1000 * GOAL_P95:.0f} ms"
    return [
        Figure(f"{size}: made while searched", f"<= {GOAL_STALL:g} s", stall, filled["longest"] <= GOAL_STALL, filled, notes),
        Figure(f"{size}: search", goal, f"p95 {1000 * p95:.0f} ms", p95 <= GOAL_P95, spreads, [f"p50 / p95 ms by share: {each}"]),
        Figure(f"{size}: recall@10 of exact", f">= {GOAL_RECALL}", f"{worst:.3f}", worst >= GOAL_RECALL, found, [f"by share: {recalls}"]),
        Figure(f"{size}: memory of the vector service", "-", used, None, memory),
    ]


if __name__ == "__main__":
    print("\n".join(f"{one.name} | {one.goal} | {one.measured} | {one.met} | {one.notes}" for one in measure()))
