"""Cuts a parsed text into chunks at the borders that its writer drew. Knows no index and no model; pure, and O(n) in the text.

Where to cut, best first: at a row's, slide's or heading's border, between paragraphs, after a sentence or at a line's end, between words,
anywhere but inside a written character. A cut inside a paragraph is overlapped, so that what was cut apart stands together once.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import chain

from retrieval.types import Chunk, Parsed, Passage, Place

UNDER = " > "
"""Between the headings that a chunk stands under."""
PARAGRAPH = re.compile(r"\n[^\S\n]*\n\s*")
SENTENCE = re.compile(r"[.!?…؟۔।][\"'”’»)\]]{0,3}\s+|[。！？．｡]+[」』）”’]{0,3}\s*|\n\s*")
WORD = re.compile(r"\s+")
LINE = re.compile(r"[^\n]*\S[^\n]*")
CUTS = 1
"""Raised when the same text is cut otherwise than before, and better: then every installation makes its index anew, beside the old one."""
LEAST = 5
"""A chunk ends before a table that would be parted, if it has this part of its length already."""
JOINERS = frozenset("\u200d\ufe0e\ufe0f")


def chunk(parsed: Parsed, *, characters: int = 1000, overlap: int = 120) -> list[Chunk]:
    """Chunks of at most `characters` code points that together hold every character of the text that is not white space.

    `text[start:end] == chunk.text`; ordinals count from 0. A sheet's row is kept whole if it fits. `overlap` is the most that a chunk
    repeats of the one before.
    """
    if characters < 4 or not 0 <= overlap <= characters // 4:
        raise ValueError("characters must be 4 or more, and overlap at most a quarter of it")
    text, borders, headings = parsed.text, _Borders(parsed), _Headings(parsed)
    kept: list[tuple[int, int]] = []
    for span in _spans(text, borders, characters, overlap):
        start, end = _stripped(text, *span)
        if max(start, kept[-1][1] if kept else 0) < end:  # not if it only repeats: a long written character may follow what overlaps
            kept.append((start, end))
    return [Chunk(ordinal, start, end, text[start:end], headings.at(start)) for ordinal, (start, end) in enumerate(kept)]


def shown(one: Chunk | Passage) -> str:
    """The words under their headings, as models read them; without the heading that they begin with themselves."""
    above, _, last = one.heading.rpartition(UNDER)
    heading = above if one.text.lstrip("# ").startswith(last) else one.heading
    return f"{heading}\n{one.text}" if heading else one.text


class _Borders:
    """Where the source itself divides: each row's both ends, and the starts of slides and headings."""

    def __init__(self, parsed: Parsed) -> None:
        self._tables = sorted((place.start, place.end) for place in parsed.places if place.kind == "table")
        lines = (line.span() for start, end in self._tables for line in LINE.finditer(parsed.text, start, end))
        rows = (_stripped(parsed.text, place.start, place.end) for place in parsed.places if place.kind == "row")
        self._rows = sorted((start, end) for start, end in chain(rows, lines) if start < end)
        starts = {place.start for place in parsed.places if place.kind in ("slide", "heading")}.union(start for start, _ in self._rows)
        self._all = sorted(starts.union(end for _, end in self._rows))

    def last(self, limit: int) -> int:
        """The last border up to `limit`, or -1."""
        place = bisect_right(self._all, limit)
        return self._all[place - 1] if place else -1

    def table_around(self, limit: int, characters: int) -> int:
        """Where the table starts that a cut at `limit` would part, if it is no longer than `characters`; or -1."""
        place = bisect_right(self._tables, (limit, -1))
        start, end = self._tables[place - 1] if place else (-1, -1)
        return start if start < limit < end and end - start <= characters else -1

    def row_around(self, limit: int) -> int:
        """Where the row starts that a cut at `limit` would part, or -1."""
        place = bisect_right(self._rows, (limit, -1))
        start, end = self._rows[place - 1] if place else (-1, -1)
        return start if start < limit < end else -1


