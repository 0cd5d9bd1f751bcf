"""Two models into one: the mean that was asked for, nothing but like with like, and a card that names the parents."""

from __future__ import annotations

import json
import resource
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from north.inference.bringing import bring
from north.training import weights
from north.training.merging import linear, slerp
from tests.training import made


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return made.model(tmp_path / "general", head=True, seed=1), made.model(tmp_path / "tuned", head=True, seed=2)


def merge(*arguments: object, **options: Any) -> str:
    out = StringIO()
    call_command("merge", *map(str, arguments), stdout=out, **options)
    return out.getvalue()


def floats(folder: Path) -> dict[str, np.ndarray]:
    return {name: tensor.floats for name, tensor in weights.read(folder).items()}


@pytest.mark.parametrize("method", ["linear", "slerp"])
def test_the_weight_is_the_second_models_share(pair: tuple[Path, Path], tmp_path: Path, method: str) -> None:
    general, tuned = map(floats, pair)
    for weight in (0.0, 0.25, 1.0):
        merge(*pair, "--weight", weight, "--method", method, "--out", tmp_path / f"c{weight}")
        found = floats(tmp_path / f"c{weight}")
        mix = slerp if method == "slerp" else linear
        assert all(np.allclose(found[name], mix(general[name], tuned[name], weight), atol=1e-6) for name in general)
    assert all(np.allclose(floats(tmp_path / "c0.0")[name], general[name], atol=1e-6) for name in general)
    assert all(np.allclose(floats(tmp_path / "c1.0")[name], tuned[name], atol=1e-6) for name in general)


def test_slerp_keeps_the_length_that_a_line_loses() -> None:
    a, b = np.array([1.0, 0.0]), np.array([0.0, 1.0])
    assert np.allclose(slerp(a, b, 0.5), [2**-0.5, 2**-0.5]) and np.allclose(linear(a, b, 0.5), [0.5, 0.5])
    assert np.allclose(slerp(a, b, 1 / 3), [np.cos(np.pi / 6), np.sin(np.pi / 6)])


@pytest.mark.parametrize("b", [[1.0, 1e-9], [3.0, 0.0], [-1.0, 0.0], [0.0, 0.0]])
def test_slerp_is_a_line_where_there_is_no_arc(b: list[float]) -> None:
    a = np.array([1.0, 0.0])
    assert np.allclose(slerp(a, np.array(b), 0.25), linear(a, np.array(b), 0.25), atol=1e-6)


def test_the_folder_is_taken_by_models_add_and_its_card_names_the_parents(pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "company-reranker"
    (pair[0] / "model.onnx").write_bytes(b"of the parent alone")
    (pair[0] / "training.json").write_text("{}")
    said = merge(*pair, "--weight", 0.3, "--method", "slerp", "--out", out)
    card = (out / "README.md").read_text()
    for words in ("general", "tuned", "0.7 of it", "0.3 of it", "slerp", "--role score"):
        assert words in card
    assert "models add" in said and (out / "model.onnx").read_bytes() != b"of the parent alone", "it has one of its own"
    model = bring(out, "score", {})
    assert model.context == made.PLACES and {file.name for file in model.files} >= {"model.safetensors", "config.json", "tokenizer.json"}
    facts = json.loads((out / "training.json").read_text())
    assert [one["sha256"] for one in facts["origins"]] == [weights_sha(path) for path in pair]


def weights_sha(folder: Path) -> str:
    return sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def test_embedders_keep_their_prefixes_and_pooling(tmp_path: Path) -> None:
    merge(made.model(tmp_path / "a"), made.model(tmp_path / "b", seed=4), "--out", tmp_path / "c")
    model = bring(tmp_path / "c", "embed", {})
    assert (model.query, model.passage, model.pooling) == ("query : ", "passage : ", "mean")


def test_half_precision_stays_half(tmp_path: Path) -> None:
    merge(made.model(tmp_path / "a", kind="F16"), made.model(tmp_path / "b", seed=4), "--out", tmp_path / "c")
    assert {tensor.kind for tensor in weights.read(tmp_path / "c").values()} == {"F16"}


def test_models_that_are_not_alike_are_refused_with_what_differs(pair: tuple[Path, Path], tmp_path: Path) -> None:
    other_words = [*made.WORDS[:-1], "elsewhere"]
    for folder, words in (
        (made.model(tmp_path / "deeper", head=True, num_hidden_layers=3), "num_hidden_layers is 2 in one and 3 in the other"),
        (made.model(tmp_path / "roberta", head=True, model_type="roberta"), "model_type is bert in one and roberta"),
        (made.model(tmp_path / "encoder"), "one judges, and the other makes vectors"),
        (made.model(tmp_path / "words", head=True, words=other_words), "tokenizers give other numbers"),
    ):
        with pytest.raises(CommandError, match=f"cannot be merged: .*{words}"):
            merge(pair[0], folder, "--out", tmp_path / "c")
    assert not (tmp_path / "c").exists()


def test_embedders_of_other_prefixes_are_refused(tmp_path: Path) -> None:
    a, b = made.model(tmp_path / "a"), made.model(tmp_path / "b")
    (b / "config_sentence_transformers.json").write_text('{"prompts": {"query": "", "passage": ""}}')
    with pytest.raises(CommandError, match="they make vectors in different ways"):
        merge(a, b, "--out", tmp_path / "c")


def test_wrong_input_is_refused_in_words(pair: tuple[Path, Path], tmp_path: Path) -> None:
    for arguments, words in (
        ((tmp_path / "nowhere", pair[1]), "There is no folder"),
        (("no-such-model", pair[1]), "There is no model 'no-such-model'"),
        (("smollm2-135m-instruct-q4_1", pair[1]), "a model that writes"),
        ((*pair, "--weight", "1.5"), "--weight is 1.5"),
        ((*pair, "--weight", "nan"), "--weight is nan"),
        ((*pair, "--out", pair[0]), "is not empty"),
    ):
        with pytest.raises(CommandError, match=words):
            merge(*arguments, *([] if "--out" in arguments else ["--out", tmp_path / "c"]))
    (pair[1] / "model.safetensors").write_bytes(b"half of it")
    with pytest.raises(CommandError, match="no whole safetensors file"):
        merge(*pair, "--out", tmp_path / "c")


def test_a_full_disk_is_said(pair: tuple[Path, Path], tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
    try:
        with pytest.raises(CommandError, match=r"File too large.* is not whole: delete it"):
            merge(*pair, "--out", tmp_path / "c")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
