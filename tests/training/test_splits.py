"""What is kept apart to judge by shares neither question nor answer with what is learnt from."""

from __future__ import annotations

import random

import pytest

from north.training.errors import BadData
from north.training.examples import Example
from north.training.leaks import folded
from north.training.splits import split


def examples(count: int = 60) -> list[Example]:
    """Every third shares its answer with the one before, every fifth its question."""
    made = []
    for n in range(count):
        answer, query = n - 1 if n % 3 == 1 else n, n - 1 if n % 5 == 1 else n
        made.append(Example(f"Question {query}?", (f"Answer {answer}.",), (f"Answer {(n + 7) % count}.", "Never an answer.")))
    return made


def test_nothing_that_is_kept_is_learnt_from() -> None:
    learnt, kept = split(examples(), 0.2, 100, seed=1)
    assert 6 <= len(kept) <= 12 and len(learnt) + len(kept) == 60
    for part in (lambda one: {folded(one.query)}, lambda one: set(map(folded, one.positives))):
        assert not set().union(*map(part, learnt)) & set().union(*map(part, kept))
    answers = {text for one in kept for text in one.positives}
    assert not answers & {text for one in learnt for text in one.negatives}
    assert all("Never an answer." in one.negatives for one in learnt)


def test_the_seed_decides_and_not_the_order() -> None:
    def chosen(seed: int, shuffle: int) -> set[str]:
        given = examples()
        random.Random(shuffle).shuffle(given)
        return {one.query for one in split(given, 0.2, 100, seed)[1]}

    assert chosen(1, 1) == chosen(1, 2) != chosen(2, 1)


def test_no_more_are_kept_than_asked_for() -> None:
    assert len(split(examples(), 0.5, 5, seed=1)[1]) <= 5


def test_too_few_examples_and_such_that_hang_together_are_refused() -> None:
    with pytest.raises(BadData, match=r"There are 3 examples. Fine-tuning needs 20"):
        split(examples(3), 0.2, 100, seed=1)
    with pytest.raises(BadData, match="hang together"):
        split([Example(f"q{n}", ("the one answer",)) for n in range(40)], 0.1, 100, seed=1)