class _Headings:
    """What a chunk stands under: the title, and the headings, sheet or named slide above its first character; within a table its first row
    too."""

    def __init__(self, parsed: Parsed) -> None:
        named = sorted((p for p in parsed.places if p.kind in ("heading", "slide", "row")), key=lambda p: (p.start, p.kind == "heading"))
        self._starts = [place.start for place in named]
        self._paths = list(_paths(named))
        self._tables = sorted((place.start, place.end, place.label) for place in parsed.places if place.kind == "table")
        self._title = parsed.title.strip()

    def at(self, start: int) -> str:
        place = bisect_right(self._starts, start)
        path = self._paths[place - 1] if place else ()
        return UNDER.join(part[:200] for part in dict.fromkeys((self._title, *path, self._columns(start))) if part)

    def _columns(self, start: int) -> str:
        """The first row of the table in which a chunk begins, if not with that."""
        place = bisect_right(self._tables, (start,))
        first, end, label = self._tables[place - 1] if place else (0, 0, "")
        return label if first < start < end else ""


def _paths(places: Iterable[Place]) -> Iterator[tuple[str, ...]]:
    """The headings above each of the places, and its own. One without a level stands under no other."""
    above: list[tuple[int, str]] = []
    for place in places:
        above = [(level, label) for level, label in above if 0 < level < place.level] if place.kind == "heading" else []
        above.append((place.level, _label(place)))
        yield tuple(label for _, label in above)


def _label(place: Place) -> str:
    if place.kind == "row":
        return place.label.rpartition("!")[0].strip()
    if place.kind == "slide" and not any(letter.isalpha() for letter in place.label):
        return ""
    return " ".join(place.label.split())


def _spans(text: str, borders: _Borders, characters: int, overlap: int) -> Iterator[tuple[int, int]]:
    start, last = 0, len(text.rstrip())
    while start < last:
        window = text[start : start + characters]
        start += len(window) - len(window.lstrip())
        if start + characters >= last:
            yield start, last
            return
        end, inside = _cut(text, borders, start, start + characters)
        yield start, end
        start = _again(text, start, end, overlap) if inside else end


def _cut(text: str, borders: _Borders, start: int, limit: int) -> tuple[int, bool]:
    """Where the chunk from `start` ends, `limit` at the latest, and whether that is inside a paragraph."""
    half = start + (limit - start) // 2
    if (table := borders.table_around(limit, limit - start)) > start + (limit - start) // LEAST:
        return table, False
    if (row := borders.row_around(limit)) > start:
        return row, False
    if (border := borders.last(limit)) > half:
        return border, False
    if paragraph := _last(PARAGRAPH, text, half, limit):
        return paragraph, False
    return _last(SENTENCE, text, half, limit) or _last(WORD, text, half, limit) or _whole_character(text, start, limit), True


def _again(text: str, start: int, end: int, overlap: int) -> int:
    """Where the next chunk begins, to repeat at most `overlap` characters of this one: at a sentence's start, else at a word's."""
    earliest = max(start + 1, end - overlap)
    for border in (SENTENCE, WORD):
        if found := next((match.end() for match in border.finditer(text, earliest, end) if match.end() < end), None):
            return found
    return next((place for place in range(earliest, min(end, earliest + 32)) if _begins(text, place)), earliest)


def _last(border: re.Pattern[str], text: str, start: int, end: int) -> int | None:
    return max((match.end() for match in border.finditer(text, start, end)), default=None)


def _whole_character(text: str, start: int, end: int) -> int:
    """`end`, or up to 32 before it where it would part a letter from its marks; more marks than that are no writing."""
    return next((place for place in range(end, max(start, end - 32), -1) if _begins(text, place)), end)


def _begins(text: str, place: int) -> bool:
    """Whether a written character begins here, and not a mark of the one before."""
    return not (unicodedata.category(text[place]).startswith("M") or text[place] in JOINERS or text[place - 1] == "\u200d")


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    piece = text[start:end]
    return end - len(piece.lstrip()), start + len(piece.rstrip())
