"""How much a model reads, and what is done without, is decided by its card."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from agents.card import MOST_READING, Card, Limits, limits_for
from agents.context import Turn
from agents.events import Answered
from tests.agents.conftest import FOUND, Shelf
from tests.agents.test_run import ANSWER, QUESTION, Make, detail, told
from tests.scripted import ScriptedChatModel, in_turn

FRENCH = "Combien de jours de annual leave ai-je ?"


@pytest.mark.parametrize(
    ("rate", "context", "ends", "tokens"),
    [
        (0, 0, False, 240),  # not measured
        (60, 0, False, 240),  # forgets whatever it reads
        (31, 1180, False, 240),  # the default model on one busy core, in a quick test
        (60, 3800, True, 240),  # on two quiet ones
        (300, 3800, True, 1200),
        (10_000, 3800, True, 2080),  # fast, but its server takes no more: (3800 - 1200) * 0.8
        (10_000, 2000, False, 640),  # longer prompts were forgotten
        (1000, 16_000, False, 4000),
        (10_000, 131_072, False, MOST_READING),
        (10_000, 1024, True, 120),  # a server with a tiny context
    ],
)
def test_a_model_reads_what_it_can_in_four_seconds_and_remember(rate: float, context: int, ends: bool, tokens: int) -> None:
    limits = limits_for(Card(context=context, context_ends=ends, reading_rate=rate))
    assert limits.reading_tokens == tokens


def test_passages_become_more_and_longer_with_the_budget_and_nothing_else_changes() -> None:
    plain, most = Limits(), limits_for(Card(context=131_072, reading_rate=10_000))
    assert (most.passages, most.passage_characters) == (24, 4000)
    assert most.passages * most.passage_characters >= 4 * most.reading_tokens
    assert (most.searches, most.answer_tokens, most.seconds) == (plain.searches, plain.answer_tokens, plain.seconds)
    assert limits_for(Card()) == plain


def test_a_faster_model_is_shown_more_passages(make: Make, shelf: Shelf) -> None:
    def shown(card: Card) -> int:
        events = told("leave pension travel hotel office", make(in_turn(FOUND, ANSWER), card=card, limits=limits_for(card)))
        assert isinstance(events[-1], Answered)
        return len(events[-1].passages)

    assert shown(Card(context=131_072, reading_rate=10_000)) > shown(Card())


# --- how it is brought to reply with JSON -----------------------------------------------------------------------------------------------
def test_a_model_that_keeps_schemas_is_constrained_by_one(make: Make) -> None:
    model = ScriptedChatModel(script=in_turn(FOUND, ANSWER))
    told(QUESTION, make(model=model))
    assert model.calls[0].schema is not None and "tools" not in model.calls[0].bound


def test_a_model_that_calls_tools_replies_by_a_call(make: Make) -> None:
    def call(**arguments: object) -> AIMessage:
        return AIMessage(content="Let me see.", tool_calls=[{"name": "found", "args": arguments, "id": "1"}])

    model = ScriptedChatModel(script=in_turn(call(found="yes"), ANSWER))
    events = told(QUESTION, make(model=model, card=Card(replies="tools")))
    assert detail(events, "read:1")["answerable"] is True
    bound = model.calls[0].bound
    assert "response_format" not in bound and bound["tools"][0]["function"]["parameters"]["required"] == ["found"]
    assert bound["tool_choice"]["function"]["name"] == bound["tools"][0]["function"]["name"] == "found"


@pytest.mark.parametrize("said", ['{"found": "yes"}', 'Of course:\n```json\n{"found": "yes"}\n```\nAnything else?'])
def test_a_model_that_does_neither_is_asked_in_words(make: Make, said: str) -> None:
    model = ScriptedChatModel(script=in_turn(said, ANSWER))
    events = told(QUESTION, make(model=model, card=Card(replies="words")))
    assert detail(events, "read:1")["answerable"] is True
    assert not model.calls[0].bound.keys() & {"response_format", "tools"}


def test_words_that_are_no_json_are_taken_as_a_no_and_nothing_is_answered_from_nowhere(make: Make) -> None:
    events = told(QUESTION, make(lambda messages: "I think so, yes.", card=Card(replies="words")))
    assert isinstance(events[-1], Answered) and events[-1].refused


# --- what it cannot do is said ---------------------------------------------------------------------------------------------------------
def test_a_model_that_cannot_reword_is_not_asked_to(make: Make, shelf: Shelf) -> None:
    history = (Turn("What may a hotel in Berlin cost?", "Up to 140 euros."),)
    events = told("And in Zurich?", make(in_turn(FOUND, "Up to 220 euros."), card=Card(rewrites=False)), history)
    assert shelf.asked == ["And in Zurich?", "What may a hotel in Berlin cost? And in Zurich?"]
    assert "rewording" in detail(events, "understand")["note"]


@pytest.mark.parametrize(
    ("question", "languages", "said"),
    [
        (QUESTION, None, ""),
        (QUESTION, {"en": True}, ""),
        (QUESTION, {"en": False}, "failed its test in English"),
        (FRENCH, {"en": True}, "was not tested in French"),
        (FRENCH, {"en": True, "fr": False}, "failed its test in French"),
    ],
)
def test_what_is_known_of_the_questions_language_is_said(make: Make, question: str, languages: Any, said: str) -> None:
    events = told(question, make(lambda messages: FOUND if "found" in messages[-1].text else ANSWER, card=Card(languages=languages)))
    assert said in detail(events, "answer").get("note", "") and bool(said) == ("note" in detail(events, "answer"))


def test_that_it_cannot_judge_is_said(make: Make) -> None:
    events = told(QUESTION, make(in_turn(FOUND, ANSWER), card=Card(judges=False)))
    assert "compare the answer with its sources" in detail(events, "read:1")["note"]
