"""Sentences that rest on nothing are written anew once; what still does is marked or taken out, as the workspace says."""

from __future__ import annotations

from typing import Any

import pytest

from agents.events import ClaimCheck
from agents.mending import without
from tests.agents.conftest import FOUND, QUESTION, Make, detail, end, told, written
from tests.scripted import ScriptedChatModel, in_turn

GOOD = "You have 28 days of paid annual leave a year."
BAD = "You have 30 days of paid annual leave a year."
BESIDE = "Zebras graze beside volcanoes."


def supports(events: Any) -> list[str]:
    return [claim.support for claim in end(events).claims]


def test_a_wrong_sentence_is_written_anew_and_the_answer_told_again(make: Make) -> None:
    model = ScriptedChatModel(script=in_turn(FOUND, BAD, {"sentence": GOOD}))
    events = told(QUESTION, make(model=model))
    assert end(events).text == written(events) == GOOD and supports(events) == ["supported"] and len(model.calls) == 3
    assert detail(events, "cite")["mended"] == [{"was": BAD, "is": GOOD}] and end(events).citations
    assert "30" in str(model.calls[-1]) and "another number" in str(model.calls[-1])


@pytest.mark.parametrize("said", [{"sentence": "You have 31 days of paid annual leave a year."}, {"sentence": ""}, {"sentence": 7}, {}])
def test_what_is_no_better_is_not_taken_and_the_sentence_stays_marked(make: Make, said: dict[str, Any]) -> None:
    events = told(QUESTION, make(in_turn(FOUND, f"{GOOD} {BESIDE}", said)))
    assert end(events).text == f"{GOOD} {BESIDE}" and supports(events) == ["supported", "unsupported"]
    assert "mended" not in detail(events, "cite") and [span.text for span in end(events).unsupported] == [BESIDE]


def test_a_workspace_may_have_it_taken_out(make: Make) -> None:
    events = told(QUESTION, make(in_turn(FOUND, f"{GOOD} {BESIDE}", {"sentence": ""}), removes=True))
    assert end(events).text == written(events) == GOOD and supports(events) == ["supported"]
    assert detail(events, "cite")["removed"] == [BESIDE]


def test_an_answer_of_which_nothing_is_left_is_a_refusal(make: Make) -> None:
    events = told(QUESTION, make(in_turn(FOUND, BESIDE, {"sentence": ""}), removes=True))
    assert end(events).refused and QUESTION in end(events).text == written(events) and not end(events).claims


def test_a_good_answer_costs_no_further_call(make: Make) -> None:
    model = ScriptedChatModel(script=in_turn(FOUND, GOOD))
    assert not end(told(QUESTION, make(model=model))).unsupported and len(model.calls) == 2


def test_taking_out_leaves_no_empty_points() -> None:
    text = f"- {GOOD}\n- {BESIDE}\n\n1. {BESIDE} {GOOD}"
    places = [text.index(BESIDE), text.rindex(BESIDE)]
    claims = [ClaimCheck(start, start + len(BESIDE), BESIDE, "unsupported") for start in places]
    assert without(text, claims) == f"- {GOOD}\n\n1. {GOOD}" and without(BESIDE, [ClaimCheck(0, len(BESIDE), BESIDE, "unsupported")]) == ""
