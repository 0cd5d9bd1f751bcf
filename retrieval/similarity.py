"""Whether two texts nearly say the same: by shingles, after Broder 1997, "On the resemblance and containment of documents". Pure.

Texts that differ in a number are never near: "notice: 3 months" and "notice: 6 months" are two answers.
"""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Final
from unicodedata import normalize

NEAR: Final = 0.85
"""The share of two texts' shingles that both have (Jaccard), from which on they are near."""
SHINGLE: Final = 3
DIGIT: Final = re.compile(r"\d")
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
