"""multilingual-e5-small as a folder of transformers, from the E5S1 file that a package carries (see `north.inference.converting`)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from north.inference.converting import Weights, read_e5s1
from north.inference.rerankers.layers import MATRICES, NORMS

LAYER = {**MATRICES, **NORMS}


def write(source: Path, tokenizer: Path, folder: Path) -> None:
    """config.json, model.safetensors (float32), tokenizer.json, and how it makes vectors."""
    weights = read_e5s1(source)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        "embeddings.word_embeddings.weight": weights.matrix("emb.word", weights.hidden),
        "embeddings.position_embeddings.weight": weights.floats("emb.pos").reshape(-1, weights.hidden),
        "embeddings.token_type_embeddings.weight": weights.floats("emb.type").reshape(-1, weights.hidden),
        "embeddings.LayerNorm.weight": weights.floats("emb.ln.w"),
        "embeddings.LayerNorm.bias": weights.floats("emb.ln.b"),
    }
    for number in range(weights.layers):
        for short, name in LAYER.items():
            width = weights.inner if short == "fo" else weights.hidden
            weight = f"l{number}.{short}.w"
            matrix = weights.matrix(weight, width) if weights.tensors[weight][0] else weights.floats(weight)
            tensors[f"encoder.layer.{number}.{name}.weight"] = matrix
            tensors[f"encoder.layer.{number}.{name}.bias"] = weights.floats(f"l{number}.{short}.b")
    save_file({name: np.array(value, np.float32, order="C") for name, value in tensors.items()}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(_config(weights, tensors), indent=1))
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    (folder / "1_Pooling").mkdir(exist_ok=True)
    (folder / "1_Pooling" / "config.json").write_text('{"pooling_mode_mean_tokens": true}')
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "query: ", "passage": "passage: "}}')


def _config(weights: Weights, tensors: dict[str, np.ndarray]) -> dict[str, object]:
    return {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "hidden_act": "gelu",
        "hidden_size": weights.hidden,
        "intermediate_size": weights.inner,
        "num_hidden_layers": weights.layers,
        "num_attention_heads": weights.heads,
        "max_position_embeddings": weights.positions,
        "type_vocab_size": len(tensors["embeddings.token_type_embeddings.weight"]),
        "vocab_size": len(tensors["embeddings.word_embeddings.weight"]),
        "layer_norm_eps": 1e-12,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "pad_token_id": 0,
    }
