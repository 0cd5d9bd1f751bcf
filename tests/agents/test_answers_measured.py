"""The whole loop with the default chat model, over a made-up handbook.

All 26 questions of handbook.json were measured when the prompts were written: 15 of 16 answered, all 15 right; 10 of 10 refused. The few
here keep watch, since one slow core takes some ten seconds for each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

import numpy as np
import pytest
from langchain_core.language_models import BaseChatModel
from langgraph.checkpoint.memory import InMemorySaver

from agents.context import Context, Turn
from agents.events import Answered
from agents.run import run
from retrieval.types import Embed, Passage
from tests.agents.conftest import DATA, handbook

pytestmark = pytest.mark.model
BOOK = handbook()
QUESTIONS = json.loads((DATA / "handbook.json").read_text(encoding="utf-8"))["questions"]


def asked(language: str, *, answerable: bool) -> dict[str, object]:
    return next(q for q in QUESTIONS if q["language"] == language and bool(q["document"]) == answerable)


class Nearest:
    """A search by meaning alone."""

    def __init__(self, embed: Embed) -> None:
        self.embed, self.vectors = embed, embed([f"{p.heading} {p.text}" for p in BOOK])

    def __call__(self, query: str, limit: int) -> Sequence[Passage]:
        return [BOOK[i] for i in np.argsort(-(self.vectors @ self.embed([query])[0]))[:limit]]


@pytest.fixture(scope="module")
def nearest(meaning: Embed) -> Nearest:
    return Nearest(meaning)


def answered(question: str, history: Sequence[Turn], chat: BaseChatModel, search: Nearest) -> Answered:
    last = list(run(question, history, Context(question, chat, search, search.embed, InMemorySaver())))[-1]
    assert isinstance(last, Answered)
    return last


@pytest.mark.parametrize("language", ["en", "de"])
def test_it_answers_from_the_right_document(language: str, chat: BaseChatModel, nearest: Nearest) -> None:
    question = asked(language, answerable=True)
    answer = answered(str(question["question"]), [], chat, nearest)
    assert not answer.refused
    assert all(re.search(words, answer.text) for words in question["contains"])  # type: ignore[attr-defined]
    assert answer.citations[0].sources[0].document == question["document"]
    assert "[" not in answer.text


def test_it_refuses_what_the_documents_do_not_hold(chat: BaseChatModel, nearest: Nearest) -> None:
    answer = answered(str(asked("en", answerable=False)["question"]), [], chat, nearest)
    assert answer.refused
    assert not answer.citations


def test_a_follow_up_understands_the_thread(chat: BaseChatModel, nearest: Nearest) -> None:
    history = [Turn("What may a hotel in Berlin cost?", "A hotel in Berlin may cost up to 140 euros a night.")]
    answer = answered("And in Zurich?", history, chat, nearest)
    assert "220" in answer.text
