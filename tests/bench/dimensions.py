"""What fewer dimensions, bytes and bits cost programs that search with North's vectors: nDCG@10 of search by meaning alone, on sets with
known answers, of the embedder that ships, one thread. NORTH_BENCH_SETS says where the sets lie, NORTH_BENCH_CACHE keeps their vectors."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from tests.bench.figures import Figure
from tests.bench.installations import Installations
from tests.bench.quantised import NAMES, SETS
from tests.bench.talking import run

SIZES = [384, 256, 128, 64]
QUESTIONS = int(os.environ.get("NORTH_BENCH_QUESTIONS", "1000"))
"""Of each set, at most."""
NAMED = {"float": "as floats", "int8": "as bytes", "binary": "as bits"}


def measure(_: Installations | None = None) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="north-bench-") as folder:
        cache = os.environ.get("NORTH_BENCH_CACHE", f"{folder}/vectors.sqlite3")
        environment = {"DJANGO_SETTINGS_MODULE": "north.settings", "NORTH_DATA_DIR": folder, "NORTH_INFERENCE_THREADS": "1"}
        found = run("dimensions", environment, seconds=7200, root=SETS, sets=NAMES, queries=QUESTIONS, sizes=SIZES, cache=cache)
    return [of_kind(name, kind, numbers) for name, numbers in found.items() for kind in NAMED]


def of_kind(name: str, kind: str, numbers: dict[str, Any]) -> Figure:
    whole = numbers["float"][str(SIZES[0])]
    told = [f"{size}: {value:.3f} ({value - whole:+.3f})" for size, value in numbers[kind].items()]
    return Figure(f"{name}, {numbers['questions']} questions, {NAMED[kind]}", "-", "nDCG@10 " + ", ".join(told), None, numbers[kind])
