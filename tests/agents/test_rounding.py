"""An amount rests on a source that gives it more exactly, or in another scale; never on one that gives it less exactly, or another one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.matching import digits_of, giving, holds, scale_of, words_of
from tests.agents.test_verification import checked

TABLE = "CONSOLIDATED STATEMENTS OF OPERATIONS (In millions)\nTotal net sales of the quarter were $82,959, gross margin 35,885."


def held(claim: str, source: str) -> bool:
    (number,) = digits_of(claim)
    return holds(giving(words_of(source).numbers, scale_of(source)), number)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("$82.96 billion", "82,959 million"),
        ("82,959 million", "(in millions)\nTotal net sales $82,959"), ("83.0 billion", "82,959 million"),
        ("$82.96 billion", "(In millions, except per share)\nTotal net sales 82,959"),
        ("27.3 %", "27.32 %"), ("82,96 Mrd.", "in Mio. EUR 82.959"),
        ("829.6億", "(百万円)売上高 82,959"), ("1.23 million", "1,234,567"), ("117 billion", "117,154 million"), ("82,959", "82,959"),
    ],
)  # fmt: skip
def test_a_rounded_amount_is_in_the_source(claim: str, source: str) -> None:
    assert held(claim, source)


@pytest.mark.parametrize(
    ("claim", "source"),
    [
        ("82,959 million", "82.96 billion"), ("82.95 billion", "82,959 million"), ("82.9 billion", "82,959 million"),
        ("83.0 million", "82,959"),
        ("80 billion", "82,959 million"), ("$82.96 billion", "82,959"), ("1,230", "1,234"), ("27.4 %", "27.32 %"), ("5.3", "5.26"),
        ("82.96 million", "(in millions) 82,959"), ("82.96 billion", "(in thousands) 82,959"), ("90 billion", "(in millions) 82,959"),
    ],
)  # fmt: skip
def test_another_amount_is_not(claim: str, source: str) -> None:
    assert not held(claim, source)


@pytest.mark.parametrize(
    ("sentence", "support"),
    [
        ("Total net sales of the quarter were $82.96 billion.", "supported"),
        ("Total net sales of the quarter were $82,959 million.", "supported"),
        ("Total net sales of the quarter were $84.96 billion.", "contradicted"),
        ("Total net sales of the quarter were $82.96 million.", "contradicted"),
    ],
)
def test_an_answer_cites_the_table_that_it_rounds(sentence: str, support: str) -> None:
    (found,) = checked(sentence, text=TABLE)
    assert (found.support, found.citation) == (support, 0 if support == "supported" else -1)


@given(st.integers(10**6, 10**13), st.integers(10**6, 10**13))
def test_what_is_held_differs_by_at_most_half_of_the_third_digit(number: int, other: int) -> None:
    if holds(giving({frozenset({str(number)})}), frozenset({str(other)})):
        assert abs(number - other) <= 10 ** (len(str(number)) - 3) / 2


@given(st.integers(10**6, 10**13), st.integers(3, 12))
def test_each_rounding_is_held(number: int, digits: int) -> None:
    step = 10 ** max(0, len(str(number)) - digits)
    assert holds(giving({frozenset({str(number)})}), frozenset({str((2 * number + step) // (2 * step) * step)}))
