"""Choosing a threshold by marks: the risk is kept on them, doubts are told, and too few give nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from north.evaluation.calibrating import FEWEST, Mark, chosen, curve, fit, lacking, point, wilson

MARKS = st.lists(st.builds(Mark, st.floats(0, 1).map(lambda one: round(one, 2)), st.booleans()), max_size=60)


def separable(count: int = 40) -> list[Mark]:
    """Below a half nothing answers, above it all does."""
    return [Mark(n / count, n >= count / 2) for n in range(count)]


@given(MARKS, st.floats(0.01, 0.5))
def test_what_is_chosen_keeps_the_risk_and_no_lower_threshold_does(marks: list[Mark], risk: float) -> None:
    found = chosen(marks, risk)
    lower = [one for one in curve(marks) if one.answered and (found is None or one.threshold < found.threshold)]
    assert all(one.risk > risk for one in lower)
    assert found is None or (found.risk <= risk and found.answered)


@given(MARKS, st.floats(0, 1))
def test_a_point_counts_each_mark_once(marks: list[Mark], threshold: float) -> None:
    one = point(marks, threshold)
    right = sum(mark.answers for mark in marks if mark.evidence >= threshold)
    assert one.answered == one.wrong + right and one.refused + right == sum(mark.answers for mark in marks)
    assert 0 <= one.interval[0] <= one.risk <= one.interval[1] <= 1 or not one.answered


def test_the_curve_answers_less_from_point_to_point() -> None:
    answered = [one.answered for one in curve(separable())]
    assert answered == sorted(answered, reverse=True) and answered[0] == 40 and answered[-1] == 1


def test_a_clear_border_is_found_and_holds_on_other_questions() -> None:
    found = fit(separable(), 0.05)
    assert found is not None and found.chosen.wrong <= 1 and found.chosen.threshold == pytest.approx(0.48, abs=0.03)
    assert found.held_risk <= 0.1 and found.held_interval[1] > found.held_risk, "few marks leave doubt"


def test_where_no_evidence_tells_anything_no_low_risk_is_promised() -> None:
    assert fit([Mark(n / 40, n % 2 == 0) for n in range(40)], 0.05) is None


def test_too_few_and_marks_of_one_kind_give_nothing() -> None:
    assert lacking(separable(12)) == (18, 0, 0) and lacking([Mark(0.5, True)] * FEWEST) == (0, 0, 5)
    with pytest.raises(ValueError, match="too few"):
        fit(separable(12), 0.05)


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"), [(0, 20, 0.0, 0.161), (1, 20, 0.009, 0.236), (0, 0, 0.0, 1.0), (50, 100, 0.404, 0.596)]
)
def test_intervals_are_wilsons(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == pytest.approx((low, high), abs=0.001)
