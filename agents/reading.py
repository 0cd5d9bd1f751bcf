"""What of the passages that were found a model gets to read: few, short, well chosen, none twice.

A slow model reads some 30 tokens a second and core, so each passage is narrowed to its sentences that are nearest to the question.
Knows nothing of prompts and models; counts tokens by characters, which is near enough for a budget.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import numpy as np

from agents.context import Limits
from agents.matching import Rarity, words_of
from agents.sentences import sentences
from retrieval.types import Embed, Passage

ALIKE = 0.9
"""The share of words from which on two passages say the same."""
HEADER_TOKENS = 14
"""Of a passage's fence, without its title."""
NEXT_TO = 0.2
"""What a sentence gains by standing next to a chosen one: it often holds what that one speaks of. (The farthest is 0, the nearest 1.)"""
WORTH = 0.55
"""The least value of a sentence that is read at all: a short prompt is quick, and misleads less."""
FIRST = 1.0
"""What a query's first passage gains, so that a question of two halves gets something for each. Where another query found the same first,
it is the next: the second half of a question is searched for with the words of the first one's, and finds those again."""
MOST_EMBEDDED = 40
Place = tuple[str, int, int]
"""A passage's document, start and end."""


def tokens_in(text: str) -> int:
    """About how many tokens a text has: 4 Latin characters make one, accents and other scripts cost more (measured on Qwen 2.5)."""
    ascii_ = sum(character < "\x80" for character in text)
    wide = sum(character >= "\u2e80" for character in text)
    return round(ascii_ / 4 + (len(text) - ascii_ - wide) / 1.6 + wide / 1.3) + 1


def choose(queries: Sequence[str], found: Sequence[Sequence[Passage]], embed: Embed, limits: Limits) -> list[Passage]:
    """At most `limits.passages` passages, each narrowed to the whole sentences nearest to any of the queries; best first.

    `found` holds what each search found; those that matter most come first.

    Their text stays the document's own words: `start` and `end` say which; sentences far apart become two passages of one ordinal.
    Embeds nothing if all of it fits in `limits.reading_tokens`.
    """
    passages = merged(found)[: limits.passages]
    if sum(map(cost, passages)) <= limits.reading_tokens and all(len(p.text) <= limits.passage_characters for p in passages):
        return passages
    firsts = _firsts(found)
    windows = [Window(passage, sentences(passage.text) or [(0, len(passage.text))]) for passage in passages]
    values = _values(queries, windows, embed)
    for window, value in zip(windows, values, strict=True):
        window.values = value + (FIRST if _place(window.passage) in firsts else 0.0) * (value == value.max())
    _grow(windows, limits)
    return [stretch for window in windows for stretch in window.stretches()] or [_head(passages[0], limits)]


def merged(found: Sequence[Sequence[Passage]]) -> list[Passage]:
    """The first of every query, then the second of every query, and so on; what says the same as one before it is left out."""
    kept: list[Passage] = []
    words: list[frozenset[str]] = []
    for passage in _in_turn(found):
        said = words_of(passage.text).words
        if not any(_same(passage, said, other, others) for other, others in zip(kept, words, strict=True)):
            kept.append(passage)
            words.append(said)
    return kept


def _firsts(found: Sequence[Sequence[Passage]]) -> set[Place]:
    firsts: set[Place] = set()
    for results in found:
        firsts |= set([place for place in map(_place, results) if place not in firsts][:1])
    return firsts


@dataclass(slots=True)
class Window:
    """A passage, its sentences, what each is worth, and which of them were taken."""

    passage: Passage
    spans: list[tuple[int, int]]
    values: np.ndarray = field(default_factory=lambda: np.zeros(0))
    taken: set[int] = field(default_factory=set)

    def neighbours(self, i: int) -> list[int]:
        return [n for n in (i - 1, i + 1) if 0 <= n < len(self.spans)]

    def cost(self, i: int) -> int:
        """Tokens of sentence `i`, and of a header if it begins a stretch of its own."""
        start, end = self.spans[i]
        return tokens_in(self.passage.text[start:end]) + (0 if self.taken & set(self.neighbours(i)) else _header(self.passage))

    def characters(self) -> int:
        return sum(end - start for start, end in map(self.spans.__getitem__, self.taken))

    def stretches(self) -> list[Passage]:
        """The taken sentences; neighbours in one piece, and what lies between two pieces too if it costs less than a header."""
        pieces: list[tuple[int, int]] = []
        for start, end in (self.spans[i] for i in sorted(self.taken)):
            if pieces and tokens_in(self.passage.text[pieces[-1][1] : start]) <= _header(self.passage):
                pieces[-1] = (pieces[-1][0], end)
            else:
                pieces.append((start, end))
        return [self._piece(start, end) for start, end in pieces]

    def _piece(self, start: int, end: int) -> Passage:
        return replace(self.passage, start=self.passage.start + start, end=self.passage.start + end, text=self.passage.text[start:end])


