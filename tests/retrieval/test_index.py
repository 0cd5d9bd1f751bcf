"""The contract of the index: against the embedded service always, and against a real server where one is named."""

from __future__ import annotations

import math
import threading
import uuid
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient

from retrieval import tokens
from retrieval.errors import EmbeddingFault, IndexMismatch, IndexUnavailable
from retrieval.facts import SAMPLE
from retrieval.index import Index, connect
from retrieval.types import LAYOUT, Chunk, Entry, Passage, Scope
from tests.edge_process import start_edge, stop_edge
from tests.retrieval.conftest import DIMENSIONS, WEIGHTS, embed

TEXTS = ["The notice period is three months.", "Travel costs are paid back.", "解約は書面で行います。"]
ALL = frozenset({"all"})


def entry(workspace: str, document: str = "d1", *, sha256: str = "s1", source: str = "up", principals: frozenset[str] = ALL) -> Entry:
    return Entry(workspace, document, source, sha256, f"{document}.txt", principals)


def put(index: Index, one: Entry, texts: list[str] = TEXTS) -> None:
    chunks = [Chunk(number, number * 100, number * 100 + len(text), text, "Handbook") for number, text in enumerate(texts)]
    index.replace(one, chunks, embed(texts).reshape(len(texts), DIMENSIONS), tokens.documents(texts))


def ask(index: Index, scope: Scope, question: str = "notice period", limit: int = 10) -> list[Passage]:
    return index.query(scope, embed([question])[0], tokens.query(question), limit=limit)


def test_it_finds_the_place_of_what_was_put_in(index: Index, workspace: str) -> None:
    put(index, entry(workspace))
    best = ask(index, Scope(workspace, ALL))[0]
    assert (best.document, best.ordinal, best.start, best.end, best.sha256, best.heading) == ("d1", 0, 0, 34, "s1", "Handbook")
    assert best.text == best.name == ""
    assert best.why["dense"] == pytest.approx(float(embed(["notice period"])[0] @ embed(TEXTS)[0]), abs=1e-4)
    assert best.why["fused"] == pytest.approx(WEIGHTS.log_odds(best.why["dense"], best.why["sparse"]))
    assert best.score == pytest.approx(1 / (1 + math.exp(-best.why["fused"])))


def test_how_near_is_also_known_of_what_only_words_have_found(index: Index, workspace: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.index.DEPTH", 2)
    texts = [
        "leave leave leave",
        "leave leave",
        "alpha beta gamma leave of absence",
        "alpha beta gamma",
        *(f"nothing {n}" for n in range(5)),
    ]
    put(index, entry(workspace), texts)
    for question, best, by_words in (("alpha beta gamma", {2, 3}, set()), ("unheard", {0, 1}, {0, 1})):
        vector, words = embed([question])[0], tokens.query("leave")
        found = index.query(Scope(workspace, ALL), vector, words, limit=2)
        assert {one.ordinal for one in found} == best
        assert {one.ordinal for one in found if "sparse" in one.why} == by_words
        for one in found:
            assert one.why["dense"] == pytest.approx(float(vector @ embed([texts[one.ordinal]])[0]), abs=1e-4)
            assert one.why.get("sparse", bm25(texts, one.ordinal, words)) == pytest.approx(bm25(texts, one.ordinal, words), rel=1e-3)


def bm25(texts: list[str], number: int, words: tokens.Sparse) -> float:
    """With the IDF that Qdrant documents: ln((N - n + 0.5) / (n + 0.5) + 1)."""
    vectors = [dict(zip(*vector, strict=True)) for vector in tokens.documents(texts)]
    holding = {term: sum(term in vector for vector in vectors) for term in words[0]}
    idf = {term: math.log((len(texts) - n + 0.5) / (n + 0.5) + 1) for term, n in holding.items()}
    return sum(idf[term] * vectors[number].get(term, 0.0) for term in words[0])


def test_words_alone_are_searched_where_no_vector_is_given(index: Index, workspace: str) -> None:
    put(index, entry(workspace))
    found = index.query(Scope(workspace, ALL), None, tokens.query("notice period"), limit=5)
    assert [one.ordinal for one in found] == [0] and set(found[0].why) == {"sparse", "fused"}
    assert 0 < found[0].score < 1
    assert index.query(Scope(workspace, ALL), None, ([], []), limit=5) == []


def test_scores_order_the_passages_and_lie_between_0_and_1(index: Index, workspace: str) -> None:
    put(index, entry(workspace))
    scores = [passage.score for passage in ask(index, Scope(workspace, ALL))]
    assert len(scores) == 3
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)


def test_words_alone_find_what_the_model_does_not(index: Index, workspace: str) -> None:
    put(index, entry(workspace))
    away = -embed(["書面 解約"])[0]
    assert index.query(Scope(workspace, ALL), away, tokens.query("書面 解約"), limit=1)[0].ordinal == 2


