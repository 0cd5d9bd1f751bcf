"""A second look at an answer, sentence by sentence, by other means than the model that wrote it.

What a sentence must have in common with its source is compared exactly (numbers, dates, names), what speaks against it is looked for
(negations, opposites), and where its words are not the source's own a model that judges pairs of texts is asked. Without such a model those
sentences are "not verified", never "supported".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.citations import Claim, claims_of
from agents.context import Judge
from agents.contradiction import dates, names, negated, opposites, same_date, without_dates
from agents.events import Citation, ClaimCheck, Source, Span, Support
from agents.matching import Number, Words, digits_of, giving, holds, scale_of, words_of
from agents.quantities import Quantity, other_unit, quantities, same_by_conversion, swapped
from agents.sentences import sentences
from retrieval.types import Passage

# Rules of thumb, not fitted; tests/bench/verification.py prints what they come to over edited summaries.
SAME_WORDS = 0.8
"""The share of a sentence's words in its source from which on it says what the source says, if nothing speaks against it."""
SAME_THING = 0.5
"""The share from which on two sentences are about the same thing, so that a difference is a contradiction."""
JUDGED = 1.0
"""The least logit of a judging model at which a sentence in other words rests on its source. It was 0 with the weights before: where those
gave 0, these give 0.97 (straight line through 320 pairs of a question or claim and a text, correlation .98)."""
NOTHING_SAYS = "Nothing that was read says this."


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a sentence is compared with: the source's own sentences, and all that is known around them."""

    said: str
    around: str
    words: Words
    numbers: frozenset[Number]
    quantities: tuple[Quantity, ...] = ()

    @classmethod
    def of(cls, said: str, around: str) -> Evidence:
        everything = f"{said} {around}"
        numbers = giving(words_of(everything).numbers, scale_of(everything))
        return cls(said, around, words_of(said), numbers, tuple(quantities(everything)))


def verify(  # noqa: PLR0917
    text: str, citations: Sequence[Citation], passages: Sequence[Passage], results: Sequence[Mapping[str, Any]], judge: Judge | None,
    question: str = "",
) -> tuple[ClaimCheck, ...]:  # fmt: skip
    """A verdict on each sentence of the answer that claims something; offsets are code points of `text`. Asks `judge` once a sentence,
    and only where words do not decide. A word that begins a sentence is a name where passages or the question use it as one."""
    by_place = {(citation.start, citation.end): number for number, citation in enumerate(citations)}
    known = names(question).union(*(names(passage.text[start:end]) for passage in passages for start, end in sentences(passage.text)))
    verdicts = []
    for claim in claims_of(text):
        number = by_place.get((claim.start, claim.end), -1)
        named = names(claim.text, known)
        support, reasons = _cited(claim, named, citations[number], passages, judge) if number >= 0 else _uncited(claim, named, passages)
        if support not in {"supported", "contradicted"} and (result := _result_of(claim, results)):
            support, reasons = "supported", (f"{result['tool']}: {result['text']}"[:200],)
        verdicts.append(ClaimCheck(claim.start, claim.end, claim.text, support, reasons, number))
    return tuple(verdicts)


def by_results(
    citations: Sequence[Citation], unsupported: Sequence[Span], results: Sequence[Mapping[str, Any]]
) -> tuple[tuple[Citation, ...], tuple[Span, ...]]:
    """The same, where sentences that rest on what a tool found are not called unsupported; they cite what the tool has read."""
    kept, cited = [], list(citations)
    for span in unsupported:
        claim = next(iter(claims_of(span.text)), None)
        result = _result_of(claim, results) if claim else None
        if result is None:
            kept.append(span)
        elif result["sources"]:
            sources = tuple(Source(**source) for source in result["sources"])
            cited.append(Citation(span.start, span.end, span.text, sources))
    return tuple(sorted(cited, key=lambda citation: citation.start)), tuple(kept)


def counts(claims: Sequence[ClaimCheck]) -> dict[str, int]:
    return dict(Counter(claim.support for claim in claims))


def _cited(
    claim: Claim, named: Collection[str], citation: Citation, passages: Sequence[Passage], judge: Judge | None
) -> tuple[Support, tuple[str, ...]]:
    around = [p for p in passages for s in citation.sources if p.document == s.document and p.start <= s.start and s.end <= p.end]
    evidence = Evidence.of(
        " ".join(source.text for source in citation.sources),
        " ".join(f"{passage.name} {passage.heading} {passage.text}" for passage in around),
    )
    if against := _against(claim, evidence):
        return "contradicted", against
    if missing := _missing(claim, evidence):
        return "unsupported", missing
    if unnamed := _unnamed(named, evidence):
        return "partly", unnamed
    if _share(claim.words, evidence.words) >= SAME_WORDS:
        return "supported", ()
    scores = judge(claim.text, [evidence.said, evidence.around[:1200]] if evidence.around else [evidence.said]) if judge else None
    if scores is None:
        return "not verified", ("It is said in other words than its source's, and no model that compares them is at hand.",)
    return ("supported", ()) if max(scores) >= JUDGED else ("partly", ("Its source is about this, but does not say it as clearly.",))


