"""From passages with headings to questions, each with the passage that answers it and what else could. Pure but for reading the files.

`passages.jsonl`: `_id`, `lang`, `group` (the same section in all its languages), `title`, `heading`, `text`, `src`. `pairs.*.jsonl`:
`query`, `lang`, `kind`, `pos`, `neg` (by BM25). A passage's group decides whether it is learnt from or kept for choosing (development), so
that no translation of a kept passage is learnt from either.
"""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

from north.training.default import questions
from north.training.examples import json_lines
from north.training.leaks import Judged, folded

KEPT = 3
"""Of a hundred groups: for development."""
SHARES = {  # how many questions of a kind are learnt from; 0 for all
    "question": 0,
    "heading": 24_000, "path": 8_000, "index-term": 14_000, "title": 0, "description": 0, "md-heading": 0,
    "heading-x": 26_000, "path-x": 8_000, "index-term-x": 14_000, "title-x": 0, "description-x": 0,
    "sentence": 24_000, "asked": 24_000, "words": 10_000, "natural": 0, "sentence-x": 24_000, "asked-x": 24_000, "natural-x": 16_000,
}  # fmt: skip
TEMPLATED = 0.35
"""Of headings and keywords: put into a question."""
NAMED = {"heading", "path", "title", "md-heading"}
"""Kinds whose question is the passage's heading: it must not stand in the passage then."""


@dataclass(frozen=True, slots=True)
class Passage:
    key: str
    lang: str
    group: str
    title: str
    heading: str
    text: str
    source: str

    @property
    def english(self) -> bool:
        return self.lang.startswith("en")

    def said(self, *, title: bool, heading: bool) -> str:
        return "\n".join(part for part in (self.title if title else "", self.heading if heading else "", self.text) if part)


@dataclass(slots=True)
class Asked:
    """`english`: the same question in English, if known. `others`: keys of passages that share its words and do not answer it."""

    query: str
    lang: str
    kind: str
    answer: str
    english: str = ""
    others: list[str] = field(default_factory=list)

    @property
    def written(self) -> bool:
        """By a chat model (`writing.py`), which is sometimes wrong."""
        return self.kind.removesuffix("-x") in ("told", "typed")


@dataclass(slots=True)
class Library:
    passages: dict[str, Passage]
    twins: dict[str, str]
    """Of a passage that is not English: the English one of its group."""

    def english(self, key: str) -> str:
        """The key of the English wording, or "" """
        return key if self.passages[key].english else self.twins.get(key, "")

    def kept(self, key: str) -> bool:
        """For development."""
        passage = self.passages[key]
        return crc32((passage.title if passage.source == "jaquad" else passage.group).encode()) % 100 < KEPT


def library(folder: Path) -> Library:
    rows = (row for _, row in json_lines(folder / "passages.jsonl"))
    names = ("_id", "lang", "group", "title", "heading", "text", "src")
    passages = {row["_id"]: Passage(*(row[name] for name in names)) for row in rows}
    english = {each.group: each.key for each in passages.values() if each.english}
    twins = {each.key: english[each.group] for each in passages.values() if not each.english and each.group in english}
    return Library(passages, twins)


def given(folder: Path, known: Library) -> list[Asked]:
    """The questions of the files; an English wording where its kind has one for each group."""
    rows = [row for name in ("pairs.mono.jsonl", "pairs.cross.jsonl") for _, row in json_lines(folder / name)]
    wordings = {
        (known.passages[row["pos"]].group, row["kind"]): row["query"]
        for row in rows
        if row["lang"].startswith("en") and not row["kind"].startswith("index-term")
    }
    return [
        Asked(
            row["query"], row["lang"], row["kind"], row["pos"],
            row["query"] if row["lang"].startswith("en")
            else wordings.get((known.passages[row["pos"]].group, row["kind"].removesuffix("-x")), ""),
            row["neg"],
        )
        for row in rows
        if row["pos"] in known.passages
    ]  # fmt: skip