def test_a_question_without_words_is_answered_by_the_model_alone(index: Index, workspace: str) -> None:
    put(index, entry(workspace))
    found = index.query(Scope(workspace, ALL), embed(["travel costs"])[0], ([], []), limit=2)
    assert found[0].ordinal == 1
    assert set(found[0].why) == {"dense", "fused"} and 0 < found[0].score < 1


def test_putting_in_twice_changes_nothing(index: Index, workspace: str) -> None:
    put(index, entry(workspace))
    before = ask(index, Scope(workspace, ALL))
    put(index, entry(workspace))
    assert ask(index, Scope(workspace, ALL)) == before


def test_a_new_revision_takes_the_place_of_the_old(index: Index, workspace: str) -> None:
    put(index, entry(workspace))
    put(index, entry(workspace, "d2"))
    put(index, entry(workspace, sha256="s2"), TEXTS[:2])
    assert index.counts(workspace) == {"d1": 2, "d2": 3}
    assert {passage.sha256 for passage in ask(index, Scope(workspace, ALL)) if passage.document == "d1"} == {"s2"}


def test_fewer_chunks_of_the_same_revision_leave_none_behind(index: Index, workspace: str) -> None:
    put(index, entry(workspace))
    put(index, entry(workspace), TEXTS[:1])
    assert index.points(workspace, "d1") == 1


def test_a_document_without_text_holds_no_points(index: Index, workspace: str) -> None:
    put(index, entry(workspace))
    put(index, entry(workspace, sha256="s2"), [])
    assert index.counts(workspace) == {}


def test_many_chunks_go_in_whole(index: Index, workspace: str) -> None:
    put(index, entry(workspace), [f"paragraph {number}" for number in range(200)])
    assert index.points(workspace, "d1") == 200


def test_a_search_never_meets_a_hole_while_a_document_is_replaced(index: Index, workspace: str) -> None:
    put(index, entry(workspace))
    done = threading.Event()
    misses = []

    def watch() -> None:
        while not done.is_set():
            misses.extend([1] if not ask(index, Scope(workspace, ALL)) else [])

    watcher = threading.Thread(target=watch)
    watcher.start()
    for number in range(15):
        put(index, entry(workspace, sha256=f"s{number}"))
    done.set()
    watcher.join()
    assert not misses


@pytest.mark.parametrize(
    "scope",
    [
        Scope("{w}", frozenset()),
        Scope("", ALL),
        Scope("elsewhere", ALL),
        Scope("{w}", frozenset({""})),
        Scope("{w}", frozenset({"al", "all*", "ALL"})),
        Scope("{w}", ALL, frozenset()),
        Scope("{w}", ALL, frozenset({"other"})),
    ],
)
def test_a_scope_that_names_nothing_finds_nothing(index: Index, workspace: str, scope: Scope) -> None:
    put(index, entry(workspace))
    assert ask(index, Scope(scope.workspace.replace("{w}", workspace), scope.principals, scope.sources)) == []


def test_a_document_for_nobody_is_found_by_nobody(index: Index, workspace: str) -> None:
    put(index, entry(workspace, principals=frozenset()))
    assert ask(index, Scope(workspace, frozenset({"all", ""}))) == []
    assert index.points(workspace, "d1") == 3


def test_sources_narrow_a_search(index: Index, workspace: str) -> None:
    put(index, entry(workspace, "d1", source="wiki"))
    put(index, entry(workspace, "d2", source="mail"))
    assert {passage.document for passage in ask(index, Scope(workspace, ALL, frozenset({"mail"})))} == {"d2"}


def test_rights_change_for_the_next_question_without_the_model(index: Index, workspace: str) -> None:
    put(index, entry(workspace))
    index.describe(entry(workspace, principals=frozenset({"hr"})))
    assert ask(index, Scope(workspace, ALL)) == []
    assert len(ask(index, Scope(workspace, frozenset({"hr"})))) == 3
    index.describe(entry(workspace, principals=frozenset()))
    assert ask(index, Scope(workspace, frozenset({"hr", "all"}))) == []


def test_forgetting_takes_what_was_named_and_no_more(index: Index, workspace: str) -> None:
    other = f"other-{workspace}"
    for name, source in (("d1", "a"), ("d2", "a"), ("d3", "b")):
        put(index, entry(workspace, name, source=source))
        put(index, entry(other, name, source=source))
    index.forget(workspace, "d1")
    assert set(index.counts(workspace)) == {"d2", "d3"}
    index.forget_source(workspace, "a")
    assert set(index.counts(workspace)) == {"d3"}
    index.forget_workspace(workspace)
    assert index.counts(workspace) == {}
    assert set(index.counts(other)) == {"d1", "d2", "d3"}


