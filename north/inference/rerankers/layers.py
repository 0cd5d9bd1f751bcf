"""A reranker's weights as they lie beside this file: the layers' matrices in 8 bits with a scale for each output, all else in float16.

By name: `l0.q.w` int8 (outputs, inputs), `l0.q.s` float32 (outputs,), `l0.q.b`, and so on for each of MATRICES in each layer; `l0.aln.w`,
`l0.oln.w` and their `.b` (LayerNorm); `emb.pos`, `emb.type`, `emb.ln`; the head's `pool` and `verdict`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from north.inference import tensors

HERE = Path(__file__).parent
MATRICES = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "fi": "intermediate.dense",
    "fo": "output.dense",
}
NORMS = {"aln": "attention.output.LayerNorm", "oln": "output.LayerNorm"}
"""North's short names, and transformers' in `bert.encoder.layer.N`."""
OTHERS = {
    "emb.pos": "bert.embeddings.position_embeddings.weight",
    "emb.type": "bert.embeddings.token_type_embeddings.weight",
    "emb.ln.w": "bert.embeddings.LayerNorm.weight",
    "emb.ln.b": "bert.embeddings.LayerNorm.bias",
    "pool.w": "bert.pooler.dense.weight",
    "pool.b": "bert.pooler.dense.bias",
    "verdict.w": "classifier.weight",
    "verdict.b": "classifier.bias",
}
HEADS, EPSILON = 12, 1e-12


def names(layers: int) -> dict[str, str]:
    """Of all tensors but the words: by North's name transformers'."""
    found = dict(OTHERS)
    for number in range(layers):
        for short, long in {**MATRICES, **NORMS}.items():
            for end, whole in (("w", "weight"), ("b", "bias")):
                found[f"l{number}.{short}.{end}"] = f"bert.encoder.layer.{number}.{long}.{whole}"
    return found


class Reranker:
    """As `converting.py: Layers` has it, from a file; `reranker-6` and `reranker-12` lie here."""

    heads, epsilon = HEADS, EPSILON

    def __init__(self, path: Path) -> None:
        self._tensors = tensors.read(path)
        self.layers = sum(name.endswith(".q.w") for name in self._tensors)

    def floats(self, name: str) -> np.ndarray:
        """float32, of matrices in 8 bits too."""
        found = self._tensors[name].astype(np.float32)
        scale = self._tensors.get(name.removesuffix(".w") + ".s")
        return found if scale is None else found * scale[:, None]

    def linear(self, layer: str, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        matrix, scale = (np.concatenate([self._tensors[f"{layer}{each}.{end}"] for each in names]) for end in "ws")
        return matrix, scale, np.concatenate([self.floats(f"{layer}{each}.b") for each in names])

    def norm(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        return self.floats(name + ".w"), self.floats(name + ".b")
