from __future__ import annotations

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.parsers.cleaning import clean
from retrieval.parsers.message import Malformed, pack, unpack
from retrieval.types import Parsed, Place, Word

HALVES = st.sampled_from([0.0, 0.25, 0.5, 1.0])


@st.composite
def parsed_texts(draw: st.DrawFn) -> Parsed:
    text = clean(draw(st.text(max_size=100))) or "text"
    spans = st.tuples(st.integers(0, len(text) - 1), st.integers(1, 10)).map(lambda span: (span[0], min(len(text), sum(span))))
    labels = st.text(max_size=20).map(clean)
    places = [Place(*span, kind, label) for span, kind, label in draw(st.lists(st.tuples(spans, st.sampled_from(["page", "row"]), labels)))]
    words = [Word(*span, page, (0.0, left, 1.0, 1.0)) for span, page, left in draw(st.lists(st.tuples(spans, st.integers(1, 9), HALVES)))]
    notes = tuple(draw(st.lists(labels, max_size=3)))
    return Parsed(text, "text/plain", "A title", tuple(sorted(places, key=lambda place: place.start)), tuple(words), 9, notes)


@settings(deadline=None)
@given(parsed_texts())
def test_what_is_packed_is_unpacked(parsed: Parsed) -> None:
    assert unpack(pack(parsed)) == parsed


@settings(deadline=None)
@given(parsed_texts(), st.data())
def test_a_tampered_message_is_refused_or_still_a_true_one(parsed: Parsed, data: st.DataObject) -> None:
    message = bytearray(pack(parsed))
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = unpack(bytes(message))
    except Malformed:
        return
    assert clean(found.text) == found.text
    assert all(0 <= place.start < place.end <= len(found.text) for place in found.places)
    for word in found.words:
        assert 0 <= word.start < word.end <= len(found.text) and 1 <= word.page <= found.pages
        assert all(0 <= edge <= 1 for edge in word.box)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(Malformed):
        unpack(data)


@pytest.mark.parametrize(
    "parsed",
    [
        Parsed("a\0b", "text/plain"),
        Parsed("a\u202eb", "text/plain"),
        Parsed("ab", "text/plain", places=(Place(0, 3, "page", "1"),)),
        Parsed("ab", "text/plain", places=(Place(1, 2, "page", "1"), Place(0, 1, "page", "1"))),
        Parsed("ab", "text/plain", places=(Place(1, 1, "page", "1"),)),
        Parsed("ab", "text/plain", places=(Place(0, 1, "planet", "1"),)),  # type: ignore[arg-type]
        Parsed("ab", "text/plain", words=(Word(0, 1, 2, (0, 0, 1, 1)),), pages=1),
        Parsed("ab", "text/plain", words=(Word(0, 1, 1, (0, 0, 2, 1)),), pages=1),
        Parsed("ab", "text/plain", words=(Word(0, 1, 1, (0, 0, float("nan"), 1)),), pages=1),
        Parsed("ab", "text/plain", title="a\nb"),
        Parsed("ab", "text/plain", notes=("a\0",)),
    ],
)
def test_what_a_parser_may_not_say_is_refused(parsed: Parsed) -> None:
    with pytest.raises(Malformed):
        unpack(pack(parsed))


def test_a_pickle_is_never_loaded() -> None:
    with pytest.raises(Malformed):
        unpack(pickle.dumps(Parsed("ab", "text/plain")))