def _uncited(claim: Claim, named: Collection[str], passages: Sequence[Passage]) -> tuple[Support, tuple[str, ...]]:
    """Without a source it is unsupported; contradicted, where a sentence about the same thing says something else."""
    for passage in passages:
        for start, end in sentences(passage.text):
            evidence = Evidence.of(passage.text[start:end], "")
            if _share(claim.words, evidence.words) >= SAME_THING and (against := _against(claim, evidence)):
                return "contradicted", against
    read = Evidence.of("", " ".join(f"{passage.name} {passage.heading} {passage.text}" for passage in passages))
    return "unsupported", _missing(claim, read) or _unnamed(named, read) or (NOTHING_SAYS,)


def _against(claim: Claim, evidence: Evidence) -> tuple[str, ...]:
    share = _share(claim.words, evidence.words)
    if share < SAME_THING:
        return ()
    if opposite := opposites(claim.text, evidence.said):
        return (f"The source says the opposite ({opposite}).",)
    if negated(claim.text) != negated(evidence.said) and share >= SAME_WORDS:
        return ("One of the two is negated, the other is not.",)
    return _other_amount(claim, evidence)


def _other_amount(claim: Claim, evidence: Evidence) -> tuple[str, ...]:
    theirs = digits_of(without_dates(evidence.said))
    other = _unheld(claim, evidence)
    if other and theirs and not all(holds(claim.digits, number) for number in theirs):
        return (f"The source has another number than {_shown(other)}.",)
    if unlike := other_unit(quantities(claim.text), evidence.quantities):
        return (f"The source gives it in another unit ({unlike}).",)
    if exchanged := swapped(claim.text, evidence.said):
        return (f"The source gives these values the other way round ({exchanged}).",)
    dated = dates(f"{evidence.said} {evidence.around}")
    return ("The source has another date.",) if dated and _undated(claim, evidence) else ()


def _unheld(claim: Claim, evidence: Evidence) -> list[Number]:
    """The claim's numbers that the source has in no way of writing and in no unit; those of dates are compared as dates."""
    missing = [number for number in digits_of(without_dates(claim.text)) if not holds(evidence.numbers, number)]
    ours = quantities(claim.text) if missing else []
    return [number for number in missing if not same_by_conversion(number, ours, evidence.quantities)]


def _undated(claim: Claim, evidence: Evidence) -> bool:
    known = dates(f"{evidence.said} {evidence.around}")
    return any(not any(same_date(date, one) for one in known) for date in dates(claim.text))


def _missing(claim: Claim, evidence: Evidence) -> tuple[str, ...]:
    if missing := _unheld(claim, evidence):
        return (f"The number {_shown(missing)} does not stand in the source.",)
    return ("Its date does not stand in the source.",) if _undated(claim, evidence) else ()


def _unnamed(named: Collection[str], evidence: Evidence) -> tuple[str, ...]:
    known = f"{evidence.said} {evidence.around}".lower()
    unknown = sorted(name for name in named if not _stands_in(known, name))
    return (f"{', '.join(unknown[:3])} is not named in the source.",) if unknown else ()


def _stands_in(known: str, name: str) -> bool:
    """As it is, in the singular of what is written in capitals ("GANs"), or by what a compound begins with ("London-based")."""
    plain = name.removesuffix("s") if name[:-1].isupper() else name.partition("-")[0]
    return name.lower() in known or (len(plain) > 1 and plain.lower() in known)


def _result_of(claim: Claim, results: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The tool's result that holds every number of the sentence, and more than numbers where it has none."""
    for result in results:
        said = words_of(f"{result['input']} {result['text']}".replace("_", " "))
        if claim.digits and all(holds(said.numbers, number) for number in claim.digits):
            return result
        if not claim.digits and _share(claim.words, said) >= SAME_WORDS:
            return result
    return None


def _share(claim: Words, source: Words) -> float:
    return len(claim.words & source.words) / len(claim.words) if claim.words else 1.0


def _shown(numbers: Sequence[Number]) -> str:
    return ", ".join(sorted(min(number) for number in numbers)[:3])
