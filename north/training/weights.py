"""Weights as safetensors hold them, in numpy alone (https://huggingface.co/docs/safetensors: 8 bytes the header's length, a JSON header,
then the numbers one after the other). Read where they lie, written one by one, so that a model need not fit into memory."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from north.training.errors import BadBase

PLAIN = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U8": "u1", "BOOL": "?"}
FLOATS = {"F64", "F32", "F16", "BF16"}
LONGEST_HEADER = 100_000_000


@dataclass(frozen=True, slots=True)
class Tensor:
    """`raw`: the numbers as they are stored (BF16 as uint16), read when they are looked at."""

    kind: str
    raw: np.ndarray

    @property
    def shape(self) -> tuple[int, ...]:
        return self.raw.shape

    @property
    def floats(self) -> np.ndarray:
        """float32; float64 where it is stored as such."""
        if self.kind == "BF16":
            return (self.raw.astype(np.uint32) << 16).view(np.float32)
        return np.asarray(self.raw, np.float64 if self.kind == "F64" else np.float32)


def of(numbers: np.ndarray, kind: str) -> Tensor:
    """Floats, rounded to `kind`."""
    if kind == "BF16":
        bits = np.ascontiguousarray(numbers, np.float32).view(np.uint32)
        return Tensor(kind, ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16))
    return Tensor(kind, numbers.astype(PLAIN[kind]))


def read(folder: Path) -> dict[str, Tensor]:
    """All of a folder's safetensors files, by name. Raises BadBase."""
    found: dict[str, Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found |= _file(path)
    if not found:
        raise BadBase(f"{folder} holds no weights in safetensors.")
    return found


def write(path: Path, tensors: Iterable[tuple[str, Tensor]], shapes: Mapping[str, tuple[str, Sequence[int]]]) -> None:
    """Whole or not at all. `shapes`: what comes, (kind, shape) by name, in the same order. Raises OSError."""
    header, at = {}, 0
    for name, (kind, shape) in shapes.items():
        size = int(np.prod(shape, dtype=np.int64)) * (2 if kind == "BF16" else np.dtype(PLAIN[kind]).itemsize)
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    told = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    told += b" " * (-len(told) % 8)
    part = path.with_name(f".{path.name}")
    try:
        with part.open("wb") as file:
            file.write(struct.pack("<Q", len(told)) + told)
            for name, tensor in tensors:
                assert [tensor.kind, list(tensor.shape)] == [header[name]["dtype"], header[name]["shape"]], name
                file.write(np.ascontiguousarray(tensor.raw).tobytes())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _file(path: Path) -> dict[str, Tensor]:
    try:
        with path.open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > LONGEST_HEADER:
                raise ValueError(f"a header of {length} bytes")
            header = json.loads(file.read(length))
        numbers = np.memmap(path, np.uint8, "r", offset=8 + length)
        return {name: _tensor(numbers, **said) for name, said in header.items() if name != "__metadata__"}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, struct.error) as error:
        raise BadBase(f"{path} is no whole safetensors file ({error}). Download or make it again.") from error


def _tensor(numbers: np.ndarray, *, dtype: str, shape: list[int], data_offsets: list[int]) -> Tensor:
    start, stop = data_offsets
    if not 0 <= start <= stop <= len(numbers):
        raise ValueError("it ends too early")
    return Tensor(dtype, numbers[start:stop].view("<u2" if dtype == "BF16" else PLAIN[dtype]).reshape(shape))
