"""A run that has used up its time, its tokens or its tools ends with the best answer so far, and says why."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from agents.card import Limits
from agents.finding import is_stale
from agents.tools import TOOLS
from agents.writing import quoted
from tests.agents.conftest import ANSWER, FOUND, NOT_FOUND, QUESTION, Make, Shelf, detail, end, steps, told, written
from tests.agents.consenting import Office, Papers
from tests.scripted import ScriptedChatModel, in_turn

TIME = "The 0.8 seconds that this agent has for one question are used up."


def slow(seconds: float, reply: object) -> Callable[[Any], object]:
    def script(messages: Any) -> object:
        time.sleep(seconds)
        return reply

    return script


class Stuck(ScriptedChatModel):
    """Writes this many words of an answer at once, and the next after the run's time is up."""

    words: int = 10

    def _stream(self, *arguments: Any, **bound: Any) -> Any:
        for number, piece in enumerate(super()._stream(*arguments, **bound)):
            if number == self.words and "response_format" not in bound:
                time.sleep(2.1)
            yield piece


def test_an_answer_that_takes_too_long_ends_with_the_sentences_that_are_whole(make: Make) -> None:
    model = Stuck(script=in_turn(FOUND, "You have 28 days of paid annual leave a year. Word " + "word " * 1000))
    events = told(QUESTION, make(model=model, limits=Limits(seconds=2)))
    answered, words = end(events), TIME.replace("0.8", "2")
    assert answered.text == written(events) == "You have 28 days of paid annual leave a year."
    assert (answered.cut_short, answered.refused) == (words, False)
    assert answered.citations[0].sources[0].document == "leave"
    assert detail(events, "answer")["note"] == words


def test_without_time_to_write_anything_what_was_found_is_quoted_with_its_sources(make: Make) -> None:
    model = ScriptedChatModel(script=in_turn(FOUND, "word " * 1000), delay=0.01)
    events = told(QUESTION, make(model=model, limits=Limits(seconds=0.8)))
    answered = end(events)
    assert answered.text == written(events)
    assert "28 days" in answered.text and answered.text.startswith("- ")
    assert answered.cut_short == TIME
    assert answered.citations and not answered.unsupported


def test_no_time_to_judge_answers_from_what_was_found(make: Make, shelf: Shelf) -> None:
    model = ScriptedChatModel(script=slow(0.62, NOT_FOUND))
    events = told(QUESTION, make(model=model, limits=Limits(seconds=0.8)))
    assert "28 days" in end(events).text
    assert end(events).cut_short == TIME
    assert len(shelf.asked) == 1, "it was searched once more"


@pytest.mark.parametrize("grounded", [True, False])
def test_no_time_and_nothing_found_says_so_and_is_no_failure(make: Make, grounded: bool) -> None:
    model = ScriptedChatModel(script=slow(0.01, "word " * 1000), delay=0.01)
    events = told(QUESTION, make(model=model, limits=Limits(seconds=0.05), search=lambda query, limit: [], grounded=grounded))
    assert QUESTION in end(events).text


def test_the_limit_of_tokens_ends_the_search_and_leaves_the_answer(make: Make, shelf: Shelf) -> None:
    model = ScriptedChatModel(script=in_turn({"queries": ["parental leave", "hotel costs"]}, ANSWER))
    events = told("Compare annual leave and parental leave and hotel costs.", make(model=model, limits=Limits(tokens=20)))
    answered = end(events)
    assert answered.cut_short == "The 20 tokens that this agent has for one question are used up."
    assert "28 days" in answered.text and answered.citations
    assert len(shelf.asked) == 1


def test_the_limit_of_tools_is_told_beside_the_answer(make: Make) -> None:
    model = ScriptedChatModel(script=in_turn(FOUND, ANSWER))
    events = told("What is 2 * 3?", make(model=model, tools=TOOLS, shelf=Papers(), consent=Office(), limits=Limits(steps=0)))
    assert "0 uses of tools" in end(events).cut_short


def test_what_ends_in_time_is_not_cut_short(make: Make) -> None:
    events = told(QUESTION, make(in_turn(FOUND, ANSWER)))
    assert end(events).cut_short == ""
    assert steps(events) == ["plan", "search:1", "read:1", "answer", "cite"]


def test_searches_that_find_nothing_new_are_told() -> None:
    one, other = [{"document": "a", "ordinal": 1}], [{"document": "b", "ordinal": 1}]
    assert is_stale([one, [], one]) and not is_stale([one, one]) and not is_stale([one, one, other])


def test_a_statement_that_failed_is_not_tried_a_second_time(make: Make) -> None:
    papers = Papers()
    model = ScriptedChatModel(script=in_turn({"sql": "SELECT sum(unit) FROM sales"}, {"sql": "SELECT sum(unit) FROM sales"}, FOUND, ANSWER))
    told("How many units were sold in region North?", make(model=model, tools=TOOLS, shelf=papers, consent=Office()))
    assert papers.selected == ["SELECT sum(unit) FROM sales"]


def test_nothing_to_quote_quotes_nothing() -> None:
    assert quoted([], []) == ""
