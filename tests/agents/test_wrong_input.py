"""Tools and models at their worst, in whole runs: each ends in words a person understands, and the thread goes on."""

from __future__ import annotations

import time
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from agents.card import Limits
from agents.context import Turn
from agents.events import StepFinished
from agents.tool import Outcome, Tool
from agents.tools import TOOLS
from tests.agents.conftest import ANSWER, FOUND, QUESTION, Make, end, told
from tests.agents.consenting import Office, Papers, tool
from tests.scripted import Call, ScriptedChatModel, in_turn


class Babbling(ScriptedChatModel):
    """Says this wherever a schema is asked for, and a plain sentence elsewhere."""

    said: Any

    def answer(self, call: Call) -> Any:
        return self.said if call.schema else ANSWER


def raising(arguments: Any, context: Any) -> Outcome:
    raise KeyError("secret-detail")


def hanging(arguments: Any, context: Any) -> Outcome:
    time.sleep(60)
    return Outcome("late")


def long(arguments: Any, context: Any) -> Outcome:
    return Outcome("All work and no play. " * 500_000)


def html(arguments: Any, context: Any) -> Outcome:
    return Outcome("<!DOCTYPE html><html><body>Log in</body></html>")


@pytest.mark.parametrize(
    ("run", "words"),
    [(raising, "broke (KeyError)"), (hanging, "took longer than 0.3 seconds"), (html, "gave a web page"), (long, "")],
)
def test_a_tool_that_misbehaves_fails_its_step_and_the_answer_and_the_next_question_come(make: Make, run: Any, words: str) -> None:
    tools = {**TOOLS, "odd.tool": tool("odd.tool", run)}
    limits, asked = Limits(tool_seconds=0.3 if run is hanging else 30.0), f"{QUESTION} @odd.tool"
    given: dict[str, Any] = {"tools": tools, "shelf": Papers(), "consent": Office(), "limits": limits}
    model = Babbling(script=in_turn(), said=FOUND)
    events = told(asked, make(model=model, **given))
    (acted,) = [event for event in events if isinstance(event, StepFinished) and event.kind == "act"]
    assert words in acted.error and "secret-detail" not in str(events) and bool(acted.error) == bool(words)
    assert end(events).text == "You have 28 days of paid annual leave a year." and not end(events).refused
    assert max(len(message.text) for call in model.calls for message in call.messages) < 60_000
    after = told(QUESTION, make(model=model, **given, checkpointer=InMemorySaver()), (Turn(asked, end(events).text),))
    assert end(after).citations


GARBAGE: list[Any] = [
    "no idea", "", "{", "[1, 2", "null", "[]", {}, {"x": 1}, {"found": 7, "queries": 7, "question": 7, "sql": 7, "expression": 7},
    {"queries": [None, 7, ""], "steps": [7, None, {"tool": "rm -rf"}], "tool": "nothing", "found": "maybe", "question": "?"},
    {"steps": [{"name": "A", "tool": "A", "input": "B"}, {"name": "B", "tool": "B", "input": "A"}], "found": "yes", "labels": {}},
]  # fmt: skip
QUESTIONS = (
    QUESTION, "And for trainees?", "First find the leave rules, then work out 12 * 28, then tell everybody", "What is twice the leave?",
    "How many units were sold in region North?", "Compare the leave policy and the travel policy", "Draw a chart of the units by region",
    "Write a report about annual leave", "Where is Lena?",
)  # fmt: skip


@pytest.mark.parametrize("thorough", [False, True])
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_model_that_answers_garbage_to_every_schema_ends_in_words(make: Make, question: str, thorough: bool) -> None:
    schema = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
    lent = Tool("people.find", "leaves", "Finds an employee", {"arguments": {"type": "string"}},
                lambda given, context: Outcome("Lena is in."), informs=True, schema=schema)  # fmt: skip
    history = (Turn("How much leave do I have?", "You have 28 days."),)
    for number, garbage in enumerate(GARBAGE):
        model = Babbling(script=in_turn(), said=garbage)
        context = make(model=model, tools={**TOOLS, "people.find": lent}, shelf=Papers(), consent=Office(rules={"people.find": "allow"}),
                       thorough=thorough, run_id=f"garbage-{number}", judge=lambda asked, texts: [1.0] * len(texts))  # fmt: skip
        last = told(question, context, history)[-1]
        assert type(last).__name__ in {"Answered", "Waiting"}
        if type(last).__name__ == "Answered":
            assert end([last]).text.strip()
