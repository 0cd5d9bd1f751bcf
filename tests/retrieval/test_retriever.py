from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from retrieval.errors import EmbeddingFault
from retrieval.fusion import Verdict
from retrieval.index import Index
from retrieval.naming import names_of
from retrieval.questions import cleaned
from retrieval.retriever import Retriever
from retrieval.types import Entry, Parsed, Passage, Place, Scope
from tests.retrieval.conftest import DIMENSIONS, embed

ALL = frozenset({"all"})
LEAVE = "Each employee has thirty days of paid leave a year. Leave is asked for two weeks ahead."
TRAVEL = "Travel by train is paid in second class. Flights need the consent of the head of department."


@dataclass
class Rows:
    """The rows as the database holds them: what each document says, and who may read it now."""

    texts: dict[str, tuple[Entry, str]] = field(default_factory=dict)

    def recheck(self, scope: Scope, passages: Sequence[Passage]) -> list[Passage]:
        found = []
        for passage in passages:
            entry, text = self.texts.get(passage.document, (None, ""))
            if entry and entry.principals & scope.principals and entry.sha256 == passage.sha256:
                found.append(replace(passage, text=text[passage.start : passage.end], name=entry.name))
        return found


@pytest.fixture
def rows() -> Rows:
    return Rows()


@pytest.fixture
def retriever(index: Index, rows: Rows) -> Retriever:
    return Retriever(index, embed_query=embed, embed_passages=embed, recheck=rows.recheck)


def add(retriever: Retriever, rows: Rows, workspace: str, document: str, text: str, sha256: str = "s1", name: str = "") -> int:
    entry = Entry(workspace, document, "up", sha256, name or f"{document}.txt", ALL, names=names_of(name, "", "", "", ""))
    rows.texts[document] = (entry, text)
    return retriever.add(entry, Parsed(text, "text/plain"))


def test_it_answers_with_the_words_and_the_name_from_the_rows(retriever: Retriever, rows: Rows, workspace: str) -> None:
    add(retriever, rows, workspace, "leave", LEAVE)
    add(retriever, rows, workspace, "travel", TRAVEL)
    best = retriever.search("How many days of leave?", Scope(workspace, ALL))[0]
    assert (best.document, best.name, best.text) == ("leave", "leave.txt", LEAVE)


def test_a_document_is_found_by_its_name(retriever: Retriever, rows: Rows, workspace: str) -> None:
    add(retriever, rows, workspace, "d1", LEAVE, name="Quarterly_report.pdf")
    add(retriever, rows, workspace, "d2", TRAVEL)
    assert retriever.search("quarterly report", Scope(workspace, ALL))[0].document == "d1"


def test_what_the_rows_do_not_allow_any_more_is_not_found(retriever: Retriever, rows: Rows, workspace: str) -> None:
    add(retriever, rows, workspace, "leave", LEAVE)
    entry, text = rows.texts["leave"]
    rows.texts["leave"] = (replace(entry, principals=frozenset({"hr"})), text)
    assert retriever.search("leave", Scope(workspace, ALL)) == []
    del rows.texts["leave"]
    assert retriever.search("leave", Scope(workspace, ALL)) == []


def test_a_long_document_does_not_take_every_place(retriever: Retriever, rows: Rows, workspace: str) -> None:
    assert add(retriever, rows, workspace, "long", "\n\n".join(f"Part {number}. " + LEAVE * 8 for number in range(12))) > 6
    add(retriever, rows, workspace, "short", "Paid leave.")
    found = [passage.document for passage in retriever.search("paid leave", Scope(workspace, ALL), 5)]
    assert found.count("long") == 3
    assert "short" in found


def test_it_tells_how_far_it_is(retriever: Retriever, rows: Rows, workspace: str) -> None:
    seen: list[tuple[int, int]] = []
    entry = Entry(workspace, "d1", "up", "s1", "d1", ALL)
    count = retriever.add(entry, Parsed("\n\n".join([LEAVE * 8] * 70), "text/plain"), lambda done, of: seen.append((done, of)))
    assert seen[-1] == (count, count)
    assert len(seen) > 1


def test_a_heading_that_the_text_begins_with_is_not_embedded_twice(index: Index, rows: Rows, workspace: str) -> None:
    shown: list[str] = []
    retriever = Retriever(index, embed_query=embed, embed_passages=lambda texts: shown.extend(texts) or embed(texts), recheck=rows.recheck)
    places = (Place(0, 8, "heading", "Leave"),)
    retriever.add(Entry(workspace, "d", "up", "s", "d.md", ALL), Parsed("# Leave\n\nThirty days.", "text/markdown", "Handbook", places))
    assert shown == ["Handbook\n# Leave\n\nThirty days."]


def test_the_heading_is_embedded_and_not_shown(index: Index, rows: Rows, workspace: str) -> None:
    shown: list[str] = []

    def listening(texts: Sequence[str]) -> np.ndarray:
        shown.extend(texts)
        return embed(texts)

    retriever = Retriever(index, embed_query=embed, embed_passages=listening, recheck=rows.recheck)
    parsed = Parsed("Thirty days.", "text/plain", "Handbook", (Place(0, 6, "heading", "Leave"),))
    retriever.add(Entry(workspace, "d1", "up", "s1", "d1", ALL), parsed)
    assert shown == ["Handbook > Leave\nThirty days."]


