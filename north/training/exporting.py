"""A model for processors: model.onnx with 8-bit matrices, from its safetensors. In numpy and onnx; needs no torch.

BERT and (XLM-)RoBERTa, as an encoder (last_hidden_state) or a cross-encoder (logits). The words become 8 bits with a scale for each row,
the layers are made as `north.inference.converting` makes them, and a head stays float32.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper

from north.inference.converting import MICROSOFT, Graph, eight_bits, layer
from north.inference.rerankers.layers import MATRICES, NORMS
from north.training import weights
from north.training.bases import judges
from north.training.weights import Tensor

FIRST_PLACE = {"bert": 0, "xlm-roberta": 1, "roberta": 1}
"""By family: whether places are counted from behind the padding's number."""
NAMES = {"emb.ln": "embeddings.LayerNorm", **MATRICES, **NORMS}


class NotExportable(Exception):
    """Why there is no model.onnx, in words."""


class Body:
    """As `converting.Layers` has it; short names (`l0.q`, `l0.aln`, `emb.ln`) for transformers' long ones."""

    def __init__(self, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
        self.heads, self.epsilon = int(config["num_attention_heads"]), float(config.get("layer_norm_eps", 1e-12))
        self.prefix = next((name.split("embeddings.")[0] for name in tensors if name.endswith("embeddings.word_embeddings.weight")), "")
        self._tensors = tensors

    def floats(self, name: str) -> np.ndarray:
        """By its whole name, behind the prefix or as it stands."""
        found = self._tensors.get(self.prefix + name) or self._tensors.get(name)
        if found is None:
            raise NotExportable(f"It has no {name}.")
        return found.floats

    def linear(self, layer: str, names: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        matrix, scale = eight_bits(np.concatenate([self.floats(f"{_long(layer + each)}.weight") for each in names]))
        return matrix, scale.astype(np.float32), np.concatenate([self.floats(f"{_long(layer + each)}.bias") for each in names])

    def norm(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        return self.floats(f"{_long(name)}.weight"), self.floats(f"{_long(name)}.bias")


def _long(short: str) -> str:
    if short in NAMES:
        return NAMES[short]
    number, name = short[1:].split(".")
    return f"encoder.layer.{number}.{NAMES[name]}"


def said(folder: Path) -> str:
    """Writes model.onnx where that can be, and says whether it did. Raises BadBase, OSError."""
    try:
        path = write(folder, json.loads((folder / "config.json").read_text()))
    except NotExportable as error:
        return f"There is no model.onnx for processors: {error}"
    return f"{path.name} for processors: {path.stat().st_size / 1e6:.0f} MB"


def write(folder: Path, config: Mapping[str, Any]) -> Path:
    """model.onnx beside the folder's safetensors, whole or not at all. Raises NotExportable, BadBase, OSError."""
    family = config.get("model_type")
    if family not in FIRST_PLACE or config.get("hidden_act", "gelu") != "gelu":
        raise NotExportable(f"A model of the family {family} with {config.get('hidden_act')} is not written as ONNX.")
    body, graph = Body(weights.read(folder), config), Graph()
    states, layers = _embeddings(body, graph, config), int(config["num_hidden_layers"])
    cross, hidden = judges(config), int(config["hidden_size"])
    for number in range(layers):
        last = number == layers - 1
        states = layer(body, graph, states, f"l{number}.", output="last_hidden_state" if last and not cross else "", first=last and cross)
    if cross:
        _head(body, graph, states, roberta=bool(FIRST_PLACE[family]))
    output, shape = ("logits", ["rows", 1, 1]) if cross else ("last_hidden_state", ["rows", "tokens", hidden])
    _save(graph, folder / "model.onnx", output, shape, types=_types(config))
    return folder / "model.onnx"


def _types(config: Mapping[str, Any]) -> bool:
    return int(config.get("type_vocab_size", 1)) > 1


def _embeddings(body: Body, graph: Graph, config: Mapping[str, Any]) -> str:
    """LayerNorm(word + place + type)."""
    numbers, scale = _rows(body.floats("embeddings.word_embeddings.weight"))
    place, kind = body.floats("embeddings.position_embeddings.weight"), body.floats("embeddings.token_type_embeddings.weight")
    if FIRST_PLACE[str(config["model_type"])]:
        place = place[int(config.get("pad_token_id", 1)) + 1 :]
    graph.node("Gather", [graph.constant("word", numbers), "input_ids"], "word.numbers")
    graph.node("Cast", ["word.numbers"], "word.floats", to=TensorProto.FLOAT)
    graph.node("Gather", [graph.constant("word.scale", scale[:, None]), "input_ids"], "word.scales")
    graph.node("Mul", ["word.floats", "word.scales"], "words")
    graph.node("Shape", ["input_ids"], "shape")
    graph.node("Gather", ["shape", graph.constant("one", np.array(1))], "length")
    graph.node("Range", [graph.constant("zero", np.array(0)), "length", "one"], "order")
    graph.node("Gather", [graph.constant("place", place if _types(config) else place + kind[0]), "order"], "places")
    summed = graph.node("Add", ["words", "places"], "placed")
    if _types(config):
        graph.node("Gather", [graph.constant("kind", kind), "token_type_ids"], "kinds")
        summed = graph.node("Add", ["placed", "kinds"], "summed")
    graph.node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    gain, bias = body.norm("emb.ln")
    names = [summed, graph.constant("emb.gain", gain), graph.constant("emb.bias", bias)]
    return graph.node("LayerNormalization", names, "embedded", axis=-1, epsilon=body.epsilon)


def _rows(table: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """int8 and float32 scales; the padding's row may be all zero."""
    scale = np.maximum(np.abs(table).max(axis=1), 1e-12).astype(np.float32) / np.float32(127)
    return np.rint(table / scale[:, None]).astype(np.int8), scale


def _head(body: Body, graph: Graph, states: str, *, roberta: bool) -> None:
    """(rows, 1, hidden) -> logits (rows, 1, 1): BERT's pooler and classifier, or RoBERTa's classifier with a layer of its own."""
    inner, outer = ("classifier.dense", "classifier.out_proj") if roberta else ("pooler.dense", "classifier")
    bounded = graph.node("Tanh", [_dense(body, graph, states, inner, "pool")], "bounded")
    graph.nodes.append(helper.make_node("Identity", [_dense(body, graph, bounded, outer, "verdict")], ["logits"]))


def _dense(body: Body, graph: Graph, states: str, long: str, name: str) -> str:
    product = graph.node("MatMul", [states, graph.constant(f"{name}.weight", body.floats(f"{long}.weight").T)], f"{name}.product")
    return graph.node("Add", [product, graph.constant(f"{name}.bias", body.floats(f"{long}.bias"))], name)


def _save(graph: Graph, path: Path, output: str, shape: list[Any], *, types: bool) -> None:
    names = ("input_ids", "attention_mask", "token_type_ids") if types else ("input_ids", "attention_mask")
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"]) for name in names]
    outputs = [helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)]
    made = helper.make_graph(graph.nodes, "model", inputs, outputs, graph.constants)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid(MICROSOFT, 1)]
    part = path.with_name(f".{path.name}")
    try:
        onnx.save(helper.make_model(made, opset_imports=opsets, ir_version=10, producer_name="north"), part)
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
