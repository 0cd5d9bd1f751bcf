"""What documents are called, which names a question says, and that what is called so comes first without hiding what is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retrieval import tokens
from retrieval.fusion import MOST_NAMED, NAMED
from retrieval.index import Index
from retrieval.naming import SAID, TOLD, names_of, said_in, told_in, words_named
from retrieval.types import Chunk, Entry, Passage, Scope
from tests.retrieval.conftest import embed

ALL = frozenset({"all"})


def said(question: str, name: str = "", title: str = "", folder: str = "", author: str = "", text: str = "") -> int:
    return words_named(names_of(name, title, folder, author, text), said_in(question))


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What does the travel policy say?", {"name": "Travel_Policy.pdf"}),
        ("What does the Travel Policy say?", {"title": "Travel policy (draft)"}),
        ("How many people work in purchasing?", {"folder": "departments/purchasing"}),
        ("What did Anna Berg decide?", {"author": "Bo Li; Anna Berg"}),
        ("How have Acme's sales changed?", {"text": "QUARTERLY REPORT\nAcme.com, Inc.\n(Exact name)"}),
        ("Wie hoch war Siemens' Umsatz?", {"text": "Rahmenvertrag zwischen Siemens AG und anderen"}),
        ("トヨタ自動車の売上は?", {"text": "有価証券報告書\nトヨタ自動車株式会社"}),
        ("サイボウズの売上は?", {"name": "株式会社サイボウズ.pdf"}),
        ("What came of it in Q3?", {"name": "Q3 report.pdf"}),
        ("Who is in HR?", {"folder": "HR"}),
    ],
)
def test_a_document_is_called_by_its_file_title_folder_author_and_organisation(question: str, named: dict[str, str]) -> None:
    assert said(question, **named)


@pytest.mark.parametrize(
    ("question", "named"),
    [
        ("What is the policy?", {"name": "Travel policy.pdf"}),
        ("Is it done? How was it?", {"title": "IT"}),
        ("Which is the smaller company?", {"text": "an emerging growth company"}),
        ("Which general rules hold?", {"text": "General Motors Company"}),
        ("Is there a page 12?", {"name": "12.pdf"}),
        ("!?", {"name": "!.pdf"}),
    ],
)
def test_what_is_not_said_whole_is_not_said(question: str, named: dict[str, str]) -> None:
    assert not said(question, **named)


def test_a_word_of_several_names_counts_once() -> None:
    assert said("Acme in Q3", name="Acme Q3.pdf", title="Acme", folder="Acme/Q3") == 2


def test_a_passage_names_with_one_word_only_what_it_writes_with_a_capital() -> None:
    told = told_in("Its report is yearly. The Report and the travel policy of Acme's name 東京都, too.")
    assert {"report", "travel policy", "acme", "東京"} <= told and "yearly" not in told and "yearly" in said_in("yearly")
    assert "five" not in told_in("in five towns") and "five towns" in told_in("in five towns")


@given(st.text(max_size=3000), st.text(max_size=200))
def test_any_text_has_names_and_says_some_within_bounds(text: str, name: str) -> None:
    assert len(names_of(name, name, name, name, text)) <= 32 and len(said_in(text)) <= SAID and len(told_in(text)) <= TOLD


# --- in the index ---------------------------------------------------------------------------------------------------------------------
def put(index: Index, workspace: str, document: str, text: str, names: set[str], readers: frozenset[str] = ALL) -> None:
    entry = Entry(workspace, document, "", "s1", document, readers, names=frozenset(names))
    index.replace(entry, [Chunk(0, 0, len(text), text)], embed([text]), tokens.documents([text]))


def ask(index: Index, workspace: str, question: str, principals: frozenset[str] = ALL) -> list[Passage]:
    scope = Scope(workspace, principals)
    return index.query(scope, embed([question])[0], tokens.query(question), limit=50, said=said_in(question))


def test_what_is_called_as_the_question_says_comes_before_what_only_talks_of_it(index: Index, workspace: str) -> None:
    put(index, workspace, "rival", "Operating costs rose beside those of Acme.", {"globex"})
    put(index, workspace, "own", "Operating costs rose.", {"acme"})
    found = ask(index, workspace, "How did Acme's operating costs change?")
    assert [one.document for one in found] == ["own", "rival"]
    assert found[0].why["named"] == NAMED and "named" not in found[1].why


def test_it_is_found_among_any_number_of_better_ones(index: Index, workspace: str) -> None:
    for number in range(120):
        put(index, workspace, f"rival{number}", f"Operating costs of the year {number}.", {"globex"})
    put(index, workspace, "own", "Costs of the year: paper and pens.", {"acme"})
    question = "Acme's operating costs of the year"
    plain = index.query(Scope(workspace, ALL), embed([question])[0], tokens.query(question), limit=50)
    assert "own" not in {one.document for one in plain}
    assert "own" in {one.document for one in ask(index, workspace, question)}


def test_a_name_that_nothing_has_changes_nothing(index: Index, workspace: str) -> None:
    put(index, workspace, "a", "Operating costs rose.", {"globex"})
    put(index, workspace, "b", "Costs fell.", set())
    question = "How did Initech's costs change?"
    plain = index.query(Scope(workspace, ALL), embed([question])[0], tokens.query(question), limit=50)
    assert ask(index, workspace, question) == plain and len(plain) == 2


def test_a_name_opens_nothing(index: Index, workspace: str) -> None:
    put(index, workspace, "secret", "Acme's costs.", {"acme"}, frozenset({"boss"}))
    assert ask(index, workspace, "Acme's costs") == []
    assert ask(index, workspace, "Acme's costs", frozenset({"boss"}))


def test_names_can_be_told_later(index: Index, workspace: str) -> None:
    put(index, workspace, "own", "Costs.", set())
    index.describe(replace(Entry(workspace, "own", "", "s1", "own", ALL), names=frozenset({"acme"})))
    assert ask(index, workspace, "Acme's costs")[0].why["named"] == NAMED


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.sets(st.sampled_from(["acme", "q3", "2024", "berlin", "anna berg"])))
def test_what_names_are_worth_has_a_bound(index: Index, workspace: str, names: set[str]) -> None:
    put(index, workspace, "own", "Costs.", names)
    (found,) = ask(index, workspace, "Acme Q3 2024 in Berlin by Anna Berg")
    assert found.why.get("named", 0.0) == NAMED * min(MOST_NAMED, len({word for name in names for word in name.split()}))
