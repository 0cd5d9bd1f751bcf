"""Dates as people say them, made exact by the day that it is: "next Friday", "since Monday", "the last 4 days", "at 2:30".

A small model counts days badly; what it is told has the dates beside the words, and where a tool takes a first and a last day no model is
asked. English only: what is said otherwise stays as it is. Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from agents.matching import NUMBER_WORDS

MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november", "december")
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
UNITS = {"day": 1, "week": 7, "fortnight": 14, "month": 30}
AFTERNOON = 8
"""An hour before it, said without am or pm, is meant after noon: people meet at 2, not at night."""

_MONTH = "|".join(f"{name}|{name[:3]}" for name in MONTHS)
_COUNT = rf"\d{{1,3}}|an?|{'|'.join(NUMBER_WORDS)}"
_UNIT = rf"(?P<unit>{'|'.join(UNITS)})s?"
_SAID = re.compile(
    rf"\b(?:(?P<iso>\d{{4}}-\d\d-\d\d)|(?P<month>{_MONTH})\.?\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)?(?:,?\s+(?P<year>\d{{4}}))?"
    rf"|(?P<near>today|tomorrow|yesterday)|(?:(?P<which>this|next|last|previous)\s+)?(?P<weekday>{'|'.join(DAYS)})"
    rf"|(?P<way>last|past|previous|next|coming|longer than|more than|over|in|within)\s+(?:the\s+)?(?:(?P<count>{_COUNT})\s+)?{_UNIT}"
    rf"|(?P<ago>{_COUNT})\s+(?P<unit_ago>{'|'.join(UNITS)})s?\s+ago)\b",
    re.IGNORECASE,
)
_HOUR = re.compile(
    r"\b(?P<way>at|before|after|until)\s+(?P<hour>\d{1,2})(?::(?P<minute>\d\d))?(?:\s*(?P<half>[ap]\.?m\b\.?))?(?![\d%])"
    r"(?!\s*(?:days?|weeks?|times?|minutes?))",
    re.IGNORECASE,
)
_TODAY = re.compile(r"\btoday\b[^.\n]{0,30}?(?P<day>\d{4}-\d\d-\d\d)(?:[, T]+(?P<hour>\d\d:\d\d))?", re.IGNORECASE)
_SINCE = re.compile(r"\b(?:since|than)\s+(?:the\s+)?$", re.IGNORECASE)
_CLAUSE = re.compile(r"[,.;?!]\s")
_OPEN = re.compile(r"\bsince then\b", re.IGNORECASE)
_BACK = re.compile(r"\b(?:since|was|were|been|did|hasn't|haven't|previous|ago)\b", re.IGNORECASE)
_COMING = re.compile(r"\b(?:next|future|upcoming|coming)\b", re.IGNORECASE)
_PAST = re.compile(r"\b(?:last|latest|most recent|newest|previous)\b", re.IGNORECASE)
QUOTED = re.compile(r"(?<!\w)(['\"“‘])(?=\S).*?(?<=\S)['\"”’](?!\w)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Said:
    """Days that are spoken of, both inclusive, and where in the text."""

    start: int
    end: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Span:
    """From and until when, both inclusive; None: no bound."""

    first: datetime | None = None
    last: datetime | None = None


def now_in(instructions: str, otherwise: datetime) -> datetime:
    """The day, and the hour if it is said, that instructions call today."""
    match = _TODAY.search(instructions)
    if match is None:
        return otherwise
    try:
        return datetime.fromisoformat(f"{match['day']} {match['hour'] or '00:00'}")
    except ValueError:
        return otherwise


def said_in(text: str, now: datetime) -> list[Said]:
    """What stands within quotation marks is a title or a letter, and speaks of no date."""
    bare = unquoted(text)
    found = []
    for match in _SAID.finditer(bare):
        days = _days(match, bare, now, bool(_BACK.search(_clause(bare, match))))
        if days:
            found.append(Said(match.start(), match.end(), *days))
    return found


def _clause(text: str, match: re.Match[str]) -> str:
    ends = [0, *(one.end() for one in _CLAUSE.finditer(text)), len(text)]
    return text[max(end for end in ends if end <= match.start()) : min(end for end in ends if end >= match.end())]


def unquoted(text: str) -> str:
    """The text with blanks in place of what is quoted: the places stay."""
    return QUOTED.sub(lambda match: " " * len(match[0]), text)


def _days(match: re.Match[str], text: str, now: datetime, back: bool) -> tuple[date, date] | None:
    today = now.date()
    try:
        if match["iso"]:
            day = date.fromisoformat(match["iso"])
        elif match["month"]:
            month = next(place for place, name in enumerate(MONTHS, 1) if name.startswith(match["month"].lower()))
            years = [int(match["year"])] if match["year"] else [today.year - 1, today.year, today.year + 1]
            day = min((date(year, month, int(match["day"])) for year in years), key=lambda one: abs(one - today))
        elif match["near"]:
            day = today + timedelta(days=("yesterday", "today", "tomorrow").index(match["near"].lower()) - 1)
        elif match["weekday"]:
            day = _weekday(match, text, today, back)
        else:
            return _counted(match, now, back)
    except ValueError:
        return None
    return day, day


def _weekday(match: re.Match[str], text: str, today: date, back: bool) -> date:
    """The coming one, or the one before today where the past is spoken of; "next": of the next week; "previous": before the other one."""
    wanted, which = DAYS.index(match["weekday"].lower()), (match["which"] or "").lower()
    monday = today - timedelta(days=today.weekday())
    past = today - timedelta(days=(today.weekday() - wanted - 1) % 7 + 1)
    if which == "next":
        return monday + timedelta(days=7 + wanted)
    if which == "previous" and len(re.findall(rf"\b{match['weekday']}\b", text, re.IGNORECASE)) > 1:
        return past - timedelta(days=7)
    if which in {"last", "previous"} or (back and which != "this"):
        return past
    return today + timedelta(days=(wanted - today.weekday() - 1) % 7 + 1)


def _counted(match: re.Match[str], now: datetime, back: bool) -> tuple[date, date] | None:
    today, way = now.date(), (match["way"] or "").lower()
    if match["ago"]:
        day = today - timedelta(days=_number(match["ago"]) * UNITS[match["unit_ago"].lower()])
        return day, day
    unit = UNITS[match["unit"].lower()]
    if not match["count"]:
        if unit != 7 or way not in {"last", "previous", "next"}:
            return None
        monday = today - timedelta(days=today.weekday()) + timedelta(days=7 if way == "next" else -7)
        return monday, monday + timedelta(days=6)
    days = timedelta(days=_number(match["count"]) * unit)
    ahead = way in {"next", "coming"} or (way in {"in", "within"} and not back)
    return (today, today + days) if ahead else (today - days, ended(now))


def _number(words: str) -> int:
    return 1 if words.lower() in {"a", "an"} else int(NUMBER_WORDS.get(words.lower(), words))


def ended(now: datetime) -> date:
    """The last day of which there has been anything: at midnight it is the day before."""
    return now.date() - timedelta(days=now.time() == time())


def span_of(text: str, now: datetime) -> Span:
    """When what a text speaks of is: the days that it names, or before or after now."""
    bare, found = unquoted(text), said_in(text, now)
    if not found:
        outside = bare
        if _COMING.search(outside):
            return Span(now, None)
        return Span(None, now) if _PAST.search(outside) else Span()
    first, last = min(one.first for one in found), max(one.last for one in found)
    since = [one.first for one in found if _SINCE.search(bare[: one.start])] or ([first] if _OPEN.search(bare) else [])
    if since:
        first, last = min(since), max(*since, ended(now))
    start, end = datetime.combine(first, time()), datetime.combine(last, time(23, 59, 59))
    for match in _HOUR.finditer(bare):
        moment = datetime.combine(first, _hour(match))
        if match["way"].lower() in {"before", "until"}:
            end = moment
        elif match["way"].lower() == "after":
            start = moment
    return Span(start, end)


def _hour(match: re.Match[str]) -> time:
    hour, half = int(match["hour"]) % 24, (match["half"] or "").lower()[:1]
    if half == "p" or (not half and 0 < hour < AFTERNOON and match["way"].lower() == "at"):
        hour = hour % 12 + 12
    return time(hour, min(int(match["minute"] or 0), 59))


def told(text: str, now: datetime) -> str:
    """The text with the exact date behind each that is said in words."""
    found = [(one.end, f"{one.first}" if one.first == one.last else f"{one.first} to {one.last}") for one in said_in(text, now)]
    hours = [(match.end(), f"{_hour(match):%H:%M}") for match in _HOUR.finditer(unquoted(text))]
    for end, words in sorted(dict.fromkeys([*found, *hours]), reverse=True):
        if words not in text[:end][-len(words) :]:
            text = f"{text[:end]} ({words}){text[end:]}"
    return text
