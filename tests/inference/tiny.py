"""A BERT of one layer with random weights, as the files that a real one comes in: model.onnx and tokenizer.json; and its forward pass in
numpy, written from the paper (https://arxiv.org/abs/1810.04805), to compare with. Its verdicts mean nothing; they must be the same."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from math import erf, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from north.inference.catalogue import Model
from north.inference.embedding import BUDGET, OnnxBackend
from north.inference.encoding import Row, Scorer

HIDDEN, INNER, HEADS, CONTEXT = 16, 32, 2, 48
WORDS = [
    "how",
    "many",
    "days",
    "of",
    "leave",
    "do",
    "i",
    "get",
    "employees",
    "have",
    "thirty",
    "the",
    "canteen",
    "opens",
    "at",
    "noon",
    "?",
    ".",
]
VOCABULARY = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *WORDS]
TEMPLATES = {
    "bert": ("[CLS] $A [SEP]", "[CLS] $A [SEP] $B:1 [SEP]:1"),
    "xlm-r": ("[CLS] $A [SEP]", "[CLS] $A [SEP] [SEP] $B [SEP]"),
}


def spec(role: str = "score", **more: Any) -> Model:
    return Model("tiny", role, "A tiny BERT", "none", "none", "none", CONTEXT, (), dimensions=HIDDEN if role == "embed" else 0, **more)  # type: ignore[arg-type]


def tokenizer(kind: str = "bert") -> Tokenizer:
    made = Tokenizer(WordLevel({word: number for number, word in enumerate(VOCABULARY)}, unk_token="[UNK]"))
    made.normalizer, made.pre_tokenizer = Lowercase(), BertPreTokenizer()
    single, pair = TEMPLATES[kind]
    made.post_processor = TemplateProcessing(single=single, pair=pair, special_tokens=[("[CLS]", 1), ("[SEP]", 2)])
    return made


def weights(seed: int = 7, logits: int = 1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    shapes = {"word": (len(VOCABULARY), HIDDEN), "place": (CONTEXT, HIDDEN), "type": (2, HIDDEN), "pool": (HIDDEN, HIDDEN)}
    shapes |= dict.fromkeys(("query", "key", "value", "mix"), (HIDDEN, HIDDEN))
    shapes |= {"wide": (HIDDEN, INNER), "narrow": (INNER, HIDDEN), "verdict": (HIDDEN, logits)}
    return {name: rng.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()}


def reference(made: dict[str, np.ndarray], ids: list[int], types: list[int]) -> np.ndarray:
    """The last hidden states of one text or pair, (tokens, HIDDEN); nothing is padded here."""

    def normed(x: np.ndarray) -> np.ndarray:
        return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)

    states = normed(made["word"][ids] + made["place"][: len(ids)] + made["type"][types])
    query, key, value = (np.stack(np.split(states @ made[name], HEADS, axis=1)) for name in ("query", "key", "value"))
    worth = np.exp(query @ key.transpose(0, 2, 1) / sqrt(HIDDEN // HEADS))
    context = np.concatenate(list(worth / worth.sum(-1, keepdims=True) @ value), axis=1)
    middle = normed(context @ made["mix"] + states)
    wide = middle @ made["wide"]
    gelu = wide * (1 + np.vectorize(erf)(wide / sqrt(2))) / 2
    return normed(gelu @ made["narrow"] + middle)


def verdict(made: dict[str, np.ndarray], ids: list[int], types: list[int]) -> float:
    first = reference(made, ids, types)[0]
    return float((np.tanh(first @ made["pool"]) @ made["verdict"])[0])


def save(folder: Path, *, head: bool, kind: str = "bert", logits: int = 1) -> dict[str, np.ndarray]:
    """Writes the two files; `head`: a cross-encoder with so many logits, else an encoder. Returns the weights."""
    made, nodes = weights(logits=logits), []
    constants = {**made, "zero": np.array(0), "one": np.array(1), "gain": np.ones(HIDDEN, np.float32)}

    def node(op: str, inputs: list[str], output: str, domain: str = "", **attributes: Any) -> str:
        nodes.append(helper.make_node(op, inputs, [output], domain=domain, **attributes))
        return output

    node("Shape", ["input_ids"], "shape")
    node("Range", ["zero", node("Gather", ["shape", "one"], "length"), "one"], "order")
    node("Gather", ["word", "input_ids"], "words")
    node("Add", ["words", node("Gather", ["place", "order"], "places")], "placed")
    node("Add", ["placed", node("Gather", ["type", "token_type_ids"], "kinds")], "summed")
    node("LayerNormalization", ["summed", "gain"], "states", axis=-1, epsilon=1e-5)
    parts = [node("MatMul", ["states", name], f"{name}s") for name in ("query", "key", "value")]
    node("Cast", ["attention_mask"], "mask", to=TensorProto.INT32)
    node("MultiHeadAttention", [*parts, "", "mask"], "context", "com.microsoft", num_heads=HEADS)
    node("Add", [node("MatMul", ["context", "mix"], "mixed"), "states"], "attended")
    node("LayerNormalization", ["attended", "gain"], "middle", axis=-1, epsilon=1e-5)
    node("Gelu", [node("MatMul", ["middle", "wide"], "widened")], "bent")
    node("Add", [node("MatMul", ["bent", "narrow"], "narrowed"), "middle"], "added")
    node("LayerNormalization", ["added", "gain"], "last_hidden_state", axis=-1, epsilon=1e-5)
    output = helper.make_tensor_value_info("last_hidden_state", TensorProto.FLOAT, ["rows", "tokens", HIDDEN])
    if head:
        node("Gather", ["last_hidden_state", "zero"], "first", axis=1)
        node("MatMul", [node("Tanh", [node("MatMul", ["first", "pool"], "pooled")], "bounded"), "verdict"], "logits")
        output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["rows", logits])
    inputs = [
        helper.make_tensor_value_info(name, TensorProto.INT64, ["rows", "tokens"])
        for name in ("input_ids", "attention_mask", "token_type_ids")
    ]
    kept = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "tiny", inputs, [output], kept)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    folder.mkdir(exist_ok=True, parents=True)
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=10), folder / "model.onnx")
    tokenizer(kind).save(str(folder / "tokenizer.json"))
    return made


GATE = threading.Event()
"""While it is closed, nothing that `load` gave gets through a forward pass."""
GATE.set()


def load(folder: str, model: str) -> Scorer:
    """As an engine of settings.MODELS."""
    backend = OnnxBackend(spec(), Path(folder))

    def gated(rows: Sequence[Row]) -> np.ndarray:
        assert GATE.wait(30)
        return backend(rows)

    return Scorer(spec(), Path(folder), gated, budget=BUDGET)
