"""Cues that two sentences about the same thing do not say the same: a negation in one of them, an opposite, another date, another name.

Rules and small lists for English, German, French and Spanish; no model. Knows nothing of answers and citations.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

from agents.languages import language_of

Date = tuple[int, int, int]
"""Year, month, day; 0 for what is not said."""

_NEGATORS = re.compile(
    r"\b(?:not|no|never|none|nobody|nothing|neither|nor|without|cannot|\w+n['’]t|unable|fail(?:s|ed)? to|lacks?|exclud(?:e[sd]?|ing)"
    r"|nicht|kein\w*|nie|niemals|ohne|niemand|nichts|weder"
    r"|pas|jamais|aucune?|sans|rien|personne"
    r"|nunca|jamás|ning[uú]n\w*|sin|nadie|nada|tampoco)\b|(?:ない|ません|なかった)(?=$|[。、」）)のでと])",
    re.IGNORECASE,
)
_PAIRS = """
increas rise rais grow grew gain higher upward improv climb | decreas fall fell declin drop lower reduc downward worsen shrink lost
before earlier prior until | after later following since
more above over exceed maximum most | less below under minimum least fewer
includ | exclud
allow permit may approv accept agree support | forbid prohibit den reject refus oppos disagree ban
begin start open launch | end clos finish cease stop
always | never
all every | none some few
win won | lost lose
buy bought acquir | sell sold
pass | fail
mandatory requir must | optional voluntar
first | last
public | private
same | different
success | fail
full | part empty
positiv | negativ
profit | loss
early | late
easy | difficult hard
present | absent
internal | external
old | new
high | low
large big | small
erhöh steig wachs mehr | senk sink fall weniger
vor bis | nach ab
erlaub darf | verbot untersag
mindestens | höchstens
augment hauss plus | diminu baiss réduc moins
avant | après
autoris | interdi
aument sub más | disminu baj redu menos
antes | después
permit | prohib
máximo | mínimo
"""
_SIDES = [tuple(tuple(side.split()) for side in line.split("|")) for line in _PAIRS.strip().splitlines()]
_WORD = re.compile(r"[^\W\d_]+")
_NAME = re.compile(r"(?<=[^.!?:]\s)(?P<inside>[A-ZÀ-Þ][\w’'-]+)|\b(?P<short>[A-Z]{2,}\w*)\b")

_FIRST = re.compile(r"\W*([A-ZÀ-Þ][\w’'-]+)")

_MONTHS = """
january januar janvier enero jan
february februar février febrero feb
march märz mars marzo mar
april avril abril apr
may mai mayo
june juni juin junio jun
july juli juillet julio jul
august août agosto aug
september septembre septiembre sept sep
october oktober octobre octubre oct
november novembre noviembre nov
december dezember décembre diciembre dec
"""
_MONTH = {name: number for number, line in enumerate(_MONTHS.strip().splitlines(), 1) for name in line.split()}
_WEEKDAYS = {"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
_NAMED = "|".join(sorted(_MONTH, key=len, reverse=True))
_JAPANESE = (
    ("増", "減"),
    ("上昇", "下落"),
    ("上昇", "低下"),
    ("可能", "不可能"),
    ("許可", "禁止"),
    ("以上", "以下"),
    ("以上", "未満"),
    ("前", "後"),
)
_DATES = (
    re.compile(r"(?P<y>\d{4})年\s?(?P<m>\d{1,2})月(?:\s?(?P<d>\d{1,2})日)?"),
    re.compile(r"(?<!年)(?<![\d年])(?P<m>\d{1,2})月\s?(?P<d>\d{1,2})日"),
    re.compile(r"\b(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})\b"),
    re.compile(r"\b(?P<d>\d{1,2})[./](?P<m>\d{1,2})[./](?P<y>\d{4})\b"),
    re.compile(rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th|er|\.)?\s+(?:of\s+|de\s+)?(?P<n>{_NAMED})\b\.?(?:,?\s+(?:de\s+)?(?P<y>\d{{4}}))?", re.I),
    re.compile(rf"\b(?P<n>{_NAMED})\.?\s+(?P<d>\d{{1,2}})(?:st|nd|rd|th)?\b(?:,?\s+(?P<y>\d{{4}}))?", re.I),
    re.compile(rf"\b(?P<n>{_NAMED})\.?\s+(?P<y>\d{{4}})\b", re.I),
)


def negated(text: str) -> bool:
    """An even number of negations cancels out."""
    return len(_NEGATORS.findall(text)) % 2 == 1


def opposites(claim: str, source: str) -> str:
    """The words of `claim` whose opposite stands in `source` in their place, as "increase / decrease"; nothing if there are none."""
    ours, theirs = _WORD.findall(claim.lower()), _WORD.findall(source.lower())
    for left, right in _SIDES:
        for here, there in ((left, right), (right, left)):
            said, against = _starting(ours, here), _starting(theirs, there)
            if said and against and not _starting(ours, there) and not _starting(theirs, here):
                return f"{said} / {against}"
    for one, other in (*_JAPANESE, *(pair[::-1] for pair in _JAPANESE)):
        if one in claim and other in source and one not in source.replace(other, "") and other not in claim.replace(one, ""):
            return f"{one} / {other}"
    return ""


def names(text: str, known: Collection[str] = ()) -> set[str]:
    """Names of people, places and things in a sentence: what is written with a capital inside it, and its first word where that is one of
    those that are `known`. In German every noun has a capital, so only what is written in capitals whole."""
    german = language_of(text) == "de"
    found = (match["short"] or (None if german else match["inside"]) for match in _NAME.finditer(text))
    plain = {name.removesuffix("'s").removesuffix("’s") for name in found if name}
    if (first := _FIRST.match(text)) and (name := first[1].removesuffix("'s").removesuffix("’s")) in known:
        plain.add(name)
    return {name for name in plain if name.lower() not in _MONTH and name.lower() not in _WEEKDAYS}


def dates(text: str) -> set[Date]:
    """What is read of one way of writing is not read of another: "3 March 2026" is no "March 2026"."""
    found: set[Date] = set()
    for pattern in _DATES:
        found |= {date for match in pattern.finditer(text) if (date := _date(match.groupdict()))}
        text = _blanked(pattern, text)
    return found


def without_dates(text: str) -> str:
    """The text with nothing in place of what `dates` reads in it."""
    for pattern in _DATES:
        text = _blanked(pattern, text)
    return text


def _blanked(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda match: " " if _date(match.groupdict()) else match[0], text)


def same_date(one: Date, other: Date) -> bool:
    """As far as both say it: 3 March is 3 March 2024."""
    return all(a == b or not a or not b for a, b in zip(one, other, strict=True)) and one[1] == other[1]


def _date(parts: dict[str, str | None]) -> Date | None:
    month = int(parts.get("m") or _MONTH.get(str(parts.get("n")).lower(), 0))
    day = int(parts.get("d") or 0)
    if not 1 <= month <= 12 or day > 31:
        return None
    return int(parts.get("y") or 0), month, day


def _starting(words: list[str], stems: tuple[str, ...]) -> str:
    return next(_which(words, stems), "")


def _which(words: list[str], stems: tuple[str, ...]) -> Iterator[str]:
    """Words that are one of the stems with an ending; short stems only as they are."""
    for word in words:
        if any(word == stem or (len(stem) >= 4 and word.startswith(stem) and len(word) <= len(stem) + 4) for stem in stems):
            yield word
