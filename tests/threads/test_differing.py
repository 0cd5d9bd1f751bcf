from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from north.threads.differing import MOST_WORDS, apart

TEXTS = st.lists(st.sampled_from(["leave", " ", "28", ".", "\n", "días", "假"]), max_size=40).map("".join)


@given(TEXTS, TEXTS)
def test_both_texts_are_whole_and_what_does_not_differ_stands_in_both(old: str, new: str) -> None:
    left, right = apart(old, new)
    assert ("".join(piece.text for piece in left), "".join(piece.text for piece in right)) == (old, new)
    same = ["".join(piece.text for piece in side if not piece.differs) for side in (left, right)]
    assert same[0] == same[1]
    assert old != new or not any(piece.differs for piece in left)


def test_long_texts_are_compared_by_lines() -> None:
    old = "word " * MOST_WORDS + "\nthe same line\n"
    left, right = apart(old, "another\nthe same line\n")
    assert (
        [piece.text for piece in left if not piece.differs] == ["the same line\n"] == [piece.text for piece in right if not piece.differs]
    )
