"""What a question is before it is searched. Light: pages ask it, and load neither an index nor arrays for it."""

from __future__ import annotations

import unicodedata
from typing import Literal

By = Literal["all", "meaning", "words"]
QUERY_CHARACTERS = 2000
"""What is read of a question: more than any model of the kind takes in."""


def cleaned(query: str) -> str:
    """The question without what is no text: lone surrogates, NUL and other control characters; and no longer than is read."""
    letters = (" " if unicodedata.category(letter) in ("Cc", "Cs") else letter for letter in query[: 2 * QUERY_CHARACTERS])
    return " ".join("".join(letters).split())[:QUERY_CHARACTERS]


def has_words(question: str) -> bool:
    """Whether there is a letter or a digit in it; marks alone (an emoji may be made of some) are no word."""
    return any(map(str.isalnum, question))
