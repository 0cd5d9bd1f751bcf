"""A folder that an operator brings: taken with what its own files say, checked from then on, and nothing in it that could be a program."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from north.inference import catalogue
from north.inference.bringing import bring
from north.inference.embedding import load
from north.inference.errors import BadDescription, ModelBroken, NoModel, PullFailed, UnknownModel
from north.inference.installed import where
from north.inference.llama import local
from north.inference.pulling import pull
from north.inference.sources import SourceSettings
from tests.inference import tiny
from tests.inference.conftest import PLUMBING, fetched

CONFIG = {"model_type": "bert", "hidden_size": tiny.HIDDEN, "max_position_embeddings": tiny.CONTEXT}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """As its makers give it: weights twice, of which one is a pickle, and sentence-transformers' notes."""
    made = tmp_path / "brought" / "Tiny-BERT"
    tiny.save(made, head=False)
    (made / "config.json").write_text(json.dumps(CONFIG))
    (made / "pytorch_model.bin").write_bytes(b"a pickle")
    (made / "modeling_tiny.py").write_text("raise SystemExit")
    (made / "1_Pooling").mkdir()
    (made / "1_Pooling" / "config.json").write_text('{"pooling_mode_cls_token": false, "pooling_mode_mean_tokens": true}')
    (made / "config_sentence_transformers.json").write_text('{"prompts": {"query": "how ", "document": "the "}}')
    return made


def brought(folder: Path, into: Path, role: str = "embed", **said: Any) -> catalogue.Model:
    model = bring(folder, role, said)
    pull(model, into, ["folder"], settings=SourceSettings(folder=folder.parent))
    return model


def test_what_a_model_is_is_read_from_its_own_files(folder: Path, tmp_path: Path) -> None:
    model = brought(folder, tmp_path / "models")
    assert (model.name, model.role, model.context, model.dimensions) == ("Tiny-BERT", "embed", tiny.CONTEXT, tiny.HIDDEN)
    assert (model.pooling, model.query, model.passage) == ("mean", "how ", "the ")
    names = {path.name for path in (tmp_path / "models" / "Tiny-BERT").iterdir()}
    assert {"model.onnx", "tokenizer.json", "config.json", "model.json"} <= names
    assert not names & {"pytorch_model.bin", "modeling_tiny.py"}


def test_it_is_known_checked_and_used_like_any_other(folder: Path, tmp_path: Path) -> None:
    models = tmp_path / "models"
    model = brought(folder, models)
    assert catalogue.model("Tiny-BERT", models) == model and model in catalogue.known(models)
    assert catalogue.used({"embed": {"model": "Tiny-BERT", "models_dir": models}}, models) == [model]
    assert load("Tiny-BERT", models).embed_passages(["leave", "noon"]).shape == (2, tiny.HIDDEN)
    weights = models / "Tiny-BERT" / "model.onnx"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelBroken, match="Tiny-BERT"):
        where("Tiny-BERT", models)


def test_the_description_goes_with_the_folder_and_its_checksums_hold_elsewhere(folder: Path, tmp_path: Path) -> None:
    first, second, third = (tmp_path / name for name in ("first", "second", "third"))
    model = brought(folder, first, licence="MIT", languages="English", title="Tiny")
    assert brought(first / "Tiny-BERT", second) == model
    (first / "Tiny-BERT" / "model.onnx").write_bytes((first / "Tiny-BERT" / "model.onnx").read_bytes()[::-1])
    with pytest.raises(PullFailed, match="not the right ones"):
        brought(first / "Tiny-BERT", third)


def test_what_is_there_already_is_described_where_it_lies(folder: Path) -> None:
    model = brought(folder, folder.parent)
    assert where(model.name, folder.parent) == folder and (folder / "pytorch_model.bin").exists()


@pytest.mark.parametrize(
    ("gone", "words"),
    [("config.json", "--context"), ("1_Pooling/config.json", "--pooling"), ("model.onnx", "no weights in safetensors")],
)
def test_what_is_lacking_is_named_with_what_to_say(folder: Path, gone: str, words: str) -> None:
    (folder / gone).unlink()
    with pytest.raises(NoModel, match=words):
        bring(folder, "embed", {})


