"""What must be found for a condition to hold, where its words say it."""

from __future__ import annotations

import pytest

from agents.conditions import Check, said_in


@pytest.mark.parametrize(
    ("condition", "check"),
    [
        ("total visits were more than 41 at any time since October 28", Check("any above", 41)),
        ("engaged users was less than 1 at any time since September 10", Check("any below", 1)),
        ("the stock is below 12.5", Check("any below", 12.5)),
        ("visits grew by more than 3% since Monday", Check("rose by more than", 3)),
        ("sales fell by more than 10 percent", Check("fell by more than", 10)),
        ("average session duration is more than 3% lower than October 4", Check("fell by more than", 3)),
        ("total visits are more than 5% higher than last week", Check("rose by more than", 5)),
        ("it grew by more than engaged users", Check("rose by more than", than="engaged users")),
        ("Kim has no open orders", Check("nothing found")),
        ("Nadia hasn't sent me any emails in the past 2 days", Check("nothing found")),
        ("it's been longer than 2 days", Check("nothing found")),
        ("Carlos has any overdue tasks", Check("something found")),
        ("there are meetings on Friday", Check("something found")),
    ],
)
def test_its_words_say_it(condition: str, check: Check) -> None:
    assert said_in(condition) == check


@pytest.mark.parametrize("condition", ["the orders please us", "she has more than 3 open orders", "visits grew by less than 3%"])
def test_else_it_stays_open(condition: str) -> None:
    assert said_in(condition) is None
