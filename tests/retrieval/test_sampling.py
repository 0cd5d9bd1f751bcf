"""BM25's IDF where there are very many chunks: counted over a sample of what may be read, and of nothing else."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient

from retrieval import tokens
from retrieval.facts import SAMPLE, drawn
from retrieval.index import Index, _allowed, _number
from retrieval.types import Chunk, Entry, Filters, Passage, Scope
from tests.retrieval.conftest import DIMENSIONS, embed

ALL, HR = frozenset({"all"}), frozenset({"hr"})
QUESTION = "alpha beta gamma delta"
WORDS = [*QUESTION.split(), "unsaid", "said often"]
DOCUMENTS, SOURCES = ["a", "b", "c"], ["wiki", "mail"]
CHUNKS = 40
WORKSPACE = "of fixed ids"
"""So that always the same of its chunks are drawn."""
PUT = st.builds(
    Entry, st.just("w"), st.sampled_from(DOCUMENTS), st.sampled_from(SOURCES), st.sampled_from("xy"), st.just("n"),
    st.frozensets(st.sampled_from(["all", "hr"]), max_size=2),
)  # fmt: skip
EDITS = st.one_of(st.tuples(st.just("replace"), PUT), st.tuples(st.just("describe"), PUT), st.tuples(st.just("forget"), PUT))
SCOPES = st.builds(Scope, st.just("w"), st.sampled_from([ALL, HR, ALL | HR]), st.none() | st.just(frozenset({"wiki"})))


@pytest.fixture(autouse=True)
def sampling_begins_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.index.LARGE", 0)


@pytest.fixture
def fresh(client: QdrantClient) -> Iterator[Index]:
    """Knows of no workspace yet how large it is."""
    made = Index(client, f"test-{uuid.uuid4().hex}", DIMENSIONS, "terms")
    yield made
    made.drop()


def texts_of(entry: Entry) -> list[str]:
    draw = np.random.default_rng([*entry.document.encode(), *entry.sha256.encode()])
    return [" ".join(draw.choice(WORDS, 4)) for _ in range(CHUNKS)]


def put(index: Index, entry: Entry) -> None:
    texts = texts_of(entry)
    index.replace(entry, [Chunk(number, 0, 1, text) for number, text in enumerate(texts)], embed(texts), tokens.documents(texts))


def ask(index: Index, scope: Scope, question: str = QUESTION) -> list[Passage]:
    return index.query(scope, None, tokens.query(question), limit=500)


def scores(found: list[Passage]) -> dict[tuple[str, int], float]:
    return {(one.document, one.ordinal): one.why["sparse"] for one in found}


def expected(entries: list[Entry], *, whole: bool = False, question: str = QUESTION) -> dict[tuple[str, int], float]:
    """BM25 of what these documents' chunks hold, weighed over those of them that are drawn."""
    held = [(entry, number, dict(zip(*vector, strict=True))) for entry in entries
            for number, vector in enumerate(tokens.documents(texts_of(entry)))]  # fmt: skip
    sample = [words for one, number, words in held if whole or drawn(_number(one.workspace, one.document, one.sha256, number))]
    holding = {term: sum(term in words for words in sample) for term in tokens.query(question)[0]}
    idf = {term: math.log((len(sample) - n + 0.5) / (n + 0.5) + 1) for term, n in holding.items()}
    worth = {(one.document, number): sum(idf[term] * words.get(term, 0.0) for term in idf) for one, number, words in held}
    return {key: value for key, value in worth.items() if value}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(EDITS, min_size=3, max_size=9), st.lists(SCOPES, min_size=1, max_size=3))
def test_every_score_follows_from_what_may_be_read_alone(index: Index, edits: list[tuple[str, Entry]], scopes: list[Scope]) -> None:
    """Whatever was put in, made known to others or forgotten: an oracle that sees only what may be read says the same of each chunk."""
    world, held = uuid.uuid4().hex, {}
    for verb, edited in edits:
        entry = replace(edited, workspace=world)
        match verb:
            case "replace":
                held[entry.document] = entry
                put(index, entry)
            case "describe" if entry.document in held:
                held[entry.document] = replace(entry, sha256=held[entry.document].sha256)
                index.describe(held[entry.document])
            case "forget":
                held.pop(entry.document, None)
                index.forget(world, entry.document)
    for scope in scopes:
        mine = [one for one in held.values() if one.principals & scope.principals and one.source in (scope.sources or SOURCES)]
        found = ask(index, replace(scope, workspace=world))
        assert scores(found) == pytest.approx(expected(mine), rel=1e-3)


