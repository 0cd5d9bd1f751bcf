from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as some

from retrieval.fusion import DEFAULT, FAMILIES, PEERS, PLACE, Weights, lifted, probability, weights_of

NUMBERS = some.floats(-1e6, 1e6)


def test_the_log_odds_add_up_what_was_found() -> None:
    assert Weights(2.0, 0.5, -1.0).log_odds(0.5, 4.0) == pytest.approx(2 * 0.5 + 0.5 * 4 - 1)


@given(NUMBERS, NUMBERS)
def test_a_probability_lies_between_0_and_1_and_keeps_the_order(one: float, other: float) -> None:
    assert 0 <= probability(one) <= 1
    assert (probability(one) <= probability(other)) or one > other


def test_even_odds_are_one_half_and_odds_of_three_to_one_three_quarters() -> None:
    assert probability(0) == 0.5
    assert probability(math.log(3)) == pytest.approx(0.75)


def test_weights_are_the_models_own_whatever_its_size_and_precision() -> None:
    assert weights_of("multilingual-e5-small-int8") == weights_of("multilingual-e5-large") == FAMILIES["multilingual-e5"]
    assert weights_of("all-minilm-l6-v2-int8") == FAMILIES["all-minilm"] == weights_of("something-else") == DEFAULT


@pytest.mark.parametrize("weights", FAMILIES.values())
def test_a_shared_word_never_costs_and_hardly_helps_where_the_meaning_is_far(weights: Weights) -> None:
    """What two languages share, a name or a number, does not outweigh what the model says."""
    assert weights.cosine > 0 and weights.words > 0
    scale = 0.03 if weights == FAMILIES["multilingual-e5"] else 0.15  # a usual spread of the cosines of one question's candidates
    assert weights.log_odds(0.5 + 3 * scale, 0.0) > weights.log_odds(0.5, 20.0)
    assert weights.log_odds(0.5 + scale / 3, 0.0) < weights.log_odds(0.5, 20.0)


def test_the_one_passage_with_a_rare_word_is_among_the_first() -> None:
    odds = [-4.0 + 0.1 * number for number in range(60)] + [-9.0]
    found = lifted(odds, [0.0] * 60 + [7.0])
    assert sum(one > found[-1] for one in found) < PLACE
    assert found[:60] == odds[:60]


def test_words_that_many_passages_hold_lift_none() -> None:
    odds = [-4.0 + 0.1 * number for number in range(60)]
    assert lifted(odds, [5.0 + 0.01 * number for number in range(60)]) == odds


@given(some.lists(some.tuples(NUMBERS, some.floats(0, 50)), max_size=30))
def test_nobody_is_worth_less_than_before_and_hardly_anybody_is_lifted(passages: list[tuple[float, float]]) -> None:
    odds, words = [one for one, _ in passages], [one for _, one in passages]
    found = lifted(odds, words)
    assert all(after >= before for after, before in zip(found, odds, strict=True))
    assert sum(after != before for after, before in zip(found, odds, strict=True)) <= PEERS
    assert max(found, default=0.0) == max(odds, default=0.0)
