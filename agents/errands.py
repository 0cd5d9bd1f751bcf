"""Requests that change something with tools of others: what must be known first is looked up, conditions are checked on what was found, and
what is to be done is done once for each thing that is meant.

The structure carries a small model. It takes the request apart, and writes the words that only the request holds; dates, the ids of
things, who is meant, which of the things, and whether a condition holds are worked out from what was said and found. Nothing is done to
a thing that was not found, and where something stays unclear, nothing is done at all.

An errand is written as one straight procedure that is begun anew each time: what it used and asked before is replayed from the state, so
it goes on after a crash, or after days in which nobody said yes. Knows no graph.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, time
from typing import Any

import numpy as np

from agents import choosing, conditions, dates, prompts, rows, schemas, verbs
from agents.choosing import Use
from agents.context import Context
from agents.errand import Due, Errand, Left, best, nearest, settled, written
from agents.rows import Row
from agents.signatures import about, asks_for_one, bounded, changes, is_id, kind_of, moment_of, pairs_of, schema_of, without
from agents.state import Plain
from agents.steps import Step
from agents.tool import Tool

PARTS_TOKENS = 400
NEARLY, NEARLY_SAID = 2.0, 4.0
"""As logit: where a tool that only finds fits so much better, something is to be known and not to be changed; where the request has a verb
of what the other tool does, more is needed."""
DEPENDS = re.compile(
    r"\b(?:if|unless|whether|otherwise|wenn|falls|sofern|sonst|andernfalls|sinon|si|à moins|a menos)\b"
    r"|\band (?:then )?(?:send|schedule|make|create|delete|update|book|add|tell|write)\b",
    re.IGNORECASE,
)
"""Words by which a request may have a condition, or several actions."""
_SEVERAL = re.compile(r"\b(?:and|both|und|beide|et|y)\b", re.IGNORECASE)
_RESTRICTS = re.compile(
    r"\b(?:not|overdue|late|un\w+ed|incomplete|except|other than|only|without|never|nicht|kein\w*|überfällig\w*)\b|n['’]t\b",
    re.IGNORECASE,
)
"""Words by which a request means not all of what a search finds."""
_ORDERS = re.compile(
    r"(?:^|[.?!,;:-]\s+|\b(?:please|and|then|to|so|you|me|us|be|would like|bitte|und|dann)\s+)(?:do\s+)?(?:also\s+)?"
    rf"(?:{verbs.ORDERS})(?:d|ed)?\b"
    rf"|\bif\b.*\b(?:{verbs.ORDERS})(?:d|ed)?\b|\bneeds? (?:a|an|my|all|the|to be)\b",
    re.IGNORECASE | re.DOTALL,
)
"""Words by which something is to be changed, rather than known."""
_FREE = re.compile(r"\b(?:first|earliest|next)\b[^.,;]{0,20}\b(?:free|available|slot|can)\b", re.IGNORECASE)
_AROUND_DATES = frozenset(re.findall(r"\w+", "the a an on in at from since of for all my between and before after until last past next"))
_RENAME = re.compile(r"\brename\b\s+(?=.*\b(?:to|as|into)\b)", re.IGNORECASE | re.DOTALL)
_HOURS = re.compile(r"\bbetween (\d\d:\d\d) and (\d\d:\d\d)")


def due(request: str, context: Context) -> bool:
    """Whether it asks to change something where that takes more than one call: there are tools that change, and others that find."""
    tools = choosing.lent(context.tools)
    able = [one for one in tools if changes(one)]
    if not able or not any(not changes(one) and not choosing.references(one) for one in tools):
        return False
    if not _ORDERS.search(dates.unquoted(request)):
        return False
    order, kinds = choosing.ranked(request, tools, context), verbs.kinds_in(dates.unquoted(request))
    best = max((score + (NEARLY_SAID - NEARLY) * (kind_of(tool) in kinds) for score, tool in order if changes(tool)), default=-np.inf)
    return order[0][0] < choosing.FITS or best >= order[0][0] - NEARLY


def next_use(request: str, done: Sequence[Plain], said: list[Any], by: tuple[Context, Step]) -> Use:
    """What is to be done now; nothing where all is done, with a fault where it could not be. Adds to `said`."""
    try:
        carry_out(Errand(request, done, said, *by))
    except Due as due:
        return due.use
    except Left as left:
        return Use(fault=str(left))
    return Use()


def carry_out(errand: Errand) -> None:
    condition, then, otherwise = parts(errand)
    actions = then if not condition or holds(errand, condition) else otherwise
    for action in actions:
        act(errand, action)


def parts(errand: Errand) -> tuple[str, list[str], list[str]]:
    """What is to be checked, what is to be done then, and what else."""
    if not DEPENDS.search(dates.unquoted(errand.request)):
        return "", [errand.request], []
    said = errand.reply(prompts.parts(errand.context.instructions, errand.request), PARTS_TOKENS)
    then, otherwise = ([one for one in said.get(name) or () if isinstance(one, str) and one.strip()] for name in ("then", "otherwise"))
    if not then and not otherwise:
        raise Left("The model could not take the request apart.")
    return str(said.get("condition") or "").strip(), then, otherwise


# --- what is done --------------------------------------------------------------------------------------------------------------------


def act(errand: Errand, action: str) -> None:
    """One action, on each thing that is meant."""
    action = _RENAME.sub("change the name of ", action)
    tool = best(errand, action, [one for one in errand.tools if changes(one)])
    properties = schema_of(tool)["properties"]
    ids = [name for name in schema_of(tool)["required"] if is_id(name, properties[name])]
    span = dates.span_of(action, errand.now)
    bounds = bounded(tool, span if span.first else dates.span_of(errand.request, errand.now), action)
    free = moment_of(tool) if _FREE.search(dates.unquoted(action)) else ""
    several = not ids and bool(_SEVERAL.search(dates.unquoted(action)))
    uses = written(errand, tool, action, {*ids, *bounds, *filter(None, [free])}, several=several)
    if free:
        uses = [{**given, free: slot(errand, tool, free, given, action)} for given in uses]
    if not ids:
        for given in uses:
            errand.use(tool, {**bounds, **given}, needed=False)
        return
    for row in things(errand, tool, ids[0], action, uses):
        for given in uses:
            errand.use(tool, {**bounds, **given, ids[0]: row}, needed=False)


def slot(errand: Errand, tool: Tool, name: str, given: Mapping[str, Any], action: str) -> str:
    """The first moment at which nothing else is, on the day that the action names; else the request, where it speaks of free time."""
    bare = dates.unquoted(errand.request)
    free = _FREE.search(bare)
    texts = (action, errand.request[free.start() :] if free else "", errand.request)
    days = [one.first for text in texts for one in dates.said_in(text, errand.now) if one.first >= errand.now.date()]
    finder = _finder(errand, tool, f"Find {choosing.spaced(name)}")
    if not days or not pairs_of(finder):
        raise Left("When it is free could not be told.")
    first, last = datetime.combine(days[0], time()), datetime.combine(days[0], time(23, 59, 59))
    busy = rows.rows_in(errand.use(finder, bounded(finder, dates.Span(first, last), "")))
    minutes = next((int(value) for key, value in given.items() if "duration" in key and str(value).isdigit()), 60)
    hours = [time.fromisoformat(one) for one in _HOURS.findall(errand.context.instructions)[:1] for one in one] or [time(9), time(18)]
    moment = rows.free_at(busy, days[0], minutes, (hours[0], hours[1]))
    if moment is None:
        raise Left("There is no free time on that day.")
    return rows.written(moment, about(tool, name))


# --- what is found -------------------------------------------------------------------------------------------------------------------


def things(errand: Errand, tool: Tool, id: str, action: str, uses: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of what is meant, copied from what was found."""
    finder = _finder(errand, tool, f"Find {choosing.spaced(id)}: {about(tool, id)}")
    becomes = {str(value).lower() for one in uses for value in one.values()}
    found = rows.of_whom(searched(errand, finder, action, becomes), dates.unquoted(action))
    key = next((name for row in found for name in (id, "id") if name in row), "")
    return [str(row[key]) for row in rows.picked(found, action, errand.now) if key in row] if key else []