def test_what_is_hidden_changes_no_score(fresh: Index) -> None:
    put(fresh, Entry(WORKSPACE, "mine", "wiki", "x", "n", ALL))
    before = ask(fresh, Scope(WORKSPACE, ALL))
    for number in range(4):
        put(fresh, Entry(WORKSPACE, f"secret{number}", "wiki", "y", "n", HR))
        put(fresh, Entry("other", f"theirs{number}", "wiki", "y", "n", ALL))
    assert ask(fresh, Scope(WORKSPACE, ALL)) == before
    fresh.describe(Entry(WORKSPACE, "secret0", "wiki", "y", "n", ALL))
    more = scores(ask(fresh, Scope(WORKSPACE, ALL)))
    assert {key: more[key] for key in scores(before)} != scores(before), "what is hidden no longer counts"
    fresh.describe(Entry(WORKSPACE, "secret0", "wiki", "y", "n", frozenset()))
    assert ask(fresh, Scope(WORKSPACE, ALL)) == before


def test_nobody_is_given_the_sample_by_the_workspaces_own_word(fresh: Index) -> None:
    put(fresh, Entry(WORKSPACE, "hidden", "wiki", "x", "n", frozenset()))
    assert fresh._corpus(Scope(WORKSPACE, ALL)) == _allowed(Scope(WORKSPACE, ALL), "sample")
    for principals in (frozenset(), frozenset({""}), frozenset({WORKSPACE}), ALL):
        assert fresh._ask(lambda who=principals: fresh._client.count(fresh._collection, fresh._corpus(Scope(WORKSPACE, who)))).count == 0


def test_filters_and_a_second_look_weigh_by_the_same_sample(fresh: Index) -> None:
    for document, kind in (("a", "pdf"), ("b", "mail")):
        put(fresh, Entry(WORKSPACE, document, "wiki", "x", "n", ALL, type=kind))
    whole = scores(ask(fresh, Scope(WORKSPACE, ALL)))
    pdfs = Scope(WORKSPACE, ALL, filters=Filters(types=frozenset({"pdf"})))
    narrowed = ask(fresh, pdfs)
    assert scores(narrowed) == pytest.approx({key: value for key, value in whole.items() if key[0] == "a"})
    assert scores(fresh.weigh(pdfs, tokens.query(QUESTION), narrowed)) == pytest.approx(scores(narrowed))


@pytest.mark.parametrize(("large", "whole"), [(CHUNKS, False), (6 * CHUNKS, True)])
def test_all_are_counted_where_they_are_not_very_many(fresh: Index, monkeypatch: pytest.MonkeyPatch, large: int, whole: bool) -> None:
    monkeypatch.setattr("retrieval.index.LARGE", large)
    entries = [Entry(WORKSPACE, document, "wiki", "x", "n", ALL) for document in DOCUMENTS]
    for one in entries:
        put(fresh, one)
    assert scores(ask(fresh, Scope(WORKSPACE, ALL))) == pytest.approx(expected(entries, whole=whole), rel=1e-3)


def test_how_many_is_counted_among_what_may_be_read(fresh: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("retrieval.index.LARGE", 3 * CHUNKS)
    mine = Entry(WORKSPACE, "mine", "wiki", "x", "n", ALL)
    put(fresh, mine)
    for number in range(11):
        put(fresh, Entry(WORKSPACE, f"secret{number}", "mail", "y", "n", HR))
    assert scores(ask(fresh, Scope(WORKSPACE, ALL))) == pytest.approx(expected([mine], whole=True), rel=1e-3)
    assert scores(ask(fresh, Scope(WORKSPACE, ALL | HR, frozenset({"wiki"})))) == pytest.approx(expected([mine], whole=True), rel=1e-3)
    assert fresh._corpus(Scope(WORKSPACE, HR)) == _allowed(Scope(WORKSPACE, HR), "sample")


def test_a_collection_that_an_older_north_made_is_counted_whole(client: QdrantClient, fresh: Index) -> None:
    """Some of its points are not marked, and those that are would weigh as if they were all."""
    fresh._metadata.pop("sample")
    one = Entry(WORKSPACE, "a", "wiki", "x", "n", ALL)
    put(fresh, one)
    later = Index(client, fresh._collection, DIMENSIONS, "terms")
    for index in (fresh, later):
        assert scores(ask(index, Scope(WORKSPACE, ALL))) == pytest.approx(expected([one], whole=True), rel=1e-3)


def test_one_in_so_many_is_drawn_whatever_it_is_called() -> None:
    for place in ("w", "another"):
        numbers = [_number(place, f"d{one}", "s", ordinal) for one in range(160) for ordinal in range(100)]
        assert sum(map(drawn, numbers)) == pytest.approx(16_000 / SAMPLE, rel=0.1)
