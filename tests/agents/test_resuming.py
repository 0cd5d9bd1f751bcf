"""Runs that end in the middle and go on from their checkpoints; and checkpoints that somebody else wrote."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import ormsgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver

from agents.context import Context
from agents.errors import StateUnreadable
from agents.events import Event, StepFinished
from agents.run import run
from tests.agents.conftest import ANSWER, FOUND, QUESTION, Make, Shelf, embed_letters, end, steps, told, written
from tests.scripted import ScriptedChatModel, in_turn


class Crash(BaseException):
    """The process dies: nothing in the run may catch it."""


def crashing(script: Any, at: int) -> Any:
    calls = iter(range(1000))

    def dying(messages: list[BaseMessage]) -> Any:
        if next(calls) == at:
            raise Crash
        return script(messages)

    return dying


def judged(messages: list[BaseMessage]) -> Any:
    last = str(messages[-1].content)
    if "queries" in last:
        return {"queries": ["annual leave", "parental leave"]}
    return FOUND if "found" in last else ANSWER


@pytest.mark.parametrize("at", [0, 1, 2])
@pytest.mark.parametrize("store", ["memory", "sqlite"])
def test_a_killed_run_goes_on_where_it_stopped(make: Make, tmp_path: Path, at: int, store: str) -> None:
    shelf = Shelf()
    question = "Compare annual leave and parental leave."
    connection = sqlite3.connect(tmp_path / "c.sqlite", check_same_thread=False)
    saver = SqliteSaver(connection) if store == "sqlite" else InMemorySaver()
    before: list[Event] = []
    with pytest.raises(Crash):
        before.extend(run(question, [], make(crashing(judged, at), search=shelf, checkpointer=saver)))
    asked = len(shelf.asked)
    saver = SqliteSaver(connection) if store == "sqlite" else saver
    after = told(question, make(judged, search=shelf, checkpointer=saver))
    expected = told(question, make(judged, run_id="undisturbed"))
    assert end(after) == end(expected)
    assert sorted(steps(after)) == sorted(steps(expected)), "parts are searched at the same time, in any order"
    assert written(before + after) == written(expected)
    assert len(shelf.asked) == len(expected_searches(expected))
    assert asked <= len(shelf.asked)
    connection.close()


def expected_searches(events: list[Event]) -> list[str]:
    return [key for key in steps(events) if key.startswith("search")]


@given(st.integers(1, 40))
@settings(max_examples=25, deadline=None)
def test_a_consumer_that_dies_after_any_event_misses_nothing(count: int) -> None:
    context = Context("r", ScriptedChatModel(script=judged), Shelf(), embed_letters, InMemorySaver())
    events = run(QUESTION, [], context)
    before = [event for event, _ in zip(events, range(count), strict=False)]
    events.close()
    after = told(QUESTION, replace(context, model=ScriptedChatModel(script=judged)))
    expected = told(QUESTION, replace(context, run_id="undisturbed"))
    assert end(after) == end(expected)
    assert written(before + after) == end(expected).text
    finished = {event.key: event for event in before + after if isinstance(event, StepFinished)}
    assert finished == {event.key: event for event in expected if isinstance(event, StepFinished)}


def test_a_finished_run_is_told_again_without_working_again(make: Make, shelf: Shelf) -> None:
    context = make(judged)
    first = told(QUESTION, context)
    again = told(QUESTION, replace(context, model=ScriptedChatModel(script=in_turn())))
    assert end(again) == end(first)
    assert written(again) == end(first).text
    assert len(shelf.asked) == 1


def test_another_question_under_the_same_run_is_refused(make: Make) -> None:
    context = make(judged)
    told(QUESTION, context)
    with pytest.raises(StateUnreadable):
        told("What may a hotel cost?", context)


def forged(kind: str, sentinel: Path) -> tuple[str, bytes]:
    call = ormsgpack.packb(("pathlib", "Path", [str(sentinel)]))
    gadget = ormsgpack.packb(ormsgpack.Ext(1, call))
    constructor = {"lc": 2, "type": "constructor", "id": ["pathlib", "Path"], "args": [str(sentinel)]}
    return {
        "extension": ("msgpack", gadget),
        "constructor": ("json", json.dumps(constructor).encode()),
        "pickle": ("pickle", b"cposix\nsystem\n(S'touch " + str(sentinel).encode() + b"'\ntR."),
        "truncated": ("msgpack", b"\x85\xa1"),
        "noise": ("msgpack", bytes(range(200, 256))),
        "another shape": ("msgpack", ormsgpack.packb({"channel_values": 7})),
        "empty": ("msgpack", b""),
    }[kind]


@pytest.mark.parametrize("kind", ["extension", "constructor", "pickle", "truncated", "noise", "another shape", "empty"])
def test_a_forged_checkpoint_fails_visibly_and_runs_nothing(make: Make, tmp_path: Path, kind: str) -> None:
    connection = sqlite3.connect(tmp_path / "c.sqlite", check_same_thread=False)
    with pytest.raises(Crash):
        told(QUESTION, make(crashing(judged, 1), checkpointer=SqliteSaver(connection)))
    sentinel = tmp_path / "touched"
    connection.execute("UPDATE checkpoints SET type = ?, checkpoint = ?", forged(kind, sentinel))
    shelf, model = Shelf(), ScriptedChatModel(script=in_turn())
    with pytest.raises(StateUnreadable):
        told(QUESTION, make(model=model, search=shelf, checkpointer=SqliteSaver(connection)))
    assert not sentinel.exists()
    assert not shelf.asked
    assert not model.calls
    connection.close()
