"""How right an answer is, and how well it is cited. Pure: knows no set, no file and no North.

Words are compared as SQuAD does it (Rajpurkar et al. 2016: lower case, without punctuation and articles). An answer of North's is a
sentence where the reference is a name, so beside exact match and F1 it counts whether a reference stands in it. Amounts are compared by
their digits: 82,959 is the same as 82959, but not as 82.959 billion.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

Scores = dict[str, float | None]
"""By measure a value in [0, 1]; None where the measure says nothing of this answer."""
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_AMOUNT = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+\.\d+|\d+(?=\s?%)")


def words_in(text: str) -> list[str]:
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def amounts_in(text: str) -> frozenset[str]:
    """Numbers with thousands, decimals or a percent sign: what a report counts, and no year or page."""
    return frozenset(found.replace(",", "") for found in _AMOUNT.findall(text))


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
        right = len(amounts & amounts_in(answer)) / len(amounts) if amounts else None
    return {
        "right": right,
        "f1": max(f1(answer, one) for one in references),
        "exact": float(any(words_in(one) == words_in(answer) for one in answers)) if answers else None,
        "refused": float(refused),
    }


def citing(line: Mapping[str, Any], answers: Sequence[str], amounts: Collection[str], gold: Collection[str]) -> Scores:
    """Of an answer that was not refused. `precise`: the share of citations that support it, being of a gold document or holding the answer;
    `holds`: of those whose own words hold it; `claims`: the share of the answer's claims with such a citation; `gold`: of the gold
    documents that are cited; `resolves`: of the citations that open, for whoever asked, at just the words that they quote."""
    if line["refused"] or not line["answer"]:
        return {}

    def holding(one: Mapping[str, Any]) -> bool:
        return bool(amounts_in(one["words"]) & set(amounts)) or any(stands_in(answer, one["words"]) for answer in answers)

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
