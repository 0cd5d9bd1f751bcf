"""What narrows a search: in the index's contract, and as a property: a filter never widens what somebody may find."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from qdrant_client import models

from retrieval import tokens
from retrieval.index import Index
from retrieval.types import Chunk, Entry, Filters, Passage, Scope
from tests.retrieval.conftest import embed

ALL = frozenset({"all"})
DAYS = [datetime(2024, month, 1, tzinfo=UTC) for month in (1, 4, 8)]
BASE = Entry("w", "d1", "", "s1", "d1.txt", ALL)
ENTRIES = [
    replace(BASE, document="manual", type="pdf", author="Anna Berg; Bo Li", language="en", created_at=DAYS[0], updated_at=DAYS[1]),
    replace(BASE, document="mail", source="post", type="mail", author="bo@x.example", language="de", folder="in/2024", updated_at=DAYS[2]),
    replace(BASE, document="policy", source="share", type="word", author="ANNA Ström", folder="in/2024/hr", created_at=DAYS[2]),
    replace(BASE, document="old"),
]
TEXT = "Notice of leave."


@pytest.fixture
def filled(index: Index, workspace: str) -> Index:
    for one in ENTRIES:
        put(index, replace(one, workspace=workspace))
    return index


def put(index: Index, entry: Entry) -> None:
    index.replace(entry, [Chunk(0, 0, len(TEXT), TEXT)], embed([TEXT]), tokens.documents([TEXT]))


def ask(index: Index, scope: Scope, question: str = "notice") -> list[Passage]:
    return index.query(scope, embed([question])[0], tokens.query(question), limit=50)


def named(passages: list[Passage]) -> set[str]:
    return {passage.document for passage in passages}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(), "manual mail policy old"),
        (Filters(sources=frozenset({""})), "manual old"),
        (Filters(sources=frozenset({"", "post"})), "manual mail old"),
        (Filters(types=frozenset({"pdf", "word"})), "manual policy"),
        (Filters(authors=frozenset({"anna"})), "manual policy"),
        (Filters(authors=frozenset({"  anna   BERG "})), "manual"),
        (Filters(authors=frozenset({"ström"})), "policy"),
        (Filters(authors=frozenset({"ann"})), ""),
        (Filters(authors=frozenset({"Bo", "bo@x.example"})), "manual mail"),
        (Filters(languages=frozenset({"de"})), "mail"),
        (Filters(folder="in"), "mail policy"),
        (Filters(folder="/in/2024/hr/"), "policy"),
        (Filters(folder="in/20"), ""),
        (Filters(created_from=DAYS[0]), "manual policy"),
        (Filters(created_from=DAYS[0], created_before=DAYS[2]), "manual"),
        (Filters(updated_before=DAYS[2]), "manual"),
        (Filters(updated_from=DAYS[2]), "mail"),
        (Filters(types=frozenset({"pdf"}), languages=frozenset({"de"})), ""),
        (Filters(types=frozenset({"mail"}), languages=frozenset({"de"}), folder="in", sources=frozenset({"post"})), "mail"),
    ],
)
def test_each_filter_narrows_to_what_fits(filled: Index, workspace: str, filters: Filters, expected: str) -> None:
    assert named(ask(filled, Scope(workspace, ALL, filters=filters))) == set(expected.split())


def test_sources_of_the_scope_and_of_the_filters_both_hold(filled: Index, workspace: str) -> None:
    scope = Scope(workspace, ALL, frozenset({"post", "share"}), Filters(sources=frozenset({"", "post"})))
    assert named(ask(filled, scope)) == {"mail"}


def test_a_changed_fact_is_told_without_the_text(filled: Index, workspace: str) -> None:
    filled.describe(replace(ENTRIES[3], workspace=workspace, author="Eve", type="text", updated_at=DAYS[0]))
    assert named(ask(filled, Scope(workspace, ALL, filters=Filters(authors=frozenset({"eve"}), types=frozenset({"text"}))))) == {"old"}
    filled.describe(replace(ENTRIES[3], workspace=workspace))
    assert named(ask(filled, Scope(workspace, ALL, filters=Filters(authors=frozenset({"eve"}))))) == set()
    assert named(ask(filled, Scope(workspace, ALL, filters=Filters(updated_before=DAYS[1])))) == set()


def test_a_point_of_an_older_north_is_found_and_takes_no_part_in_filters(filled: Index, workspace: str) -> None:
    where = models.Filter(must=[models.FieldCondition(key="workspace", match=models.MatchValue(value=workspace))])
    older = ("type", "author", "language", "folders", "created", "updated")
    found, _ = filled._client.scroll(filled._collection, where, limit=10, with_payload=True, with_vectors=True)
    points = [
        models.PointStruct(id=one.id, vector=one.vector, payload={k: v for k, v in one.payload.items() if k not in older}) for one in found
    ]
    filled._client.upsert(filled._collection, points, wait=True)
    assert named(ask(filled, Scope(workspace, ALL))) == {"manual", "mail", "policy", "old"}
    for filters in (Filters(types=frozenset({"pdf"})), Filters(created_from=DAYS[0]), Filters(folder="in")):
        assert ask(filled, Scope(workspace, ALL, filters=filters)) == []
    assert named(ask(filled, Scope(workspace, ALL, filters=Filters(sources=frozenset({"post"}))))) == {"mail"}


def test_an_index_that_is_there_already_gets_the_new_fields(index: Index) -> None:
    index.ensure()
    made = index._client.get_collection(index._collection).payload_schema
    assert {name: schema.data_type.value for name, schema in made.items()} == {
        **dict.fromkeys(
            ("workspace", "document", "source", "readers", "sample", "type", "author", "language", "folders", "names"), "keyword"
        ),
        "created": "datetime",
        "updated": "datetime",
    }


VALUES = st.sampled_from(["", "pdf", "mail", "anna", "bo li", "en", "post", "w", "all", "\n", "x" * 300, "*", "in/2024"])
TIMES = st.none() | st.sampled_from(DAYS)
ANY: Any = st.builds(
    Filters,
    **{name: st.frozensets(VALUES, max_size=3) for name in ("sources", "types", "authors", "languages")},
    folder=st.sampled_from(["", "/", "in", "in/2024", "in/2024/hr", "..", "nowhere"]),
    **dict.fromkeys(("created_from", "created_before", "updated_from", "updated_before"), TIMES),
)


@given(filters=ANY, principals=st.frozensets(st.sampled_from(["all", "hr", ""]), max_size=2), other=st.booleans())
@example(filters=Filters(sources=frozenset({""})), principals=frozenset({"hr"}), other=False)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_filter_never_widens_what_somebody_may_find(
    filled: Index, workspace: str, filters: Filters, principals: frozenset[str], other: bool
) -> None:
    put(filled, replace(ENTRIES[0], workspace=workspace, document="secret", principals=frozenset({"hr"})))
    scope = Scope(f"other-{workspace}" if other else workspace, principals)
    unfiltered, narrowed = named(ask(filled, scope)), named(ask(filled, replace(scope, filters=filters)))
    assert narrowed <= unfiltered
    assert "hr" in principals or "secret" not in narrowed


def test_filters_change_no_weight(index: Index, workspace: str) -> None:
    """How rare a word is, is counted over all that these people may read: a filter leaves out, and weighs nothing anew."""
    texts = {"a": ("alpha here", "pdf"), "b": ("beta here", "pdf"), **{f"m{number}": ("alpha there", "mail") for number in range(8)}}
    for document, (text, kind) in texts.items():
        one = replace(BASE, workspace=workspace, document=document, type=kind)
        index.replace(one, [Chunk(0, 0, len(text), text)], embed([text]), tokens.documents([text]))
    whole = {one.document: one.why["sparse"] for one in index.query(Scope(workspace, ALL), None, tokens.query("alpha beta"), limit=20)}
    pdfs = Scope(workspace, ALL, filters=Filters(types=frozenset({"pdf"})))
    narrowed = index.query(pdfs, None, tokens.query("alpha beta"), limit=20)
    assert [one.document for one in narrowed] == ["b", "a"]
    assert {one.document: one.why["sparse"] for one in narrowed} == pytest.approx({name: whole[name] for name in ("a", "b")})
    assert 1 > narrowed[0].score > narrowed[1].score > 0
    weighed = index.weigh(pdfs, tokens.query("alpha"), narrowed)
    assert [one.why["sparse"] > 0 for one in weighed] == [False, True]
