"""The recipe's own passes: rows without padding say what transformers says of padded ones, teachers are heard, and what is measured is
counted as North's search counts. Needs PyTorch."""

from __future__ import annotations

import importlib
import math
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from north.evaluation import folders
from north.training.bases import find
from north.training.examples import Example
from north.training.plans import Plan
from tests.training import made

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[gpu]'")
pytest.importorskip("transformers", reason="transformers is not installed: pip install -e '.[gpu]'")
judging, mining, packed = (importlib.import_module(f"north.training.default.{name}") for name in ("judging", "mining", "packed"))
draws, learning, models, reranking = (
    importlib.import_module(f"north.training.{name}") for name in ("draws", "learning", "models", "reranking")
)
Tokens = importlib.import_module("north.training.default.tokens").Tokens
Tokenizer = importlib.import_module("tokenizers").Tokenizer
TOKENS = 32
PAIRS = [(one.query, one.positives[0]) for one in made.company()[:9]]


def judge(at: Path, **how: object) -> object:
    return packed.ready(models.cross_encoder(find(str(made.model(at, head=True, **how)), Path()))).eval()


def test_rows_without_padding_say_what_padded_ones_say(tmp_path: Path) -> None:
    base = find(str(made.model(tmp_path / "judge", head=True)), Path())
    padded = models.cross_encoder(base)
    collate = reranking.collator(padded, Tokenizer.from_file(str(base.folder / "tokenizer.json")), TOKENS)
    collate.types = False  # as a model without types has them, which the recipe's base is
    expected = reranking.scored(padded, collate, PAIRS)
    tokens = Tokens(base.folder, TOKENS)
    found = packed.scored(judge(tmp_path / "again"), [tokens.pair(*pair) for pair in PAIRS])
    assert np.ptp(expected) > 0.01 and np.allclose(found, expected, atol=1e-5)


def test_lines_are_taken_apart_once_and_a_long_passage_is_read_in_windows(tmp_path: Path) -> None:
    tokens = Tokens(made.model(tmp_path / "judge", head=True), TOKENS)
    question, passage = PAIRS[0]
    assert tokens(f"{passage}\n{passage}").tolist() == 2 * tokens(passage).tolist()
    cut = tokens.pairs(question, "\n".join([passage] * 5))
    assert len(cut) > 2 and all(len(row) <= TOKENS for row in cut)
    assert [row.tolist() for row in tokens.pairs(question, "the rule")] == [tokens.pair(question, "the rule").tolist()]


def test_bm25_of_pairs_is_lucenes_and_leaves_out_what_is_not_there() -> None:
    passages = [np.array(each) for each in ([1, 2, 2, 3], [3, 4], [5, 5, 5, 5, 5, 5])]
    found = mining.bm25([np.array([2, 5])], passages, np.array([[0, 2, -1, 1]]), torch.device("cpu"))[0]

    def worth(count: int, length: int) -> float:
        return math.log(1 + (3 - 1 + 0.5) / 1.5) * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / 4))

    assert np.allclose(found[[0, 1, 3]], [worth(2, 4), worth(6, 6), 0], atol=1e-5) and np.isnan(found[2])


def test_a_teacher_is_mixed_with_the_scores_where_there_are_any() -> None:
    target, scores = torch.tensor([[1.0, 3.0], [1.0, 3.0]]), torch.tensor([[5.0, 4.0], [math.nan, math.nan]])
    assert packed.mixed(target, scores, 0.5).tolist() == [[0.0, 0.5], [0.0, 2.0]]
    assert packed.mixed(target, scores, 1.0).tolist() == [[0.0, 2.0], [0.0, 2.0]]


def test_a_student_of_fewer_layers_learns_its_teachers_order(tmp_path: Path) -> None:
    base = find(str(made.model(tmp_path / "teacher", head=True, spread=0.5)), Path())
    teacher, tokens = packed.ready(models.cross_encoder(base)).eval(), Tokens(base.folder, TOKENS)
    passages = [one.positives[0] for one in made.company()]
    examples = [Example(one.query, one.positives, tuple(passages[at::9][:5])) for at, one in enumerate(made.company()[:8])]
    plan = Plan(steps=60, batch=8, candidates=5, tokens=TOKENS, rate=3e-3, distil=1.0, layers=1, keep_every=0, frozen_words=False)
    student = packed.ready(models.cross_encoder(base, plan.layers))
    rows = [tokens.pair(one.query, passage) for one in examples for passage in one.passages]

    def apart() -> float:
        said = [packed.scored(each.eval(), rows).reshape(8, -1) for each in (teacher, student)]
        own, theirs = (each - each.mean(axis=1, keepdims=True) for each in said)
        return float(np.abs(own - theirs).mean() / np.abs(own).mean())

    before = apart()
    trainer = partial(packed.PackedTrainer, teacher=models.cross_encoder(base), layers=[2])
    learning.learn(trainer, student, draws.Draws(examples, plan), packed.Collator(tokens), folder=tmp_path / "run", say=str)
    assert apart() < 0.6 * before


def test_what_is_measured_is_first_search_and_verdicts_as_search_adds_them(tmp_path: Path) -> None:
    base = find(str(made.model(tmp_path / "encoder")), Path())
    folder = folders.read(made.folder(tmp_path / "set"))
    found = judging.first(folder, mining.Encoder(base, Tokens(base.folder, TOKENS)), seed=1)
    right = [
        np.array([10.0 * folder.judged[key].get(found.keys[at], 0) for at in rows])
        for key, rows in zip(folder.questions, found.rows, strict=True)
    ]
    assert judging.last(found, right, 0.0) == found.values["fused"]
    reached = np.mean(
        [len(set(folder.judged[key]) & {found.keys[at] for at in rows}) for key, rows in zip(folder.questions, found.rows, strict=True)]
    )
    assert np.mean(judging.last(found, right, 5.0)) == pytest.approx(reached), (
        "with verdicts that are always right all that was found is first"
    )
    verdict = judging.calibrated([found], [right], 1.0)
    assert np.mean(judging.led(found, right, replace(verdict, logit=5.0))) == pytest.approx(reached)
    assert verdict.scale > 0 > verdict.offset and verdict.logit == 1.0
