"""Vectors in the types that Cohere's API knows. For `int8` each vector is scaled by its own largest value, which becomes 127: so the
direction stays and the range is used, and cosines of two such vectors are those of the floats to within a hundredth."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

TYPES = ["float", "int8", "uint8", "binary", "ubinary", "base64"]


def unpacked(event: Mapping[str, Any], dimensions: int | None) -> np.ndarray:
    """float32 (texts, dimensions) from what the worker says; the first `dimensions` of each, at length 1 again."""
    vectors = np.frombuffer(base64.b64decode(event["vectors"]), "<f4").reshape(-1, event["dimensions"])
    if dimensions is None or dimensions == vectors.shape[1]:
        return vectors
    cut = vectors[:, :dimensions]
    return np.ascontiguousarray(cut / np.maximum(np.linalg.norm(cut, axis=1, keepdims=True), 1e-12))


def typed(vectors: np.ndarray, kinds: Sequence[str]) -> dict[str, Any]:
    return {kind: as_type(vectors, kind) for kind in kinds}


def as_type(vectors: np.ndarray, kind: str) -> Any:
    match kind:
        case "float":
            return vectors
        case "base64":
            return [base64.b64encode(row.astype("<f4").tobytes()).decode() for row in vectors]
        case "int8":
            return eighths(vectors).astype(np.int8)
        case "uint8":
            return (eighths(vectors) + 128).astype(np.uint8)
        case "ubinary":
            return np.packbits(vectors > 0, axis=1)
        case "binary":
            return (np.packbits(vectors > 0, axis=1).astype(np.int16) - 128).astype(np.int8)
    raise ValueError(kind)


def eighths(vectors: np.ndarray) -> np.ndarray:
    """Whole numbers from -127 to 127."""
    largest = np.maximum(np.abs(vectors).max(axis=1, keepdims=True, initial=0.0), 1e-12)
    return np.rint(vectors / largest * 127).astype(np.int16)
