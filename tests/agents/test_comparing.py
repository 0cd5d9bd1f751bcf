"""The same questions to several documents: a grid with a citation in every cell, or the word that it is not found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest
from langchain_core.messages import BaseMessage

from agents.card import Limits
from agents.errors import Cancelled
from agents.planning import aspects_of, named_in, tasks_of
from agents.tools import TOOLS
from agents.tools.compare_documents import CELLS, DOCUMENTS, QUESTIONS, pieces_of, resting
from retrieval.types import Passage
from tests.agents.conftest import Make, detail, end, steps, told, written
from tests.agents.consenting import Office, Papers
from tests.scripted import ScriptedChatModel

ACME = "Acme supplies the pumps. The notice period is 30 days. The price is 1,200 euros a month."
BOLT = "Bolt supplies screws.\n\nEither side may leave with sixty days of notice. Deliveries come on Mondays."
QUESTION = "Compare acme.md and bolt.md: notice period and price"


def document(name: str, text: str) -> Passage:
    return Passage(name.split(".")[0], name, 0, 0, len(text), text, 1.0)


def papers(*more: Passage) -> Papers:
    return Papers(passages=[document("acme.md", ACME), document("bolt.md", BOLT), *more])


def copying(messages: list[BaseMessage]) -> Any:
    """What a careful model copies: the notice of either, the price of the one that says it."""
    said = messages[-1].text
    if "Question: notice period" in said:
        return {"found": "yes", "answer": "30 days" if "30 days" in said else "sixty days of notice"}
    return {"found": "yes", "answer": "1,200 euros a month"} if "1,200" in said else {"found": "no", "answer": ""}


def compare(make: Make, script: Any = copying, question: str = QUESTION, **given: Any) -> list[Any]:
    model = script if isinstance(script, ScriptedChatModel) else ScriptedChatModel(script=script)
    fields: dict[str, Any] = {"shelf": papers(), "tools": TOOLS, "consent": Office(), **given}
    return told(question, make(model=model, **fields))


def test_each_cell_is_cited_at_its_words_or_said_not_to_be_found(make: Make) -> None:
    model = ScriptedChatModel(script=copying)
    events = compare(make, model)
    answered = end(events)
    assert (
        answered.text
        == written(events)
        == (
            "|  | notice period | price |\n| --- | --- | --- |\n"
            "| acme.md | 30 days | 1,200 euros a month |\n| bolt.md | sixty days of notice | not found |"
        )
    )
    texts = {"acme": ACME, "bolt": BOLT}
    for citation in answered.citations:
        (source,) = citation.sources
        assert answered.text[citation.start : citation.end] == citation.text == texts[source.document][source.start : source.end]
    assert [citation.text for citation in answered.citations] == ["30 days", "1,200 euros a month", "sixty days of notice"]
    assert [(claim.support, claim.citation) for claim in answered.claims] == [("supported", 0), ("supported", 1), ("supported", 2)]
    assert {passage.document for passage in answered.passages} == {"acme", "bolt"}
    assert len(model.calls) == 4, "one short call a cell, and none to write the answer"
    assert "act:1" in steps(events) and answered.tokens_in > 0
    assert answered.cut_short == ""


@pytest.mark.parametrize(
    ("said", "text", "status"),
    [
        ("The notice period is 30 days.", "The notice period is 30 days.", "found"),
        ("NOTICE PERIOD IS 30 DAYS", "notice period is 30 days", "found"),
        ("the notice period: 30 days", "The notice period is 30 days.", "found"),
        ("the notice period: 60 days", "", "missing"),
        ("The canteen opens at noon", "", "missing"),
        ("?!", "", "missing"),
    ],
)
def test_what_does_not_stand_in_the_document_stands_in_no_cell(said: str, text: str, status: str) -> None:
    cell = resting(said, pieces_of(document("acme.md", ACME)))
    assert (cell.status, (cell.source.text if cell.source else "").lower()) == (status, text.lower())
    if cell.source:
        assert ACME[cell.source.start : cell.source.end] == cell.source.text


@pytest.mark.parametrize("garbage", ["no JSON", {"found": "yes", "answer": 7}, {"found": "yes", "answer": " "}, {"answer": "30 days"}])
def test_garbage_is_not_found(make: Make, garbage: Any) -> None:
    answered = end(compare(make, lambda messages: garbage))
    assert answered.text.count("not found") == 4 and not answered.citations


@pytest.mark.parametrize(
    ("question", "documents", "questions"),
    [
        (QUESTION, ["acme.md", "bolt.md"], ["notice period", "price"]),
        ("Compare acme.md and bolt.md", ["acme.md", "bolt.md"], None),
        (
            "What is the difference between “Acme contract” and “Bolt contract” in terms of price?",
            ["Acme contract", "Bolt contract"],
            ["price"],
        ),
        ("Vergleiche acme.md und bolt.md nach Kündigungsfrist und Preis", ["acme.md", "bolt.md"], ["Kündigungsfrist", "Preis"]),
        ("Compare acme.md on price and term", [], None),
        ("Compare annual leave and parental leave", [], None),
    ],
)
def test_rules_tell_which_documents_are_compared_and_by_what(question: str, documents: list[str], questions: list[str] | None) -> None:
    tasks = [task for task in tasks_of(question, lambda about: [], TOOLS) if task["tool"] == "compare_documents"]
    assert [task["arguments"].get("documents") for task in tasks] == ([documents] if documents else [])
    assert [task["arguments"].get("questions") for task in tasks] == ([questions] if documents else [])


def test_documents_are_known_by_their_names_however_they_are_written() -> None:
    names = ["supplier-contract_acme.pdf", "supplier-contract_bolt.pdf", "Travel policy.docx", "it.md"]
    assert named_in("compare the travel policy with supplier contract acme", names) == [names[2], names[0]]
    assert named_in("Compare all supplier contracts: price", names) == names[:2]
    assert named_in("Compare it with something", names) == []
    assert aspects_of("Compare all supplier contracts: the price; their term, and liability?", names) == ["price", "term", "liability"]


def test_questions_that_nobody_named_are_the_models_and_else_the_whole_question(make: Make) -> None:
    def script(messages: list[BaseMessage]) -> Any:
        return {"queries": ["What is the notice?"]} if "These documents" in messages[-1].text else copying(messages)

    assert end(compare(make, script, "Compare acme.md and bolt.md")).text.startswith("|  | What is the notice? |")
    assert end(compare(make, lambda messages: "garbage", "Compare acme.md and bolt.md")).text.startswith(
        "|  | Compare acme.md and bolt.md |"
    )


def test_what_is_over_the_limits_is_left_out_and_said(make: Make) -> None:
    many = [document(f"offer-{number}.md", ACME) for number in range(DOCUMENTS + 2)]
    asked = ", ".join(f"price{number} of it" for number in range(QUESTIONS + 1))
    events = compare(make, lambda messages: {"found": "no", "answer": ""}, f"Compare all offers: {asked}", shelf=Papers(passages=many))
    answered = end(events)
    assert answered.text.count("not found") <= CELLS
    assert f"first {DOCUMENTS} of {DOCUMENTS + 2} documents" in answered.cut_short and "questions were put to them" in answered.cut_short


def test_a_document_that_is_not_there_is_said_and_one_alone_is_not_compared(make: Make) -> None:
    answered = end(compare(make, question="Compare acme.md, bolt.md and secret.md: notice period"))
    assert "no document “secret.md” that you may read" in answered.cut_short and "secret" not in answered.text
    events = compare(make, question="Compare acme.md and secret.md: notice period")
    assert "Two documents" in next(event.error for event in events if getattr(event, "key", "") == "act:1" and hasattr(event, "error"))


def test_without_time_for_all_cells_those_that_are_there_are_shown(make: Make) -> None:
    def slow(messages: list[BaseMessage]) -> Any:
        time.sleep(0.7)
        return copying(messages)

    more = [document(f"acme-{number}.md", ACME) for number in range(8)]
    events = compare(
        make, slow, "Compare all acme: notice period and price", shelf=papers(*more), limits=Limits(seconds=3.0, tool_seconds=0)
    )
    answered = end(events)
    assert "30 days" in answered.text and "not looked at" in answered.text
    assert "no time left for some cells" in answered.cut_short


def test_a_run_that_is_stopped_stops_its_cells(make: Make) -> None:
    calls: list[int] = []

    def script(messages: list[BaseMessage]) -> Any:
        calls.append(1)
        return copying(messages)

    with pytest.raises(Cancelled):
        compare(make, script, cancelled=lambda: len(calls) >= 2)
    assert len(calls) <= 4


def test_the_rules_of_the_workspace_hold_for_it(make: Make) -> None:
    events = compare(make, lambda messages: {"found": "no"}, consent=Office(rules={"compare_documents": "deny"}))
    assert "forbidden" in next(event.error for event in events if getattr(event, "key", "") == "act:1" and hasattr(event, "error"))


def test_stretches_are_the_documents_own_words() -> None:
    long = document("long.md", " ".join(f"Sentence number {number} is here." for number in range(200)))
    pieces = pieces_of(long)
    assert len(pieces) > 3
    assert all(long.text[piece.start : piece.end] == piece.text for piece in pieces)
    assert pieces_of(document("empty.md", " ")) == []


def test_a_cell_that_holds_the_marks_of_a_table_breaks_none(make: Make) -> None:
    shelf: Sequence[Passage] = [document("a.md", "The price | is 7 |\n a month"), document("b.md", "Nothing.")]
    events = compare(
        make, lambda messages: {"found": "yes", "answer": "price | is 7"}, "Compare a.md and b.md: price", shelf=Papers(passages=shelf)
    )
    answered = end(events)
    assert answered.text.splitlines()[2].count("|") == 3
    assert all(answered.text[c.start : c.end] == c.text for c in answered.citations)
    assert "act:1" in steps(events) and detail(events, "act:1")["tool"] == "compare_documents"
