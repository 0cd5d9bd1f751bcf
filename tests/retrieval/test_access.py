"""Who finds what, in random worlds, against an oracle too simple to be wrong."""

from __future__ import annotations

import uuid
from dataclasses import replace

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval import tokens
from retrieval.index import Index
from retrieval.types import Chunk, Entry, Scope
from tests.retrieval.conftest import embed

PRINCIPALS = ["all", "u:1", "u:2", "g:hr", "g:it", "G:HR", "g:hr ", ""]
WORKSPACES, DOCUMENTS, SOURCES = ["red", "blue"], ["a", "b"], ["wiki", "mail"]
WHO = st.frozensets(st.sampled_from(PRINCIPALS), max_size=3)
PLACE = {"workspace": st.sampled_from(WORKSPACES), "document": st.sampled_from(DOCUMENTS)}
ENTRIES = st.builds(Entry, source=st.sampled_from(SOURCES), sha256=st.sampled_from("xy"), name=st.just("n"), principals=WHO, **PLACE)
EDITS = st.one_of(
    st.tuples(st.just("put"), ENTRIES),
    st.tuples(st.just("put"), ENTRIES),
    st.tuples(st.just("put"), ENTRIES),
    st.tuples(st.just("restrict"), PLACE["workspace"], PLACE["document"], WHO),
    st.tuples(st.just("forget"), PLACE["workspace"], PLACE["document"]),
    st.tuples(st.just("forget_source"), PLACE["workspace"], st.sampled_from(SOURCES)),
)
SCOPES = st.builds(
    Scope,
    PLACE["workspace"],
    st.frozensets(st.sampled_from(PRINCIPALS), max_size=8),
    st.none() | st.frozensets(st.sampled_from(SOURCES), max_size=2),
)
TEXT = "the same words in every document"
WORDS, VECTOR = tokens.documents([TEXT] * 2), embed([TEXT])[0]


class Oracle:
    def __init__(self) -> None:
        self.entries: dict[tuple[str, str], Entry] = {}

    def edit(self, verb: str, *what: object) -> None:
        match verb, what:
            case "put", (Entry() as entry,):
                self.entries[entry.workspace, entry.document] = entry
            case "restrict", (workspace, document, who) if (workspace, document) in self.entries:
                self.entries[workspace, document] = replace(self.entries[workspace, document], principals=who)
            case "forget", (workspace, document):
                self.entries.pop((workspace, document), None)
            case "forget_source", (workspace, source):
                self.entries = {key: one for key, one in self.entries.items() if (one.workspace, one.source) != (workspace, source)}

    def found(self, scope: Scope) -> set[str]:
        here = [one for one in self.entries.values() if one.workspace == scope.workspace and one.principals & scope.principals]
        return {one.document for one in here if scope.sources is None or one.source in scope.sources}


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(EDITS, min_size=4, max_size=12), st.lists(SCOPES, min_size=1, max_size=5))
def test_everyone_finds_exactly_what_the_oracle_allows(index: Index, edits: list[tuple], scopes: list[Scope]) -> None:
    world, oracle = uuid.uuid4().hex, Oracle()
    for verb, *what in edits:
        oracle.edit(verb, *what)
        if verb == "put":
            entry = replace(what[0], workspace=f"{world}-{what[0].workspace}")
            index.replace(entry, [Chunk(0, 0, 9, TEXT), Chunk(1, 9, 18, TEXT)], np.stack([VECTOR] * 2), WORDS)
        elif verb == "restrict":
            if held := oracle.entries.get((what[0], what[1])):
                index.describe(replace(held, workspace=f"{world}-{held.workspace}"))
        else:
            getattr(index, verb)(f"{world}-{what[0]}", *what[1:])
    for scope in scopes:
        found = index.query(replace(scope, workspace=f"{world}-{scope.workspace}"), VECTOR, tokens.query(TEXT), limit=50)
        assert {passage.document for passage in found} == oracle.found(scope)
    for workspace in WORKSPACES:
        held = {document: 2 for place, document in oracle.entries if place == workspace}
        assert index.counts(f"{world}-{workspace}") == held
        if held:
            index.forget_workspace(f"{world}-{workspace}")
