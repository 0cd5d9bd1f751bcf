"""Makes the ONNX graph of a BERT encoder from weights in another format. Bit for bit the same on every machine, so that the result has a
checksum: only elementwise IEEE arithmetic, no sums.

The format E5S1 holds multilingual-e5-small with 4-bit matrices: little-endian header, a tokenizer that is not used here, a directory of
tensors, then their bytes. A 4-bit matrix (llama.cpp's Q4_0) is blocks of 32 numbers of a row: a float16 scale, then 16 bytes, whose low
halves are the numbers 0-15 and whose high halves the numbers 16-31; a number stands for (number - 8) * scale.

The graph keeps the word table at 4 bits as it is, so that 250,000 rows cost 60 MB and not 384; the layers' matrices become 8 bits with a
scale for each output, the activations are quantised as they come (onnxruntime's DynamicQuantizeMatMul).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

BLOCK = 32
MICROSOFT = "com.microsoft"


@dataclass(frozen=True, slots=True)
class Weights:
    """An E5S1 file: its sizes, and its tensors by name as (True if 4-bit, bytes)."""

    hidden: int
    layers: int
    heads: int
    inner: int
    positions: int
    epsilon: float
    tensors: dict[str, tuple[bool, np.ndarray]]

    def floats(self, name: str) -> np.ndarray:
        return self.tensors[name][1].view(np.float32)

    def blocks(self, name: str, width: int) -> tuple[np.ndarray, np.ndarray]:
        """The numbers 0-15 of a 4-bit matrix, uint8 (rows, width), and its scales, float32 (rows, width / 32)."""
        blocks = self.tensors[name][1].reshape(-1, 2 + BLOCK // 2)
        scales = np.ascontiguousarray(blocks[:, :2]).view(np.float16).astype(np.float32)
        numbers = np.concatenate([blocks[:, 2:] & 15, blocks[:, 2:] >> 4], axis=1)
        return numbers.reshape(-1, width), scales.reshape(-1, width // BLOCK)

    def matrix(self, name: str, width: int) -> np.ndarray:
        """The same as float32 (rows, width)."""
        numbers, scales = self.blocks(name, width)
        return ((numbers.astype(np.float32) - 8).reshape(-1, BLOCK) * scales.reshape(-1, 1)).reshape(-1, width)


def read_e5s1(path: Path) -> Weights:
    raw = np.memmap(path, dtype=np.uint8, mode="r")
    at = 0

    def take(form: str) -> tuple:
        nonlocal at
        at += struct.calcsize("<" + form)
        return struct.unpack_from("<" + form, raw.data, at - struct.calcsize("<" + form))

    hidden, layers, heads, inner, _, positions, _, epsilon, block = take("4sI7ifi")[2:]
    if block != BLOCK:
        raise ValueError("not an E5S1 file with blocks of 32")
    pieces, *_, characters = take("5iQ")
    at += 4 * (pieces + 1) + 4 * pieces + characters
    _, normalisation = take("iI")
    at += normalisation
    tensors = {}
    for _ in range(take("i")[0]):
        name = bytes(take(f"{take('H')[0]}s")[0]).decode()
        kind, _, offset, length = take("BIQQ")
        tensors[name] = (kind == 1, raw[offset : offset + length])
    return Weights(hidden, layers, heads, inner, positions, epsilon, tensors)


@dataclass(slots=True)
class Graph:
    """An ONNX graph as it grows."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, name: str, value: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.array(value, order="C"), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, domain=domain, **attributes))
        return output

    def save(self, path: Path, hidden: int) -> None:
        tokens = [helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"]) for name in ("input_ids", "attention_mask")]
        states = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["rows", "tokens", hidden])
        graph = helper.make_graph(self.nodes, "encoder", tokens, [states], self.constants)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="north"), path)


def e5s1_to_onnx(source: Path, target: Path) -> None:
    """Writes the encoder of an E5S1 file as ONNX: input_ids, attention_mask -> last_hidden_state."""
    weights, graph = read_e5s1(source), Graph()
    states = _embeddings(weights, graph)
    graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    for layer in range(weights.layers):
        states = _layer(
            weights, graph, states, f"l{layer}.", output="last_hidden_state" if layer == weights.layers - 1 else f"l{layer}.states"
        )
    graph.save(target, weights.hidden)


