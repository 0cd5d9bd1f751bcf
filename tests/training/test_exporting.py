"""model.onnx, as North's engine for processors runs it, against the forward pass of the paper in float32
(https://arxiv.org/abs/1810.04805)."""

from __future__ import annotations

import json
from math import erf, sqrt
from pathlib import Path

import numpy as np
import pytest

from north.inference.bringing import bring
from north.inference.embedding import load, load_scorer
from north.inference.pulling import pull
from north.inference.sources import SourceSettings
from north.training import exporting, weights
from tests.training import made

FAMILIES = {"bert": {}, "xlm-roberta": {"pad_token_id": 1, "layer_norm_eps": 1e-5}}


def export(folder: Path) -> Path:
    return exporting.write(folder, json.loads((folder / "config.json").read_text()))


def reference(folder: Path, ids: list[int], types: list[int], *, shift: int = 0) -> np.ndarray:
    """The last hidden states of one text or pair, (tokens, HIDDEN); `shift`: the number of the first place."""
    held = {name.removeprefix("bert."): tensor.floats for name, tensor in weights.read(folder).items()}

    def normed(x: np.ndarray, name: str) -> np.ndarray:
        scaled = (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-12)
        return scaled * held[f"{name}.weight"] + held[f"{name}.bias"]

    def dense(x: np.ndarray, name: str) -> np.ndarray:
        return x @ held[f"{name}.weight"].T + held[f"{name}.bias"]

    places = held["embeddings.position_embeddings.weight"][shift : shift + len(ids)]
    kinds = held["embeddings.token_type_embeddings.weight"][types]
    states = normed(held["embeddings.word_embeddings.weight"][ids] + places + kinds, "embeddings.LayerNorm")
    for number in range(made.LAYERS):
        at = f"encoder.layer.{number}."
        query, key, value = (
            np.stack(np.split(dense(states, f"{at}attention.self.{name}"), 2, axis=1)) for name in ("query", "key", "value")
        )
        worth = np.exp(query @ key.transpose(0, 2, 1) / sqrt(made.HIDDEN // 2))
        context = np.concatenate(list(worth / worth.sum(-1, keepdims=True) @ value), axis=1)
        middle = normed(dense(context, f"{at}attention.output.dense") + states, f"{at}attention.output.LayerNorm")
        wide = dense(middle, f"{at}intermediate.dense")
        wide = wide * (1 + np.vectorize(erf)(wide / sqrt(2))) / 2
        states = normed(dense(wide, f"{at}output.dense") + middle, f"{at}output.LayerNorm")
    return states


def added(folder: Path, role: str, models: Path) -> str:
    pull(bring(folder, role, {}), models, ["folder"], settings=SourceSettings(folder=folder.parent))
    return folder.name


@pytest.mark.parametrize("family", FAMILIES)
def test_an_encoder_embeds_as_in_float32(tmp_path: Path, family: str) -> None:
    folder = made.model(tmp_path / "enc", model_type=family, **FAMILIES[family])
    export(folder)
    engine = load(added(folder, "embed", tmp_path / "models"), tmp_path / "models")
    texts = [made.passage(0, 1), "leave", made.passage(3, 4)]
    found = engine.embed_passages(texts)
    for text, vector in zip(texts, found, strict=True):
        ids = made.tokenizer().encode(f"passage : {text}").ids
        wanted = reference(folder, ids, [0] * len(ids), shift=2 if family == "xlm-roberta" else 0).mean(axis=0)
        assert vector @ wanted / np.linalg.norm(wanted) > 0.999


def test_a_cross_encoder_judges_as_in_float32_and_minds_which_text_is_which(tmp_path: Path) -> None:
    folder = made.model(tmp_path / "cross", head=True, spread=0.4)
    export(folder)
    held = {name: tensor.floats for name, tensor in weights.read(folder).items()}
    engine = load_scorer(added(folder, "score", tmp_path / "models"), tmp_path / "models")
    passages = [made.passage(n, n + 3) for n in range(8)]
    found = engine(made.question(0, 1), passages)
    pairs = [made.tokenizer().encode(made.question(0, 1), passage) for passage in passages]

    def verdict(ids: list[int], types: list[int]) -> float:
        pooled = np.tanh(held["bert.pooler.dense.weight"] @ reference(folder, ids, types)[0] + held["bert.pooler.dense.bias"])
        return float((held["classifier.weight"] @ pooled + held["classifier.bias"])[0])

    wanted = np.array([verdict(pair.ids, pair.type_ids) for pair in pairs])
    untyped = np.array([verdict(pair.ids, [0] * len(pair.ids)) for pair in pairs])
    off = np.abs(found - wanted).max()
    assert off < 0.1 * np.ptp(wanted) and off < 0.2 * np.abs(untyped - wanted).max()


def test_what_cannot_be_exported_is_said(tmp_path: Path) -> None:
    folder = made.model(tmp_path / "relu", hidden_act="relu")
    assert exporting.said(folder) == "There is no model.onnx for processors: A model of the family bert with relu is not written as ONNX."
    deep = made.model(tmp_path / "deep")
    (deep / "config.json").write_text(json.dumps(json.loads((deep / "config.json").read_text()) | {"num_hidden_layers": 3}))
    assert "It has no encoder.layer.2.attention.self.query.weight." in exporting.said(deep)
    assert not list(tmp_path.rglob("*.onnx"))
