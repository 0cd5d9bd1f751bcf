"""Where two documents give different amounts or dates for the same asked thing. Said only where it is plain: the sentences differ in hardly
anything but the one amount. Knows nothing of which is right; dates of documents are for those who know them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

from agents.citations import Unit, units_of
from agents.contradiction import dates, names, same_date, without_dates
from agents.events import Citation
from agents.matching import holds, words_of
from agents.quantities import quantities
from agents.state import Plain
from retrieval.types import Passage

ALIKE = 0.75
"""The share of their words, without numbers, that two sentences have in common at least, of all that either has."""
MOST = 3


def conflicts(passages: Sequence[Passage], citations: Sequence[Citation]) -> list[Plain]:
    """The sentences that do not agree, `group` by `group`, where the answer rests on one of each."""
    cited = {(source.document, source.start, source.end) for citation in citations for source in citation.sources}
    units = [unit for unit in units_of(passages) if unit.words.numbers]
    found: list[Plain] = []
    for one, other in combinations(units, 2):
        if {_place(one), _place(other)} & cited and one.passage.document != other.passage.document and disagree(one, other):
            found += [_plain(unit, len(found) // 2) for unit in (one, other)]
    return found[: 2 * MOST]


def disagree(one: Unit, other: Unit) -> bool:
    """The same said of the same, but for one amount or one date."""
    words = [words_of(without_dates(unit.text)).words for unit in (one, other)]
    if not words[0] or len(words[0] & words[1]) < ALIKE * len(words[0] | words[1]) or names(one.text) != names(other.text):
        return False
    dated = [dates(unit.text) for unit in (one, other)]
    numbers = [words_of(without_dates(unit.text)).numbers for unit in (one, other)]
    if numbers[0] or numbers[1]:  # of another day, another amount is no conflict
        return dated[0] == dated[1] and len(numbers[0]) == len(numbers[1]) == 1 and _other_amount(one.text, other.text)
    return len(dated[0]) == len(dated[1]) == 1 and not same_date(next(iter(dated[0])), next(iter(dated[1])))


def _other_amount(one: str, other: str) -> bool:
    """Of the same kind, and not the same."""
    ours, theirs = quantities(one), quantities(other)
    if len(ours) != len(theirs) or len(ours) > 1:
        return False
    if ours:
        return ours[0].dimension == theirs[0].dimension and not ours[0].equals(theirs[0])
    return not any(holds(words_of(without_dates(other)).numbers, number) for number in words_of(without_dates(one)).numbers)


def _place(unit: Unit) -> tuple[str, int, int]:
    return unit.passage.document, unit.passage.start + unit.start, unit.passage.start + unit.end


def _plain(unit: Unit, group: int) -> Plain:
    document, start, end = _place(unit)
    return {"document": document, "name": unit.passage.name, "start": start, "end": end, "text": unit.text, "group": group}
