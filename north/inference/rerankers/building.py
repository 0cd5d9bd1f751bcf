"""Puts a reranker together, from its layers and the words of multilingual-e5-small: for onnxruntime (`model.onnx`, and beside it
`words.onnx_data`, which onnxruntime maps into memory and does not read), and for transformers (`model.safetensors`). Bit for bit the same
on every machine."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from north.inference import tensors
from north.inference.converting import BLOCK, Graph, embeddings, layer, read_e5s1, words
from north.inference.rerankers.layers import HERE, Reranker, names

PIECES, HIDDEN = 250_037, 384
WORDS = "words.onnx_data"
TABLE: dict[str, tuple[int, tuple[int, int]]] = {
    "word": (TensorProto.UINT8, (PIECES, HIDDEN // 2)), "word.scale": (TensorProto.FLOAT, (PIECES, HIDDEN // BLOCK)),
}  # fmt: skip
"""What WORDS holds, one after the other: four bits a number, as `converting.py: words` says."""


def onnx_of(name: str, _: Path, target: Path) -> None:
    """input_ids, attention_mask -> logits (rows, 1, 1), from this name's layers. The words are looked for beside it in WORDS."""
    source, graph = Reranker(HERE / f"{name}.safetensors"), Graph()
    graph.constants += [_outside("word", 0), _outside("word.scale", PIECES * HIDDEN // 2)]
    place = source.floats("emb.pos") + source.floats("emb.type")[0]
    states = embeddings(source, graph, ("word", "word.scale"), place)
    for number in range(source.layers):
        states = layer(source, graph, states, f"l{number}.", first=number == source.layers - 1)
    pooled = graph.node("Tanh", [_dense(source, graph, states, "pool")], "bounded")
    graph.nodes.append(helper.make_node("Identity", [_dense(source, graph, pooled, "verdict")], ["logits"]))
    graph.save(target, name, "logits", ["rows", 1, 1])


def _dense(source: Reranker, graph: Graph, states: str, name: str) -> str:
    """states @ W.T + b in float32: the head is small, and what it says is the result."""
    product = graph.node("MatMul", [states, graph.constant(f"{name}.weight", source.floats(f"{name}.w").T)], f"{name}.product")
    return graph.node("Add", [product, graph.constant(f"{name}.bias", source.floats(f"{name}.b"))], name)


def _outside(name: str, first: int) -> onnx.TensorProto:
    """A constant whose numbers lie in WORDS, from its byte `first` on."""
    kind, shape = TABLE[name]
    made = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
    for key, value in (
        ("location", WORDS),
        ("offset", first),
        ("length", math.prod(shape) * helper.tensor_dtype_to_np_dtype(kind).itemsize),
    ):
        made.external_data.add(key=key, value=str(value))
    return made


def words_of(source: Path, target: Path) -> None:
    """WORDS, from the file of multilingual-e5-small: the E5S1 of the package, or the ONNX that North made of it."""
    with target.open("wb") as file:
        for each in _words(source):
            file.write(np.ascontiguousarray(each).data)


def torch_of(name: str, source: Path, target: Path) -> None:
    """All of transformers' tensors, float16, from this name's layers and the same file's words."""
    layers = Reranker(HERE / f"{name}.safetensors")
    made = {"bert.embeddings.word_embeddings.weight": _floats(*_words(source))}
    made |= {long: layers.floats(short).astype(np.float16) for short, long in names(layers.layers).items()}
    tensors.write(target, made)


def config_of(name: str, _: Path, target: Path) -> None:
    """transformers' config.json."""
    source = Reranker(HERE / f"{name}.safetensors")
    places, inner = source.floats("emb.pos"), source.floats("l0.fi.b")
    said = {
        "architectures": ["BertForSequenceClassification"], "model_type": "bert", "hidden_act": "gelu", "hidden_size": HIDDEN,
        "intermediate_size": len(inner), "num_hidden_layers": source.layers, "num_attention_heads": source.heads,
        "max_position_embeddings": len(places), "type_vocab_size": len(source.floats("emb.type")), "vocab_size": PIECES,
        "layer_norm_eps": source.epsilon, "pad_token_id": 0, "id2label": {"0": "relevance"}, "label2id": {"relevance": 0},
    }  # fmt: skip
    target.write_text(json.dumps(said, indent=1) + "\n")


def _words(source: Path) -> tuple[np.ndarray, np.ndarray]:
    """As TABLE has them."""
    with source.open("rb") as file:
        if file.read(4) == b"E5S1":
            return words(read_e5s1(source))
    held = {one.name: one for one in onnx.load(source).graph.initializer}
    return numpy_helper.to_array(held["word"]), numpy_helper.to_array(held["word.scale"])


def _floats(numbers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """float16 (PIECES, HIDDEN)."""
    apart = np.stack([numbers & 15, numbers >> 4], axis=2).reshape(len(numbers), -1).astype(np.float32) - 8
    return (apart.reshape(len(numbers), -1, BLOCK) * scales[:, :, None]).reshape(len(numbers), -1).astype(np.float16)


BUILDS: dict[str, Callable[[Path, Path], None]] = {
    "words": words_of,
    "6.onnx": partial(onnx_of, "reranker-6"),
    "12.onnx": partial(onnx_of, "reranker-12"),
    "12.torch": partial(torch_of, "reranker-12"),
    "12.json": partial(config_of, "reranker-12"),
}
"""By name: (a file of multilingual-e5-small, where one is needed; the file that is written)."""
