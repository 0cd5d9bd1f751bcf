"""A small E5S1 file with random weights: the graph that is made of it against a forward pass written out in numpy."""

from __future__ import annotations

import math
import struct
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from north.inference.converting import e5s1_to_onnx, read_e5s1
from north.inference.installed import sha256

HIDDEN, LAYERS, HEADS, INNER, WORDS, POSITIONS, EPSILON = 64, 2, 4, 128, 50, 16, 1e-12


def four_bits(matrix: np.ndarray) -> bytes:
    """llama.cpp's Q4_0."""
    blocks = matrix.reshape(-1, 32)
    scale = (np.abs(blocks).max(axis=1) / 7).astype(np.float16)
    numbers = np.clip(np.rint(blocks / scale[:, None].astype(np.float32)) + 8, 0, 15).astype(np.uint8)
    packed = numbers[:, :16] | (numbers[:, 16:] << 4)
    return b"".join(s.tobytes() + p.tobytes() for s, p in zip(scale, packed, strict=True))


@pytest.fixture(scope="module")
def e5s1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    chance = np.random.default_rng(7)
    draw = lambda *shape, spread=0.3: (chance.standard_normal(shape) * spread).astype(np.float32)  # noqa: E731
    tensors: dict[str, tuple[int, bytes]] = {
        "emb.word": (1, four_bits(draw(WORDS, HIDDEN))), "emb.pos": (0, draw(POSITIONS, HIDDEN).tobytes()),
        "emb.type": (0, draw(2, HIDDEN).tobytes()), "emb.ln.w": (0, (1 + draw(HIDDEN)).tobytes()), "emb.ln.b": (0, draw(HIDDEN).tobytes()),
    }  # fmt: skip
    for layer in range(LAYERS):
        for name, rows, width in (("q", HIDDEN, HIDDEN), ("k", HIDDEN, HIDDEN), ("v", HIDDEN, HIDDEN), ("ao", HIDDEN, HIDDEN),
                                  ("fi", INNER, HIDDEN), ("fo", HIDDEN, INNER)):  # fmt: skip
            tensors[f"l{layer}.{name}.w"] = (1, four_bits(draw(rows, width)))
            tensors[f"l{layer}.{name}.b"] = (0, draw(rows).tobytes())
        for norm in ("aln", "oln"):
            tensors[f"l{layer}.{norm}.w"], tensors[f"l{layer}.{norm}.b"] = (0, (1 + draw(HIDDEN)).tobytes()), (0, draw(HIDDEN).tobytes())
    head = struct.pack("<4sI7ifi", b"E5S1", 1, HIDDEN, LAYERS, HEADS, INNER, WORDS, POSITIONS, 2, EPSILON, 32)
    head += struct.pack("<5iQ", 2, 0, 2, 1, 3, 2) + bytes(12) + bytes(8) + b"ab" + struct.pack("<iI", 1, 5) + bytes(5)
    directory = sum(2 + len(name) + 1 + 4 + 8 + 8 for name in tensors) + 4
    at, entries, data = len(head) + directory, struct.pack("<i", len(tensors)), b""
    for name, (kind, raw) in tensors.items():
        entries += struct.pack("<H", len(name)) + name.encode() + struct.pack("<BIQQ", kind, 0, at + len(data), len(raw))
        data += raw
    path = tmp_path_factory.mktemp("e5s1") / "weights.bin"
    path.write_bytes(head + entries + data)
    return path


def forward(path: Path, ids: list[int]) -> np.ndarray:
    """BERT, float32, one text."""
    weights = read_e5s1(path)
    erf = np.vectorize(math.erf)

    def norm(states: np.ndarray, name: str) -> np.ndarray:
        spread = np.sqrt(((states - states.mean(-1, keepdims=True)) ** 2).mean(-1, keepdims=True) + EPSILON)
        return (states - states.mean(-1, keepdims=True)) / spread * weights.floats(name + ".w") + weights.floats(name + ".b")

    def linear(states: np.ndarray, name: str) -> np.ndarray:
        return states @ weights.matrix(name + ".w", states.shape[-1]).T + weights.floats(name + ".b")

    def heads(states: np.ndarray) -> np.ndarray:
        return states.reshape(len(ids), HEADS, -1).transpose(1, 0, 2)

    places = weights.floats("emb.pos").reshape(-1, HIDDEN)[: len(ids)] + weights.floats("emb.type")[:HIDDEN]
    states = norm(weights.matrix("emb.word", HIDDEN)[ids] + places, "emb.ln")
    for layer in range(LAYERS):
        query, key, value = (heads(linear(states, f"l{layer}.{name}")) for name in "qkv")
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(HIDDEN // HEADS)
        weight = np.exp(scores - scores.max(-1, keepdims=True))
        context = (weight / weight.sum(-1, keepdims=True) @ value).transpose(1, 0, 2).reshape(len(ids), HIDDEN)
        states = norm(states + linear(context, f"l{layer}.ao"), f"l{layer}.aln")
        wide = linear(states, f"l{layer}.fi")
        states = norm(states + linear(0.5 * wide * (1 + erf(wide / math.sqrt(2))), f"l{layer}.fo"), f"l{layer}.oln")
    return states


def test_the_graph_computes_what_the_weights_say(e5s1: Path, tmp_path: Path) -> None:
    e5s1_to_onnx(e5s1, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    for ids in ([1, 2, 3], [7], list(range(12))):
        wanted = forward(e5s1, ids)
        (found,) = session.run(None, {"input_ids": np.array([ids]), "attention_mask": np.ones((1, len(ids)), np.int64)})
        cosine = (wanted * found[0]).sum(-1) / np.linalg.norm(wanted, axis=-1) / np.linalg.norm(found[0], axis=-1)
        assert cosine.min() > 0.995


def test_what_is_masked_changes_nothing(e5s1: Path, tmp_path: Path) -> None:
    e5s1_to_onnx(e5s1, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(str(tmp_path / "model.onnx"), providers=["CPUExecutionProvider"])
    mask = np.array([[1, 1, 1, 0, 0]])
    rows = [np.array([[4, 5, 6, *rest]]) for rest in ([8, 9], [11, 12])]
    one, other = (session.run(None, {"input_ids": ids, "attention_mask": mask})[0][0, :3] for ids in rows)
    cosine = (one * other).sum(-1) / np.linalg.norm(one, axis=-1) / np.linalg.norm(other, axis=-1)
    assert cosine.min() > 0.995  # the scale of quantised activations is shared, all else is not


def test_the_same_weights_give_the_same_bytes(e5s1: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        e5s1_to_onnx(e5s1, tmp_path / name)
    assert sha256(tmp_path / "one") == sha256(tmp_path / "two")
