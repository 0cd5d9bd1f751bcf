"""Thorough questions: sub-questions, notes, another look, and a report whose every sentence keeps its source."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import BaseMessage
from langgraph.checkpoint.memory import InMemorySaver

from agents import prompts, reporting
from agents.card import Limits
from agents.context import About, Context
from agents.run import documents_of, run
from tests.agents.conftest import Make, Shelf, detail, end, steps, told, written
from tests.agents.test_resuming import Crash, crashing

QUESTION = "What do we offer for leave and expenses?"
ASKED = [
    "How many days of annual leave are there?",
    "Within how many days are expense reports handed in?",
    "How high is the Christmas bonus?",
]
THOROUGH = Limits(searches=12, seconds=60.0)


class Library:
    """Says of each document when it changed and whose it is."""

    def about(self, documents: list[str]) -> dict[str, About]:
        return {document: About("2026-03-01", f"team | {document}") for document in documents}

    def named(self, question: str) -> list[str]:
        return []

    def sheets(self, about: str) -> list[Any]:
        return []


def scholar(messages: list[BaseMessage], says: str = "") -> Any:
    """Answers each kind of prompt of a thorough question from what stands in it."""
    last = str(messages[-1].content)
    if last.endswith(prompts.OUTLINE_TASK):
        return {"queries": ASKED}
    if last.endswith(prompts.GAPS_TASK):
        return {"queries": ["How high is the daily allowance for meals?"]}
    if last.endswith(prompts.REWORD):
        return {"queries": ["yearly bonus payment"]}
    if last.endswith(prompts.JUDGE):
        return {"found": "no" if "Christmas" in last else "yes"}
    if "Sum up the results" in last:
        return "Expense reports are handed in within 30 days after the journey. Every employee has 28 days of paid annual leave a year."
    asked = re.findall(r"Question: (.*)", last)[-1]
    sentences = re.split(r"(?<=\.)\s", " ".join(re.findall(r"<passage [^>]*>\n(.*?)\n</passage>", last, re.DOTALL)))
    best = max(sentences, key=lambda one: len(set(re.findall(r"\w+", asked.lower())) & set(re.findall(r"\w+", one.lower()))))
    return f"{best} {says}".strip()


def thorough(make: Make, script: Any = scholar, **given: Any) -> Context:
    return make(script, **{"thorough": True, "limits": THOROUGH, "shelf": Library(), **given})


def test_a_report_answers_each_sub_question_and_names_its_sources(make: Make) -> None:
    answered = end(told(QUESTION, thorough(make)))
    text = answered.text
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[0] == "Summary" and headings[-2:] == ["Not found in the documents", "Sources"]
    assert ASKED[0] in headings and ASKED[1] in headings and "How high is the daily allowance for meals?" in headings
    assert f"- {ASKED[2]}" in text and not answered.refused
    assert "| Travel and expenses.pdf | 2026-03-01 | team \\| travel | 3 times |" in text
    assert text.index("28 days") < text.index("## " + ASKED[0])


def test_each_citation_and_verdict_stands_at_its_words(make: Make) -> None:
    answered = end(told(QUESTION, thorough(make)))
    assert answered.citations and answered.claims
    for one in (*answered.citations, *answered.claims, *answered.unsupported):
        assert answered.text[one.start : one.end] == one.text
    for claim in answered.claims:
        assert claim.support == "supported" and answered.citations[claim.citation].text == claim.text
    shown = {passage.document for passage in answered.passages}
    assert {source.document for citation in answered.citations for source in citation.sources} <= shown


def test_what_was_not_found_is_looked_for_once_more_in_other_words(make: Make, shelf: Shelf) -> None:
    events = told(QUESTION, thorough(make))
    assert shelf.asked.count("yearly bonus payment") == 1
    assert steps(events).count("gaps") == 1 and "note:3.2" in steps(events) and "note:3.3" not in steps(events)
    assert detail(events, "outline")["queries"] == ASKED
    assert detail(events, "note:1")["result"].startswith("Every employee")
    assert written(events) == end(events).text


def test_sentences_that_rest_on_nothing_are_marked_or_taken_out(make: Make) -> None:
    def boasting(messages: list[BaseMessage]) -> Any:
        return scholar(messages, "Elephants paint the ceiling of the boardroom purple.")

    marked = end(told(QUESTION, thorough(make, boasting)))
    assert {span.text for span in marked.unsupported} == {"Elephants paint the ceiling of the boardroom purple."}
    taken_out = end(told(QUESTION, thorough(make, boasting, removes=True, checkpointer=InMemorySaver())))
    assert "Elephants" not in taken_out.text and not taken_out.unsupported and "28 days" in taken_out.text


def test_without_a_single_note_it_is_refused(make: Make) -> None:
    answered = end(told("What do elephants eat?", thorough(make, search=Shelf([]))))
    assert answered.refused and "could not find" in answered.text and not answered.citations


def test_a_note_below_the_workspaces_threshold_says_that_nothing_was_found(make: Make) -> None:
    def judge(question: str, texts: list[str]) -> list[float]:
        return [-3.0 if "expense" in question else 3.0] * len(texts)

    events = told(QUESTION, thorough(make, judge=judge, judged_by="judge-1", refuses_below=0.35))
    text, low = end(events).text, detail(events, "note:2")
    assert f"- {ASKED[1]}" in text and f"## {ASKED[1]}" not in text and "28 days" in text and "30 days" not in text.partition("\n## How")[2]
    assert (low["evidence"], low["threshold"], low["asked"]) == (0.047, 0.35, ASKED[1])
    assert low["note"] == "Not answered from this: the best evidence, 0.05, is below the threshold, 0.35." and "result" not in low
    assert detail(events, "note:1")["evidence"] == 0.953


def test_where_no_note_has_evidence_enough_it_is_refused_and_none_is_written(make: Make) -> None:
    low: Any = {"judge": lambda question, texts: [-3.0] * len(texts), "refuses_below": 0.35}
    events = told(QUESTION, thorough(make, **low))
    assert end(events).refused and not end(events).citations
    noted = [detail(events, key) for key in steps(events) if key.startswith("note:")]
    assert all("below the threshold" in one["note"] for one in noted if one["passages"]) and not any("result" in one for one in noted)


def test_a_model_that_gives_no_sub_questions_gets_those_of_the_headings(make: Make) -> None:
    def mute(messages: list[BaseMessage]) -> Any:
        return (
            "no idea"
            if str(messages[-1].content).endswith((prompts.OUTLINE_TASK, prompts.GAPS_TASK, prompts.REWORD))
            else scholar(messages)
        )

    events = told("annual leave", thorough(make, mute))
    assert "could not be used" in detail(events, "outline")["note"] and len(detail(events, "outline")["queries"]) > 1
    assert "28 days" in end(events).text


@pytest.mark.parametrize("limits", [replace(THOROUGH, searches=2), replace(THOROUGH, tokens=900)], ids=["searches", "tokens"])
def test_a_budget_ends_it_with_what_there_is(make: Make, shelf: Shelf, limits: Limits) -> None:
    answered = end(told(QUESTION, thorough(make, limits=limits)))
    assert "28 days" in answered.text and ("used up" in answered.cut_short or len(shelf.asked) <= limits.searches)


def test_time_that_is_up_ends_it_with_the_notes_so_far(make: Make) -> None:
    def slow(messages: list[BaseMessage]) -> Any:
        if "in one to four sentences" in str(messages[-1].content) and "expense" in str(messages[-1].content).rpartition("Question:")[2]:
            time.sleep(1.2)
        return scholar(messages)

    answered = end(told(QUESTION, thorough(make, slow, limits=replace(THOROUGH, seconds=1.3))))
    assert answered.cut_short and "28 days" in answered.text
    assert f"- {ASKED[1]}" in answered.text, "what there was no time for is named"


@pytest.mark.parametrize("at", range(0, 10, 2))
def test_a_killed_report_goes_on_and_says_the_same(make: Make, at: int) -> None:
    whole = end(told(QUESTION, thorough(make)))
    saver, shelf = InMemorySaver(), Shelf()
    with pytest.raises(Crash):
        list(run(QUESTION, [], thorough(make, crashing(scholar, at), checkpointer=saver, search=shelf)))
    done = len(shelf.asked)
    events = told(QUESTION, thorough(make, checkpointer=saver, search=shelf))
    assert end(events) == replace(whole, tokens_in=end(events).tokens_in, tokens_out=end(events).tokens_out)
    assert len(shelf.asked) - done < 9 or at < 2, "what was finished is not searched for again"
    assert documents_of(saver, "run-1", QUESTION) >= {"leave", "travel"}


NOTE = st.builds(
    lambda text: {"question": f"Q {text}?", "text": text, "passages": [],
                  "citations": [{"start": 0, "end": len(text), "text": text, "sources": [{"document": "d", "name": "a|b"}]}],
                  "unsupported": [],
                  "claims": [{"start": 0, "end": len(text), "text": text, "support": "partly", "reasons": [], "citation": 0}]},
    st.text("ab 假#|.", min_size=1, max_size=12),
)  # fmt: skip


@given(st.lists(NOTE, min_size=1, max_size=4), st.lists(st.text("x*", min_size=1), max_size=2))
def test_words_keep_their_sources_wherever_they_come_to_stand(notes: list[Any], missing: list[str]) -> None:
    report = reporting.written(notes, notes[0], missing, {}, "Which?")
    assert len(report["citations"]) == len(notes) + 1
    for number, (citation, claim) in enumerate(zip(report["citations"], report["claims"], strict=True)):
        assert report["text"][citation["start"] : citation["end"]] == citation["text"]
        assert (claim["start"], claim["citation"]) == (citation["start"], number)
    assert f"| {len(notes) + 1} times |" in report["text"]
