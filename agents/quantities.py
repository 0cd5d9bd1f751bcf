"""Quantities as they are meant, however they are written: scales, units, conversions, in English, German, French and Japanese; and which
of two values is whose. Rules and small lists, no model. Knows nothing of answers and citations."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from agents.contradiction import without_dates
from agents.matching import NUMBER_WORDS, Number, digits_of, scaled, words_of

# By dimension: its units with what one of them is of the first, and how they are written.
_UNITS = """
share 1 % percent prozent pourcent パーセント
share 1 per_cent pour_cent
euro 1 € eur euro euros ユーロ
dollar 1 $ us$ usd dollar dollars ドル
pound 1 £ gbp pound pounds pfund
yen 1 ¥ jpy yen 円
franc 1 chf franken
time 1 s sec second seconds sekunde sekunden seconde secondes 秒
time 60 min minute minutes minuten 分
time 3600 h hour hours stunde stunden heure heures 時間
time 86400 day days tag tage tagen jour jours 日間
time 604800 week weeks woche wochen semaine semaines 週間
month 1 month months monat monate monaten mois か月 ヶ月 ヵ月
month 12 year years jahr jahre jahren an ans année années 年間
length 1 mm millimetre millimetres millimeter millimètre millimètres
length 10 cm centimetre centimetres centimeter zentimeter centimètre centimètres
length 1000 m metre metres meter mètre mètres メートル
length 1000000 km kilometre kilometres kilometer kilomètre kilomètres キロメートル
mass 1 g gram grams gramm gramme grammes グラム
mass 1000 kg kilogram kilograms kilogramm kilogramme kilogrammes キログラム
mass 1000000 t tonne tonnes tonnen
volume 1 ml millilitre millilitres milliliter
volume 1000 l litre litres liter
bytes 1 kb
bytes 1000 mb
bytes 1000000 gb
"""
_KNOWN = {
    name.replace("_", " "): (dimension, float(factor))
    for dimension, factor, *names in map(str.split, _UNITS.strip().splitlines())
    for name in names
}
_NAMES = "|".join(sorted((re.escape(name) + (r"(?![^\W\d_])" if name[-1].isascii() and name[-1].isalpha() else "") for name in _KNOWN),
                         key=len, reverse=True))  # fmt: skip
_NUMBER = r"\d+(?:[.,'’ \u00a0\u202f]\d{3})*(?:[.,]\d+)?"
_AFTER = re.compile(rf"(?P<number>{_NUMBER})[ \u00a0\u202f-]?(?P<unit>{_NAMES})", re.IGNORECASE)
_BEFORE = re.compile(rf"(?P<unit>us\$|[$€£¥])\s?(?P<number>{_NUMBER})", re.IGNORECASE)
_WORDS = re.compile(rf"\b({'|'.join(NUMBER_WORDS)})\b(?=[ -](?:{_NAMES}))", re.IGNORECASE)
_PARTS = re.compile(
    r"[,;:](?=\s)|、|(?<!\w)(?:and|while|whereas|but|against|versus|und|während|gegen|aber|et|tandis que|contre|mais)(?!\w)", re.I
)


@dataclass(frozen=True, slots=True)
class Quantity:
    """`values`: each way in which its number can be read, in the first unit of its dimension."""

    values: frozenset[float]
    dimension: str
    number: Number
    words: str

    def equals(self, other: Quantity) -> bool:
        return self.dimension == other.dimension and any(math.isclose(one, two) for one in self.values for two in other.values)


def quantities(text: str) -> list[Quantity]:
    """The numbers that have a unit, in no order; dates are none."""
    plain = scaled(_WORDS.sub(lambda match: NUMBER_WORDS[match[1].lower()], without_dates(text)))
    found = [quantity for pattern in (_AFTER, _BEFORE) for match in pattern.finditer(plain) if (quantity := _quantity(match))]
    return list({(one.number, one.dimension, one.words): one for one in found}.values())


def same_by_conversion(number: Number, claim: Sequence[Quantity], source: Sequence[Quantity]) -> bool:
    """Whether a number of the claim is one of the source's in other units: 24 months are 2 years."""
    return any(one.number & number and any(one.equals(other) for other in source) for one in claim)


def other_unit(claim: Sequence[Quantity], source: Sequence[Quantity]) -> str:
    """A number that both give in units which are not the same amount, as "28 days / 28 weeks"; nothing where there is none."""
    for one in claim:
        like = [other for other in source if other.number & one.number]
        if like and not any(one.equals(other) for other in source):
            return f"{one.words} / {like[0].words}"
    return ""


def swapped(claim: str, source: str) -> str:
    """Two values that the claim gives to each other's owners, as "5 / 7"; nothing where that is not plain.

    Both texts are cut at commas and conjunctions. A value's owner are the words of its part that the other value's part has not; they must
    stand with the other value in the source, both times.
    """
    ours, theirs = _parts(claim), _parts(source)
    for place, (number, words) in enumerate(ours):
        for other, others in ours[place + 1 :]:
            here, there = words - others, others - words
            with_number = [said for value, said in theirs if value & number]
            with_other = [said for value, said in theirs if value & other]
            if number & other or len(with_number) != 1 or len(with_other) != 1 or not here or not there:
                continue
            if _owns(here, there, with_other[0]) and _owns(there, here, with_number[0]):
                return f"{min(number)} / {min(other)}"
    return ""


def _owns(mine: frozenset[str], not_mine: frozenset[str], said: frozenset[str]) -> bool:
    return len(mine & said) * 2 > len(mine) and not not_mine & said


def _parts(text: str) -> list[tuple[Number, frozenset[str]]]:
    """The parts that hold one number, each with its other words."""
    found = []
    for part in _cut(scaled(without_dates(text))):
        numbers = digits_of(part)
        if len(numbers) == 1:
            found.append((next(iter(numbers)), words_of(part).words))
    return found


def _cut(text: str) -> Iterator[str]:
    start = 0
    for match in _PARTS.finditer(text):
        yield text[start : match.start()]
        start = match.end()
    yield text[start:]


def _quantity(match: re.Match[str]) -> Quantity | None:
    dimension, factor = _KNOWN[match["unit"].lower()]
    number = next(iter(digits_of(match["number"])), None)
    if number is None:
        return None
    return Quantity(frozenset(float(one) * factor for one in number), dimension, number, " ".join(match[0].split()))
