"""What the device can do at most, measured on it: the roofs that each figure is set against."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch

DATASHEET_BANDWIDTH = 3.35e12
"""Bytes a second of an H100 SXM5's memory (https://resources.nvidia.com/en-us-tensor-core). What a copy reaches is less."""
LIBRARIES = ("torch", "transformers", "accelerate", "flash-attn", "tokenizers", "safetensors", "langchain-core", "triton")


@dataclass(frozen=True, slots=True)
class Roofs:
    """`bytes`: a second, read and written, of a large copy; `flops`: a second, of a product of bf16 matrices of 8,192."""

    bytes: float
    flops: float


@dataclass(frozen=True, slots=True)
class Row:
    """`bound`: what the roof allows in the unit of `measured`; `share`: how much of it was reached. `met` None: no goal."""

    name: str
    goal: str
    measured: str
    bound: str
    share: float | None
    met: bool | None
    notes: Sequence[str] = ()
    numbers: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def roofs() -> Roofs:
    source = torch.randint(0, 255, (2**32,), dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    copied = seconds(lambda: target.copy_(source))
    torch.cuda.empty_cache()
    left, right = (torch.randn(8192, 8192, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    multiplied = seconds(lambda: left @ right)
    torch.cuda.empty_cache()
    return Roofs(2 * 2**32 / copied, 2 * 8192**3 / multiplied)


def seconds(work: Callable[[], object], times: int = 20) -> float:
    """The median, of work on the device that is waited for, after three runs to warm up."""
    return statistics.median(timed(work, times))


def timed(work: Callable[[], object], times: int) -> list[float]:
    for _ in range(3):
        work()
    torch.cuda.synchronize()
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        torch.cuda.synchronize()
        taken.append(time.perf_counter() - began)
    return taken


def facts(commit: str) -> dict[str, Any]:
    return {
        "device": torch.cuda.get_device_name(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "commit": commit,
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
    }


def commit() -> str:
    said = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False)
    return said.stdout.strip() or "unknown"


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return ""
