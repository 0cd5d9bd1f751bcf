"""A company whose documents use other words than its questions: nothing is found by words, all by having learnt which word means which.

And a BERT of two layers with random weights over these words, as files; made without torch.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import combinations
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from north.training import weights
from north.training.examples import Example

TOPICS = ["leave", "travel", "canteen", "parking", "salary", "laptop", "badge", "training", "sickness", "pension", "holiday", "phone"]
TERMS = ["urlaub", "reise", "kantine", "parkplatz", "gehalt", "rechner", "ausweis", "schulung", "krankheit", "rente", "ferien", "telefon"]
FILLERS = ["the", "rule", "on", "and", "is", "how", "?", ".", "query", "passage", ":"]
WORDS = ["[PAD]", "[CLS]", "[SEP]", "[UNK]", *FILLERS, *TOPICS, *TERMS]
HIDDEN, INNER, LAYERS, PLACES = 32, 64, 2, 64


def question(one: int, other: int) -> str:
    return f"how is the rule on {TOPICS[one]} and {TOPICS[other]} ?"


def passage(one: int, other: int) -> str:
    return f"the rule on {TERMS[one]} and {TERMS[other]} is the rule on {TERMS[one]} ."


def company() -> list[Example]:
    """66 questions, each with the passage that answers it."""
    return [Example(question(*pair), (passage(*pair),)) for pair in combinations(range(len(TOPICS)), 2)]


def folder(at: Path, examples: Sequence[Example] | None = None) -> Path:
    """As BEIR has it: a document for each passage."""
    examples = company() if examples is None else examples
    at.mkdir(parents=True, exist_ok=True)
    passages = list(dict.fromkeys(text for one in examples for text in one.passages))
    rows = {
        "corpus.jsonl": [{"_id": f"d{row}", "title": "", "text": text} for row, text in enumerate(passages)],
        "queries.jsonl": [{"_id": f"q{row}", "text": one.query} for row, one in enumerate(examples)],
    }
    for name, lines in rows.items():
        (at / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    judged = [f"q{row}\td{passages.index(text)}\t1\n" for row, one in enumerate(examples) for text in one.positives]
    (at / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + "".join(judged))
    return at


def model(
    at: Path, *, head: bool = False, seed: int = 3, spread: float = 0.15, kind: str = "F32", words: Sequence[str] = WORDS, **config: object
) -> Path:
    """config.json, model.safetensors, tokenizer.json, and for an encoder how it makes vectors."""
    at.mkdir(parents=True)
    sizes = {"hidden_size": HIDDEN, "num_hidden_layers": LAYERS, "intermediate_size": INNER, "vocab_size": len(words)}
    told = {"model_type": "bert", "architectures": ["BertForSequenceClassification" if head else "BertModel"], "hidden_act": "gelu",
            **sizes, "num_attention_heads": 2, "max_position_embeddings": PLACES, "type_vocab_size": 2,
            "pad_token_id": 0, **config}  # fmt: skip
    if head:
        told |= {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    (at / "config.json").write_text(json.dumps(told))
    tokenizer(words).save(str(at / "tokenizer.json"))
    drawn = arrays(seed, spread, head, int(str(told["num_hidden_layers"])), len(words))
    tensors = {name: weights.of(array, kind) for name, array in drawn.items()}
    weights.write(at / "model.safetensors", tensors.items(), {name: (kind, tensor.shape) for name, tensor in tensors.items()})
    if not head:
        (at / "1_Pooling").mkdir()
        (at / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
        (at / "config_sentence_transformers.json").write_text('{"prompts": {"query": "query : ", "passage": "passage : "}}')
    return at


def arrays(seed: int, spread: float, head: bool, layers: int = LAYERS, words: int = len(WORDS)) -> dict[str, np.ndarray]:
    shapes: dict[str, tuple[int, ...]] = {
        "embeddings.word_embeddings.weight": (words, HIDDEN),
        "embeddings.position_embeddings.weight": (PLACES, HIDDEN),
        "embeddings.token_type_embeddings.weight": (2, HIDDEN),
        **_norm("embeddings.LayerNorm"),
    }
    for number in range(layers):
        at = f"encoder.layer.{number}."
        for name in ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense"):
            shapes |= _dense(at + name, HIDDEN, HIDDEN)
        shapes |= {**_norm(f"{at}attention.output.LayerNorm"), **_dense(f"{at}intermediate.dense", INNER, HIDDEN)}
        shapes |= {**_dense(f"{at}output.dense", HIDDEN, INNER), **_norm(f"{at}output.LayerNorm")}
    if head:
        shapes = {f"bert.{name}": shape for name, shape in shapes.items()}
        shapes |= {**_dense("bert.pooler.dense", HIDDEN, HIDDEN), **_dense("classifier", 1, HIDDEN)}
    rng = np.random.default_rng(seed)
    return {name: _drawn(name, shape, rng, spread) for name, shape in shapes.items()}


def _drawn(name: str, shape: tuple[int, ...], rng: np.random.Generator, spread: float) -> np.ndarray:
    return (rng.normal(0, spread, shape) + (1.0 if "LayerNorm.weight" in name else 0.0)).astype(np.float32)


def _dense(name: str, outputs: int, inputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def _norm(name: str) -> dict[str, tuple[int, ...]]:
    return {f"{name}.weight": (HIDDEN,), f"{name}.bias": (HIDDEN,)}


def tokenizer(words: Sequence[str] = WORDS) -> Tokenizer:
    found = Tokenizer(WordLevel({word: number for number, word in enumerate(words)}, unk_token="[UNK]"))
    found.normalizer, found.pre_tokenizer = Lowercase(), BertPreTokenizer()
    found.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    return found
