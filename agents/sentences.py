"""Where the sentences of a text stand: Latin and CJK full stops, abbreviations, ordinals, bullets, headings, rows, wrapped lines.

Rules, no model: the same text always gives the same sentences. Knows nothing of what the sentences say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int]

# Without their last stop. A single letter before a stop ("z. B.", "J. Smith") counts as one too.
_ALWAYS = (
    "mr mrs ms dr prof st vs e.g i.e approx dept ca cf bzw ggf evtl inkl exkl vgl z.b d.h u.a o.ä i.d.r s.o s.u"
    " m mme mlle env p.ex av bd c.-à-d sra srta ud uds"
)
_BEFORE_NUMBERS = "no nos nr p pp fig ext vol art abs max min tel tél réf pág núm str"
_MONTHS = (
    "januar februar märz april mai juni juli august september oktober november dezember jänner"
    " january february march may june july october december"
)
ABBREVIATIONS, BEFORE_NUMBERS, MONTHS = frozenset(_ALWAYS.split()), frozenset(_BEFORE_NUMBERS.split()), frozenset(_MONTHS.split())
LONGEST = 400  # A line break inside a longer sentence ends it: rather a row too few than a page in one piece.
WRAPPED = 60  # A line shorter than this was not broken because the page ended there.

_END = re.compile(r"[.!?…]+(?:[\"'”’)\]*_]|[ \u00a0\u202f]?»)*(?=\s|$)|[。！？]+[」』）”]*")
_LINE_START = re.compile(r"\s*(?:[-*+•–▪◦]\s|\d{1,3}[.)]\s|#{1,6}\s|[|>])")
_MARKER = re.compile(r"(?:\s|[-*+•–▪◦](?=\s)|\d{1,3}[.)](?=\s)|#{1,6}(?=\s)|[>|]|\*\*(?=\S))+")
_LAST_WORD = re.compile(r"\S+$")


def sentences(text: str) -> list[Span]:
    """(start, end) of each sentence in code points, in order, without the white space and list markers around it."""
    spans = []
    for line_start, line_end in _lines(text):
        start = line_start
        for end in (*_stops(text, line_start, line_end), line_end):
            if trimmed := _trimmed(text, start, end):
                spans.append(trimmed)
            start = end
    return spans


def _lines(text: str) -> Iterator[Span]:
    """Stretches that no sentence crosses: paragraphs, list points, rows, headings; a line that was only wrapped goes on."""
    start = 0
    for match in re.finditer(r"\n", text):
        at = match.start()
        if at - start > LONGEST or not _goes_on(text, at):
            yield start, at
            start = at + 1
    yield start, len(text)


def _goes_on(text: str, at: int) -> bool:
    line = text[text.rfind("\n", 0, at) + 1 : at].rstrip()
    following = text[at + 1 : at + 200].split("\n", 1)[0]
    wrapped = len(line) >= WRAPPED and line[-1] not in ".!?:;。！？|" and not line.startswith("#")
    return bool(wrapped and following.strip() and not _LINE_START.match(following))


def _stops(text: str, start: int, end: int) -> Iterator[int]:
    for match in _END.finditer(text, start, end):
        if match.end() < end and not (match[0] == "." and _is_abbreviation(text, start, match.start(), end)):
            yield match.end()


def _is_abbreviation(text: str, start: int, dot: int, end: int) -> bool:
    """Does the stop at `dot` belong to the word before it, rather than end the sentence?"""
    before = _LAST_WORD.search(text[max(start, dot - 20) : dot])
    after = text[dot + 1 : min(end, dot + 40)].split(maxsplit=1)
    if not before or not after:
        return False
    word, following = before[0].lstrip("([\"'„“«*_").lower(), after[0].strip(",;.").lower()
    is_initial = len(word) == 1 and word.isalpha() and not text[start : dot - 1].rstrip().endswith(tuple("0123456789"))
    if word in ABBREVIATIONS or is_initial or (word in BEFORE_NUMBERS and following[:1].isdigit()):
        return True
    return (word.isdigit() and (following in MONTHS or _starts_line(text, start, dot))) or after[0][0].islower()


def _starts_line(text: str, start: int, dot: int) -> bool:
    return text[text.rfind("\n", start, dot) + 1 : dot].strip().isdigit()


def _trimmed(text: str, start: int, end: int) -> Span | None:
    if match := _MARKER.match(text, start, end):
        start = match.end()
    end = start + len(text[start:end].rstrip().rstrip("|*_").rstrip())
    return (start, end) if any(character.isalnum() for character in text[start:end]) else None