def test_what_names_nothing_is_not_forgotten(index: Index, workspace: str) -> None:
    for call in (lambda: index.forget("", "d1"), lambda: index.forget(workspace, ""), lambda: index.forget_workspace("")):
        with pytest.raises(ValueError, match="empty"):
            call()


def test_an_answer_does_not_depend_on_what_is_hidden(index: Index, workspace: str) -> None:
    put(index, entry(workspace), ["alpha", "beta and some words"])
    before = ask(index, Scope(workspace, ALL), "alpha beta")
    for number in range(5):
        put(index, entry(workspace, f"secret{number}", principals=frozenset({"hr"})), ["alpha"] * 10)
    assert ask(index, Scope(workspace, ALL), "alpha beta") == before


@pytest.mark.parametrize("shape", [(DIMENSIONS + 1,), (1, DIMENSIONS), (0,)])
def test_a_question_of_another_shape_is_refused(index: Index, workspace: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(EmbeddingFault):
        index.query(Scope(workspace, ALL), np.ones(shape, np.float32), ([], []), limit=1)


def test_vectors_that_are_no_numbers_are_refused(index: Index, workspace: str) -> None:
    with pytest.raises(EmbeddingFault):
        index.replace(entry(workspace), [Chunk(0, 0, 1, "a")], np.full((1, DIMENSIONS), np.nan, np.float32), [([], [])])
    with pytest.raises(EmbeddingFault):
        index.query(Scope(workspace, ALL), np.full(DIMENSIONS, np.inf, np.float32), ([], []), limit=1)


def test_an_index_of_another_model_is_refused_with_the_mending_step(client: QdrantClient) -> None:
    name = f"test-{uuid.uuid4().hex}"
    Index(client, name, DIMENSIONS, "one").ensure()
    Index(client, name, DIMENSIONS, "one").ensure()
    for other in (Index(client, name, DIMENSIONS, "two"), Index(client, name, DIMENSIONS * 2, "one")):
        with pytest.raises(IndexMismatch, match=r"manage\.py reindex"):
            other.counts("w")
    client.delete_collection(name)


def test_a_collection_says_what_it_was_made_with_and_goes_with_all_that_is_in_it(client: QdrantClient, workspace: str) -> None:
    made = Index(client, f"test-{uuid.uuid4().hex}", DIMENSIONS, "one")
    assert made.made() is None
    made.drop()
    made.replace(entry(workspace), [Chunk(0, 0, 1, "a")], np.ones((1, DIMENSIONS), np.float32), [([1], [1.0])])
    assert made.made() == {"model": "one", "dimensions": DIMENSIONS, "layout": LAYOUT, "sample": SAMPLE} and made.counts(workspace)
    made.drop()
    made.drop()
    assert made.made() is None
    assert made.counts(workspace) == {}, "asked again, it is made anew, and empty"
    made.drop()


def test_many_begin_at_once_and_one_makes_the_collection(client: QdrantClient) -> None:
    name, faults = f"test-{uuid.uuid4().hex}", []

    def begin() -> None:
        try:
            Index(client, name, DIMENSIONS, "one").ensure()
        except Exception as error:
            faults.append(error)

    threads = [threading.Thread(target=begin) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    client.delete_collection(name)


def test_a_lost_collection_is_said_once_and_made_anew(client: QdrantClient, workspace: str) -> None:
    index = Index(client, f"test-{uuid.uuid4().hex}", DIMENSIONS, "terms")
    put(index, entry(workspace))
    client.delete_collection(index._collection)
    with pytest.raises(IndexUnavailable, match="indexed again"):
        ask(index, Scope(workspace, ALL))
    assert ask(index, Scope(workspace, ALL)) == []
    put(index, entry(workspace))
    assert index.counts(workspace) == {"d1": 3}
    client.delete_collection(index._collection)


def test_a_service_that_is_away_is_no_lasting_fault(tmp_path: Path, workspace: str) -> None:
    running = start_edge(tmp_path)
    index = Index(connect(running.url, running.api_key), "north", DIMENSIONS, "terms")
    put(index, entry(workspace))
    running.process.kill()
    running.process.wait()
    with pytest.raises(IndexUnavailable) as away:
        ask(index, Scope(workspace, ALL))
    assert away.value.permanent is False
    running = start_edge(tmp_path, running.api_key, int(running.url.rpartition(":")[2]))
    assert len(ask(index, Scope(workspace, ALL))) == 3
    with pytest.raises(IndexUnavailable, match="refuses the key"):
        Index(connect(running.url, "wrong"), "north", DIMENSIONS, "terms").ensure()
    assert stop_edge(running) == 0