def test_what_is_said_comes_before_what_the_files_say(folder: Path) -> None:
    (folder / "config.json").unlink()
    model = bring(folder, "embed", {"context": 40, "dimensions": tiny.HIDDEN, "pooling": "cls", "query": "", "licence": "MIT"})
    assert (model.context, model.dimensions, model.pooling, model.query, model.licence) == (40, tiny.HIDDEN, "cls", "", "MIT")


@pytest.mark.parametrize(
    ("config", "tokenizer", "context"),
    [
        ({"model_type": "xlm-roberta", "max_position_embeddings": 8194, "pad_token_id": 1}, {"model_max_length": 8192}, 8192),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1}, {}, 512),
        ({"model_type": "llama", "max_position_embeddings": 131072}, {"model_max_length": 10**30}, 131072),
    ],
)
def test_the_context_is_the_smaller_of_places_and_tokenizer(folder: Path, config: dict, tokenizer: dict, context: int) -> None:
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer))
    assert bring(folder, "score", {}).context == context


def test_no_folder_no_json_and_a_name_of_the_catalogue_are_refused(folder: Path) -> None:
    with pytest.raises(NoModel, match="no folder"):
        bring(folder / "nowhere", "embed", {})
    taken = folder.rename(folder.parent / catalogue.MODELS[0].name)
    with pytest.raises(NoModel, match="another name"):
        bring(taken, "embed", {})
    (taken.rename(folder) / "config.json").write_text("<html>")
    with pytest.raises(NoModel, match=r"config\.json is not JSON"):
        bring(folder, "embed", {})


@pytest.mark.parametrize(
    "change",
    [
        {"files": []}, {"files": [{"name": "../escape.json", "bytes": 1, "sha256": "0"}]}, {"files": "model.onnx"}, {"context": "much"},
        {"files": [{"name": "/etc/passwd.json", "bytes": 1, "sha256": "0"}]}, {"files": [{"name": "model.bin", "bytes": 1, "sha256": "0"}]},
        {"files": [{"name": "model.onnx", "bytes": 1, "sha256": "0", "url": "https://hub.example/model.pt"}]}, {"role": "speak"},
        {"dimensions": 0}, {"pooling": "max"}, {"query": None}, {"trust_remote_code": True}, {"files": [{"name": "model.onnx"}]},
    ],
    ids=str,
)  # fmt: skip
def test_a_description_that_is_none_is_refused_and_hides_no_other(folder: Path, tmp_path: Path, change: dict) -> None:
    models = tmp_path / "models"
    brought(folder, models)
    path = models / "Tiny-BERT" / "model.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BadDescription, match=r"model\.json does not describe a model"):
        catalogue.model("Tiny-BERT", models)
    assert len(catalogue.known(models)) == len(catalogue.MODELS)


@pytest.mark.parametrize("name", ["../brought/Tiny-BERT", "/Tiny-BERT", "", ".."])
def test_a_name_leads_out_of_no_folder(folder: Path, tmp_path: Path, name: str) -> None:
    models = tmp_path / "models"
    brought(folder, models)
    with pytest.raises(UnknownModel, match="Tiny-BERT"):
        catalogue.model(name, models)


def test_a_gguf_file_of_any_name_writes(models_dir: Path, tmp_path: Path) -> None:
    folder = tmp_path / "brought" / "small-talk"
    folder.mkdir(parents=True)
    (folder / "SmolLM2.Q4_1.gguf").symlink_to(fetched(PLUMBING, models_dir) / "model.gguf")
    with pytest.raises(NoModel, match="--context"):
        bring(folder, "chat", {})
    brought(folder, tmp_path / "models", "chat", context=8192)
    model = local("small-talk", tmp_path / "models", context=512, parallel=1)
    assert model.model == "small-talk" and model.invoke("Say yes.", max_tokens=4).content
