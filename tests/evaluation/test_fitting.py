"""Choosing weights by a golden set: what is there to find is found, what is chance is not offered."""

from __future__ import annotations

import random

import pytest

from north.evaluation.fitting import DEFAULT, FEWEST, Choice, best, choices, distance, fit

ALL = choices(judged=True)


def table(count: int, value: dict[Choice, float], *, noise: float = 0.0) -> dict[str, dict[Choice, float]]:
    drawn = random.Random(7)
    return {f"q{n}": {one: value.get(one, 0.5) + noise * drawn.uniform(-1, 1) for one in ALL} for n in range(count)}


def test_it_tries_each_factor_with_each_and_without_a_judge_no_blend() -> None:
    assert len(ALL) == 35 and DEFAULT in ALL and len(choices(judged=False)) == 7
    assert distance(DEFAULT) == 0 and distance((2.0, 0.5)) == 2


def test_a_choice_that_is_better_for_all_is_found_with_its_gain() -> None:
    found = fit(table(60, {(4.0, 1.0): 0.7}, noise=0.02))
    assert (found.words, found.blend, found.questions) == (4.0, 1.0, 60) and found.better
    assert found.gain == pytest.approx(0.2, abs=0.02) and found.interval[0] < found.gain < found.interval[1]


def test_where_all_are_equal_the_default_stays() -> None:
    found = fit(table(40, {}))
    assert (found.words, found.blend, found.gain) == (1.0, 1.0, 0.0) and not found.better


def test_chance_is_not_offered() -> None:
    """Of 35 choices one is always the best by chance: in 20 sets of coins it passes the test on other questions hardly ever."""
    found = []
    for seed in range(20):
        drawn = random.Random(seed)
        found.append(fit({f"q{n}": {one: float(drawn.random() < 0.5) for one in ALL} for n in range(FEWEST)}))
    assert sum((one.words, one.blend) != DEFAULT for one in found) >= 15
    assert sum(one.better for one in found) <= 4


def test_little_evidence_is_not_worth_a_long_way() -> None:
    """One question of thirty prefers eight times the weight: less than the way there costs."""
    rows = table(FEWEST, {})
    rows["q0"][8.0, 1.0] = 1.0
    assert best(rows, sorted(rows)) == DEFAULT
    for key in rows:
        rows[key][8.0, 1.0] = 0.6
    assert best(rows, sorted(rows)) == (8.0, 1.0)


@pytest.mark.parametrize("count", [0, 1, FEWEST - 1])
def test_too_few_questions_fit_nothing(count: int) -> None:
    with pytest.raises(ValueError, match=f"{count} questions, where {FEWEST} are needed"):
        fit(table(count, {}))
