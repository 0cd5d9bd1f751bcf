"""Reads and writes safetensors with numpy alone (https://github.com/huggingface/safetensors#format): eight bytes of length, a header in
JSON, then the numbers, little-endian. What is written is bit for bit the same on every machine, so that it has a checksum."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np

KINDS = {"U8": np.uint8, "I8": np.int8, "F16": np.float16, "F32": np.float32}
NAMES = {np.dtype(kind): name for name, kind in KINDS.items()}


def read(path: Path) -> dict[str, np.ndarray]:
    """Arrays that are mapped, not read. Raises ValueError for what is no such file."""
    raw = np.memmap(path, np.uint8, "r")
    length = int.from_bytes(raw[:8].tobytes(), "little")
    if len(raw) < 8 or length > len(raw) - 8:
        raise ValueError(f"{path} is no safetensors file, or was cut off.")
    found = {}
    for name, said in json.loads(raw[8 : 8 + length].tobytes()).items():
        if name != "__metadata__":
            start, stop = said["data_offsets"]
            found[name] = raw[8 + length + start : 8 + length + stop].view(KINDS[said["dtype"]]).reshape(said["shape"])
    return found


def write(path: Path, tensors: Mapping[str, np.ndarray]) -> None:
    said, at = {}, 0
    for name, each in tensors.items():
        said[name] = {"dtype": NAMES[each.dtype], "shape": list(each.shape), "data_offsets": [at, at + each.nbytes]}
        at += each.nbytes
    text = json.dumps(said, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for each in tensors.values():
            file.write(np.ascontiguousarray(each).data)
