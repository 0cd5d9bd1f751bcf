"""What a verb asks to be done with things: to make one, to remove it, to alter it, or to send word. Where a request says which, tools that
do something else are not meant, however near their words are. English. Pure."""

from __future__ import annotations

import re
from typing import Final

KINDS: Final = {
    "makes": "add append arrange book create draft draw insert invite make order plan plot post publish schedule upload",
    "removes": "cancel clear delete erase remove",
    "alters": "change edit give hand merge move postpone push put reassign rename reschedule set shift switch transfer turn update",
    "sends": "email forward mail message notify remind reply respond send tell write",
}
"""The verbs of each kind. What is read both ways, such as "assign", is of none."""
OTHERS: Final = "assign close mark pay share start stop submit"
_SAID: Final = {
    "makes": r"(?:set|put) up",
    "removes": r"get(?:ting)? rid of|take out",
    "alters": r"(?:make|making) (?:that|the|this|a) change|tak(?:e|es|en|ing) over|bring forward",
    "sends": r"get back to|let \w+ know",
}
_IRREGULAR: Final = {"give": "gave|given|giving", "make": "made|making", "send": "sent", "tell": "told", "write": "wrote|written|writing"}


def _forms(verb: str) -> str:
    """The verb as it is inflected."""
    stem = verb.removesuffix("e")
    last = stem[-1] if len(stem) > 2 and stem[-2] in "aeiou" and stem[-1] not in "aeiouwxy" else ""
    regular = rf"{stem}{last}?(?:e|s|es|ed|ing|d)?" if not verb.endswith("y") else rf"{verb[:-1]}(?:y|ies|ied|ying)"
    return "|".join(filter(None, [regular, _IRREGULAR.get(verb, "")]))


ALL: Final = "|".join(_forms(verb) for verb in [*" ".join(KINDS.values()).split(), *OTHERS.split()])
ORDERS: Final = "|".join([*" ".join(KINDS.values()).split(), *OTHERS.split(), "get rid of", "get back to"])
"""As requests begin with them."""
_OF: Final = {kind: re.compile(rf"\b(?:{'|'.join(map(_forms, verbs.split()))})\b", re.IGNORECASE) for kind, verbs in KINDS.items()}
_PHRASES: Final = {kind: re.compile(rf"\b(?:{said})\b", re.IGNORECASE) for kind, said in _SAID.items()}
_NAMING: Final = re.compile(
    r"(?:\b(?:a|an|the|my|your|his|her|its|our|their|this|that|these|those|all|any|no|some|each|every|first|last|latest|next|previous|new|of"
    r"|about|by)|['’]s)\s+$",
    re.IGNORECASE,
)
"""What stands before a thing, so that the word behind it is no verb: "the last email", "Kim's order"."""
_VERB: Final = re.compile(rf"\s*(?:{ALL})\b", re.IGNORECASE)


def changes(text: str) -> bool:
    """Whether a description or a name begins with a verb by which something is changed."""
    return bool(_VERB.match(text))


def kind_of(text: str) -> str:
    """What kind of change the verb is that a description or a name begins with; nothing where it is none of these."""
    return next((kind for kind, verbs in _OF.items() if verbs.match(text.strip())), "")


def kinds_in(text: str) -> set[str]:
    """All that a request asks for."""
    found = set()
    for kind, phrase in _PHRASES.items():
        if phrase.search(text):
            found.add(kind)
            text = phrase.sub(" ", text)
    return found | {kind for kind, verbs in _OF.items() if any(_is_verb(match, text) for match in verbs.finditer(text))}


def _is_verb(match: re.Match[str], text: str) -> bool:
    """Whether it asks for something, and is neither a thing nor several."""
    return not match[0].lower().endswith("s") and not _NAMING.search(text[: match.start()])
