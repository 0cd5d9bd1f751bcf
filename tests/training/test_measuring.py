"""What a model is worth is what its order is worth: a judge that knows gains, and documents count by their best chunk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from north.evaluation import folders
from north.training import cards, measuring
from north.training.examples import Example
from north.training.measuring import Set
from retrieval.fusion import Weights
from tests.training import made

PASSAGES = ["leave is thirty days", "leave is by train", "the canteen", "parking at noon"]
ONE = Set("small", ["how much leave ?", "where to eat ?"], PASSAGES, ["a", "a", "b", "c"], [{"a": 1.0}, {"b": 1.0}])


def test_words_alone_find_what_shares_them() -> None:
    rankings = measuring.first_stage(ONE, measuring.firsts(ONE, None))
    assert rankings[0][0] == "a" and rankings[0].count("a") == 1, "a document stands where its best chunk stands"
    assert measuring.figures(ONE, rankings)["by_question"][0] == 1  # type: ignore[index]


def test_cosines_and_words_are_weighed_as_search_weighs_them() -> None:
    cosines = np.array([[0, 0, 0, 0], [0.1, 0, 0.9, 0.2]], np.float32)
    found = measuring.firsts(ONE, (cosines, Weights(10.0, 1.0, -3.0)))
    assert ONE.documents[found[1].rows[0]] == "b" and found[1].scores[0] == pytest.approx(9 - 3, abs=1e-3)
    assert measuring.dense(ONE, cosines)[1][0] == "b"


def test_a_judge_that_knows_puts_the_answer_first_and_one_that_says_nothing_changes_nothing_in_the_blend() -> None:
    first = measuring.firsts(ONE, None)
    alone, blended = measuring.reranked(ONE, first, lambda pairs: np.array([float(text == "the canteen") for _, text in pairs]))
    assert alone[1][0] == blended[1][0] == "b"
    _, same = measuring.reranked(ONE, first, lambda pairs: np.zeros(len(pairs)))
    assert same == measuring.first_stage(ONE, first)


def test_a_folders_documents_are_cut_and_its_questions_drawn_by_the_seed(tmp_path: Path) -> None:
    folder = folders.read(made.folder(tmp_path / "golden"))
    one, again, other = (measuring.of_folder(folder, 10, seed) for seed in (1, 1, 2))
    assert one == again and one.questions != other.questions and len(one.questions) == 10 and len(one.passages) == 66


def test_development_questions_are_asked_of_their_answers_and_others() -> None:
    kept = [Example("q", ("right", "right too"), ("hard",))]
    one = measuring.of_examples(kept, ["right", "easy", "hard"], seed=1)
    assert list(one.passages) == ["right", "right too", "hard", "easy"] and one.judged == [{"0": 1.0, "1": 1.0}]


def test_a_card_shows_each_sets_figures_with_their_uncertainty(tmp_path: Path) -> None:
    figures = {"small": {"first": measuring.figures(ONE, [["a"], ["b"]]), "after": measuring.figures(ONE, [["b", "a"], ["b"]])}}
    facts = {"about": "A reranker.", "origins": [{"as": "base", "name": "tiny", "licence": "MIT"}], "data": {"from": "x", "licence": "CC0"},
             "plan": {"seed": 1, "keep_every": 5}, "measured": "On questions.", "figures": figures,
             "use": "python manage.py models add x"}  # fmt: skip
    cards.write(tmp_path, "own", facts)
    card = (tmp_path / "README.md").read_text()
    for words in (
        "# own",
        "name: tiny; licence: MIT",
        "- licence: CC0",
        "- keep every: 5",
        "| small | 2 | 100.0 ± 0.0 | 81.5 ±",
        "models add x",
    ):
        assert words in card, card
    assert '"questions": 2' in (tmp_path / "training.json").read_text()
