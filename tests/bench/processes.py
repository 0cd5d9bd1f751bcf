"""What the processes of an installation use: processor time and memory, by part."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from pathlib import Path

import psutil

from tests.bench.machine import cpu_of
from tests.installation import Installation

PARTS = ("broker", "vectors", "gpu", "cpu", "beat", "web")


def processes(installation: Installation) -> dict[str, list[psutil.Process]]:
    """Each part's processes, with the supervisor itself."""
    assert installation.process is not None
    found = {"supervisor": [psutil.Process(installation.process.pid)]}
    for name in PARTS:
        root = installation.part(name)
        found[name] = [root, *root.children(recursive=True)]
    return found


def cpu_seconds(installation: Installation) -> dict[str, float]:
    """Since each part started, with its children, the ended ones included."""
    parts = {name: sum(map(cpu_of, found)) for name, found in processes(installation).items() if name != "supervisor"}
    return parts


def used(after: Mapping[str, float], before: Mapping[str, float]) -> dict[str, float]:
    return {name: after[name] - before[name] for name in after}


def memory(installation: Installation, kind: str = "Pss") -> dict[str, float]:
    """Bytes by part. Pss counts a page that several processes share in parts, so that the sum is true."""
    return {name: sum(rollup(process.pid, kind) for process in found) for name, found in processes(installation).items()}


def rollup(pid: int, kind: str) -> float:
    """A line of /proc/PID/smaps_rollup in bytes; 0 for a process that has just ended."""
    try:
        found = re.search(rf"^{kind}:\s+(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return int(found[1]) * 1024 if found else 0.0


class Peak:
    """While the block runs, the memory of all parts is looked at again and again; `highest` is the moment with the largest sum."""

    def __init__(self, installation: Installation, every: float = 0.1) -> None:
        self.installation, self.every = installation, every
        self.highest: dict[str, float] = {}
        self.each: dict[str, float] = {}
        self.looked = 0

    def __enter__(self) -> Peak:
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self.watch, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.thread.join()

    def watch(self) -> None:
        while not self.stopped.wait(self.every):
            now = memory(self.installation)
            self.looked += 1
            self.each = {name: max(self.each.get(name, 0.0), value) for name, value in now.items()}
            if sum(now.values()) > sum(self.highest.values()):
                self.highest = now
