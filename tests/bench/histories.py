"""Random histories of a source against a naive oracle, by the real passes, rows and index: what is wrong at the end of each.

NORTH_HISTORIES of them from the seed NORTH_HISTORIES_FIRST on, in slices that each have a database and an index of their own; after
NORTH_HISTORIES_SECONDS none begins. The index costs as much as all passes, so that only each NORTH_HISTORIES_FOUND-th is asked of it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from tests.bench.figures import Figure
from tests.bench.installations import Installations

HISTORIES = int(os.environ.get("NORTH_HISTORIES", "10000"))
FIRST = int(os.environ.get("NORTH_HISTORIES_FIRST", "0"))
FOUND = int(os.environ.get("NORTH_HISTORIES_FOUND", "4"))
SECONDS = float(os.environ.get("NORTH_HISTORIES_SECONDS", "inf"))
SLICE = 250
LANES = int(os.environ.get("NORTH_HISTORIES_LANES", "2"))


def measure(_: Installations | None = None) -> list[Figure]:
    began = time.monotonic()
    with ThreadPoolExecutor(LANES) as lanes:
        slices = list(lanes.map(lambda first: lived(first, began + SECONDS), range(FIRST, FIRST + HISTORIES, SLICE)))
    seconds, number = time.monotonic() - began, sum(count for count, _ in slices)
    wrong = [seed for _, seeds in slices for seed in seeds]
    told = f"{number:,} histories, {len(wrong)} in which index and source differed, or somebody read or found too much"
    notes = [f"{number / seconds:.1f} a second on {LANES} cores; each some changes, faults and crashes, and up to 20 passes"]
    notes += [f"seeds from {FIRST:,} on; each {FOUND}th was asked of the index, too"]
    notes += [f"wrong: {', '.join(map(str, wrong[:50]))}; NORTH_SEED=n runs one alone"] if wrong else []
    numbers = {"histories": number, "failed": len(wrong), "seconds": round(seconds), "seeds": wrong}
    return [
        Figure("random histories of a source against an oracle", "10,000, 0 wrong", told, not wrong and number >= 10_000, numbers, notes)
    ]


def lived(first: int, until: float) -> tuple[int, list[int]]:
    """How many histories of this slice were lived, and the seeds of those that went wrong."""
    if time.monotonic() > until:
        return 0, []
    number = min(SLICE, FIRST + HISTORIES - first)
    quietly = ("-q", "--show-capture=no", "--tb=short", "-o", "timeout=0", "-p", "no:cacheprovider")
    command = [sys.executable, "-m", "pytest", *quietly, "tests/documents/test_histories.py"]
    given = {"NORTH_FIRST": str(first), "NORTH_HISTORIES": str(number), "NORTH_FOUND": str(FOUND)}
    said = subprocess.run(command, env={**os.environ, **given}, capture_output=True, text=True, check=False).stdout
    if not re.search(r"^\d+ (passed|failed)", said, re.M) or " error" in said:
        raise RuntimeError(said[-2000:])
    wrong = sorted({int(seed) for seed in re.findall(r"history (\d+):", said)})
    print(f"        histories {first:,} to {first + number - 1:,}: {len(wrong)} wrong", flush=True)
    return number, wrong
