"""`python -m north.inference.rerankers.packing PART.safetensors ... --out reranker-6.safetensors`: what training left, a cross-encoder of
the BERT family as transformers names its tensors, becomes the 8-bit file that North carries. The words are left out: training freezes
them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from north.inference import tensors
from north.inference.converting import eight_bits
from north.inference.rerankers.layers import MATRICES, names


def pack(parts: Sequence[Path], out: Path) -> None:
    """Raises KeyError where a tensor is missing."""
    given = {name: each for part in parts for name, each in tensors.read(part).items()}
    layers = sum(name.endswith(".attention.self.query.weight") for name in given)
    packed: dict[str, np.ndarray] = {}
    for name, long in names(layers).items():
        if name.removesuffix(".w").rpartition(".")[2] in MATRICES:
            packed[name], packed[name[:-1] + "s"] = eight_bits(given[long].astype(np.float32))
        else:
            packed[name] = given[long].astype(np.float16)
    tensors.write(out, packed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="+", type=Path)
    parser.add_argument("--out", required=True, type=Path)
    given = parser.parse_args()
    pack(given.parts, given.out)


if __name__ == "__main__":
    main()
