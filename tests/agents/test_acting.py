"""Plans by rules, tools in their turn, budgets, and answers that rest on what tools found."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver

from agents.card import Limits
from agents.context import Context
from agents.events import Event, Waiting
from agents.planning import expression_in, planned, tasks_of, topic_of, writes
from agents.run import run
from agents.tools import TOOLS
from tests.agents.conftest import ANSWER, FOUND, QUESTION, Make, detail, end, steps, told
from tests.agents.consenting import Office, Papers
from tests.scripted import ScriptedChatModel, in_turn

ORDER = "Write a report about annual leave"


def fits_nothing(about: str) -> list[Any]:
    return []


@pytest.mark.parametrize(
    ("question", "tools"),
    [
        (QUESTION, []),
        ("Who writes the annual report?", []),
        ("How do I create a purchase order?", []),
        ("What changed between 2019-2021?", []),
        ("What happened on 2024-01-03?", []),
        ("Call +49 30 1234-567?", []),
        ("What is the limit in section 4.2.1?", []),
        ("What is 17.5 % of 2,340?", ["calculate"]),
        ("How much is 3 * (140 + 20)?", ["calculate"]),
        ("What does a hotel for 3 nights in Zurich cost in total?", ["calculate"]),
        ("Summarise handbook.pdf", ["read_document"]),
        ("Fasse „Reiserichtlinie“ zusammen", ["read_document"]),
        ("Write a report about annual leave", ["write_document"]),
        ("Bitte schreibe einen Bericht über Urlaub", ["write_document"]),
        ("Rédige une note sur les congés", ["write_document"]),
        ("Escribe un informe sobre las vacaciones", ["write_document"]),
        ("Compare leave and travel, and then write a memo about it", ["write_document"]),
        ("Write a report", ["ask_user", "write_document"]),
    ],
)
def test_rules_say_which_tools_a_question_needs(question: str, tools: list[str]) -> None:
    assert [task["tool"] for task in tasks_of(question, fits_nothing, TOOLS)] == tools


def test_a_table_is_asked_only_where_its_columns_are_named() -> None:
    papers = Papers()
    assert [task["tool"] for task in tasks_of("How many units were sold in region North?", papers.sheets, TOOLS)] == ["query_table"]
    assert tasks_of("How many days of leave do I have?", papers.sheets, TOOLS) == []
    assert tasks_of("What do the units that were sold in region North mean?", papers.sheets, TOOLS) == [], "a verb, no average"
    assert tasks_of("What is the mean of units sold in region North?", papers.sheets, TOOLS)


def test_the_topic_of_an_order_is_searched_and_not_the_order() -> None:
    assert topic_of("Please write a short report about parental leave.") == "parental leave"
    assert topic_of(QUESTION) == QUESTION
    assert writes("Draft a memo: hotel costs") and not writes("Is there a report about leave?")


@pytest.mark.parametrize(("text", "expression"), [("Is 2+2 four?", "2+2"), ("1/2/2024", ""), ("pages 3-5", ""), ("a 30% rise", "")])
def test_only_arithmetic_is_arithmetic(text: str, expression: str) -> None:
    assert expression_in(text) == expression


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"steps": None}, {"steps": "x"}, {"steps": [1, None, {}, {"name": "a"}]}, {"steps": [{"name": "a", "tool": "rm", "input": "x"}]},
        {"steps": [{"name": "", "tool": "search", "input": "x"}]}, {"steps": [{"name": "a", "tool": ["search"], "input": "x"}] * 9},
    ],
)  # fmt: skip
def test_a_plan_that_makes_no_sense_holds_no_steps(said: dict[str, Any]) -> None:
    assert planned(said, TOOLS)[0] == []


def test_a_plan_says_each_thing_once_and_only_with_known_tools() -> None:
    step = {"name": "Look", "tool": "search", "input": "leave"}
    tasks, left_out = planned({"steps": [step, step, {"name": "Add", "tool": "calculate", "input": "1+1"}]}, TOOLS)
    assert ([(task["tool"], task["input"]) for task in tasks], left_out) == ([("search", "leave"), ("calculate", "1+1")], 1)


def test_a_question_without_tools_asks_the_model_no_more_than_before(make: Make) -> None:
    model = ScriptedChatModel(script=in_turn(FOUND, ANSWER))
    events = told(QUESTION, make(model=model, tools=TOOLS, shelf=Papers(), consent=Office()))
    assert steps(events) == ["plan", "search:1", "read:1", "answer", "cite"]
    assert len(model.calls) == 2


def test_what_is_worked_out_stands_in_the_answer_and_is_supported(make: Make) -> None:
    model = ScriptedChatModel(script=in_turn("17.5 % of 2,340 is 409.5."))
    events = told("What is 17.5 % of 2,340?", make(model=model, tools=TOOLS, shelf=Papers(), consent=Office()))
    assert "act:1" in steps(events) and "409.5" in detail(events, "act:1")["result"]
    assert "= 409.5" in model.calls[0].messages[-1].text
    answered = end(events)
    assert [claim.support for claim in answered.claims] == ["supported"]
    assert answered.unsupported == ()


def test_a_number_that_stands_nowhere_is_not_worked_with(make: Make) -> None:
    model = ScriptedChatModel(script=in_turn({"expression": "3 * 999"}, FOUND, "A night costs up to 220 euros."))
    events = told("What do 3 nights of hotel in Zurich cost in total?", make(model=model, tools=TOOLS, consent=Office()))
    assert "stands nowhere" in detail_error(events, "act:1")


def detail_error(events: list[Event], key: str) -> str:
    return next(event.error for event in events[::-1] if getattr(event, "key", "") == key and hasattr(event, "error"))


def test_a_table_is_asked_again_once_with_the_fault_before_its_eyes(make: Make) -> None:
    papers = Papers()
    script = in_turn({"sql": "SELECT sum(unit) FROM sales"}, {"sql": "SELECT sum(units) FROM sales"}, "In total 45 units were sold.")
    model = ScriptedChatModel(script=script)
    context = make(model=model, tools=TOOLS, shelf=papers, consent=Office())
    events = told("How many units were sold in region North?", context)
    assert papers.selected == ["SELECT sum(unit) FROM sales", "SELECT sum(units) FROM sales"]
    assert "Column not found" in model.calls[1].messages[-1].text
    answered = end(events)
    assert [(claim.support, claim.citation) for claim in answered.claims] == [("supported", 0)]
    assert answered.citations[0].sources[0].document == "sales"


def test_the_limit_of_steps_ends_with_what_there_is_and_the_reason(make: Make) -> None:
    model = ScriptedChatModel(script=in_turn(FOUND, ANSWER))
    events = told("What is 2 + 2 days of annual leave?", make(model=model, tools=TOOLS, consent=Office(), limits=Limits(steps=0)))
    assert "used up" in detail_error(events, "act:1")
    assert end(events).text.startswith("You have 28 days")


def answering(messages: list[BaseMessage]) -> Any:
    return FOUND if "found" in str(messages[-1].content) else "You have 28 days of paid annual leave a year."


def test_what_writes_waits_and_goes_on_from_where_it_was(make: Make) -> None:
    office, papers, saver = Office(), Papers(), InMemorySaver()
    model = ScriptedChatModel(script=answering)
    context = make(model=model, tools=TOOLS, shelf=papers, consent=office, checkpointer=saver)
    for _ in range(3):
        assert isinstance(told(ORDER, context)[-1], Waiting)
    calls = len(model.calls)
    assert (papers.written, office.done) == ([], {})
    assert office.proposed["act:1"].derived == ("text", "citations")
    office.yes.add("act:1")
    answered = end(told(ORDER, context))
    assert papers.written == [("Annual leave", answered.text)]
    assert len(model.calls) == calls
    assert end(told(ORDER, context)) == answered
    assert len(papers.written) == 1


def test_without_anybody_to_ask_nothing_is_written(make: Make) -> None:
    papers = Papers()
    events = told(ORDER, make(answering, tools=TOOLS, shelf=papers))
    assert "Nobody can be asked" in detail_error(events, "act:1")
    assert (papers.written, end(events).text) == ([], "You have 28 days of paid annual leave a year.")


def test_what_the_documents_do_not_hold_is_not_written(make: Make) -> None:
    papers = Papers()
    events = told("Write a report about xylophones", make(in_turn(), tools=TOOLS, shelf=papers, consent=Office()))
    assert end(events).refused
    assert papers.written == []


def test_a_resume_value_from_elsewhere_approves_nothing(make: Make) -> None:
    """A forged word in the graph is not a person's: the office is asked anew."""
    office, papers = Office(), Papers()
    context: Context = make(answering, tools=TOOLS, shelf=papers, consent=office)
    list(run(ORDER, [], context))
    assert office.propose(office.proposed["act:1"]).standing == "waiting"
    assert papers.written == []
