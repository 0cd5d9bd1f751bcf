"""How right an answer is, and how well it is cited. Pure: knows no set, no file and no North.

Words are compared as SQuAD does it (Rajpurkar et al. 2016: lower case, without punctuation and articles). An answer of North's is a
sentence where the reference is a name, so beside exact match and F1 it counts whether a reference stands in it. Amounts are compared by
what they come to, as exactly as the less exact one is written: 82,959 million is 82.96 billion, and is not 82.95 billion.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from statistics import fmean
from typing import Any

Scores = dict[str, float | None]
"""By measure a value in [0, 1]; None where the measure says nothing of this answer."""
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_SCALES = {"thousand": 3, "k": 3, "million": 6, "m": 6, "billion": 9, "bn": 9, "b": 9, "trillion": 12}
_SCALE = "|".join(_SCALES)
_SHARE = r"%|per\s?cent"
_NUMBER = rf"\d{{1,3}}(?:,\d{{3}})+(?:\.\d+)?|\d+\.\d+|\d+(?=\s?(?:{_SHARE})|[\s-]?(?:{_SCALE})\b)"
_AMOUNT = re.compile(rf"(?P<number>{_NUMBER})(?:\s?(?P<share>{_SHARE})|[\s-]?(?P<scale>{_SCALE})\b)?", re.IGNORECASE)
ROUNDED = 3
"""Digits that a rounded amount keeps at least."""
TABLES = (0, 3, 6, 9)
"""Powers of ten that tables count in, which are said elsewhere; of figures from LEAST on."""
LEAST = 1000


@dataclass(frozen=True, slots=True)
class Amount:
    """`digits` as written, in so many powers of ten (`scale`) where that is written, too."""

    digits: Decimal
    scale: int | None = None
    share: bool = False

    def same(self, other: Amount) -> bool:
        """Within the rounding of the less exact one. What has no scale, and may be a table's, counts in that of the other."""
        if self.scale is None and other.scale is None:
            return _same(self.digits, other.digits)
        if self.share or other.share:
            return False
        return any(_same(one, two) for one in self._meant() for two in other._meant())

    def _meant(self) -> list[Decimal]:
        powers = (self.scale,) if self.scale is not None else TABLES if self.digits >= LEAST else (0,)
        return [self.digits.scaleb(power) for power in powers]


def _same(one: Decimal, other: Decimal) -> bool:
    exact, rounded = sorted((one, other), key=lambda value: int(value.as_tuple().exponent))
    if len(rounded.as_tuple().digits) < ROUNDED:
        return exact == rounded
    return exact.quantize(Decimal(1).scaleb(int(rounded.as_tuple().exponent)), ROUND_HALF_UP) == rounded


def words_in(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def amounts_in(text: str) -> frozenset[Amount]:
    """Numbers with thousands, decimals, a scale or a percent sign: what a report counts, and no year or page."""
    return frozenset(
        Amount(Decimal(found["number"].replace(",", "")), _SCALES.get((found["scale"] or "").lower()), bool(found["share"]))
        for found in _AMOUNT.finditer(text)
    )


def held(amounts: Collection[Amount], text: str) -> float:
    """The share of these amounts that the text gives."""
    given = amounts_in(text)
    return fmean(any(one.same(other) for other in given) for one in amounts) if amounts else 0.0


def stands_in(reference: str, text: str) -> bool:
    """Whether the words of the reference stand in the text in a row."""
    wanted, said = words_in(reference), words_in(text)
    return bool(wanted) and any(said[at : at + len(wanted)] == wanted for at in range(len(said) - len(wanted) + 1))


def f1(text: str, reference: str) -> float:
    said, wanted = words_in(text), words_in(reference)
    shared = sum((Counter(said) & Counter(wanted)).values())
    return 2 * shared / (len(said) + len(wanted)) if shared else 0.0


def correctness(answer: str, answers: Sequence[str], reference: str, *, refused: bool) -> Scores:
    """A refusal is not right. Of a reference in sentences `right` is the share of its amounts, and None where it names none."""
    answer, references = "" if refused else answer, answers or [reference]
    amounts = amounts_in(reference)
    if answers:
        right: float | None = float(any(stands_in(one, answer) for one in answers))
    else:
        right = held(amounts, answer) if amounts else None
    return {
        "right": right,
        "f1": max(f1(answer, one) for one in references),
        "exact": float(any(words_in(one) == words_in(answer) for one in answers)) if answers else None,
        "refused": float(refused),
    }


def citing(line: Mapping[str, Any], answers: Sequence[str], amounts: Collection[Amount], gold: Collection[str]) -> Scores:
    """Of an answer that was not refused. `precise`: the share of citations that support it, being of a gold document or holding the answer;
    `holds`: of those whose own words hold it; `claims`: the share of the answer's claims with such a citation; `gold`: of the gold
    documents that are cited; `resolves`: of the citations that open, for whoever asked, at just the words that they quote."""
    if line["refused"] or not line["answer"]:
        return {}

    def holding(one: Mapping[str, Any]) -> bool:
        return held(amounts, one["words"]) > 0 or any(stands_in(answer, one["words"]) for answer in answers)

    def supports(one: Mapping[str, Any]) -> bool:
        return one["document"] in gold or holding(one)

    cited = line["citations"]
    claims = [any(supports(one) for one in cites) for cites in line["claims"]] or [any(map(supports, cited))]
    return {
        "precise": share(map(supports, cited)),
        "holds": share(map(holding, cited)),
        "claims": share(claims),
        "gold": len({one["document"] for one in cited} & set(gold)) / len(gold),
        "resolves": share(one["resolves"] for one in cited),
    }


def share(values: Iterable[bool]) -> float | None:
    found = list(values)
    return fmean(found) if found else None