def _embeddings(weights: Weights, graph: Graph) -> str:
    """LayerNorm(word + position + type 0)."""
    numbers, scales = weights.blocks("emb.word", weights.hidden)
    table = graph.constant("word", numbers[:, 0::2] | (numbers[:, 1::2] << 4))
    graph.node("GatherBlockQuantized", [table, "input_ids", graph.constant("word.scale", scales)], "words", MICROSOFT,
               gather_axis=0, quantize_axis=1, block_size=BLOCK, bits=4)  # fmt: skip
    place = weights.floats("emb.pos").reshape(weights.positions, -1) + weights.floats("emb.type").reshape(-1, weights.hidden)[0]
    graph.node("Shape", ["input_ids"], "shape")
    graph.node("Gather", ["shape", graph.constant("one", np.array(1))], "length")
    graph.node("Range", [graph.constant("zero", np.array(0)), "length", "one"], "order")
    graph.node("Gather", [graph.constant("position", place), "order"], "places")
    graph.node("Add", ["words", "places"], "placed")
    gain, bias = graph.constant("emb.gain", weights.floats("emb.ln.w")), graph.constant("emb.bias", weights.floats("emb.ln.b"))
    return graph.node("LayerNormalization", ["placed", gain, bias], "embedded", axis=-1, epsilon=weights.epsilon)


def _layer(weights: Weights, graph: Graph, states: str, layer: str, *, output: str) -> str:
    """One encoder layer of BERT (https://arxiv.org/abs/1810.04805, post-norm, GELU)."""
    attended = _linear(weights, graph, states, layer, ("q", "k", "v"), width=weights.hidden)
    parts = [layer + name for name in ("query", "key", "value")]
    graph.nodes.append(helper.make_node("Split", [attended], parts, name=layer + "split", axis=-1, num_outputs=3))
    graph.node("MultiHeadAttention", [*parts, "", "mask"], layer + "context", MICROSOFT, num_heads=weights.heads)
    mixed = _linear(weights, graph, layer + "context", layer, ("ao",), width=weights.hidden)
    middle = _normed(weights, graph, mixed, states, norm=layer + "aln", output=layer + "middle")
    wide = graph.node("Gelu", [_linear(weights, graph, middle, layer, ("fi",), width=weights.hidden)], layer + "wide", MICROSOFT)
    narrow = _linear(weights, graph, wide, layer, ("fo",), width=weights.inner)
    return _normed(weights, graph, narrow, middle, norm=layer + "oln", output=output)


def _linear(weights: Weights, graph: Graph, states: str, layer: str, names: tuple[str, ...], *, width: int) -> str:
    """states @ W.T + b, for several matrices side by side, with 8-bit weights: scale = largest of an output's weights / 127."""
    name = layer + "".join(names)
    matrix = np.concatenate([weights.matrix(f"{layer}{each}.w", width) for each in names])
    scale = np.abs(matrix).max(axis=1) / np.float32(127)
    inputs = [
        states,
        graph.constant(name + ".weight", np.rint(matrix / scale[:, None]).astype(np.int8).T),
        graph.constant(name + ".scale", scale),
        graph.constant(name + ".zero", np.zeros(len(scale), np.int8)),
        graph.constant(name + ".bias", np.concatenate([weights.floats(f"{layer}{each}.b") for each in names])),
    ]
    return graph.node("DynamicQuantizeMatMul", inputs, name, MICROSOFT)


def _normed(weights: Weights, graph: Graph, states: str, before: str, *, norm: str, output: str) -> str:
    gain, bias = graph.constant(norm + ".gain", weights.floats(norm + ".w")), graph.constant(norm + ".bias", weights.floats(norm + ".b"))
    return graph.node("SkipLayerNormalization", [states, before, gain, bias], output, MICROSOFT, epsilon=weights.epsilon)


CONVERSIONS: dict[str, Callable[[Path, Path], None]] = {"e5s1": e5s1_to_onnx}