def _finder(errand: Errand, tool: Tool, wanted: str) -> Tool:
    """The tool beside this one that finds what it is used on."""
    space = tool.name.rpartition(".")[0]
    able = [one for one in errand.tools if not changes(one) and not choosing.references(one) and one.name.rpartition(".")[0] == space]
    if not able:
        raise Left(f"There is no tool that finds what {tool.name} needs.")
    return nearest(errand, wanted, able)


def searched(errand: Errand, finder: Tool, text: str, becomes: set[str], within: str = "") -> list[Row]:
    """What a search brings of which the text speaks, or between the days of `within`. `becomes`: what is only to become true of it."""
    properties = schema_of(finder)["properties"]
    bounds = bounded(finder, dates.span_of(text if dates.span_of(text, errand.now) != dates.Span() else within, errand.now), errand.request)
    known = {name: [one for one in rows.values_said(part["enum"], text) if one.lower() not in becomes]
             for name, part in properties.items() if "enum" in part}  # fmt: skip
    paired = {name for pair in pairs_of(finder) for name in pair[:2]}
    given = {**bounds, **{name: said[0] for name, said in known.items() if len(said) == 1}}
    asked, fault = without(finder, {*paired, *known}), ""
    said: dict[str, Any] = {}
    for _ in range(2 if schema_of(asked)["properties"] else 0):
        reply = errand.reply(prompts.finding(asked, errand.work(asked), errand.told(text), fault))
        said = settled(errand, asked, choosing.said_only(reply, schema_of(asked), errand.request))
        said = {name: value for name, one in said.items() if (value := undated(errand, one, known))}
        wrong = [name for name, value in said.items() if str(value).lower() in becomes]
        said = {name: value for name, value in said.items() if name not in wrong}
        fault = "; ".join([*schemas.faults(said, schema_of(asked)), *(f"{name} is what it is to become, not what it is" for name in wrong)])
        if not fault:
            break
    found = rows.rows_in(errand.use(finder, {**given, **said}))
    found = rows.narrowed(found, [{"field": name, "test": "is", "values": said} for name, said in known.items() if len(said) > 1])
    return restricted(errand, found, text)


