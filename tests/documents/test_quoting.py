"""Cited words are found again where their document has changed, or said to be gone; never are other words shown in their place."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from north.documents.quoting import digest, found_again
from north.documents.rendering import Span

TEXTS = st.text("ab é。大\n", max_size=60)


@given(before=TEXTS, words=st.text(min_size=1, max_size=20), after=TEXTS, new=TEXTS)
def test_what_is_marked_are_the_cited_words_or_nothing(before: str, words: str, after: str, new: str) -> None:
    span = Span(len(before), len(before) + len(words))
    for text in (before + words + after, new + words + after, new, before + after):
        found = found_again(text, span, digest(words))
        assert found is None or text[found.start : found.end] == words
    assert found_again(before + words + after, span, digest(words)) == span


def test_words_that_have_moved_are_found_nearest_to_where_they_stood() -> None:
    text = "Six weeks. " * 3 + "New: " + "Six weeks. " * 3
    assert found_again(text, Span(45, 55), digest("Six weeks.")) == Span(49, 59)
    assert found_again("大阪の手当は五千円です。", Span(0, 3), digest("五千円")) == Span(6, 9)


def test_words_that_were_changed_are_gone() -> None:
    assert found_again("Leave lasts seventeen weeks.", Span(12, 19), digest("sixteen")) is None
    assert found_again("", Span(12, 19), digest("sixteen")) is None
    assert found_again("short", Span(10**8, 10**8 + 7), digest("sixteen")) is None
