"""`manage.py finetune` is asked for what cannot be: a sentence says what is wrong, before PyTorch is needed or anything written."""

from __future__ import annotations

import importlib.util
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from tests.training import made


@pytest.fixture
def given(tmp_path: Path) -> dict[str, Any]:
    return {"data": made.folder(tmp_path / "data"), "base": made.model(tmp_path / "enc"), "out": tmp_path / "out", "tokens": 32}


def finetune(given: dict[str, Any], kind: str = "reranker", *flags: str) -> tuple[str, str]:
    out, told = StringIO(), StringIO()
    named = [part for key, value in given.items() for part in (f"--{key}", str(value))]
    call_command("finetune", kind, *named, *flags, stdout=out, stderr=told)
    return out.getvalue(), told.getvalue()


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"data": "nowhere"}, "nowhere does not exist"),
        ({"base": "unheard-of"}, "There is no model 'unheard-of'"),
        ({"base": "/nowhere/enc"}, "There is no folder"),
        ({"eval": "nowhere"}, "An evaluation set cannot be used: nowhere is no folder"),
        ({"qrels": "other"}, r"qrels\.other\.tsv is missing"),
        ({"batch": 1}, "--batch is 1; it must lie between 2 and"),
        ({"rate": 7}, r"--rate is 7\.0"),
        ({"teacher": "unheard-of"}, "There is no model 'unheard-of'"),
    ],
)
def test_what_cannot_be_is_refused_in_words(given: dict[str, Any], wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        finetune(given | wrong)
    assert not given["out"].exists()


def test_an_empty_folder_wrong_columns_and_too_few_examples_are_refused(given: dict[str, Any], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(CommandError, match="holds no examples"):
        finetune(given | {"data": empty})
    (empty / "pairs.jsonl").write_text('{"question": "q", "answer": "a"}\n')
    with pytest.raises(CommandError, match=r"line 1: `query` must be.*The line holds: question, answer"):
        finetune(given | {"data": empty})
    (empty / "pairs.jsonl").write_text('{"query": "q", "positives": ["a"]}\n')
    with pytest.raises(CommandError, match=r"There are 1 examples. Fine-tuning needs 20"):
        finetune(given | {"data": empty})


def test_data_that_holds_what_it_will_be_judged_by_is_refused(given: dict[str, Any], tmp_path: Path) -> None:
    golden = made.folder(tmp_path / "golden", made.company()[:3])
    with pytest.raises(CommandError, match="3 questions and 3 passages of the training data are in the evaluation sets too"):
        finetune(given | {"eval": golden})
    assert not given["out"].exists()


def test_a_miner_that_makes_no_vectors_is_refused(given: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cross judges and makes no vectors; --miner needs an encoder"):
        finetune(given | {"miner": made.model(tmp_path / "cross", head=True)})


@pytest.mark.skipif(importlib.util.find_spec("torch") is not None, reason="PyTorch is installed")
def test_without_pytorch_it_says_what_to_install(given: dict[str, Any]) -> None:
    with pytest.raises(CommandError, match=r"needs PyTorch and transformers \(No module named .*pip install -e '\.\[gpu\]'"):
        finetune(given)
    assert not given["out"].exists()
