"""Two models of a kind into one: so that a model tuned on one company's data keeps what the general one could. In numpy; needs no torch.

linear: (1 - w) a + w b of each weight (model soups, https://arxiv.org/abs/2203.05482); slerp: along the arc between a tensor's two
directions (Shoemake 1985, https://doi.org/10.1145/325334.325242), linear where they are nearly one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from north.inference.bringing import WEIGHTS
from north.inference.catalogue import DESCRIPTION, SAFE
from north.inference.installed import STAMP
from north.training import cards, weights
from north.training.bases import Base
from north.training.checkpoints import room
from north.training.errors import BadPlan, NotAlike, NotResumable
from north.training.weights import FLOATS, Tensor

Method = Literal["linear", "slerp"]
SAME = ("model_type", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
        "max_position_embeddings", "type_vocab_size", "pad_token_id", "position_embedding_type", "hidden_act", "num_labels")  # fmt: skip
LEFT = {DESCRIPTION, STAMP, cards.FACTS, "model.safetensors.index.json"}
POOLING = Path("1_Pooling", "config.json")
NEARLY_ONE = 1e-4
"""The sine of an angle under which an arc is a line."""
NAMED = 4


def merge(a: Base, b: Base, weight: float, method: Method, out: Path) -> None:
    """`weight`: b's share, in [0, 1]. Writes weights, configuration and tokenizer; the card is `cards.merged`. Raises BadPlan, BadBase,
    NotAlike, NotResumable (something is there), NoRoom, OSError."""
    if not 0 <= weight <= 1:
        raise BadPlan(f"--weight is {weight}; it is the second model's share, between 0 and 1.")
    if method not in ("linear", "slerp"):
        raise BadPlan(f"There is no method {method}: linear or slerp.")
    left, right = weights.read(a.folder), weights.read(b.folder)
    alike(a, b, left, right)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise NotResumable(f"{out} is not empty. Name a new folder with --out.")
    room(out, int(1.1 * sum(tensor.raw.nbytes for tensor in left.values())))
    out.mkdir(parents=True, exist_ok=True)
    _copy(a.folder, out)
    shapes = {name: (tensor.kind, tensor.shape) for name, tensor in left.items()}
    weights.write(out / "model.safetensors", _merged(left, right, weight, method), shapes)


def _copy(folder: Path, out: Path) -> None:
    """All but weights and what is said of them alone."""
    for path in sorted(folder.iterdir()):
        if path.suffix in SAFE - WEIGHTS and path.name not in LEFT:
            shutil.copyfile(path, out / path.name)
    if (folder / POOLING).is_file():
        (out / POOLING).parent.mkdir()
        shutil.copyfile(folder / POOLING, out / POOLING)


def facts(a: Base, b: Base, weight: float, method: Method, out: Path) -> dict[str, Any]:
    """What the card says."""
    role = "score" if a.judges else "embed"
    return {
        "about": f"{a.name} and {b.name}, merged by North ({method}): {1 - weight:g} of the first and {weight:g} of the second.",
        "origins": [{"as": f"{share:g} of it", **cards.origin(one)} for one, share in ((a, 1 - weight), (b, weight))],
        "use": f"python manage.py models add {out} --role {role}\nNORTH_{role.upper()}_MODEL={out.resolve().name}",
    }


def alike(a: Base, b: Base, left: Mapping[str, Tensor], right: Mapping[str, Tensor]) -> None:
    """Raises NotAlike: of another family, size, head or vocabulary."""
    for key in SAME:
        if a.config.get(key) != b.config.get(key):
            raise NotAlike(
                f"{a.name} and {b.name} cannot be merged: {key} is {a.config.get(key)} in one and {b.config.get(key)} in the other."
            )
    if a.judges != b.judges:
        raise NotAlike(f"{a.name} and {b.name} cannot be merged: one judges, and the other makes vectors.")
    if other := sorted(left.keys() ^ right.keys()):
        raise NotAlike(f"{a.name} and {b.name} cannot be merged: {len(other)} tensors are in one of them only ({_some(other)}).")
    if other := sorted(name for name in left if left[name].shape != right[name].shape):
        raise NotAlike(f"{a.name} and {b.name} cannot be merged: {len(other)} tensors differ in shape ({_some(other)}).")
    if _vocabulary(a.folder) != _vocabulary(b.folder):
        raise NotAlike(f"{a.name} and {b.name} cannot be merged: their tokenizers give other numbers to words, so that a row of one's"
                       " table of words is another word's in the other.")  # fmt: skip
    if (a.query, a.passage, a.pooling) != (b.query, b.passage, b.pooling):
        raise NotAlike(f"{a.name} and {b.name} cannot be merged: they make vectors in different ways (prefixes {a.query!r} and {b.query!r},"
                       f" {a.passage!r} and {b.passage!r}, pooling {a.pooling} and {b.pooling}).")  # fmt: skip


def _some(names: list[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")


def _vocabulary(folder: Path) -> Any:
    """What decides a text's numbers: the pieces, and what is done before and after."""
    told = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))
    return {key: value for key, value in told.items() if key not in ("version", "truncation", "padding")}


def _merged(left: Mapping[str, Tensor], right: Mapping[str, Tensor], weight: float, method: Method) -> Iterator[tuple[str, Tensor]]:
    for name, one in left.items():
        other = right[name]
        if one.kind not in FLOATS:
            if not np.array_equal(one.raw, other.raw):
                raise NotAlike(f"The tensor {name} holds whole numbers, and they differ: they cannot be merged.")
            yield name, one
        else:
            mix = slerp if method == "slerp" else linear
            yield name, weights.of(mix(one.floats, other.floats, weight), one.kind)


def linear(a: np.ndarray, b: np.ndarray, weight: float) -> np.ndarray:
    return (1 - weight) * a + weight * b


def slerp(a: np.ndarray, b: np.ndarray, weight: float) -> np.ndarray:
    """Along the great circle, lengths interpolated with it."""
    lengths = float(np.linalg.norm(a)) * float(np.linalg.norm(b))
    cosine = float(np.clip(np.vdot(a.astype(np.float64), b.astype(np.float64)) / lengths, -1, 1)) if lengths else 1.0
    angle = float(np.arccos(cosine))
    if np.sin(angle) < NEARLY_ONE:
        return linear(a, b, weight)
    return (np.sin((1 - weight) * angle) * a + np.sin(weight * angle) * b) / np.sin(angle)
