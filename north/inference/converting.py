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
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

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

    def linear(self, layer: str, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        width = self.inner if names == ("fo",) else self.hidden
        matrix, scale = eight_bits(np.concatenate([self.matrix(f"{layer}{each}.w", width) for each in names]))
        return matrix, scale, np.concatenate([self.floats(f"{layer}{each}.b") for each in names])

    def norm(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        return self.floats(name + ".w"), self.floats(name + ".b")


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

    def save(self, path: Path, name: str, output: str, shape: list[str | int]) -> None:
        """`output`: the name of the graph's one float output."""
        tokens = [helper.make_tensor_value_info(each, TensorProto.INT64, ["rows", "tokens"]) for each in ("input_ids", "attention_mask")]
        found = helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, name, tokens, [found], self.constants)
        opsets = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
        onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10, producer_name="north"), path)


class Layers(Protocol):
    """What the layers of a BERT hold. `linear`: several matrices side by side as one, int8 (outputs, inputs) with a scale for each output
    and a bias, float32 (outputs,); `norm`: a LayerNorm's gain and bias, float32 (hidden,)."""

    @property
    def heads(self) -> int: ...

    @property
    def epsilon(self) -> float: ...

    def linear(self, layer: str, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]: ...

    def norm(self, name: str) -> tuple[np.ndarray, np.ndarray]: ...


def e5s1_to_onnx(source: Path, target: Path) -> None:
    """Writes the encoder of an E5S1 file as ONNX: input_ids, attention_mask -> last_hidden_state."""
    weights, graph = read_e5s1(source), Graph()
    table, scales = words(weights)
    place = weights.floats("emb.pos").reshape(weights.positions, -1) + weights.floats("emb.type").reshape(-1, weights.hidden)[0]
    names = graph.constant("word", table), graph.constant("word.scale", scales)
    states = embeddings(weights, graph, names, place)
    for number in range(weights.layers):
        states = layer(weights, graph, states, f"l{number}.", output="last_hidden_state" if number == weights.layers - 1 else "")
    graph.save(target, "encoder", "last_hidden_state", ["rows", "tokens", weights.hidden])


def words(weights: Weights) -> tuple[np.ndarray, np.ndarray]:
    """The word table as onnxruntime's GatherBlockQuantized has it: uint8 (pieces, hidden / 2), two numbers a byte; and float32 scales."""
    numbers, scales = weights.blocks("emb.word", weights.hidden)
    return numbers[:, 0::2] | (numbers[:, 1::2] << 4), scales


def embeddings(source: Layers, graph: Graph, table: tuple[str, str], place: np.ndarray) -> str:
    """LayerNorm(word + position + type 0). `table`: the names of the words' numbers and scales; `place`: float32 (positions, hidden)."""
    graph.node("GatherBlockQuantized", [table[0], "input_ids", table[1]], "words", MICROSOFT,
               gather_axis=0, quantize_axis=1, block_size=BLOCK, bits=4)  # fmt: skip
    graph.node("Shape", ["input_ids"], "shape")
    graph.node("Gather", ["shape", graph.constant("one", np.array(1))], "length")
    graph.node("Range", [graph.constant("zero", np.array(0)), "length", "one"], "order")
    graph.node("Gather", [graph.constant("position", place), "order"], "places")
    graph.node("Add", ["words", "places"], "placed")
    gain, bias = _norm(source, graph, "emb.ln", "emb")
    graph.node("LayerNormalization", ["placed", gain, bias], "embedded", axis=-1, epsilon=source.epsilon)
    graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    return "embedded"


def layer(source: Layers, graph: Graph, states: str, layer: str, *, output: str = "", first: bool = False) -> str:
    """One encoder layer of BERT (https://arxiv.org/abs/1810.04805, post-norm, GELU). `first`: only the first token's new state is made,
    (rows, 1, hidden), from all tokens' old ones: all that a head reads of the last layer."""
    if first:
        kept = graph.node("Gather", [states, graph.constant("first", np.array([0]))], layer + "kept", axis=1)
        query, pair = linear(source, graph, kept, layer, ("q",)), linear(source, graph, states, layer, ("k", "v"))
        parts = [query, *_split(graph, pair, layer, ("key", "value"))]
    else:
        kept, parts = states, _split(graph, linear(source, graph, states, layer, ("q", "k", "v")), layer, ("query", "key", "value"))
    graph.node("MultiHeadAttention", [*parts, "", "mask"], layer + "context", MICROSOFT, num_heads=source.heads)
    mixed = linear(source, graph, layer + "context", layer, ("ao",))
    middle = _normed(source, graph, mixed, kept, norm=layer + "aln", output=layer + "middle")
    wide = graph.node("Gelu", [linear(source, graph, middle, layer, ("fi",))], layer + "wide", MICROSOFT)
    narrow = linear(source, graph, wide, layer, ("fo",))
    return _normed(source, graph, narrow, middle, norm=layer + "oln", output=output or layer + "states")


def _split(graph: Graph, joined: str, layer: str, names: tuple[str, ...]) -> list[str]:
    parts = [layer + name for name in names]
    graph.nodes.append(helper.make_node("Split", [joined], parts, name=layer + "split", axis=-1, num_outputs=len(parts)))
    return parts


def linear(source: Layers, graph: Graph, states: str, layer: str, names: tuple[str, ...]) -> str:
    """states @ W.T + b, for several matrices side by side, with 8-bit weights."""
    name = layer + "".join(names)
    matrix, scale, bias = source.linear(layer, names)
    inputs = [
        states,
        graph.constant(name + ".weight", matrix.T),
        graph.constant(name + ".scale", scale),
        graph.constant(name + ".zero", np.zeros(len(scale), np.int8)),
        graph.constant(name + ".bias", bias),
    ]
    return graph.node("DynamicQuantizeMatMul", inputs, name, MICROSOFT)


def eight_bits(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 and float32 scales of a matrix (outputs, inputs): scale = largest of an output's weights / 127."""
    scale = np.abs(matrix).max(axis=1) / np.float32(127)
    return np.rint(matrix / scale[:, None]).astype(np.int8), scale


def _normed(source: Layers, graph: Graph, states: str, before: str, *, norm: str, output: str) -> str:
    gain, bias = _norm(source, graph, norm, norm)
    return graph.node("SkipLayerNormalization", [states, before, gain, bias], output, MICROSOFT, epsilon=source.epsilon)


def _norm(source: Layers, graph: Graph, norm: str, name: str) -> tuple[str, str]:
    gain, bias = source.norm(norm)
    return graph.constant(name + ".gain", gain), graph.constant(name + ".bias", bias)
