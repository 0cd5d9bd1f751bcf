"""How hard a question is to search for, told from its words alone: no model, no time. Knows nothing of searches and prompts.

Whatever costs a model call or another search is done only where a test here says so.
"""

from __future__ import annotations

import re

from agents.languages import language_of
from agents.matching import words_of

# Words that compare: what must be looked up for each side, the model plans. Any other question is searched for without a model call.
_COMPARES = re.compile(
    r"\b(?:compare[ds]?|comparison|versus|vs|differ(?:s|ence|ences|ent)?|both|each of|respectively"
    r"|vergleich\w*|unterschied\w*|unterscheide\w*|sowohl|beide[nrs]?|jeweils"
    r"|compare[rz]?|comparaison|différences?|diffèrent|à la fois|respectivement"
    r"|comparar?|comparación|diferencias?|ambos|ambas|respectivamente)\b|比較|違い|それぞれ|両方",
    re.IGNORECASE,
)
_BETWEEN_QUESTIONS = re.compile(
    r"(?<=[?？])\s*(?=\S)|,?\s+(?:and|und|et|y)\s+(?=(?:how|what|when|where|who|which|why|wie|was|wann|wo|wer|welche\w*|warum"
    r"|combien|quand|où|qui|quel\w*|cuánt\w*|cuándo|quién|cuál)\b)",
    re.IGNORECASE,
)
# A clause that describes what is asked about instead of naming it; and what belongs to what belongs to something.
_DESCRIBES = re.compile(
    r"(?<=\w)(?:,?\s+(?:where|who|which|that|whose|when|what|qui|que|dont|où|auquel|laquelle|quien|cuy[oa]s?|donde)"
    r"|,\s+(?:wo|der|die|das|den|dem|deren|dessen|welche[rsmn]?))\s+\S+\s+\S+"
    r"|\b(?:of|from|by|in)\s[^,;?]{1,80}\s(?:of|from|by)\s+the\s|['’]s\s+\S.{0,80}\s(?:of|in)\s|\bof\s+(?:the\s+)?\w+\s.{0,80}\bof\s+\w",
    re.IGNORECASE,
)
# Words that point at what was said before, and openings that go on from it.
_POINTS = re.compile(
    r"^\W*(?:and|or|but|so|also|then|what about|how about|und|oder|aber|auch|dann|et|ou|mais|alors|y|o|pero|entonces)\b"
    r"|\b(?:it|its|they|them|their|theirs|he|him|his|she|her|hers|this|that|these|those|there|then|one|ones|same|other|others|another"
    r"|former|latter|above|else|instead|again|too|also|more|such|so"
    r"|er|sie|es|ihn|ihm|ihr|ihre[mnrs]?|sein|seine[mnrs]?|dies|diese[mnrs]?|jene[mnrs]?|das|dort|dann|dafür|dabei|dadurch|dagegen|daher|damit|danach|daran|darauf|daraus|darin|darüber|darum|davon|dazu|derselbe|dieselbe|dasselbe"
    r"|andere[mnrs]?|auch|sonst|mehr|solche[mnrs]?"
    r"|il|elle|ils|elles|lui|leur|leurs|son|sa|ses|ce|cet|cette|ces|cela|ça|celui|celle|ceux|celles|y|en|là|autres?|aussi|même|plus|tels?"
    r"|él|ella|ellos|ellas|su|sus|este|esta|estos|estas|ese|esa|esos|esas|eso|esto|aquel\w*|allí|ahí|otr[oa]s?|también|mism[oa]s?|más)\b",
    re.IGNORECASE,
)
PARTS = 3
ALONE_IN = {"en", "de", "fr", "es"}
"""Languages of whose words that point we have a list. In others (Japanese leaves out what was said) a follow-up is always reworded."""
ALONE_WORDS = 6
"""So many words that tell something has a follow-up at least that is understood without what was said before it."""


def compares(question: str) -> bool:
    """Whether each of several things must be looked up."""
    return bool(_COMPARES.search(question))


def clauses(question: str) -> list[str]:
    """The questions that stand in one, none if it is one only; a bare "and why?" asks for nothing that could be searched for."""
    found = [clause for clause in _BETWEEN_QUESTIONS.split(question) if words_of(clause).words]
    return found[:PARTS] if len(found) > 1 else []


def describes(question: str) -> bool:
    """Whether it says what it asks about by something else ("the head of the department that signed the lease"): what must be known to find
    the answer may stand where the first search ends. In English, German, French and Spanish."""
    return bool(_DESCRIBES.search(question))


def stands_alone(question: str) -> bool:
    """Whether a question in the middle of a thread is surely understood without it; where in doubt, it is not."""
    return language_of(question) in ALONE_IN and not _POINTS.search(question) and len(words_of(question).words) >= ALONE_WORDS