def test_a_document_without_text_is_added_as_nothing(retriever: Retriever, rows: Rows, index: Index, workspace: str) -> None:
    add(retriever, rows, workspace, "d1", LEAVE)
    assert add(retriever, rows, workspace, "d1", "  \n", "s2") == 0
    assert index.counts(workspace) == {}


def test_what_is_forgotten_is_not_found(retriever: Retriever, rows: Rows, workspace: str) -> None:
    add(retriever, rows, workspace, "leave", LEAVE)
    retriever.forget(workspace, "leave")
    assert retriever.search("leave", Scope(workspace, ALL)) == []


@pytest.mark.parametrize(
    "query",
    [
        "",
        "   ",
        "\n\t",
        "?!…",
        "🎉",
        "\x00",
        "\ud800",
        "\u200b\u200d",
        "\x00leave\ud83d",
        "leave " * 10_000,
        "x" * 100_000,
        "年" * 50_000,
        "' OR 1=1 --",
    ],
)
def test_any_question_gets_a_list(retriever: Retriever, rows: Rows, workspace: str, query: str) -> None:
    add(retriever, rows, workspace, "leave", LEAVE)
    found = retriever.search(query, Scope(workspace, ALL), 3)
    assert [passage.document for passage in found] == ["leave"] or not found


def test_a_question_without_words_asks_neither_model_nor_index(index: Index) -> None:
    def never(texts: Sequence[str]) -> np.ndarray:
        raise AssertionError("asked")

    retriever = Retriever(index, embed_query=never, embed_passages=never, recheck=lambda scope, passages: passages)
    assert retriever.search("?!", Scope("w", ALL)) == []
    assert retriever.search("leave", Scope("w", frozenset())) == []
    assert retriever.search("leave", Scope("w", ALL), 0) == []


def test_what_is_read_of_a_question_is_clean_and_bounded() -> None:
    assert cleaned("a\x00b\n\ud800 c\u200dd") == "a b c\u200dd"
    assert len(cleaned("x" * 100_000)) == 2000


def test_a_model_that_judges_decides(index: Index, rows: Rows, workspace: str) -> None:
    def prefers_trains(query: str, texts: Sequence[str]) -> list[float]:
        return [5.0 if "train" in text else -5.0 for text in texts]

    retriever = Retriever(index, embed_query=embed, embed_passages=embed, recheck=rows.recheck, score=prefers_trains)
    add(retriever, rows, workspace, "leave", LEAVE)
    add(retriever, rows, workspace, "travel", TRAVEL)
    best = retriever.search("leave", Scope(workspace, ALL))[0]
    assert best.document == "travel"
    assert best.why["rerank"] == 5.0 and 0 < best.score < 1
    assert set(best.why) == {"dense", "fused", "rerank", "final"}, "it holds no word of the question"


def test_what_the_best_passage_names_is_raised_and_said(index: Index, rows: Rows, workspace: str) -> None:
    def prefers_leave(query: str, texts: Sequence[str]) -> list[float]:
        return [9.0 if "leave" in text else 0.0 for text in texts]

    how = Verdict(logit=1.0, scale=1.0, offset=0.0, usual=0.0)
    retriever = Retriever(index, embed_query=embed, embed_passages=embed, recheck=rows.recheck, score=prefers_leave, verdict=how)
    add(retriever, rows, workspace, "leave", "Whoever asks for leave follows the Ostwind Rules.")
    add(retriever, rows, workspace, "ostwind", TRAVEL, name="Ostwind Rules.pdf")
    first, second = retriever.search("How do people ask?", Scope(workspace, ALL))
    assert (first.document, second.document) == ("leave", "ostwind") and "linked" in second.why and "linked" not in first.why


def test_what_is_not_judged_stays_in_its_place(index: Index, rows: Rows, workspace: str) -> None:
    asked: list[int] = []

    def last_first(query: str, texts: Sequence[str]) -> list[float]:
        asked.append(len(texts))
        return [float(number) for number in range(len(texts))]

    first = Retriever(index, embed_query=embed, embed_passages=embed, recheck=rows.recheck)
    for number in range(6):
        add(first, rows, workspace, f"d{number}", "leave " * (number + 1) + "and other words " * number + f"{number}")
    before = [passage.document for passage in first.search("leave", Scope(workspace, ALL), 6)]
    retriever = Retriever(index, embed_query=embed, embed_passages=embed, recheck=rows.recheck, score=last_first, judged=3, verdict=0.0)
    found = retriever.search("leave", Scope(workspace, ALL), 6)
    assert asked == [3] and len(found) == 6
    assert [passage.document for passage in found if "rerank" in passage.why] == before[:3][::-1]
    assert [passage.document for passage in found if "rerank" not in passage.why] == before[3:]


@pytest.mark.parametrize("shape", [(1, DIMENSIONS + 1), (2, DIMENSIONS), (DIMENSIONS,)])
def test_a_model_of_another_shape_is_said(index: Index, workspace: str, shape: tuple[int, ...]) -> None:
    def wrong(texts: Sequence[str]) -> np.ndarray:
        return np.ones(shape, np.float32)

    retriever = Retriever(index, embed_query=wrong, embed_passages=wrong, recheck=lambda scope, passages: passages)
    with pytest.raises(EmbeddingFault):
        retriever.search("leave", Scope(workspace, ALL))
    with pytest.raises(EmbeddingFault):
        retriever.add(Entry(workspace, "d1", "up", "s1", "d1", ALL), Parsed(LEAVE, "text/plain"))
