from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.citations import MOST_EMBEDDED, UNRELATED, cite, unmarked
from retrieval.types import Passage
from tests.agents.conftest import embed_letters, handbook

BOOK = handbook()
LEAVE, _, _, TRAVEL, EXPENSES = BOOK[:5]
PRODUCTS = BOOK[12:14]


def test_a_sentence_rests_on_the_very_words_of_the_source() -> None:
    answer = "You have 28 days of paid annual leave."
    (citation,), unsupported = cite(answer, [TRAVEL, LEAVE], embed_letters)
    assert (citation.start, citation.end, citation.text) == (0, len(answer), answer)
    assert citation.sources[0].text == "Every employee of Halvorsen Instruments has 28 days of paid annual leave a year."
    assert (citation.sources[0].document, citation.sources[0].start) == ("leave", LEAVE.start)
    assert not unsupported


def test_a_number_that_stands_nowhere_is_unsupported_however_alike_the_words_are() -> None:
    answer = "Every employee of Halvorsen Instruments has 30 days of paid annual leave a year."
    citations, unsupported = cite(answer, [LEAVE, TRAVEL], embed_letters)
    assert not citations
    assert [span.text for span in unsupported] == [answer]


def test_a_number_of_another_sentence_does_not_support_this_one() -> None:
    citations, unsupported = cite("A new badge costs 48 euros at reception.", [TRAVEL, EXPENSES], embed_letters)
    assert not citations
    assert len(unsupported) == 1


def test_a_comparison_rests_on_a_source_for_each_side() -> None:
    answer = (
        "The FlowSense 300 measures flow from 0.2 to 45 litres a minute, "
        "the FlowSense 200 measures flow from 0.5 to 30 litres a minute, with an accuracy of 1 percent of the reading."
    )
    (citation,), _ = cite(answer, PRODUCTS, embed_letters)
    assert {source.document for source in citation.sources} == {"product", "product200"}


def test_what_says_nothing_is_neither_cited_nor_unsupported() -> None:
    citations, unsupported = cite("Yes.\n\nThe rules are:\n- Expense reports are handed in within 30 days.", [EXPENSES], embed_letters)
    assert [citation.text for citation in citations] == ["Expense reports are handed in within 30 days."]
    assert not unsupported


def test_an_answer_of_one_word_rests_on_the_words_that_hold_it() -> None:
    for answer, document in (("Vaultkeep.", "it"), ("**Alcohol**", "travel"), ("Sixteen.", "none"), ("Three", "leave")):
        citations, unsupported = cite(answer, BOOK[:6], embed_letters)
        assert [span.text for span in unsupported] == ([answer] if document == "none" else [])
        assert [one.sources[0].document for one in citations] == [document] * (document != "none")
    for nothing in ("Yes.", "Nein", "The:", "...", "はい"):
        assert cite(nothing, BOOK[:6], embed_letters) == ((), ())


def test_an_answer_in_a_few_words_rests_on_the_sentence_that_the_question_asks_for() -> None:
    text = "The kitchen has 48 chairs. A new badge costs 48 euros. In the hall 48 lamps were hung."
    passage = Passage("prices", "prices.txt", 0, 0, len(text), text, 1.0)
    for question, meant in (("What does a new badge cost?", "badge"), ("How many lamps are in the hall?", "lamps")):
        for answer in ("48", "48.", "It is 48."):
            (citation,), unsupported = cite(answer, [passage], embed_letters, question)
            assert meant in citation.sources[0].text and not unsupported


def test_without_passages_everything_is_unsupported() -> None:
    citations, unsupported = cite("The sky is blue. Grass is green.", [], embed_letters)
    assert not citations
    assert [span.text for span in unsupported] == ["The sky is blue.", "Grass is green."]


def test_an_empty_answer_rests_on_nothing() -> None:
    assert cite("", [LEAVE], embed_letters) == ((), ())


def test_nothing_is_embedded_where_words_decide() -> None:
    def none(texts: object) -> np.ndarray:
        raise AssertionError("nothing should be embedded")

    citations, _ = cite("Expense reports are handed in within 30 days after the journey.", [EXPENSES], none)
    assert len(citations) == 1


def test_few_sentences_are_embedded_however_much_was_shown() -> None:
    counts: list[int] = []

    def counted(texts: list[str]) -> np.ndarray:
        counts.append(len(texts))
        return embed_letters(texts)

    cite("Something else entirely. Nobody wrote that. Not at all so. It stands nowhere. Really never.", handbook(), counted)
    assert sum(counts) <= 5 + MOST_EMBEDDED + len(UNRELATED)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("It is 28 days [1].", "It is 28 days."),
        ("It is 28 days.[1][2] More [3, 4].", "It is 28 days. More."),
        ("[1] It is so.\n[2] And so.", "It is so.\nAnd so."),
        ("So【1】it is [^2].", "Soit is."),
        ("So it is [passage 2] (passage 3).", "So it is."),
        ("- [1] First\n- Second [2]", "- First\n- Second"),
        ("The list[index] and [a note] stay (see 2.1).", "The list[index] and [a note] stay (see 2.1)."),
        ("In 2024 [2024] it was.", "In 2024 [2024] it was."),
        ("Cut off [1", "Cut off"),
        ("  white space  ", "white space"),
    ],
)
def test_the_markers_that_a_model_invents_are_taken_out(written: str, shown: str) -> None:
    assert unmarked(written, complete=True) == shown


@given(st.text(alphabet="ab1,2 \n.[]【】()^-", max_size=60))
@settings(max_examples=200)
def test_while_it_is_written_no_marker_is_shown_and_nothing_shown_is_taken_back(written: str) -> None:
    final = unmarked(written, complete=True)
    before = ""
    for end in range(len(written) + 1):
        shown = unmarked(written[:end], complete=False)
        assert shown.startswith(before)
        assert "[1]" not in shown
        before = shown
    assert final.startswith(before)


FRAGMENTS = [s for p in handbook() for s in p.text.replace("。", "。 ").split(". ")] + [
    "[1]",
    "Nobody knows 77.",
    "はい。",
    "\n- ",
    " ",
    "z. B.",
    "**x**",
]


@given(
    st.lists(st.sampled_from(FRAGMENTS), max_size=6),
    st.lists(st.integers(0, 20), max_size=5, unique=True),
    st.integers(0, 5000),
    st.sampled_from([". ", " ", "\n", "。"]),
)
@settings(max_examples=80, deadline=None)
def test_every_citation_resolves_to_words_that_were_shown(fragments: list[str], chosen: list[int], shift: int, glue: str) -> None:
    answer = unmarked(glue.join(fragments), complete=True)
    shown = [replace(p, start=p.start + shift, end=p.end + shift) for p in (BOOK[i] for i in chosen)]
    citations, unsupported = cite(answer, shown, embed_letters)
    spans = sorted([*citations, *unsupported], key=lambda span: span.start)
    assert all(one.end <= two.start for one, two in itertools.pairwise(spans))
    assert list(citations) == sorted(citations, key=lambda citation: citation.start)
    for span in spans:
        assert answer[span.start : span.end] == span.text != ""
    for source in (source for citation in citations for source in citation.sources):
        assert any(
            source.document == p.document
            and p.start <= source.start < source.end <= p.end
            and p.text[source.start - p.start : source.end - p.start] == source.text
            for p in shown
        )
