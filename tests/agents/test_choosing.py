"""Tools of somebody else's in a run: which are offered, which is chosen, with which arguments; and that nothing is made up."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from agents import choosing
from agents.errors import ToolFailed
from agents.events import Answered, StepFinished
from agents.schemas import narrowed
from agents.tool import Outcome, Tool
from tests.agents.conftest import ANSWER, FOUND, Make, told
from tests.agents.consenting import Office
from tests.scripted import Call, ScriptedChatModel

TO = {"type": "string", "description": "Email address of the recipient"}
MAIL = {"properties": {"to": TO, "text": {"type": "string"}}, "required": ["to", "text"]}
FIND = {"properties": {"name": {"type": "string"}}, "required": ["name"]}
AREA = {"properties": {"base": {"type": "integer"}, "unit": {"type": "string"}, "round": {"type": "boolean"}}, "required": ["base"]}


def tool(name: str, about: str, schema: Mapping[str, Any], uses: list[Any], says: str = "Done.") -> Tool:
    def used(given: Mapping[str, Any], context: Any) -> Outcome:
        uses.append((name, json.loads(given["arguments"])))
        if says == "fails":
            raise ToolFailed("The server is away.")
        return Outcome(says)

    return Tool(name, "leaves", about, {"arguments": {"type": "string"}}, used, informs=True, schema=narrowed(schema))


def directory(uses: list[Any], says: str = "lena@acme.org") -> dict[str, Tool]:
    return {
        "mail.send": tool("mail.send", "Sends an email to somebody", MAIL, uses),
        "people.find": tool("people.find", "Finds the email address of an employee by name", FIND, uses, says),
        "shapes.area": tool("shapes.area", "Area of a triangle", AREA, uses),
    }


class Judging:
    """A judge by hand: what fits what."""

    def __init__(self, **scores: float) -> None:
        self.scores = scores

    def __call__(self, question: str, texts: Sequence[str]) -> Sequence[float]:
        return [next((score for word, score in self.scores.items() if word in text), -9.0) for text in texts]


class Replying(ScriptedChatModel):
    """Chooses and fills in turn; answers freely."""

    replies: list[Any] = Field(default_factory=list)
    script: Any = lambda messages: ""

    def answer(self, call: Call) -> Any:
        wanted = (call.schema or {}).get("properties", {})
        if "found" in wanted:
            return FOUND
        return self.replies.pop(0) if call.schema else ANSWER


def uses_of(make: Make, question: str, tools: Mapping[str, Tool], judge: Any, *replies: Any, **given: Any) -> tuple[list[Any], Replying]:
    model = Replying(replies=list(replies))
    office = Office(yes={f"act:{number}" for number in range(1, 9)})
    events = told(question, make(model=model, tools=tools, judge=judge, consent=office, **given))
    assert isinstance(events[-1], Answered)
    return events, model


def test_where_no_tool_fits_none_is_offered_and_no_model_is_asked_to_choose(make: Make) -> None:
    uses: list[Any] = []
    _, model = uses_of(make, "How many days of annual leave do I have?", directory(uses), Judging(mail=-5.0, people=-6.0))
    assert uses == []
    assert all("tool" not in (call.schema or {}).get("properties", {}) for call in model.calls)


def test_the_one_that_fits_needs_no_choice_only_arguments(make: Make) -> None:
    uses: list[Any] = []
    _, model = uses_of(make, "What is the area of a triangle with base 10?", directory(uses), Judging(shapes=2.0), {"base": 10})
    assert uses == [("shapes.area", {"base": 10})]
    asked = [call for call in model.calls if call.schema and "base" in call.schema["properties"]]
    assert asked[0].schema and asked[0].schema["required"] == ["base", "unit", "round"], "each argument is thought of"
    assert [list(one) for one in asked[0].schema["properties"].values()] == [["type"], ["anyOf"], ["anyOf"]], "what is optional may be null"


def test_what_nobody_said_is_left_out_of_the_arguments(make: Make) -> None:
    uses: list[Any] = []
    reply = {"base": 10, "unit": "furlong", "round": True}
    uses_of(make, "What is the area of a triangle with base 10?", directory(uses), Judging(shapes=2.0), reply)
    assert uses == [("shapes.area", {"base": 10})]
    uses.clear()
    tools, said = directory(uses), {**reply, "unit": "cm"}
    uses_of(make, "Area of a triangle with base 10, unit cm, please", tools, Judging(shapes=2.0), said, run_id="said")
    assert uses == [("shapes.area", {"base": 10, "unit": "cm"})]


def test_wrong_arguments_are_mended_once_with_the_fault_before_the_models_eyes(make: Make) -> None:
    uses: list[Any] = []
    _, model = uses_of(make, "The area of a triangle, base 10", directory(uses), Judging(shapes=2.0), {"base": "ten"}, {"base": 10})
    assert uses == [("shapes.area", {"base": 10})]
    assert "base must be an integer" in [call for call in model.calls if call.schema][1].messages[-1].text


def test_an_address_that_stands_nowhere_is_not_written_to_but_found_first(make: Make) -> None:
    uses: list[Any] = []
    wrong, right = {"to": "lena@example.com", "text": "Hello"}, {"to": "lena@acme.org", "text": "Hello"}
    events, _ = uses_of(make, "Send an email to Lena saying Hello", directory(uses), Judging(mail=2.0), wrong)
    assert uses == [("people.find", {"name": "Lena"}), ("mail.send", right)]
    offered = choosing.offered("Send an email to Lena", make(lambda messages: "", tools=directory([]), judge=Judging(mail=2.0)))
    assert offered == ["mail.send", "people.find"]
    chosen = [event.detail["query"] for event in events if isinstance(event, StepFinished) and event.key.startswith("choose:")]
    assert chosen == ["people.find", "mail.send", "nothing more"]


def test_two_failures_one_after_the_other_end_it(make: Make) -> None:
    uses: list[Any] = []
    tools = {"shapes.area": tool("shapes.area", "Area of a triangle", AREA, uses, "fails")}
    uses_of(make, "The area of a triangle, base 10 or 12", tools, Judging(shapes=2.0), {"base": 10}, {"base": 12})
    assert uses == [("shapes.area", {"base": 10}), ("shapes.area", {"base": 12})]


def test_the_same_use_is_not_made_twice(make: Make) -> None:
    uses: list[Any] = []
    again = ({"tool": "people.find"}, {"name": "Lena"})
    uses_of(make, "Find the address of Lena", directory(uses), Judging(people=2.0, shapes=1.5), *again, *again, {"tool": "done"})
    assert uses == [("people.find", {"name": "Lena"})]


def test_a_model_that_answers_garbage_uses_nothing(make: Make) -> None:
    uses: list[Any] = []
    uses_of(make, "Send an email to Lena", directory(uses), Judging(mail=2.0, people=1.0), *2 * ["I would gladly do that!"])
    assert uses == []


def test_without_a_judge_the_vectors_say_what_fits(make: Make) -> None:
    tools = directory([])
    context = make(lambda messages: "", tools=tools, judge=None)
    assert choosing.offered(choosing.described(tools["mail.send"]), context)[0] == "mail.send"
    assert choosing.offered("Zzz qqq", context) == []
