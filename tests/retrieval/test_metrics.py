"""Against figures worked by hand, against trec_eval's own (pytrec_eval 0.5.11), and by what must hold for any ranking."""

from __future__ import annotations

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as some

from retrieval.metrics import MEASURES, all_gold, interval, ndcg, recall, reciprocal_rank

DOCUMENTS = [f"d{number}" for number in range(60)]
RANKINGS = some.lists(some.sampled_from(DOCUMENTS), unique=True, max_size=60)
JUDGED = some.dictionaries(some.sampled_from(DOCUMENTS), some.sampled_from([0, 0, 1, 2, 4]), min_size=1).filter(
    lambda one: any(one.values())
)


def test_ndcg_as_worked_by_hand() -> None:
    """The example of Järvelin and Kekäläinen's measure with linear gain: grades 3, 0, 2 found, where 3, 2, 1 was possible."""
    judged = {"a": 3, "b": 2, "c": 1}
    found = 3 / log2(2) + 0 + 2 / log2(4)
    possible = 3 / log2(2) + 2 / log2(3) + 1 / log2(4)
    assert ndcg(["a", "x", "b"], judged) == pytest.approx(found / possible)
    assert ndcg(["x"] * 0, judged) == 0


def test_what_stands_below_the_cut_counts_nothing() -> None:
    ranking = [f"x{number}" for number in range(10)] + ["gold"]
    assert ndcg(ranking, {"gold": 1}) == reciprocal_rank(ranking, {"gold": 1}) == all_gold(ranking, {"gold": 1}) == 0
    assert recall(ranking, {"gold": 1}) == 1
    assert recall([f"x{number}" for number in range(50)] + ["gold"], {"gold": 1}) == 0


def test_the_measures_agree_with_trec_eval() -> None:
    ranking = ["d37", "d32", "d20", "d14", "d44", "d34", "d18", "d42", "d26"]
    judged = {"d23": 0, "d38": 2, "d25": 1, "d22": 0, "d35": 0, "d26": 0, "d5": 3, "d24": 2, "d32": 1, "d15": 2, "d47": 1, "d10": 1}
    judged |= {"d42": 1, "d36": 2, "d37": 4, "d33": 0, "d30": 0}
    assert ndcg(ranking, judged) == pytest.approx(0.47202226159063854, abs=1e-12)
    assert recall(ranking, judged) == pytest.approx(0.2727272727272727, abs=1e-12)
    assert reciprocal_rank(ranking, judged) == 1.0


def test_the_first_relevant_counts_for_the_reciprocal_rank() -> None:
    assert reciprocal_rank(["x", "b", "a"], {"a": 4, "b": 1, "x": 0}) == 1 / 2


def test_all_gold_needs_every_one() -> None:
    judged = {"a": 1, "b": 2, "no": 0}
    assert all_gold(["b", "x", "a"], judged) == 1
    assert all_gold(["b", "x"], judged) == 0


@pytest.mark.parametrize("measure", MEASURES.values())
@pytest.mark.parametrize("judged", [{}, {"a": 0}, {"a": -1}])
def test_a_question_without_anything_relevant_is_refused(measure: object, judged: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="nothing relevant"):
        measure(["a"], judged)  # type: ignore[operator]


@given(RANKINGS, JUDGED)
def test_every_measure_lies_between_0_and_1_and_is_1_for_the_ideal_of_few(ranking: list[str], judged: dict[str, int]) -> None:
    for measure in MEASURES.values():
        assert 0 <= measure(ranking, judged) <= 1
    ideal = sorted(judged, key=lambda one: -judged[one])
    assert ndcg(ideal, judged) == pytest.approx(1)
    assert reciprocal_rank(ideal, judged) == 1
    if len(ideal) <= 10:
        assert recall(ideal, judged) == all_gold(ideal, judged) == 1


@given(some.permutations(DOCUMENTS), JUDGED, some.integers(0, 59), some.integers(0, 59))
def test_the_better_of_two_costs_nothing_where_it_stands_higher(ranking: list[str], judged: dict[str, int], one: int, other: int) -> None:
    better, worse = sorted((ranking[one], ranking[other]), key=lambda document: -judged.get(document, 0))
    high, low = sorted((one, other))
    right, wrong = list(ranking), list(ranking)
    right[high], right[low] = better, worse
    wrong[high], wrong[low] = worse, better
    for measure in MEASURES.values():
        assert measure(right, judged) >= measure(wrong, judged) - 1e-12


@given(some.lists(some.floats(0, 1), min_size=1, max_size=80))
def test_the_interval_holds_values_that_occur_and_is_the_same_again(values: list[float]) -> None:
    low, high = interval(values)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert interval(values) == (low, high)


def test_the_interval_of_many_coin_flips_is_as_wide_as_theory_says() -> None:
    """Mean 1/2, standard error 1 / (2 sqrt(n)); 1.96 of them on each side."""
    low, high = interval([0.0, 1.0] * 800)
    assert low == pytest.approx(0.5 - 1.96 * 0.5 / 40, abs=0.004)
    assert high == pytest.approx(0.5 + 1.96 * 0.5 / 40, abs=0.004)
    with pytest.raises(ValueError, match="no values"):
        interval([])
