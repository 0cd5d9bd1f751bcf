"""What is searched: a question, its parts, and what it means after the questions before it."""

from __future__ import annotations

from typing import Any

import pytest

from agents.context import Limits, Turn
from tests.agents.conftest import ANSWER, FOUND, Make, Shelf, detail, end, steps, told
from tests.scripted import in_turn


def test_a_question_of_several_parts_is_searched_part_by_part(make: Make, shelf: Shelf) -> None:
    question = "What is the difference between annual leave and parental leave?"
    events = told(question, make(in_turn({"queries": ["annual leave days", "parental leave weeks"]}, FOUND, ANSWER)))
    assert shelf.asked == [question, "annual leave days", "parental leave weeks"]
    assert detail(events, "plan")["queries"] == shelf.asked


@pytest.mark.parametrize(
    ("question", "clauses"),
    [
        ("How long is annual leave, and who approves it?", ["How long is annual leave", "who approves it?"]),
        ("What may a hotel cost? Who pays the train?", ["What may a hotel cost?", "Who pays the train?"]),
        ("Wie lange dauert der Urlaub und wer genehmigt ihn?", ["Wie lange dauert der Urlaub", "wer genehmigt ihn?"]),
        ("有給休暇は何日ですか？ホテル代はいくらですか？", ["有給休暇は何日ですか？", "ホテル代はいくらですか？"]),
        ("What is annual leave, and why?", []),
        ("Leave and travel", []),
    ],
)
def test_two_questions_in_one_are_searched_one_by_one_before_any_model_is_asked(
    question: str, clauses: list[str], make: Make, shelf: Shelf
) -> None:
    told(question, make(in_turn(FOUND, ANSWER)))
    assert shelf.asked == [question, *clauses]


@pytest.mark.parametrize(
    "garbage", ["no JSON", "[]", '{"queries": "x"}', '{"queries": [1, null, "", "?!"]}', '{"queries": {}}', "{", "null"]
)
def test_a_plan_that_is_garbage_falls_back_to_the_question_and_says_so(make: Make, shelf: Shelf, garbage: str) -> None:
    question = "Compare leave and travel."
    events = told(question, make(in_turn(garbage, FOUND, ANSWER)))
    assert shelf.asked == [question]
    assert "could not be used" in detail(events, "plan")["note"]


def test_a_follow_up_is_searched_as_rewritten_and_as_asked(make: Make, shelf: Shelf) -> None:
    history = (Turn("What may a hotel in Berlin cost?", "Up to 140 euros."),)
    rewritten = "What may a hotel in Zurich cost?"
    events = told("And in Zurich?", make(in_turn({"question": rewritten}, FOUND, "Up to 220 euros.")), history)
    assert shelf.asked == [rewritten, "And in Zurich?"]
    assert steps(events)[0] == "understand"
    assert detail(events, "understand")["standalone"] == rewritten


@pytest.mark.parametrize(
    "bad", ["garbage", {"question": "Where is the canteen?"}, {"question": ""}, {"question": 7}, {"question": "Zurich " * 300}]
)
def test_a_bad_rewording_never_loses_the_persons_words(make: Make, shelf: Shelf, bad: Any) -> None:
    history = (Turn("What may a hotel in Berlin cost?", "Up to 140 euros."),)
    events = told("And in Zurich for 3 nights?", make(in_turn(bad, FOUND, "Up to 220 euros.")), history)
    assert shelf.asked[0] == "And in Zurich for 3 nights?"
    assert "hotel in Berlin" in shelf.asked[1]
    assert "could not be used" in detail(events, "understand")["note"]


def test_a_rewording_that_drops_a_number_is_not_used(make: Make, shelf: Shelf) -> None:
    history = (Turn("Which FlowSense are there?", "Several."),)
    told("How accurate is the 300?", make(in_turn({"question": "How accurate is the FlowSense?"}, FOUND, "0.5 percent.")), history)
    assert shelf.asked[0] == "How accurate is the 300?"


def test_searches_and_passages_keep_to_their_limits(make: Make, shelf: Shelf) -> None:
    context = make(in_turn({"queries": ["a1 leave", "b2 travel", "c3 pension"]}, FOUND, ANSWER), limits=Limits(searches=2, passages=2))
    answered = end(told("Compare leave and travel and pension", context))
    assert len(shelf.asked) == 2
    assert len(answered.passages) <= 2


def test_a_giant_question_is_bounded(make: Make, shelf: Shelf) -> None:
    told("leave " * 200_000, make(in_turn(FOUND, ANSWER)))
    assert all(len(query) <= 500 for query in shelf.asked)
