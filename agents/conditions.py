"""What the results of a look-up must be so that a condition holds, where its own words say so: no model is asked then. English. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

from agents.dates import unquoted


@dataclass(frozen=True, slots=True)
class Check:
    """As `prompts.CHECKS` names it. `than`: what it is compared with, where that is no number."""

    holds_if: str
    number: float = 0
    than: str = ""


_MORE, _LESS = r"more|higher|greater|over|above", r"less|lower|fewer|below|under"
_NUMBER = re.compile(
    rf"\b(?:(?P<more>{_MORE})|(?P<less>{_LESS}))(?: than)?\s+(?P<number>\d+(?:\.\d+)?)(?P<percent>\s?%|\s?percent)?"
    r"(?:\s+(?:(?P<up>higher|more)|(?P<down>lower|less)))?"
    r"(?=\W*(?:(?:at|since|in|on|from|over|between|during|than|last|the|this|any|by)\b|$))",
    re.IGNORECASE,
)
_UP = re.compile(r"\b(?:grew|grow|grown|growth|rose|risen|rise|increase\w*|gone up|went up|go up)\b", re.IGNORECASE)
_DOWN = re.compile(r"\b(?:fell|fall\w*|drop\w*|decline\w*|decrease\w*|shrank|gone down|went down)\b", re.IGNORECASE)
_THAN = re.compile(r"\b(?:more|less|faster|slower) than\s+(?:the\s+)?(?P<than>[^\d\s][^,.;?!]*)", re.IGNORECASE)
_LONG_AGO = re.compile(
    r"\b(?:longer than|more than|over)\s+(?:\d+|an?|one|two|three|four|five|six|seven)\s+(?:days?|weeks?|months?)\b", re.IGNORECASE
)
_NONE = re.compile(r"\b(?:no|none|nothing|nobody|never|not)\b|n['’]t\b", re.IGNORECASE)
_SOME = re.compile(r"\b(?:any|some|there (?:is|are|was|were))\b", re.IGNORECASE)


def said_in(condition: str) -> Check | None:
    """None where its words leave that open."""
    text = unquoted(condition)
    if match := _NUMBER.search(text):
        number = float(match["number"])
        if match["percent"] or _UP.search(text) or _DOWN.search(text):
            falls = bool(match["down"] or _DOWN.search(text))
            return None if match["less"] else Check("fell by more than" if falls else "rose by more than", number)
        return Check("any above" if match["more"] else "any below", number)
    if (match := _THAN.search(text)) and (_UP.search(text) or _DOWN.search(text)):
        return Check("fell by more than" if _DOWN.search(text) else "rose by more than", than=match["than"].strip())
    if any(map(str.isdigit, text)) and not _LONG_AGO.search(text) and not _NONE.search(text):
        return None
    if _LONG_AGO.search(text) or _NONE.search(text):
        return Check("nothing found")
    return Check("something found") if _SOME.search(text) else None
