"""How much memory processes hold, as the kernel counts it (Linux; elsewhere nothing is known)."""

from __future__ import annotations

import ctypes
import gc
from pathlib import Path

PROC = Path("/proc")


def give_back() -> None:
    """What this process has freed goes back to the system, where the C library can do that (glibc). A model's 380 MB stay with the process
    otherwise."""
    gc.collect()
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def memory(pid: int) -> dict[str, int]:
    """{"rss": bytes, "pss": bytes} of this process and all that it started; pages that several share are whole in each one's RSS, and
    divided among them in PSS. Empty where the kernel does not say."""
    sums: dict[str, int] = {}
    for process in family(pid):
        try:
            lines = (PROC / str(process) / "smaps_rollup").read_text().splitlines()
        except OSError:
            continue  # it ended, or belongs to somebody else
        for line in lines:
            name, _, value = line.partition(":")
            if name in {"Rss", "Pss"}:
                sums[name.lower()] = sums.get(name.lower(), 0) + int(value.split()[0]) * 1024
    return sums


def family(pid: int) -> list[int]:
    """The process and its descendants."""
    found = [pid]
    for process in found:
        for listed in (PROC / str(process) / "task").glob("*/children"):
            try:
                found += [int(child) for child in listed.read_text().split()]
            except OSError:
                continue
    return found
