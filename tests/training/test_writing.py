"""Questions that a chat model writes for the rerankers: what it is asked, what of its answers is learnt from, and a server that fails."""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from north.outbound import OutboundError
from north.training.default import writing
from north.training.default.lists import Library, Passage
from north.training.default.writing import Order, Writer, Written

CAT = Passage("jq/1", "ja", "g1", "猫", "", "猫は魚を食べる。" * 20, "jaquad")
HELP = Passage("en-us/2", "en-us", "g2", "Rows", "Insert a row", "To insert a row press Enter. The table grows by one row.", "help")
HILFE = replace(HELP, key="de/2", lang="de", title="Zeilen", heading="Zeile einfügen", text="Die Eingabetaste fügt eine Zeile ein.")
KNOWN = Library({one.key: one for one in (CAT, HELP, HILFE)}, {HILFE.key: HELP.key})
ROWS = {"question": "How do I add a row?", "detail": "Which key makes a table longer?", "search": "insert row key"}
ARTICLE = "The cat is a small animal that eats fish and mice. It was tamed some 9,500 years ago, and sleeps for up to 15 hours a day."
Answer = Callable[[dict[str, Any]], tuple[int, str]]


@contextmanager
def server(answer: Answer) -> Iterator[str]:
    """Speaks chat completions; `answer` gives status and content for a request's body."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
            status, content = answer(asked)
            body = json.dumps({"choices": [{"message": {"content": content}}]}).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}/v1"
    finally:
        running.shutdown()
        running.server_close()


def write(answer: Answer, orders: list[Order], seconds: float = 60) -> list[Written]:
    with server(answer) as url:
        return Writer([url], "small", 2)(orders, KNOWN, time.monotonic() + seconds, lambda _: None)


def test_every_english_passage_is_asked_about_and_encyclopedias_become_paragraphs() -> None:
    found = {(each.kind, each.key) for seed in range(40) for each in writing.orders(KNOWN, random.Random(seed))}
    assert found == {("told", HELP.key), ("across", HELP.key), ("article", CAT.key)}


def test_a_server_is_asked_for_each_field_and_shown_how() -> None:
    asked: list[dict[str, Any]] = []

    def answer(body: dict[str, Any]) -> tuple[int, str]:
        asked.append(body)
        return 200, json.dumps(dict.fromkeys(body["response_format"]["json_schema"]["schema"]["required"], "What is it?"))

    orders = [Order("told", HELP.key), Order("across", HELP.key, "de"), Order("article", CAT.key, "es")]
    written = write(answer, orders)
    assert [each.order for each in written] == orders, "in the orders' order, whichever came first"
    assert [sorted(each.said) for each in written] == [["detail", "question", "search"], ["question"],
                                                       ["Spanish", "detail", "english", "question"]]  # fmt: skip
    last = {body["response_format"]["json_schema"]["name"]: body["messages"][-1]["content"] for body in asked}
    assert "Insert a row" in last["told"] and last["across"].endswith("in German") and CAT.title in last["article"]
    assert all(body["messages"][-2]["role"] == "assistant" for body in asked), "an example stands before each"


def test_broken_answers_and_late_ones_are_left_out() -> None:
    said = iter(["no JSON", '{"question": "half"', json.dumps(ROWS), json.dumps({"question": "only?"})])
    assert [each.said for each in write(lambda _: (200, next(said)), [Order("told", HELP.key)] * 4)] == [ROWS]
    assert write(lambda _: (200, json.dumps(ROWS)), [Order("told", HELP.key)], seconds=-1) == []


def test_what_was_written_before_a_server_failed_is_kept_and_none_at_all_is_an_error() -> None:
    count = iter(range(9))
    written = write(lambda _: (200 if next(count) < 2 else 500, json.dumps(ROWS)), [Order("told", HELP.key)] * 6)
    assert len(written) == 2
    with pytest.raises(OutboundError, match="answers 500"):
        write(lambda _: (500, ""), [Order("told", HELP.key)] * 3)


def test_questions_are_asked_of_the_passage_and_of_one_in_another_language() -> None:
    asked, passages = writing.gathered([Written(Order("told", HELP.key), ROWS)] * 1, KNOWN, random.Random(1))
    assert not passages and {(each.query, each.kind) for each in asked if each.answer == HELP.key} == {
        (ROWS["question"], "told"), (ROWS["detail"], "told"), (ROWS["search"], "typed"),
    }  # fmt: skip
    others = [each for each in asked if each.answer == HILFE.key]
    assert others and all(each.kind.endswith("-x") and each.english == each.query for each in others)
    assert all(each.written for each in asked)


def test_a_paragraph_becomes_a_passage_with_questions_of_its_own() -> None:
    said = {"english": ARTICLE, "question": "What do cats eat?", "detail": "When was the cat tamed?", "Spanish": "¿Qué comen los gatos?"}
    asked, [passage] = writing.gathered([Written(Order("article", CAT.key, "es"), said)], KNOWN, random.Random(1))
    assert (passage.key, passage.text, passage.group) == ("article/jq/1", ARTICLE, CAT.group)
    assert [(each.query, each.lang, each.kind) for each in asked] == [
        ("What do cats eat?", "en", "told"), ("When was the cat tamed?", "en", "told"), ("¿Qué comen los gatos?", "es", "told-x"),
    ]  # fmt: skip
    assert {each.answer for each in asked} == {passage.key}


@pytest.mark.parametrize("text", ["too short", "猫は魚を食べる。" * 30, f"{ARTICLE} 猫", "The Japanese encyclopedia says: " + ARTICLE,
                                  writing.RIVER_SAID["english"]])  # fmt: skip
def test_a_paragraph_that_is_none_is_left_out_with_its_questions(text: str) -> None:
    said = {"english": text, "question": "What do cats eat?", "detail": "When was the cat tamed?", "Spanish": "¿Qué comen los gatos?"}
    assert writing.gathered([Written(Order("article", CAT.key, "es"), said)], KNOWN, random.Random(1)) == ([], [])


@pytest.mark.parametrize(
    ("order", "query"),
    [(Order("told", HELP.key), "What is this text about?"), (Order("told", HELP.key), "A row is inserted by Enter."),
     (Order("across", HELP.key, "ru"), "How do I add a row?"), (Order("across", HELP.key, "de"), "如何插入一行？"),
     (Order("told", HELP.key), "Why?"), (Order("told", HELP.key), writing.SHOWN[0][1]["question"])],
)  # fmt: skip
def test_what_is_no_question_or_speaks_of_the_text_is_left_out(order: Order, query: str) -> None:
    said = dict.fromkeys(writing.wanted(order, KNOWN)[1], query)
    found, _ = writing.gathered([Written(order, said | ({"search": ""} if "search" in said else {}))], KNOWN, random.Random(1))
    assert found == []