def _grow(windows: Sequence[Window], limits: Limits) -> None:
    """Takes the sentence of most value, then the next, while the budget lasts; those beside a taken one gain NEXT_TO."""
    left = limits.reading_tokens
    heap = [(-float(value), w, i) for w, window in enumerate(windows) for i, value in enumerate(window.values)]
    heapq.heapify(heap)
    while heap and -heap[0][0] >= WORTH:
        _, w, i = heapq.heappop(heap)
        window = windows[w]
        length = window.spans[i][1] - window.spans[i][0]
        if i in window.taken or window.cost(i) > left or window.characters() + length > limits.passage_characters:
            continue
        left -= window.cost(i)
        window.taken.add(i)
        for neighbour in window.neighbours(i):
            heapq.heappush(heap, (-float(window.values[neighbour]) - NEXT_TO, w, neighbour))


def _values(queries: Sequence[str], windows: Sequence[Window], embed: Embed) -> list[np.ndarray]:
    """How near each sentence is to its nearest query, up to 1 (the nearest): by words, the first MOST_EMBEDDED by meaning too."""
    texts = [[window.passage.text[start:end] for start, end in window.spans] for window in windows]
    said = [[words_of(text) for text in some] for some in texts]
    rarity, asked = Rarity([words for some in said for words in some]), [words_of(query) for query in queries]
    likeness = iter(_likeness(queries, [text for some in texts for text in some][:MOST_EMBEDDED], embed))
    values = [
        np.array([0.7 * next(likeness, 0.0) + 0.3 * max(rarity.overlap(query, words.words) for query in asked) for words in some])
        for some in said
    ]
    nearest = max(float(some.max()) for some in values) or 1.0
    return [some / nearest for some in values]


def _likeness(queries: Sequence[str], texts: Sequence[str], embed: Embed) -> list[float]:
    """Of each text to its nearest query: 0 is the farthest of them, 1 the nearest; for each query by itself, so that each counts."""
    vectors = embed([*queries, *texts])
    cosines = vectors[: len(queries)] @ vectors[len(queries) :].T
    low, spread = cosines.min(axis=1, keepdims=True), np.ptp(cosines, axis=1, keepdims=True)
    likeness: list[float] = ((cosines - low) / np.maximum(spread, 1e-6)).max(axis=0).tolist()
    return likeness


def _in_turn(found: Sequence[Sequence[Passage]]) -> Iterator[Passage]:
    return (passage for rank in zip_longest(*found) for passage in rank if passage is not None)


def _same(passage: Passage, said: frozenset[str], other: Passage, others: frozenset[str]) -> bool:
    if passage.document == other.document and passage.start < other.end and other.start < passage.end:
        return passage.start >= other.start and passage.end <= other.end
    return bool(said) and len(said & others) / len(said | others) >= ALIKE


def _place(passage: Passage) -> Place:
    return passage.document, passage.start, passage.end


def _header(passage: Passage) -> int:
    return HEADER_TOKENS + tokens_in(passage.name) + tokens_in(passage.heading)


def cost(passage: Passage) -> int:
    """About how many tokens the passage takes of a prompt, with its fence."""
    return tokens_in(passage.text) + _header(passage)


def _head(passage: Passage, limits: Limits) -> Passage:
    """The beginning of a passage whose only sentence is longer than the budget."""
    length = min(len(passage.text), limits.passage_characters)
    while length > 1 and tokens_in(passage.text[:length]) > limits.reading_tokens:
        length = length * 3 // 4
    return replace(passage, end=passage.start + length, text=passage.text[:length])
