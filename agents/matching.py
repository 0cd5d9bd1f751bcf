"""How alike a claim and a sentence of a source are: words weighted by rarity, numbers exactly. No model, no vectors.

Knows nothing of answers, passages and citations; the same measure serves the choice of what the model reads and what an answer rests on.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

# Kana, Han and Hangul are written without spaces: two neighbouring characters are their word.
_CJK = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_CJK}]+|[^\W\d_{_CJK}]+(?:\.[^\W\d_{_CJK}]+)*", re.UNICODE)
_NUMBER = re.compile(r"\d+(?:[.,'’\u00a0\u202f ]\d{3})+(?!\d)|\d+[.,]\d+|\d+")
_SCALES = {
    10**3: "thousand tausend tsd mille 千",
    10**4: "万",
    10**6: "million millions millionen mio 百万",
    10**8: "億",
    10**9: "billion billions bn milliarde milliarden mrd milliard milliards",
    10**12: "trillion trillions billionen 兆",
}
_SCALE = {name: scale for scale, names in _SCALES.items() for name in names.split()}
_SCALE_NAMES = "|".join(name if name > "\u2e80" else rf"{name}(?![^\W\d_])\.?" for name in sorted(_SCALE, key=len, reverse=True))
_SCALED = re.compile(rf"(\d+(?:[.,]\d+)*)[ \u00a0\u202f-]?({_SCALE_NAMES})", re.IGNORECASE)

_TABLE = re.compile(
    r"\b(?:in|en)\s(?:u\.?s\.?\s)?(?:dollars\s|euros?\s|usd\s|eur\s|chf\s|gbp\s|us\$\s?|[$€£]\s?)?"
    r"(thousands|millions|billions|tausend|tsd|millionen|mio|milliarden|mrd|milliers|milliards|teur|t€)(?![^\W\d_])"
    r"|[(（:：]\s?(千|百万|億)(?:円|ドル|ユーロ)",
    re.IGNORECASE,
)
_COUNTED = _SCALE | {"thousands": 10**3, "milliers": 10**3, "teur": 10**3, "t€": 10**3, "billions": 10**9}
ROUNDED = 3
"""Digits that a rounded number keeps at least."""
LARGE = 10**6
"""From here on whole numbers are rounded; below only what follows the point is."""

NUMBER_WORDS = {
    word: str(number)
    for words in (
        "zero one two three four five six seven eight nine ten eleven twelve",
        "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        "zéro une deux trois quatre cinq six sept huit neuf dix onze douze",
        "cero una dos tres cuatro cinco seis siete ocho nueve diez once doce",
    )
    for number, word in enumerate(words.split())
    if number > 1
}
_STOPWORDS = (
    "a an the and or of to in on at by for from with is are was were be been has have had do does did it its this that these those"
    " as not no you your he she they we our their i my me can may must will would should what which who how when where why there"
    " der die das den dem des ein eine einen einem einer eines und oder von zu zum zur im in am an auf mit für ist sind war wird"
    " werden hat haben nicht kein keine es er sie wir ihr ich sein wie was wer wann wo nach bei aus als auch dass"
    " le la les un une des du de d l et ou à au aux en dans par pour avec sur est sont était a ont il elle on nous vous ils ce cette"
    " ces qui que quel quelle ne pas se son sa ses"
    " el los las y o del al con por para es fue ha han qué cuál su sus no lo"
    " です ます でし した して から まで ので はい"
)
STOPWORDS = frozenset(_STOPWORDS.split())

Number = frozenset[str]


@dataclass(frozen=True, slots=True)
class Words:
    """What a sentence says, for comparing: its content words and its numbers, each number in every way it can be read."""

    words: frozenset[str]
    numbers: frozenset[Number]

    @property
    def empty(self) -> bool:
        return not self.words and not self.numbers


def words_of(text: str) -> Words:
    text = unicodedata.normalize("NFKC", text).lower()
    text = scaled(text)
    found = [piece for match in _WORD.finditer(text) for piece in _pieces(match[0])]
    numbers = {_readings(match[0]) for match in _NUMBER.finditer(text)}
    numbers |= {frozenset({NUMBER_WORDS[word]}) for word in found if word in NUMBER_WORDS}
    return Words(frozenset(word for word in found if word not in STOPWORDS and word not in NUMBER_WORDS), frozenset(numbers))


def digits_of(text: str) -> frozenset[Number]:
    """The numbers written in digits only: those that must stand in a source. ("one of them" need not.)"""
    text = scaled(unicodedata.normalize("NFKC", text))
    return frozenset(_readings(match[0]) for match in _NUMBER.finditer(text))


def scaled(text: str) -> str:
    """With "1.2 thousand", "3 Mio." and "4万" written out: 1200, 3000000, 40000."""
    return _SCALED.sub(lambda match: _written_out(match[1], _SCALE[match[2].lower().rstrip(".")]), text)


def _written_out(number: str, scale: int) -> str:
    """Before a scale a single stop or comma is a decimal one, but for a comma before three digits."""
    if re.fullmatch(r"\d{1,3}(?:,\d{3})+|\d{1,3}(?:\.\d{3}){2,}", number):
        number = re.sub(r"\D", "", number)
    whole, _, part = number.replace(",", ".").partition(".")
    value = float(f"{whole}.{part.replace('.', '') or 0}") * scale
    return f"{value:.6f}".rstrip("0").rstrip(".") + " "


def scale_of(text: str) -> int:
    """What the figures of a table are counted in, where its text says so ("in millions", "単位:百万円"); else 1."""
    found = _TABLE.search(text)
    return _COUNTED[(found[1] or found[2]).lower()] if found else 1


def giving(numbers: Iterable[Number], scale: int = 1) -> frozenset[Number]:
    """A source's numbers in every way in which a sentence may give them: written out, where a table counts in `scale`, and rounded to fewer
    digits. Only a source's own: 82,959 million are 82.96 billion, but whoever read of 82.96 billion knows nothing of 82,959 million."""
    written = {number | {_plain(Decimal(one) * scale) for one in _likely(number)} for number in numbers}
    return frozenset(number | {short for one in _likely(number) for short in _roundings(one)} for number in written)


