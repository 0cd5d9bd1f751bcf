"""On which machine, of which commit, and what else ran on it: a figure from a busy machine says little."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from tests.installation import ROOT


def facts() -> dict[str, Any]:
    return {
        "cpu": cpu(), "cores": os.cpu_count(), "memory_gb": round(psutil.virtual_memory().total / 1e9, 1), "system": platform.platform(),
        "python": platform.python_version(), "commit": commit(), "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "load_average": os.getloadavg(),
    }  # fmt: skip


def cpu() -> str:
    file = Path("/proc/cpuinfo")
    found = re.search(r"^model name\s*:\s*(.+)$", file.read_text(), re.MULTILINE) if file.exists() else None
    return found[1] if found else platform.processor() or platform.machine()


def commit() -> str:
    """The commit, and whether the files differ from it."""

    def git(*words: str) -> str:
        return subprocess.run(["git", *words], cwd=ROOT, text=True, capture_output=True, check=False).stdout.strip()

    name = git("rev-parse", "--short", "HEAD")
    if not re.fullmatch(r"[0-9a-f]+", name):
        return "no commit yet"
    return name + (" with changes" if git("status", "--porcelain") else "")


def told(machine: dict[str, Any]) -> str:
    one, five, _ = machine["load_average"]
    return (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB; Python {machine['python']}; commit {machine['commit']}; "
        f"{machine['date']}; load average at the start {one:.1f} (5 minutes: {five:.1f})"
    )


class Load:
    """Cores that were busy while the block ran: with the bench and its installation, with others, and taken by the host (steal)."""

    def __enter__(self) -> Load:
        self.began, self.before, self.own_before, self.stolen_before = time.monotonic(), busy(), own(), stolen()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.monotonic() - self.began
        self.ours = (own() - self.own_before) / self.seconds
        self.others = max(0.0, (busy() - self.before) / self.seconds - self.ours)
        self.steal = (stolen() - self.stolen_before) / self.seconds

    def as_json(self) -> dict[str, float]:
        named = {"seconds": self.seconds, "cores_ours": self.ours, "cores_others": self.others, "cores_stolen": self.steal}
        return {name: round(value, 2) for name, value in named.items()}

    def told(self) -> str:
        return f"in {self.seconds:.0f} s; busy cores: ours {self.ours:.2f}, others {self.others:.2f}, taken by the host {self.steal:.2f}"


def busy() -> float:
    """CPU seconds that all cores have worked since the machine started."""
    times = psutil.cpu_times()
    return times.user + times.nice + times.system + times.irq + times.softirq


def stolen() -> float:
    return psutil.cpu_times().steal


def own() -> float:
    """CPU seconds of this process and all that it started, also of those that have ended."""
    here = psutil.Process()
    return sum(cpu_of(process) for process in [here, *here.children(recursive=True)])


def cpu_of(process: psutil.Process) -> float:
    """CPU seconds of a process and of its ended children."""
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return times.user + times.system + times.children_user + times.children_system
