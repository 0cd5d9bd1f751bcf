"""Larger questions: a plan of named steps, done at the same time where nothing waits, compared with what it was for."""

from __future__ import annotations

import threading
from typing import Any

from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver

from agents.card import Limits
from agents.errors import ToolFailed
from agents.events import StepFinished, Waiting
from agents.tool import Outcome
from agents.tools import TOOLS
from tests.agents.conftest import ANSWER, FOUND, Make, Shelf, detail, end, steps, told
from tests.agents.consenting import Office, Papers, tool
from tests.scripted import ScriptedChatModel, in_turn

REQUEST = "First find how many days of annual leave there are, then look at the travel rules."


def planning(*steps: dict[str, str], instead: list[dict[str, str]] | None = None) -> Any:
    """A model that plans these steps, and others in their place where it is told that some brought nothing."""

    def script(messages: list[BaseMessage]) -> Any:
        said = messages[-1].text
        if "Split the request" in said:
            return {"steps": instead or [] if "brought nothing" in said else list(steps)}
        return FOUND if "found" in said else ANSWER

    return script


def step(name: str, tool: str, input: str, done_when: str = "It is known") -> dict[str, str]:
    return {"name": name, "tool": tool, "input": input, "done_when": done_when}


def test_a_plan_is_named_and_each_result_is_compared_with_its_criterion(make: Make) -> None:
    script = planning(step("Leave", "search", "days of annual leave", "The days are known"), step("Add", "calculate", "28 + 2"))
    events = told(REQUEST, make(script, tools={**TOOLS}, shelf=Papers(), consent=Office()))
    assert [(one["name"], one["criterion"], one["after"]) for one in detail(events, "plan")["steps"]] == [
        ("Leave", "The days are known", []), ("Add", "It is known", [1]),
    ]  # fmt: skip
    assert {one["name"]: one["met"] for one in detail(events, "weigh:1")["criteria"]} == {"Leave": "yes", "Add": "yes"}
    assert end(events).citations


def test_steps_that_wait_for_nothing_are_done_at_the_same_time(make: Make) -> None:
    together = threading.Barrier(2, timeout=10)

    def meet(arguments: Any, context: Any) -> Outcome:
        together.wait()
        return Outcome(f"{arguments['input']} is 7")

    tools = {name: tool(name, meet) for name in ("left", "right")}
    script = planning(step("L", "left", "the left"), step("R", "right", "the right"))
    events = told(REQUEST, make(script, tools=tools, shelf=Papers()))
    assert {"act:1", "act:2"} <= set(steps(events))
    assert not any(event.error for event in events if isinstance(event, StepFinished))


def test_what_brought_nothing_is_planned_anew_once_and_nothing_is_tried_twice(make: Make, shelf: Shelf) -> None:
    def fails(arguments: Any, context: Any) -> Outcome:
        raise ToolFailed("It is closed.")

    tools = {"ask": tool("ask", fails)}
    again = [step("Ask", "ask", "the office"), step("Other", "search", "travel rules for trains")]
    model = ScriptedChatModel(script=planning(step("Ask", "ask", "the office"), step("Leave", "search", "annual leave"), instead=again))
    events = told(REQUEST, make(model=model, tools=tools, shelf=Papers()))
    assert shelf.asked == [REQUEST, "annual leave", "travel rules for trains"]
    assert [one["name"] for one in detail(events, "weigh:1")["steps"]] == ["Ask", "Leave", "Other"]
    assert "steps" not in detail(events, "weigh:2"), "it was planned anew more than once"
    assert sum("Split the request" in call.messages[-1].text for call in model.calls) == 2


def test_a_plan_keeps_to_the_limit_of_searches(make: Make, shelf: Shelf) -> None:
    script = planning(*(step(f"S{number}", "search", f"leave {number}") for number in range(5)))
    told(REQUEST, make(script, tools={**TOOLS}, shelf=Papers(), consent=Office(), limits=Limits(searches=3)))
    assert len(shelf.asked) == 3


def test_simple_questions_have_no_plan_and_ask_nobody(make: Make) -> None:
    office = Office()
    events = told("How many days of annual leave do I have?", make(in_turn(FOUND, ANSWER), tools=TOOLS, consent=office, confirms="always"))
    assert "steps" not in detail(events, "plan") and not office.proposed and steps(events)[-1] == "cite"


def test_a_plan_waits_for_its_person_and_survives_every_restart(make: Make) -> None:
    office, saver, question = Office(), InMemorySaver(), "How long is annual leave, and who approves it?"
    model = ScriptedChatModel(script=in_turn(FOUND, ANSWER))
    context = make(model=model, tools=TOOLS, consent=office, confirms="always", checkpointer=saver, shelf=Papers())
    for _ in range(3):
        assert isinstance(told(question, context)[-1], Waiting)
    assert not model.calls and list(office.proposed) == ["plan"]
    office.yes.add("plan")
    assert end(told(question, context)).text
    assert end(told(question, context)).text, "told again"


def test_a_plan_that_comes_back_forged_is_not_run(make: Make) -> None:
    class Forging(Office):
        def perform(self, key: str, act: Any) -> Any:
            decision = super().perform(key, act)
            return type(decision)("done", {"steps": [{"name": "x", "tool": "rm", "input": "all"}]})

    events = told(
        "How long is annual leave, and who approves it?",
        make(in_turn(FOUND, ANSWER), tools=TOOLS, consent=Forging(yes={"plan"}), confirms="always", shelf=Papers()),
    )
    assert "no tool “rm”" in detail(events, "confirm")["note"]
    assert [one["tool"] for one in detail(events, "confirm")["steps"]] == ["search", "search"]
