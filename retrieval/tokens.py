"""Turns text into the sparse vectors of BM25, for any language. Knows no index: the inverse document frequency is the engine's part.

Words are folded (NFKC, case, diacritics) and stand twice: whole, and as their first five letters, a stemmer for every language at once
(McNamee and Mayfield 2004, "Character n-gram tokenization for European language text retrieval"). Scripts that put no space between words
are cut into n-grams: pairs in Chinese, Japanese and Korean (and single Chinese characters), triples in Thai, Lao, Khmer and Burmese.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from zlib import crc32

import regex

Sparse = tuple[list[int], list[float]]

K1, B = 1.2, 0.75
"""Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond"; the engine multiplies by the IDF."""
AVERAGE_TERMS = 250
"""Terms of a usual chunk. A constant, so that a chunk's vector does not hang on which others are there."""
PREFIX = 5

PAIRS = r"\p{Han}\p{Hiragana}\p{Katakana}\u30fc\p{Hangul}"
TRIPLES = r"\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}"
WORDS = regex.compile(
    rf"(?P<pairs>[{PAIRS}]+)|(?P<triples>[{TRIPLES}][{TRIPLES}\p{{M}}]*)|(?P<word>[\p{{L}}\p{{N}}\p{{M}}--[{PAIRS}{TRIPLES}]]+)", regex.V1
)
HAN = regex.compile(r"\p{Han}")
DIGIT = regex.compile(r"\p{N}")
# Marks of the Latin, Greek, Cyrillic, Hebrew and Arabic scripts. Those of Indic scripts are letters in all but name, and stay.
MARKS = regex.compile(r"[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]")


def documents(texts: Sequence[str]) -> list[Sparse]:
    """One vector a text: 32-bit term numbers, and BM25's weight of each term's frequency. A text without words gives ([], [])."""
    return [_document(text) for text in texts]


def query(text: str) -> Sparse:
    """The vector of a question: each of its terms once, with weight 1."""
    numbers = sorted({_number(term) for term in terms(text)})
    return numbers, [1.0] * len(numbers)


def terms(text: str) -> Iterator[str]:
    for match in WORDS.finditer(unicodedata.normalize("NFKC", text).casefold()):
        found = match.group()
        match match.lastgroup:
            case "pairs":
                yield from HAN.findall(found) if len(found) > 1 else ()
                yield from _grams(found, 2)
            case "triples":
                yield from _grams(found, 3)
            case _:
                yield from _word(found)


def _word(word: str) -> Iterator[str]:
    yield word
    folded = word if word.isascii() else unicodedata.normalize("NFC", MARKS.sub("", unicodedata.normalize("NFKD", word)))
    start = folded if DIGIT.search(folded) else folded[:PREFIX]
    if start and start != word:
        yield start


def _grams(run: str, length: int) -> Iterator[str]:
    return (run[start : start + length] for start in range(max(1, len(run) - length + 1)))


def _document(text: str) -> Sparse:
    counts = Counter(_number(term) for term in terms(text))
    longer = K1 * (1 - B + B * counts.total() / AVERAGE_TERMS)
    numbers = sorted(counts)
    return numbers, [counts[number] * (K1 + 1) / (counts[number] + longer) for number in numbers]


def _number(term: str) -> int:
    return crc32(term.encode())
