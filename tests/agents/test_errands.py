"""Requests that change something with tools of others: what is looked up first, what is meant, what is done, and what is left."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import Field

from agents import errand, errands
from agents.errors import ToolFailed
from agents.events import Answered, StepFinished, Waiting
from agents.schemas import narrowed
from agents.tool import Outcome, Tool
from tests.agents.conftest import ANSWER, FOUND, Make, told
from tests.agents.consenting import Office
from tests.agents.test_choosing import Judging
from tests.scripted import Call, ScriptedChatModel

TODAY = "Today is Thursday, 2023-11-30, 00:00."
ID = {"type": "string", "description": "Id of the order"}
DAY = {"type": "string", "description": "YYYY-MM-DD"}
WHO = {"type": "string", "description": "Email address of the customer"}
STATES = ["Open", "Shipped", "Paid"]
ORDERS = [
    {"order_id": "17", "customer": "kim@acme.org", "state": "Open", "due": "2023-11-02"},
    {"order_id": "12", "customer": "kim@acme.org", "state": "Paid", "due": "2023-12-24"},
    {"order_id": "15", "customer": "bo@acme.org", "state": "Shipped", "due": "2023-12-01"},
]


def judge(question: str, texts: Sequence[str]) -> list[float]:
    """A tool fits where the question has the verb of its name."""
    return [3.0 if text.partition(":")[0].split()[-1] in question.lower() else -9.0 for text in texts]


def shop(uses: list[Any]) -> dict[str, Tool]:
    def tool(called: str, about: str, use: Any, *needed: str, **properties: Any) -> Tool:
        def used(given: Mapping[str, Any], context: Any) -> Outcome:
            arguments = json.loads(given["arguments"])
            uses.append((called.partition(".")[2], arguments))
            return Outcome(use(**arguments))

        schema = narrowed({"properties": properties, "required": list(needed)})
        return Tool(called, "leaves", about, {"arguments": {"type": "string"}}, used, informs=True, schema=schema)

    def search(customer: str = "", state: str = "", due_from: str = "", due_to: str = "9") -> str:
        found = [one for one in ORDERS if customer in one["customer"] and state in one["state"] and due_from <= one["due"] <= due_to]
        return json.dumps(found)

    def cancel(order_id: str) -> str:
        if order_id == "12":
            raise ToolFailed("It is paid.")
        return "Cancelled."

    text = {"type": "string"}
    return {one.name: one for one in [
        tool("orders.search", "Searches orders", search, customer=WHO, state={"type": "string", "enum": STATES}, due_from=DAY, due_to=DAY),
        tool("orders.cancel", "Cancels an order", cancel, "order_id", order_id=ID),
        tool("orders.update", "Updates an order", lambda **given: "Updated.", "order_id", "field", "new_value", order_id=ID,
             field={"type": "string", "enum": ["customer", "state", "due"]}, new_value=text),
        tool("mail.remind", "Sends a mail that reminds", lambda **given: "Sent.", "to", "words", to=WHO, words=text),
        tool("people.find", "Finds the email address of somebody", lambda name: f"{name.lower()}@acme.org", "name", name=text),
    ]}  # fmt: skip


class Doing(ScriptedChatModel):
    """Replies in turn to what an errand asks, and freely to all else."""

    replies: list[Any] = Field(default_factory=list)
    script: Any = lambda messages: ""

    def answer(self, call: Call) -> Any:
        wanted = (call.schema or {}).get("properties", {})
        if "found" in wanted:
            return FOUND
        return (self.replies.pop(0) if self.replies else {}) if call.schema else ANSWER


def done(make: Make, request: str, *replies: Any, yes: int = 9, **given: Any) -> tuple[list[Any], list[Any], Doing]:
    uses: list[Any] = []
    model = Doing(replies=list(replies))
    office = Office(yes={f"act:{number}" for number in range(1, yes + 1)})
    events = told(request, make(model=model, tools=shop(uses), judge=judge, consent=office, instructions=TODAY, **given))
    return uses, events, model


def test_each_thing_that_is_meant_is_found_and_dealt_with_by_the_id_that_was_found(make: Make) -> None:
    uses, events, model = done(make, "Please cancel all orders due since November 2", {})
    assert isinstance(events[-1], Answered)
    assert uses == [("search", {"due_from": "2023-11-02", "due_to": "2023-11-29"}), ("cancel", {"order_id": "17"})]
    assert model.replies == [], "dates and ids are asked of no model"


def test_only_the_next_one_is_meant_where_the_request_says_so(make: Make) -> None:
    uses, _, _ = done(make, "Cancel the next order", {})
    assert uses == [("search", {"due_from": "2023-11-30"}), ("cancel", {"order_id": "15"})]


def test_who_is_named_is_looked_up_and_a_made_up_address_is_not_believed(make: Make) -> None:
    uses, _, _ = done(make, "Cancel the open orders of Kim", {"customer": "kim@example.com"})
    assert uses == [("find", {"name": "Kim"}), ("search", {"state": "Open", "customer": "kim@acme.org"}), ("cancel", {"order_id": "17"})]


def test_what_a_thing_is_to_become_is_not_searched_for(make: Make) -> None:
    uses, _, _ = done(make, "Please update all open orders of Kim to shipped", {"customer": "Kim"})
    assert uses[1:] == [("search", {"state": "Open", "customer": "kim@acme.org"}),
                        ("update", {"field": "state", "new_value": "Shipped", "order_id": "17"})]  # fmt: skip


def test_a_condition_is_checked_on_what_was_found(make: Make) -> None:
    request = "If Kim has no open orders, send her a reminder saying 'Buy now'. Otherwise cancel the order of Bo"
    parts = {"condition": "Kim has no open orders", "then": ["remind Kim 'Buy now'"], "otherwise": ["cancel the order of Bo"]}
    uses, _, _ = done(make, request, parts, {"customer": "Kim"}, {"customer": "Bo"})
    assert uses == [
        ("find", {"name": "Kim"}), ("search", {"state": "Open", "customer": "kim@acme.org"}),
        ("find", {"name": "Bo"}), ("search", {"customer": "bo@acme.org"}), ("cancel", {"order_id": "15"}),
    ]  # fmt: skip


def test_where_the_condition_stays_unclear_nothing_is_done(make: Make) -> None:
    parts = {"condition": "the orders please us", "then": ["cancel all orders"], "otherwise": []}
    uses, events, _ = done(make, "If the orders please us, cancel all orders", parts, {"holds_if": "unclear", "number": 0}, {})
    assert [name for name, _ in uses] == ["search"]
    notes = [event.detail.get("note", "") for event in events if isinstance(event, StepFinished)]
    assert any("could not be told" in note for note in notes)


def test_what_the_request_leaves_out_is_left(make: Make) -> None:
    where = {"where": [{"field": "state", "test": "is not", "values": ["Paid"]}]}
    uses, _, _ = done(make, "Cancel all orders that are not paid", {}, where)
    assert [given["order_id"] for name, given in uses if name == "cancel"] == ["17", "15"]


def test_one_failure_does_not_keep_the_others_from_being_done(make: Make) -> None:
    uses, _, _ = done(make, "Cancel all orders", {})
    assert [given["order_id"] for name, given in uses if name == "cancel"] == ["17", "12", "15"]


def test_each_use_waits_for_a_yes_and_goes_on_from_there(make: Make) -> None:
    uses: list[Any] = []
    office, context = Office(yes={"act:1"}), {"tools": shop(uses), "judge": judge, "instructions": TODAY}
    waits = make(model=Doing(replies=[{}]), consent=office, **context)
    assert isinstance(told("Cancel all orders", waits)[-1], Waiting)
    assert [name for name, _ in uses] == ["search"]
    office.yes |= {f"act:{number}" for number in range(2, 9)}
    assert isinstance(told("Cancel all orders", waits)[-1], Answered)
    assert [name for name, _ in uses] == ["search", "cancel", "cancel", "cancel"]


def test_a_question_is_no_errand(make: Make) -> None:
    context = make(model=Doing(), tools=shop([]), judge=Judging(orders=-5.0), instructions=TODAY)
    assert not errands.due("How many days of leave do I have?", context)


def test_a_models_words_are_set_right_by_those_of_the_request() -> None:
    request = r"Send it saying 'Hi Kim,\n\nWhen are you free?\n\nSam' please"
    assert errand.as_said("Hi kim,\n\nwhen are you free?\n\nSam", request) == r"Hi Kim,\n\nWhen are you free?\n\nSam"
    assert errand.as_said("60", request) == "60"
