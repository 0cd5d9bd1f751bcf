"""North's own cross-encoder, put together here: the files against their checksums, the graph against a forward pass in numpy."""

from __future__ import annotations

import math
import shutil
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from north.inference import tensors
from north.inference.catalogue import E5, model
from north.inference.embedding import OnnxBackend, load_scorer
from north.inference.encoding import Row, Scorer, windows
from north.inference.installed import installed, where
from north.inference.pulling import pull
from north.inference.rerankers.building import _floats, _words
from north.inference.rerankers.layers import HERE, Reranker, names
from north.inference.rerankers.packing import pack
from tests.inference.conftest import fetched

NAME = "north-reranker-12-int8"
QUESTION = "How many days of leave do employees get?"
PASSAGES = [
    "Employees have thirty days of paid leave a year.",
    "The canteen opens at noon and closes at two.",
    "Leave the building by the stairs when the alarm sounds.",
]


@pytest.fixture(scope="module")
def folder(models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models, of which only multilingual-e5-small was fetched: the reranker is made of it, with no source to ask."""
    fetched(E5, models_dir)
    made = tmp_path_factory.mktemp("models")
    (made / E5).symlink_to(models_dir / E5)
    pull(model(NAME), made, ["folder"])
    return made


@pytest.fixture(scope="module")
def scorer(folder: Path) -> Scorer:
    return load_scorer(NAME, folder)


def forward(words: np.ndarray, ids: np.ndarray) -> float:
    """BERT with its pooler and one logit (https://arxiv.org/abs/1810.04805), float32, from the weights that North carries."""
    source, erf = Reranker(HERE / "reranker-12.safetensors"), np.vectorize(math.erf)

    def norm(states: np.ndarray, name: str) -> np.ndarray:
        gain, bias = source.norm(name)
        return (states - states.mean(-1, keepdims=True)) / np.sqrt(states.var(-1, keepdims=True) + source.epsilon) * gain + bias

    def linear(states: np.ndarray, name: str) -> np.ndarray:
        return states @ source.floats(f"{name}.w").T + source.floats(f"{name}.b")

    def heads(states: np.ndarray) -> np.ndarray:
        return states.reshape(len(ids), source.heads, -1).transpose(1, 0, 2)

    states = norm(words[ids].astype(np.float32) + source.floats("emb.pos")[: len(ids)] + source.floats("emb.type")[0], "emb.ln")
    for number in range(source.layers):
        query, key, value = (heads(linear(states, f"l{number}.{name}")) for name in "qkv")
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        weight = np.exp(scores - scores.max(-1, keepdims=True))
        context = (weight / weight.sum(-1, keepdims=True) @ value).transpose(1, 0, 2).reshape(len(ids), -1)
        states = norm(states + linear(context, f"l{number}.ao"), f"l{number}.aln")
        wide = linear(states, f"l{number}.fi")
        states = norm(states + linear(0.5 * wide * (1 + erf(wide / math.sqrt(2))), f"l{number}.fo"), f"l{number}.oln")
    return float(linear(np.tanh(linear(states[0], "pool")), "verdict")[0])


def test_it_is_made_of_what_is_here_and_is_what_the_catalogue_says(folder: Path) -> None:
    assert where(NAME, folder) == folder / NAME and installed(model(NAME), folder)


def test_tokenizer_and_words_are_on_the_disk_and_in_memory_once(folder: Path, models_dir: Path, scorer: Scorer) -> None:
    assert (folder / NAME / "tokenizer.json").samefile(models_dir / E5 / "tokenizer.json") or shutil.disk_usage(
        folder
    ) != shutil.disk_usage(models_dir)
    assert load_scorer(NAME, folder).words is scorer.words


def test_the_graph_says_what_the_weights_say(folder: Path, models_dir: Path, scorer: Scorer) -> None:
    words = _floats(*_words(models_dir / E5 / "model.onnx"))
    backend, template = OnnxBackend(model(NAME), folder / NAME), scorer._template
    (asked,) = scorer.words([QUESTION])
    for passage in scorer.words(PASSAGES):
        ids = template.two(asked, passage)
        assert backend([Row(ids)])[0] == pytest.approx(forward(words, ids), abs=0.15)  # activations have 8 bits


def test_what_answers_the_question_wins_in_the_same_language_and_across(scorer: Scorer) -> None:
    for asked in (QUESTION, "Wie viele Urlaubstage haben Angestellte?", "従業員の休暇は何日ありますか?"):
        assert int(np.argmax(scorer(asked, PASSAGES))) == 0


def test_a_long_passage_is_worth_its_best_window(scorer: Scorer) -> None:
    answer, other = PASSAGES[0], "The committee met on Tuesday and talked about the colour of the new curtains. " * 40
    early, late, never = scorer(QUESTION, [answer + " " + other, other + answer, other])
    assert min(early, late) > never + 1


@pytest.mark.parametrize("length", [1, 99, 100, 101, 187, 188, 1000])
def test_windows_hold_every_token_and_overlap(length: int) -> None:
    parts = windows(np.arange(length), 100)
    assert set(np.concatenate(parts)) == set(range(length)) and max(map(len, parts)) <= 100
    assert len({len(part) for part in parts}) == 1 and all(one[-1] - other[0] >= 11 for one, other in pairwise(parts))


def test_eight_bits_are_near_what_was_trained(tmp_path: Path) -> None:
    draw = np.random.default_rng(7)
    given = {long: draw.normal(0, 0.1, (6, 4) if long.endswith("weight") else 6).astype(np.float16) for long in names(1).values()}
    given["bert.embeddings.word_embeddings.weight"] = np.zeros((9, 4), np.float16)
    half = len(given) // 2
    tensors.write(tmp_path / "1", dict(list(given.items())[:half]))
    tensors.write(tmp_path / "2", dict(list(given.items())[half:]))
    pack([tmp_path / "1", tmp_path / "2"], tmp_path / "packed")
    packed = Reranker(tmp_path / "packed")
    assert packed.layers == 1 and not any("word" in name for name in tensors.read(tmp_path / "packed"))
    for short, long in names(1).items():
        assert np.abs(packed.floats(short) - given[long].astype(np.float32)).max() <= np.abs(given[long]).max() / 254 + 1e-6


def test_a_file_that_was_cut_off_is_no_file(tmp_path: Path) -> None:
    tensors.write(tmp_path / "whole", {"a": np.arange(6, dtype=np.float32).reshape(2, 3)})
    assert tensors.read(tmp_path / "whole")["a"].tolist() == [[0, 1, 2], [3, 4, 5]]
    (tmp_path / "part").write_bytes((tmp_path / "whole").read_bytes()[:20])
    with pytest.raises(ValueError, match="cut off"):
        tensors.read(tmp_path / "part")