def made(known: Library, rng: random.Random) -> list[Asked]:
    """Questions by rule: sentences, what they answer, rare words, and in English what one might have asked; `-x`: asked in one language,
    answered in another, half of them in English."""
    frequency = questions.frequencies(each.text for each in known.passages.values())
    groups: dict[str, list[Passage]] = defaultdict(list)
    for passage in known.passages.values():
        groups[passage.group].append(passage)
    found: list[Asked] = []
    for passage in known.passages.values():
        others = [each for each in groups[passage.group] if each.lang != passage.lang]
        twice = 3 if passage.english else 1
        for sentence in _some(questions.sentences(passage.text, passage.lang), twice, rng):
            asked = questions.asked(sentence, passage.lang)
            query = asked or (questions.shortened(sentence, passage.lang, rng) if rng.random() < 0.5 else sentence)
            kind = "asked" if asked else "sentence"
            found.append(_of(passage, query, kind, passage))
            if others:
                english = [each for each in others if each.english]
                other = english[0] if english and rng.random() < 0.5 else rng.choice(others)
                found.append(_of(passage, query, f"{kind}-x", other))
        for query in _naturally(passage, rng):
            found.append(_of(passage, query, "natural", passage))
            if others:
                found.append(_of(passage, query, "natural-x", rng.choice(others)))
        if rng.random() < (0.9 if passage.english else 0.15) and (words := questions.rare_words(passage.text, frequency, rng)):
            found.append(_of(passage, words, "words", passage))
    return found


def _of(source: Passage, query: str, kind: str, answer: Passage) -> Asked:
    return Asked(query, source.lang, kind, answer.key, query if source.english else "")


def _naturally(passage: Passage, rng: random.Random) -> list[str]:
    asked = map(questions.natural, questions.sentences(passage.text, passage.lang)) if passage.english else ()
    return _some([query for query in asked if query], 3, rng)


def _some(sentences: list[str], count: int, rng: random.Random) -> list[str]:
    return rng.sample(sentences, min(count, len(sentences)))


def chosen(asked: Iterable[Asked], shares: dict[str, int], rng: random.Random) -> list[Asked]:
    """So many of each kind, in an order of chance."""
    kinds: dict[str, list[Asked]] = defaultdict(list)
    for each in asked:
        kinds[each.kind].append(each)
    kept = [each for kind, all_ in sorted(kinds.items()) for each in rng.sample(all_, min(shares.get(kind, 0) or len(all_), len(all_)))]
    rng.shuffle(kept)
    return kept


def as_questions(asked: Sequence[Asked], rng: random.Random) -> None:
    """Puts some headings and keywords into questions, in place."""
    for each in asked:
        if each.kind.removesuffix("-x") in NAMED | {"index-term"} and each.kind != "path" and rng.random() < TEMPLATED:
            each.query = questions.templated(each.query, each.lang, rng)


def without_leaks(asked: Iterable[Asked], known: Library, judged: Judged) -> tuple[list[Asked], int]:
    """Those that share neither question nor passage with what is judged, and how many do. Such passages leave the library."""
    all_ = list(asked)
    shared = {
        key
        for key, passage in known.passages.items()
        if judged.passage(passage.text) or judged.passage(passage.said(title=True, heading=False))
    }
    for key in shared:
        del known.passages[key]
    clean = [each for each in all_ if each.answer not in shared and not judged.query(each.query)]
    for each in clean:
        each.others = [key for key in each.others if key in known.passages][:6]
    known.twins = {key: twin for key, twin in known.twins.items() if key in known.passages and twin in known.passages}
    return clean, len(all_) - len(clean)


def answers(asked: Iterable[Asked]) -> dict[str, set[str]]:
    """By folded question: every passage that is known to answer it."""
    found: dict[str, set[str]] = defaultdict(set)
    for each in asked:
        found[folded(each.query)].add(each.answer)
    return found


def counts(asked: Iterable[Asked]) -> dict[str, int]:
    return dict(sorted(Counter(each.kind for each in asked).items()))
