"""Random histories of a source against a naive oracle, by the real passes on a database of their own: what is wrong at the end of each."""

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
LANES = 2


def measure(_: Installations | None = None) -> list[Figure]:
    began = time.monotonic()
    with ThreadPoolExecutor(LANES) as lanes:
        failed = sum(lanes.map(lane, range(LANES)))
    seconds = time.monotonic() - began
    told = f"{HISTORIES:,} histories, {failed} in which the index was another than the source, or somebody read too much"
    notes = [f"{HISTORIES / seconds:.1f} a second on {LANES} cores; each some changes, faults and crashes, and up to 20 passes"]
    numbers = {"histories": HISTORIES, "failed": failed, "seconds": round(seconds)}
    return [Figure("random histories of a source against an oracle", "0 wrong", told, failed == 0, numbers, notes)]


def lane(number: int) -> int:
    """How many of this lane's histories went wrong; each names its seed."""
    quietly = ("-q", "--show-capture=no", "--tb=short", "-o", "timeout=0")
    command = [sys.executable, "-m", "pytest", *quietly, "-k", "holds", "tests/documents/test_histories.py"]
    lane = {"NORTH_HISTORIES": str(HISTORIES), "NORTH_LANE": f"{number}/{LANES}"}
    said = subprocess.run(command, env={**os.environ, **lane}, capture_output=True, text=True, check=False).stdout
    if " passed" not in said and " failed" not in said:
        raise RuntimeError(said[-2000:])
    return len(set(re.findall(r"history (\d+):", said)))
