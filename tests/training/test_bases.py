"""A base is found by name or folder, with what its files say of it; what cannot be trained is refused."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest

from north.inference.bringing import bring
from north.inference.pulling import pull
from north.inference.sources import SourceSettings
from north.training.bases import find
from north.training.errors import BadBase
from tests.training import made


def test_a_folder_says_what_it_is(tmp_path: Path) -> None:
    encoder, cross = find(str(made.model(tmp_path / "enc")), tmp_path), find(str(made.model(tmp_path / "cross", head=True)), tmp_path)
    assert (encoder.name, encoder.judges, encoder.query, encoder.passage, encoder.pooling) == (
        "enc",
        False,
        "query : ",
        "passage : ",
        "mean",
    )
    assert (cross.name, cross.judges, cross.context) == ("cross", True, made.PLACES)
    assert cross.sha256 == sha256((tmp_path / "cross" / "model.safetensors").read_bytes()).hexdigest()


def test_a_model_that_was_added_is_found_by_its_name(tmp_path: Path) -> None:
    folder, models = made.model(tmp_path / "brought" / "own"), tmp_path / "models"
    pull(bring(folder, "embed", {"licence": "MIT"}), models, ["folder"], settings=SourceSettings(folder=folder.parent))
    found = find("own", models)
    assert (found.folder, found.licence, found.query) == (models / "own", "MIT", "query : ")
    (models / "own" / "model.safetensors").write_bytes(b"damaged")
    with pytest.raises(BadBase, match="damaged or not the right one"):
        find("own", models)


def test_what_the_files_do_not_say_can_be_said(tmp_path: Path) -> None:
    folder = made.model(tmp_path / "enc")
    (folder / "1_Pooling" / "config.json").unlink()
    with pytest.raises(BadBase, match="--pooling mean or --pooling cls"):
        find(str(folder), tmp_path)
    found = find(str(folder), tmp_path, {"pooling": "cls", "query": "", "licence": "MIT"})
    assert (found.pooling, found.query, found.passage, found.licence) == ("cls", "", "passage : ", "MIT")


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        ("config.json", r"has no config\.json"),
        ("tokenizer.json", r"has no tokenizer\.json"),
        ("model.safetensors", "no weights in safetensors"),
    ],
)
def test_a_folder_that_lacks_a_file_is_refused(tmp_path: Path, gone: str, words: str) -> None:
    folder = made.model(tmp_path / "enc")
    (folder / gone).unlink()
    with pytest.raises(BadBase, match=words):
        find(str(folder), tmp_path)


@pytest.mark.parametrize(
    ("name", "words"),
    [("/nowhere/at/all", "There is no folder"), ("unheard-of", "There is no model 'unheard-of'"),
     ("smollm2-135m-instruct-q4_1", "that writes"),
     ("all-minilm-l6-v2", "is not on this machine.*models pull all-minilm-l6-v2.*A folder with")],
)  # fmt: skip
def test_a_name_that_is_no_base_is_refused(tmp_path: Path, name: str, words: str) -> None:
    with pytest.raises(BadBase, match=words):
        find(name, tmp_path)


def test_nonsense_in_config_json_is_refused(tmp_path: Path) -> None:
    folder = made.model(tmp_path / "enc")
    for content in ("<html>", "[]"):
        (folder / "config.json").write_text(content)
        with pytest.raises(BadBase, match=r"config\.json is no"):
            find(str(folder), tmp_path)
