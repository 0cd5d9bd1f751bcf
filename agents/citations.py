"""Which words of an answer rest on which words of the passages that were shown, and which rest on nothing.

No model is asked and none is believed: what it wrote as [n] is taken out, and every sentence is aligned to the sentences of the
passages by its words (weighted by rarity), its numbers (each must stand there) and its meaning (embeddings, which also carry it from
one language to another). Knows nothing of graphs, prompts and models.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from agents.events import Citation, Source, Span
from agents.matching import Number, Rarity, Words, digits_of, giving, holds, scale_of, words_of
from agents.sentences import sentences
from retrieval.types import Embed, Passage

# Set by measurement: tests/agents/test_citations_measured.py prints precision and recall on its labelled answers.
SURE = 0.75
"""From this share of words on, numbers included, words alone decide and nothing is embedded."""
SUPPORTED = 0.5
"""The least score of a first source, of 1."""
SAME_NUMBERS = 0.15
"""What it adds to likeness of meaning that the source holds every number of the claim."""
LEAD = 0.5
"""The share of its lead over the second nearest that is added to the likeness of the nearest: what means the same stands out."""
ADDS = 0.2
"""The share of words that a further source must add, if it adds no missing number."""
FEW = 3
"""Words and numbers of a claim up to which many sentences hold it: the question's words then say which of them is meant."""
YES_OR_NO = {"yes", "ja", "nein", "oui", "non", "sí", "si", "sim", "não", "да", "нет", "tak", "nie"}
MOST_SOURCES = 3
MOST_EMBEDDED = 24
"""Source sentences embedded for one answer."""

# Sentences that have nothing to do with each other or with anybody's documents: how alike a model finds them is its zero.
UNRELATED = (
    "The cat sleeps on the old roof.",
    "La rivière est froide en hiver.",
    "Bitte schalte morgen das Licht aus.",
    "彼は新しい靴を買った。",
)

_NUMBERS = r"\^?\d{1,2}(?: ?[,;–-] ?\^?\d{1,2}){0,7}"
_NAMED = r"(?:passages?|sources?|documents?|quellen?) "
_MARKER = rf"(?:[\[【] ?(?:{_NAMED})?{_NUMBERS} ?[\]】]|\({_NAMED}{_NUMBERS}\))"
_MARKERS = re.compile(rf"(?P<first>\A|(?<=\n))?[ \t]*{_MARKER}(?(first)[ \t]*)", re.IGNORECASE)
_UNDECIDED = re.compile(r"\s*(?:[\[【(][^\]】)\n]{0,48})?\Z")
_CUT_OFF = re.compile(r"[ \t]*[\[【](?:\^?\d[\d ,;–^-]{0,40})?\Z")


def unmarked(written: str, *, complete: bool) -> str:
    """What a model has written so far, without its [n] and without white space at the ends.

    Until it is `complete`, an end that may yet become a marker is held back, so each result begins with the one before.
    """
    if complete:
        return _MARKERS.sub("", _CUT_OFF.sub("", written)).strip()
    return _MARKERS.sub("", written[: _undecided(written)]).lstrip()


def _undecided(written: str) -> int:
    match = _UNDECIDED.search(written, max(0, len(written) - 200))
    return match.start() if match else len(written)


@dataclass(frozen=True, slots=True)
class Unit:
    """One sentence of a passage. `context` is what its heading and its document's name add; `numbers`, of both, in every way in which an
    answer may give them."""

    passage: Passage
    start: int
    end: int
    words: Words
    context: Words
    numbers: frozenset[Number]

    @property
    def text(self) -> str:
        return self.passage.text[self.start : self.end]

    @property
    def all_words(self) -> frozenset[str]:
        return self.words.words | self.context.words


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence of the answer; each of its `digits` must stand in a source."""

    start: int
    end: int
    text: str
    words: Words
    digits: frozenset[Number]


def units_of(passages: Sequence[Passage]) -> list[Unit]:
    return [unit for passage in passages for unit in _units(passage)]


def _units(passage: Passage) -> Iterator[Unit]:
    context, scale = words_of(f"{passage.name} {passage.heading}"), scale_of(f"{passage.heading} {passage.text}")
    for start, end in sentences(passage.text):
        words = words_of(passage.text[start:end])
        yield Unit(passage, start, end, words, context, giving(words.numbers | context.numbers, scale))


def claims_of(answer: str) -> list[Claim]:
    """The sentences that say something: "Yes." and "The rules are:" alone do not. Of one word is only the whole answer to a question that
    asks for no more: "Berlin."."""
    every = [Claim(start, end, text, words_of(text), digits_of(text)) for start, end in sentences(answer) for text in [answer[start:end]]]
    whole = [one for one in every if not one.text.endswith((":", "："))]
    claims = [one for one in every if one.digits or (one in whole and len(one.words.words) >= 2)]
    return claims or [one for one in whole if one.words.words - YES_OR_NO or one.words.numbers]


def cite(answer: str, passages: Sequence[Passage], embed: Embed, question: str = "") -> tuple[tuple[Citation, ...], tuple[Span, ...]]:
    """Citations and unsupported spans of `answer`, sorted, none overlapping; offsets in code points of `answer`, sources' of the document.
    `question`: what it answers; an answer in a few words is read with it.

    Embeds nothing where words alone decide, else at most the undecided sentences and MOST_EMBEDDED of the passages'.
    """
    claims, units = claims_of(answer), units_of(passages)
    if not units:
        return (), tuple(Span(claim.start, claim.end, claim.text) for claim in claims)
    rarity, asked = Rarity([unit.words for unit in units]), words_of(question)
    overlap = np.array([[_overlap(claim, unit, asked, rarity) for unit in units] for claim in claims]).reshape(-1, len(units))
    scores = _scores(claims, units, overlap, embed)
    citations, unsupported = [], []
    for claim, row in zip(claims, scores, strict=True):
        chosen = _support(claim, units, row, rarity)
        if chosen:
            sources = tuple(_source(units[i], float(row[i])) for i in chosen)
            citations.append(Citation(claim.start, claim.end, claim.text, sources))
        else:
            unsupported.append(Span(claim.start, claim.end, claim.text))
    return tuple(citations), tuple(unsupported)


def _overlap(claim: Claim, unit: Unit, asked: Words, rarity: Rarity) -> float:
    """The share of the claim's words that the unit holds, of a mere number whether it holds that; of a few words less, the fewer of the
    question's it holds, but never so little that words alone do not decide."""
    own = rarity.overlap(claim.words, unit.all_words) if claim.words.words else _share(claim.words.numbers, unit.numbers)
    if asked.empty or len(claim.words.words) + len(claim.words.numbers) > FEW:
        return own
    return own * (SURE + (1 - SURE) * rarity.overlap(asked, unit.all_words))


