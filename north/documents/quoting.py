"""Words of a document that an address names, found again where its text has changed since. The address holds a digest of them and never
the words, which would stand in every log on the way."""

from __future__ import annotations

import hashlib

from north.documents.rendering import Span

FAR = 200_000
"""Characters before and behind the old place in which the words are looked for: a second at most."""


def digest(words: str) -> str:
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def found_again(text: str, span: Span, wanted: str) -> Span | None:
    """Where words of this digest and of the span's length stand, nearest to where they stood; None where they are gone."""
    length = span.end - span.start
    if digest(text[span.start : span.end]) == wanted:
        return span
    first, last = max(0, span.start - FAR), min(len(text) - length, span.start + FAR)
    farthest = max(span.start - first, last - span.start) + 1 if first <= last else 0
    nearest = (start for far in range(1, farthest) for start in (span.start + far, span.start - far) if first <= start <= last)
    found = (start for start in nearest if may_begin(text, start) and digest(text[start : start + length]) == wanted)
    return next((Span(start, start + length) for start in found), None)


def may_begin(text: str, start: int) -> bool:
    """Not within a word of ASCII letters, where no cited words begin."""
    return not (start and text[start - 1].isascii() and text[start - 1].isalnum() and text[start].isascii() and text[start].isalnum())
