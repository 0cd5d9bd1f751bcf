"""What tools of others found, as rows: read from their words, narrowed, put in order, counted. No model says which of them is meant where a
word of the request says it. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from typing import Any

from agents import dates

Row = dict[str, Any]
TESTS = ("is", "is not", "before", "after")
MOST_SAMPLES = 4

_FIRST = re.compile(
    r"\b(?:first|next|earliest|soonest|erste\w*|nächste\w*|premi[eè]re?|prochaine?|primer[oa]?|próxim[oa])\b", re.IGNORECASE
)
_LAST = re.compile(r"\b(?:last|latest|newest|most recent|letzte\w*|neueste\w*|derni[eè]re?|últim[oa])\b", re.IGNORECASE)
_WHOSE = re.compile(r"\b([^\W\d_]{2,})['’]s\b|\b(?:from|with|by|von|mit)\s+([^\W\d_]{2,})\b")
_WORD = re.compile(r"\w+")
_RULED_OUT = re.compile(r" (?:not|t|never|nor|except|nicht|kein\w*)(?: (?:in|been|the|on|yet))*$")


def rows_in(words: str) -> list[Row]:
    """The records in what a tool said: a JSON list of objects or of values, or an object of values by name; none where it is no JSON."""
    try:
        said = json.loads(words)
    except ValueError:
        return []
    if isinstance(said, Mapping):
        lists = [value for value in said.values() if isinstance(value, list)]
        if len(lists) == 1 and len(said) <= 3:
            said = lists[0]
        elif said and all(isinstance(value, int | float) for value in said.values()):
            return [{"name": name, "value": value} for name, value in said.items()]
        else:
            return [dict(said)] if said else []
    if not isinstance(said, list):
        return []
    return [dict(one) if isinstance(one, Mapping) else {"value": one} for one in said]


def picked(rows: Sequence[Row], request: str, now: datetime) -> list[Row]:
    """Those that are meant: the first or the last in time where the request says so, else all."""
    text = without_dates(request, now)
    ordered = in_time(rows)
    if _FIRST.search(text):
        return ordered[:1]
    return ordered[-1:] if _LAST.search(text) else list(rows)


def without_dates(request: str, now: datetime) -> str:
    """The request's own words, without its quotations and its dates: "the last 4 days" asks for no last one."""
    text = dates.unquoted(request)
    for one in reversed(dates.said_in(request, now)):
        text = text[: one.start] + " " * (one.end - one.start) + text[one.end :]
    return text


def of_whom(rows: Sequence[Row], text: str) -> list[Row]:
    """Those that name somebody of whom the text speaks ("Kim's", "from Kim"), where some do and others do not."""
    kept = list(rows)
    for match in _WHOSE.finditer(text):
        name = (match[1] or match[2]).lower()
        kept = [row for row in kept if _names(row, name)] or kept
    return kept


def _names(row: Row, name: str) -> bool:
    """Whether one of its addresses is of somebody who is called so."""
    return any(name in re.split(r"[\W\d_]+", str(value).lower()) for value in row.values() if "@" in str(value))


def in_time(rows: Sequence[Row]) -> list[Row]:
    """By the first column that holds moments."""
    for name in rows[0] if rows else ():
        moments = [_moment(row.get(name)) for row in rows]
        if all(moments):
            return [rows[place] for place in sorted(range(len(rows)), key=lambda place: moments[place] or datetime.min)]
    return list(rows)


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d", value):
        return None
    try:
        return datetime.fromisoformat(value.replace("Z", "+00:00")).replace(tzinfo=None)
    except ValueError:
        return None


def columns(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Each column with some of its values."""
    names = dict.fromkeys(name for row in rows for name in row)
    return {name: list(dict.fromkeys(str(row[name])[:40] for row in rows if name in row))[:MOST_SAMPLES] for name in names}


def narrowed(rows: Sequence[Row], wanted: object) -> list[Row]:
    """Those of which every one of these holds: {"field", "test", "values"}. What names no column is passed over."""
    kept = list(rows)
    for one in wanted if isinstance(wanted, list) else []:
        if isinstance(one, Mapping) and isinstance(values := one.get("values"), list) and values:
            kept = [row for row in kept if one.get("field") not in row or _holds(row[one["field"]], str(one.get("test")), values)]
    return kept


def _holds(value: object, test: str, values: Sequence[object]) -> bool:
    said = [plain(str(one)) for one in values]
    if test in {"before", "after"}:
        moments = _moment(value), _moment(str(values[0]))
        if moments[0] and moments[1]:
            return moments[0] < moments[1] if test == "before" else moments[0] > moments[1]
        return True
    return (plain(str(value)) in said) == (test == "is")


def plain(text: str) -> str:
    """For comparing: without case, punctuation and the plural of its end."""
    return " ".join(_WORD.findall(text.lower().replace("_", " "))).removesuffix("s")


def values_said(values: Sequence[str], text: str) -> list[str]:
    """Which of some known values a text names, and does not rule out, in their order."""
    said = f" {' '.join(_WORD.findall(dates.unquoted(text).lower()))} "
    found = {one: next((match for way in _ways(one) if (match := re.search(rf" {way} ", said))), None) for one in values}
    return [one for one, match in found.items() if match and not _RULED_OUT.search(said[: match.start()])]


def _ways(value: str) -> list[str]:
    """How a known value may be said: its words in their order, and two of them the other way round; each may be a plural."""
    words = [re.escape(word.removesuffix("s")) + "s?" for word in plain(value).split()]
    return [" ".join(words), *([" ".join(reversed(words))] if len(words) == 2 else [])]


def numbers(rows: Sequence[Row]) -> list[float]:
    """The values of what was counted, in the order of their days."""
    return [float(row["value"]) for row in rows if set(row) == {"name", "value"} and isinstance(row["value"], int | float)]


def written(moment: datetime, about: str) -> str:
    """A moment as an argument that is described so takes it."""
    if "HH" not in about and "hh" not in about:
        return moment.date().isoformat()
    return f"{moment:%Y-%m-%d %H:%M:%S}" if "SS" in about or "ss" in about else f"{moment:%Y-%m-%d %H:%M}"


def change_of(values: Sequence[float]) -> float | None:
    """From the first to the last, in percent."""
    return 100 * (values[-1] - values[0]) / values[0] if len(values) > 1 and values[0] else None


def met(test: str, number: float, found: Sequence[Row]) -> bool | None:
    """Whether what was found is as a test says (`prompts.CHECKS`); None where that cannot be told."""
    values = numbers(found)
    match test:
        case "nothing found":
            return not found
        case "something found":
            return bool(found)
        case "any above":
            return any(value > number for value in values)
        case "any below":
            return any(value < number for value in values)
        case "rose by more than" | "fell by more than" if (change := change_of(values)) is not None:
            return change > number if test.startswith("rose") else -change > number
    return None


def free_at(busy: Sequence[Row], day: date, minutes: int, hours: tuple[time, time]) -> datetime | None:
    """The first moment of a day at which so many minutes are free, beside what begins at the first column of moments and lasts `duration`
    minutes, between the hours at which people meet."""
    start, end = (datetime.combine(day, hour) for hour in hours)
    length = timedelta(minutes=minutes)
    for row in in_time(busy):
        begins = next((moment for value in row.values() if (moment := _moment(value))), None)
        if begins is None or begins.date() != day:
            continue
        if begins - start >= length:
            break
        lasts = next((int(value) for name, value in row.items() if "duration" in name and str(value).isdigit()), 60)
        start = max(start, begins + timedelta(minutes=lasts))
    return start if start + length <= end else None