def _likely(number: Number) -> Number:
    """Without the reading of "1.234" that has a fraction."""
    return number if len(number) == 1 else frozenset(filter(str.isdigit, number)) or number


def _roundings(reading: str) -> Iterator[str]:
    value = Decimal(reading)
    if "." not in reading and value < LARGE:
        return
    for digits in range(ROUNDED, len(value.as_tuple().digits)):
        yield _plain(value.quantize(Decimal(1).scaleb(value.adjusted() + 1 - digits), ROUND_HALF_UP))


def _plain(value: Decimal) -> str:
    return f"{value:f}".rstrip("0").rstrip(".") if value % 1 else f"{value:.0f}"


def holds(numbers: frozenset[Number], number: Number) -> bool:
    return any(number & other for other in numbers)


def _pieces(word: str) -> Sequence[str]:
    if re.match(rf"[{_CJK}]", word):
        return [word[i : i + 2] for i in range(max(1, len(word) - 1))]
    return [_stem(word)]


def _stem(word: str) -> str:
    """Cuts the plainest plural and case endings, so that "days" meets "day"; numbers' words stay whole."""
    if word in NUMBER_WORDS or len(word) < 5:
        return word
    return re.sub(r"(?:'s|’s|es|en|er|s|n|e)$", "", word)


def _readings(number: str) -> Number:
    """ "1.234" is a thousand and some in one country, one and a bit in another: both readings. "4,80" is 4.8, "2,000" a thousand twice."""
    readings = set()
    if re.fullmatch(r"[1-9]\d{0,2}(?:[.,'’\u00a0\u202f ]\d{3})+", number):
        readings.add(re.sub(r"\D", "", number))
    if (match := re.fullmatch(r"(\d+)[.,](\d+)", number)) and not (readings and number.endswith("00")):
        readings.add(f"{int(match[1])}.{match[2]}".rstrip("0").rstrip("."))
    return frozenset(readings) or frozenset({re.sub(r"\D", "", number).lstrip("0") or "0"})


class Rarity:
    """How much a word tells among these texts (BM25's inverse document frequency: Robertson and Zaragoza 2009, eq. 3.10)."""

    def __init__(self, texts: Sequence[Words]) -> None:
        self._count = len(texts)
        self._having = Counter(word for text in texts for word in text.words)

    def of(self, word: str) -> float:
        having = self._having[word]
        return math.log(1 + (self._count - having + 0.5) / (having + 0.5))

    def overlap(self, claim: Words, source: frozenset[str]) -> float:
        """The share of the claim's words, by weight, that `source` holds: 0 to 1."""
        total = sum(map(self.of, claim.words))
        return sum(self.of(word) for word in claim.words & source) / total if total else 0.0
