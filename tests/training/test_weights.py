"""safetensors in numpy: what is written is read, in every kind; what is cut off is refused."""

from __future__ import annotations

import json
import resource
import struct
from pathlib import Path

import numpy as np
import pytest

from north.training import weights
from north.training.errors import BadBase


@pytest.mark.parametrize(("kind", "close"), [("F64", 0), ("F32", 0), ("F16", 1e-3), ("BF16", 8e-3)])
def test_numbers_survive_within_their_kinds_precision(tmp_path: Path, kind: str, close: float) -> None:
    array = np.random.default_rng(1).normal(0, 1, (5, 7)).astype(np.float32)
    tensor = weights.of(array, kind)
    weights.write(tmp_path / "model.safetensors", [("a", tensor)], {"a": (kind, array.shape)})
    found = weights.read(tmp_path)["a"]
    assert found.kind == kind and found.shape == (5, 7)
    assert np.allclose(found.floats, array, rtol=close, atol=0 if not close else 1e-6)


def test_bf16_rounds_to_the_nearest_even() -> None:
    one = np.array([1.0, 1.0 + 2**-8, 1.0 + 3 * 2**-8, -1.0 - 2**-8], np.float32)
    assert weights.of(one, "BF16").floats.tolist() == [1.0, 1.0, 1.0 + 2**-6, -1.0]


def test_several_files_are_one_model(tmp_path: Path) -> None:
    for name in "ab":
        weights.write(tmp_path / f"model-{name}.safetensors", [(name, weights.of(np.ones(3), "F32"))], {name: ("F32", (3,))})
    assert set(weights.read(tmp_path)) == {"a", "b"}


def _header(said: object) -> bytes:
    told = json.dumps(said).encode()
    return struct.pack("<Q", len(told)) + told


@pytest.mark.parametrize(
    "content",
    [b"", b"\x01", b"not weights at all", struct.pack("<Q", 2**60) + b"{}", _header([1]), _header({"a": {"dtype": "F32"}}),
     _header({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}) + b"\0" * 8,
     _header({"a": {"dtype": "C64", "shape": [1], "data_offsets": [0, 8]}}) + b"\0" * 8,
     _header({"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 8]}}) + b"\0" * 8],
    ids=["empty", "one byte", "no header", "endless header", "a list", "no shape", "cut off", "unknown kind", "wrong shape"],
)  # fmt: skip
def test_what_is_no_whole_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(BadBase, match=r"model\.safetensors is no whole safetensors file"):
        weights.read(tmp_path)


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadBase, match="holds no weights"):
        weights.read(tmp_path)


def test_a_disk_that_fills_up_leaves_no_half_file(tmp_path: Path) -> None:
    tensor = weights.of(np.ones(100_000), "F32")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    try:
        with pytest.raises(OSError):
            weights.write(tmp_path / "model.safetensors", [("a", tensor)], {"a": ("F32", (100_000,))})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not list(tmp_path.iterdir())