def _scores(claims: Sequence[Claim], units: Sequence[Unit], overlap: np.ndarray, embed: Embed) -> np.ndarray:
    """Claims by units, 0 to 1: shared words, or likeness of meaning where words leave it open."""
    decided = [[not _missing(claim, [unit]) for unit in units] for claim in claims]
    open_ = [i for i, row in enumerate(overlap) if row[decided[i]].max(initial=0.0) < SURE]
    if not open_:
        return overlap
    candidates = np.argsort(-overlap[open_].max(axis=0), kind="stable")[:MOST_EMBEDDED]
    likeness = _likeness([claims[i].text for i in open_], [units[i].text for i in candidates], embed)
    scores = overlap.copy()
    grid = np.ix_(np.array(open_), candidates)
    same = np.array([[_same_numbers(claims[i], units[j]) for j in candidates] for i in open_])
    scores[grid] = 1 - (1 - overlap[grid] ** 2) * (1 - np.minimum(likeness + SAME_NUMBERS * same, 1.0))
    return scores


def _same_numbers(claim: Claim, unit: Unit) -> bool:
    return bool(claim.words.numbers) and all(holds(unit.numbers, number) for number in claim.words.numbers)


def _likeness(claims: Sequence[str], units: Sequence[str], embed: Embed) -> np.ndarray:
    """Cosines on a scale that holds for any model: 0 is as alike as sentences that have nothing to do with each other, 1 is the same."""
    vectors = embed([*claims, *units, *UNRELATED])
    nothing = vectors[-len(UNRELATED) :]
    floor = float((nothing @ nothing.T)[np.triu_indices(len(UNRELATED), 1)].mean())
    cosines = vectors[: len(claims)] @ vectors[len(claims) : len(claims) + len(units)].T
    likeness = np.clip((cosines - floor) / (1 - floor), 0.0, 1.0)
    if len(units) > 1:
        second, first = np.sort(likeness, axis=1)[:, -2:].T
        likeness[np.arange(len(claims)), likeness.argmax(axis=1)] += LEAD * (first - second)
    return np.minimum(likeness, 1.0)


def _support(claim: Claim, units: Sequence[Unit], scores: np.ndarray, rarity: Rarity) -> list[int]:
    """The units that carry the claim, best first; none if no unit is near enough or a number stands in none of them."""
    shares = np.array([_share(claim.words.numbers, unit.numbers) for unit in units])
    ranked = [int(i) for i in np.argsort(-scores * (0.5 + 0.5 * shares), kind="stable")]
    if scores[ranked[0]] < SUPPORTED:
        return []
    chosen = ranked[:1]
    for i in ranked[1:]:
        if len(chosen) < MOST_SOURCES and scores[i] >= _needed(claim, [units[j] for j in chosen], units[i], rarity):
            chosen.append(i)
    return [] if _missing(claim, [units[i] for i in chosen]) else chosen


def _needed(claim: Claim, chosen: Sequence[Unit], new: Unit, rarity: Rarity) -> float:
    """The score from which on `new` is a further source: any that supports if it holds a missing number, none if it adds nothing."""
    if any(holds(new.numbers, number) for number in _missing(claim, chosen)):
        return SUPPORTED
    known = frozenset[str]().union(*(unit.all_words for unit in chosen))
    gain = rarity.overlap(claim.words, known | new.words.words) - rarity.overlap(claim.words, known)
    return SUPPORTED if gain >= ADDS else math.inf


def _missing(claim: Claim, units: Sequence[Unit]) -> list[Number]:
    return [number for number in claim.digits if not any(holds(unit.numbers, number) for unit in units)]


def _share(wanted: frozenset[Number], there: frozenset[Number]) -> float:
    return sum(holds(there, number) for number in wanted) / len(wanted) if wanted else 1.0


def _source(unit: Unit, score: float) -> Source:
    passage = unit.passage
    return Source(passage.document, passage.name, passage.start + unit.start, passage.start + unit.end, unit.text, round(score, 3))
