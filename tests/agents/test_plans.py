"""Plans as people change them: what makes no sense is refused in words, and what does is kept as it was said."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.errors import PlanUnusable
from agents.plans import CRITERIA, LAST, MOST_STEPS, checked, key_of, shown, task, with_keys
from agents.tools import TOOLS


def step(name: str = "Look", tool: str = "search", input: str = "annual leave", **more: Any) -> dict[str, Any]:
    return {"name": name, "tool": tool, "input": input, **more}


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (None, "one step at least"), ([], "one step at least"), ("search", "one step at least"),
        ([step(input=f"leave {number}") for number in range(MOST_STEPS + 1)], "at most 8"),
        ([7], "Step 1 is not a step"), ([step(), step(tool="rm", input="x1")], "Step 2: there is no tool “rm”"),
        ([step(name=" ")], "its name must say something"), ([step(input="?!")], "its input must say something"),
        ([step(input=7)], "its input must say something"), ([step(input="x" * 201)], "at most 200 characters"),
        ([step(criterion="…")], "its criterion must say something"), ([step(after=[2])], "There are 1 to 1"),
        ([step(after="1")], "not there"),
        ([step(after=[True])], "not there"), ([step(after=[1])], "Step 1 waits for itself"),
        ([step(after=[2]), step(input="b", after=[3]), step(input="c", after=[1])], "Steps 1, 2 and 3 wait for each other"),
        ([step(), step(input="Annual Leave")], "Steps 1 and 2 do the same"),
        ([step(tool="write_document", input="Report"), step(after=[1])], "Step 2 waits for what is done last"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_words(said: Any, words: str) -> None:
    with pytest.raises(PlanUnusable, match=words):
        checked(said, TOOLS)


def test_a_plan_that_was_shown_comes_back_as_it_was() -> None:
    tasks = [task("Look", "search", "leave"), task("Add", "calculate", "1 + 1", {"expression": "1 + 1"}, after=[0], criterion="It is 2")]
    assert checked(shown(tasks), TOOLS, tasks) == tasks
    assert [one["key"] for one in with_keys(tasks)] == ["search:step1", "act:2"] == [key_of(one, place) for place, one in enumerate(tasks)]


def test_an_input_that_was_changed_loses_the_arguments_that_were_made_of_the_old_one() -> None:
    tasks = [task("Add", "calculate", "1 + 1", {"expression": "1 + 1"})]
    assert checked([{**shown(tasks)[0], "input": "2 + 2"}], TOOLS, tasks)[0]["arguments"] == {}


ANY = st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=4), max_leaves=6)
STEPS = st.lists(
    st.dictionaries(st.sampled_from(["name", "tool", "input", "after", "criterion", "x"]), ANY | st.just("search")) | ANY, max_size=10
)


@given(STEPS | ANY)
@settings(max_examples=200, deadline=None)
def test_whatever_is_sent_is_a_plan_or_is_refused_in_words(said: Any) -> None:
    try:
        tasks = checked(said, TOOLS)
    except PlanUnusable as error:
        assert str(error)
    else:
        assert 1 <= len(tasks) <= MOST_STEPS
        assert checked(shown(tasks), TOOLS) == tasks


def test_each_tool_has_its_criterion_and_what_is_late_is_late_in_a_changed_plan() -> None:
    assert set(CRITERIA) == {"search", *TOOLS}
    assert set(LAST) == {name for name, tool in TOOLS.items() if tool.is_late}
