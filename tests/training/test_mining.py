"""Hard negatives: near in words or meaning, and no answer; the same for the same seed."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from north.training.errors import BadData
from north.training.examples import Example
from north.training.mining import mined

ANSWER = "Employees have thirty days of paid leave in a year, whatever their contract says about it."
POOL = [
    ANSWER,
    f"{ANSWER} Really.",
    "Paid leave of thirty days is not for contractors.",
    "Leave the room by the door on the left.",
    *(f"Machine number {n} is painted green." for n in range(30)),
]
EXAMPLE = Example("How many days of paid leave do employees have?", (ANSWER,))


def test_negatives_share_words_and_neither_answer_nor_nearly_say_the_answer() -> None:
    (found,) = mined([EXAMPLE], POOL, None, 2, seed=1)
    assert set(found.negatives) == {POOL[2], POOL[3]}
    (found,) = mined([EXAMPLE], POOL, None, 6, seed=1)
    assert len(set(found.negatives)) == 6 and not {POOL[0], POOL[1]} & set(found.negatives), "the rest by chance"


def test_vectors_and_words_take_turns() -> None:
    def near(questions: Sequence[str], count: int) -> np.ndarray:
        return np.array([[0, 10, 11, 12, -1]] * len(questions))

    (found,) = mined([EXAMPLE], POOL, near, 4, seed=1)
    near_ones, worded = {POOL[10], POOL[11], POOL[12]} & set(found.negatives), {POOL[2], POOL[3]} & set(found.negatives)
    assert len(near_ones) + len(worded) == 4 and near_ones and worded


def test_what_answers_the_same_question_elsewhere_is_no_negative() -> None:
    other = Example("how many days of paid leave do employees have", (POOL[2],))
    first, second = mined([EXAMPLE, other], POOL, None, 3, seed=1)
    assert POOL[2] not in first.negatives and ANSWER not in second.negatives


def test_own_negatives_come_first_and_scored_examples_stay_as_they_are() -> None:
    own = Example(EXAMPLE.query, (ANSWER,), ("mine",))
    scored = Example(EXAMPLE.query, (ANSWER,), ("mine",), (1.0, 0.0))
    first, second = mined([own, scored], POOL, None, 3, seed=1)
    assert first.negatives[0] == "mine" and len(first.negatives) == 3
    assert second == scored


def test_the_seed_decides() -> None:
    def chosen(seed: int) -> tuple[str, ...]:
        return mined([EXAMPLE], POOL, None, 8, seed)[0].negatives

    assert chosen(1) == chosen(1) != chosen(2)


def test_a_question_that_everything_answers_is_refused() -> None:
    with pytest.raises(BadData, match="There is no passage that does not answer the question 'How many days"):
        mined([EXAMPLE], [ANSWER], None, 3, seed=1)