def undated(errand: Errand, value: Any, known: Mapping[str, Sequence[str]]) -> Any:
    """A value that is searched for, without the days and the known values in it, by which is searched already; nothing where that is
    all."""
    if not isinstance(value, str) or value in dates.QUOTED.findall(errand.request):
        return value
    text = rows.without_dates(value, errand.now)
    said = {word for values in known.values() for one in values for word in rows.plain(one).split()}
    words = [word for word in re.findall(r"\w+", text) if rows.plain(word) not in said and word.lower() not in _AROUND_DATES]
    return (value if text == value else " ".join(words)) if words else ""


def restricted(errand: Errand, found: list[Row], text: str) -> list[Row]:
    """Without those that the text leaves out, as the chat model says by tests on their columns."""
    if not found or not _RESTRICTS.search(dates.unquoted(text)):
        return found
    prompt = prompts.where(errand.context.instructions, rows.columns(found), text, rows.TESTS)
    return rows.narrowed(found, errand.reply(prompt).get("where"))


def holds(errand: Errand, condition: str) -> bool:
    """Whether it does, by what was found."""
    said = conditions.said_in(condition)
    test = asdict(said) if said else errand.reply(prompts.check(errand.context.instructions, condition))
    what, _, than = condition.partition(" than ")
    found, number = looked_up(errand, what, condition), test.get("number")
    compared = str(test.get("than") or "")
    if compared and rows.plain(compared) in rows.plain(than) and not any(map(str.isdigit, than)):
        number = rows.change_of(rows.numbers(looked_up(errand, compared, condition)))
    is_met = rows.met(str(test.get("holds_if")), float(number), found) if isinstance(number, int | float) else None
    if is_met is None:
        raise Left("Whether the condition holds could not be told, so nothing was done.")
    return is_met


def looked_up(errand: Errand, what: str, condition: str) -> list[Row]:
    able = [one for one in errand.tools if not changes(one) and not choosing.references(one) and not asks_for_one(one)]
    return searched(errand, best(errand, what, able), condition, set(), errand.request)
