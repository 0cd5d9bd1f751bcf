"""Whether two texts nearly say the same: by shingles, after Broder 1997, "On the resemblance and containment of documents". Pure.

Passages that differ in a number are never near: "notice: 3 months" and "notice: 6 months" are two answers. Whole documents may be: they are
editions of one another, which a small sketch of each tells (MinHash, the same paper).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize

import numpy as np

NEAR: Final = 0.85
"""The share of two texts' shingles that both have (Jaccard), from which on they are near."""
SHINGLE: Final = 3
DIGIT: Final = re.compile(r"\d")
EDITIONS: Final = 0.7
"""The same, estimated, from which on two documents are editions of one another."""
RESTATED: Final = 0.5
"""The same of a passage and its like in another edition, numbers aside."""
SKETCHED: Final = 64
"""Numbers in a sketch: it estimates a resemblance of 0.7 to within 0.06, one standard deviation."""
LEAST_SKETCHED: Final = 20
LONGEST_SKETCHED: Final = 1_000_000
"""Characters."""
PRIME: Final = np.uint64(4294967311)
TOKEN: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+")
"""A word, or a sign of the scripts that put no space between words."""


@dataclass(frozen=True, slots=True)
class Print:
    """What is looked at of a text: runs of SHINGLE words, and its numbers."""

    shingles: frozenset[Hashable]
    numbers: tuple[str, ...]

    def is_near(self, other: Print) -> bool:
        few, many = sorted((len(self.shingles), len(other.shingles)))
        if not few or few < NEAR * many or self.numbers != other.numbers:
            return False
        shared = len(self.shingles & other.shingles)
        return shared >= NEAR * (few + many - shared)


def fingerprint(text: str) -> Print:
    """O(n). Case, width, spaces and punctuation do not count."""
    tokens = TOKEN.findall((text if text.isascii() else normalize("NFKC", text)).casefold())
    shingles = frozenset(zip(*(tokens[start:] for start in range(SHINGLE)), strict=False)) or frozenset(tokens)
    return Print(shingles, tuple(sorted(token for token in tokens if not token.isalpha() and DIGIT.search(token))))


def restates(one: Print, other: Print) -> bool:
    """Whether they say much the same, numbers aside."""
    shared = len(one.shingles & other.shingles)
    return shared > 0 and shared >= RESTATED * (len(one.shingles) + len(other.shingles) - shared)


def sketch(text: str) -> str:
    """SKETCHED least hashes of the text's shingles, each by another hash function, as hexadecimal; empty for a text of few words."""
    shingles = fingerprint(text[:LONGEST_SKETCHED]).shingles
    if len(shingles) < LEAST_SKETCHED:
        return ""
    hashed = np.fromiter((zlib.crc32(" ".join(map(str, words)).encode()) for words in _each(shingles)), np.uint64, len(shingles))
    draw = np.random.default_rng(7)
    times, plus = draw.integers(1, 1 << 31, SKETCHED, np.uint64), draw.integers(0, 1 << 31, SKETCHED, np.uint64)
    least = [(hashed * factor + summand) % PRIME for factor, summand in zip(times, plus, strict=True)]
    return np.array([values.min() for values in least]).astype(">u4").tobytes().hex()


def _each(shingles: Iterable[Hashable]) -> Iterable[tuple[str, ...]]:
    return (shingle if isinstance(shingle, tuple) else (str(shingle),) for shingle in shingles)


def resemblance(one: str, other: str) -> float:
    """Of two sketches: the share of shingles that both texts have, estimated; 0 where one has none."""
    if len(one) != len(other) or not one:
        return 0.0
    return float(np.mean(np.frombuffer(bytes.fromhex(one), ">u4") == np.frombuffer(bytes.fromhex(other), ">u4")))


def editions(sketches: dict[str, str]) -> dict[str, str]:
    """For each document that has another edition among these, the first of them: `sketches` come the newest first."""
    found: dict[str, str] = {}
    for number, (document, look) in enumerate(sketches.items()):
        for newer, other in list(sketches.items())[:number]:
            if resemblance(look, other) >= EDITIONS:
                found[document] = found.setdefault(newer, newer)
                break
    return found
