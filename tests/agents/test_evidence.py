"""Evidence below a workspace's threshold is no answer, whatever the chat model would have said; and the step says so."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from agents.context import Page
from agents.evidence import JUDGED, evidence_of
from agents.tools import TOOLS
from tests.agents.conftest import ANSWER, FOUND, QUESTION, Make, detail, end, handbook, told
from tests.agents.consenting import Office
from tests.scripted import ScriptedChatModel, in_turn


def judging(logit: float) -> Any:
    return lambda question, texts: [logit] * len(texts)


def test_evidence_is_that_of_the_best_passage_and_unknown_without_a_judge() -> None:
    asked: list[Sequence[str]] = []

    def judge(question: str, texts: Sequence[str]) -> list[float]:
        asked.append(texts)
        return [-5.0, 0.0, *[-9.0] * (len(texts) - 2)]

    assert evidence_of(QUESTION, handbook(), judge) == 0.5
    assert len(asked[0]) == JUDGED and asked[0][0].startswith(handbook()[0].heading)
    assert evidence_of(QUESTION, handbook(), None) is None and evidence_of(QUESTION, handbook(), lambda question, texts: None) is None
    assert evidence_of(QUESTION, [], judge) == 0.0
    assert evidence_of(QUESTION, handbook(), judging(-900.0)) == 0.0


def test_too_little_evidence_refuses_after_one_more_search_and_says_why(make: Make) -> None:
    model = ScriptedChatModel(script=in_turn({"queries": ["holidays"]}))
    events = told(QUESTION, make(model=model, judge=judging(-1.3), judged_by="judge-1", refuses_below=0.35))
    first = detail(events, "read:1")
    assert end(events).refused and len(model.calls) == 1, "only for other words"
    assert (first["evidence"], first["threshold"], first["judge"], first["asked"]) == (0.214, 0.35, "judge-1", QUESTION)
    assert first["note"] == "Not answered from this: the best evidence, 0.21, is below the threshold, 0.35."
    assert detail(events, "read:2")["evidence"] == 0.214


def test_enough_evidence_leaves_it_to_the_chat_model(make: Make) -> None:
    events = told(QUESTION, make(in_turn(FOUND, ANSWER), judge=judging(0.0), refuses_below=0.35))
    assert not end(events).refused and detail(events, "read:1")["evidence"] == 0.5 and "note" not in detail(events, "read:1")


@pytest.mark.parametrize("judge", [None, lambda question, texts: None])
def test_without_a_judge_the_chat_model_decides_and_that_is_said(make: Make, judge: Any) -> None:
    events = told(QUESTION, make(in_turn(FOUND, ANSWER), judge=judge, refuses_below=0.35))
    assert not end(events).refused and "the threshold was not asked" in detail(events, "read:1")["note"]


def test_a_page_that_the_question_names_was_not_found_by_it_so_the_chat_model_alone_judges(make: Make) -> None:
    class OnePage:
        def page(self, url: str) -> Page:
            return Page(url, "Motorcycles get 21 cents a kilometre.", "Rates", "page")

        kept = page

    model = ScriptedChatModel(script=in_turn(FOUND, "Motorcycles get 21 cents a kilometre."))
    given: dict[str, Any] = {"tools": TOOLS, "consent": Office(rules={"fetch_page": "allow"}), "web": OnePage()}
    events = told("Summarise https://rates.example/2026", make(model=model, judge=judging(-3.0), refuses_below=0.35, **given))
    assert not end(events).refused and end(events).citations[0].sources[0].document == "page"
    assert "evidence" not in detail(events, "read:1")
