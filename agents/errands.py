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
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from math import log
from typing import Any

import numpy as np

from agents import choosing, dates, prompts, rows, schemas
from agents.choosing import Use
from agents.context import Context
from agents.matching import words_of
from agents.rows import Row
from agents.signatures import (
    about,
    asks_for_one,
    becoming,
    bounded,
    changes,
    is_address,
    is_id,
    moment_of,
    pairs_of,
    schema_of,
    unspoken,
    without,
    words_in,
)
from agents.state import Plain
from agents.steps import Step, ask
from agents.tool import Tool

PARTS_TOKENS = 400
NEARLY = 2.0
"""As logit: where a tool that only finds fits so much better, something is to be known and not to be changed."""
CLOSE = 0.5
"""As logit: tools so near to the best one are put to the chat model."""
MOST_CLOSE = 3
A_WORD = 0.3
"""Logits of a shared word, times its rarity among the tools. On the fifth of WorkBench that is kept apart the right one of 14 is then among
the first three for some 98 % of the requests with one action; for 87 % without."""
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
_CHANGE = (
    r"(?:add|append|arrange|assign|book|cancel|change|clear|close|create|delete|draft|draw|edit|email|erase|forward|get rid of|give|hand"
    r"|insert|invite|mail|make|mark|merge|message|move|notify|order|pay|plan|plot|post|publish|put|reassign|remind|remove|rename|reply"
    r"|reschedule|respond|schedule|send|set|share|start|stop|submit|switch|tell|transfer|turn|update|upload|write)(?:d|ed)?\b"
)
_ORDERS = re.compile(
    rf"(?:^|[.?!,;:-]\s+|\b(?:please|and|then|to|so|you|me|us|be|would like|bitte|und|dann)\s+)(?:do\s+)?(?:also\s+)?{_CHANGE}"
    rf"|\bif\b.*\b{_CHANGE}|\bneeds? (?:a|an|my|all|the|to be)\b",
    re.IGNORECASE | re.DOTALL,
)
"""Words by which something is to be changed, rather than known."""
_FREE = re.compile(r"\b(?:first|earliest|next)\b[^.,;]{0,20}\b(?:free|available|slot|can)\b", re.IGNORECASE)
_HOURS = re.compile(r"\bbetween (\d\d:\d\d) and (\d\d:\d\d)")
_FOUND = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b[\w-]*\d[\w-]*\b")


class Due(Exception):
    """The next use, which is not done yet."""

    def __init__(self, use: Use) -> None:
        super().__init__(use.tool)
        self.use = use


class Left(Exception):
    """It cannot go on, and says why."""


@dataclass(slots=True)
class Errand:
    """One request and how far it is: `done` are the uses so far, in order, `said` what was worked out so far and must stay as it is."""

    request: str
    done: Sequence[Plain]
    said: list[Any]
    context: Context
    step: Step
    _uses: dict[tuple[str, str], Plain] = field(default_factory=dict)
    _kept: int = 0
    tools: list[Tool] = field(default_factory=list)
    now: datetime = datetime.min

    def __post_init__(self) -> None:
        self.tools = choosing.lent(self.context.tools)
        self.now = datetime.fromisoformat(self.kept(lambda: dates.now_in(self.context.instructions, datetime.now()).isoformat()))

    def kept(self, make: Callable[[], Any]) -> Any:
        self._kept += 1
        if self._kept > len(self.said):
            self.said.append(make())
        return self.said[self._kept - 1]

    def reply(self, prompt: tuple[Any, Mapping[str, Any]], tokens: int = choosing.ARGUMENT_TOKENS) -> Any:
        return self.kept(lambda: dict(ask(*prompt, self.context, self.step, tokens)))

    def use(self, tool: Tool, arguments: Mapping[str, Any], *, needed: bool = True) -> str:
        """What the tool said; nothing is done twice. Where it is `needed` and failed, nothing more is done."""
        once = (tool.name, choosing.written(arguments))
        if once not in self._uses:
            if len(self._uses) == len(self.done):
                raise Due(Use(tool.name, arguments))
            self._uses[once] = self.done[len(self._uses)]
        past = self._uses[once]
        if past["tool"] != tool.name or (needed and past["status"] != "done"):
            raise Left(past["words"])
        return str(past["words"])

    def told(self, text: str) -> str:
        return dates.told(text, self.now)

    def work(self, tool: Tool) -> prompts.Work:
        return prompts.work(self.context.instructions, [tool], self.told(self.request), ())


def due(request: str, context: Context) -> bool:
    """Whether it asks to change something where that takes more than one call: there are tools that change, and others that find."""
    tools = choosing.lent(context.tools)
    able = [one for one in tools if changes(one)]
    if not able or not any(not changes(one) and not choosing.references(one) for one in tools):
        return False
    if not _ORDERS.search(dates.unquoted(request)):
        return False
    order = choosing.ranked(request, tools, context)
    best = next((score for score, tool in order if changes(tool)), -np.inf)
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
    tool = best(errand, action, [one for one in errand.tools if changes(one)])
    properties = schema_of(tool)["properties"]
    ids = [name for name in schema_of(tool)["required"] if is_id(name, properties[name])]
    span = dates.span_of(action, errand.now)
    bounds = bounded(tool, span if span.first else dates.span_of(errand.request, errand.now), action)
    free = moment_of(tool) if _FREE.search(dates.unquoted(action)) else ""
    several = not ids and bool(_SEVERAL.search(dates.unquoted(action)))
    uses = written(errand, tool, action, {*ids, *bounds, *filter(None, [free])}, several=several)
    if free:
        uses = [{**given, free: slot(errand, tool, free, given)} for given in uses]
    if not ids:
        for given in uses:
            errand.use(tool, {**bounds, **given}, needed=False)
        return
    for row in things(errand, tool, ids[0], action, uses):
        for given in uses:
            errand.use(tool, {**bounds, **given, ids[0]: row}, needed=False)


def slot(errand: Errand, tool: Tool, name: str, given: Mapping[str, Any]) -> str:
    """The first moment at which nothing else is, on the day that the request names."""
    days = [one.first for one in dates.said_in(errand.request, errand.now) if one.first >= errand.now.date()]
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


def best(errand: Errand, text: str, tools: Sequence[Tool]) -> Tool:
    """The tool for it: as another model says, where that is clear, else the chat model among those that are near."""
    if not tools:
        raise Left("There is no tool for that.")
    names = errand.kept(lambda: _near(errand, text, tools))
    close = [errand.context.tools[name] for name in names]
    if len(close) == 1:
        return close[0]
    work = prompts.work(errand.context.instructions, [replace(one, schema=None) for one in close], text, ())
    said = errand.reply(prompts.choice(names, work, ""), choosing.ARGUMENT_TOKENS).get("tool")
    return next((one for one in close if one.name == said), close[0])


def _near(errand: Errand, text: str, tools: Sequence[Tool]) -> list[str]:
    """As another model says, which does not see the arguments' known values, and by the words that a tool has and few others have."""
    words = {tool.name: words_in(tool) for tool in tools}
    wanted = {rows.plain(word) for word in words_of(dates.unquoted(text)).words}
    known = Counter(word for said in words.values() for word in said)
    shared = {name: sum(log(1 + len(tools) / known[word]) for word in wanted & said) for name, said in words.items()}
    ranked = [(score + A_WORD * shared[tool.name], tool.name) for score, tool in choosing.ranked(text, tools, errand.context)]
    ranked.sort(key=lambda one: -one[0])
    return [name for score, name in ranked[:MOST_CLOSE] if score >= ranked[0][0] - CLOSE]


def written(errand: Errand, tool: Tool, action: str, known: set[str], *, several: bool) -> list[dict[str, Any]]:
    """The arguments that only the request can say, once or for several; each name in them is looked up."""
    asked = without(tool, known | unspoken(tool, action))
    if not schema_of(asked)["properties"]:
        return [{}]
    if becomes := becoming(tool, errand.tools, action):
        return [becomes]
    fault = ""
    for _ in range(2):
        reply = errand.reply(prompts.uses(asked, errand.work(asked), errand.told(action), fault, several=several))
        said = [one for one in reply.get("uses", []) if isinstance(one, dict)] if several else [reply]
        said = [choosing.said_only(one, schema_of(asked), errand.request + errand.context.instructions) for one in said]
        fault = "; ".join(dict.fromkeys(fault for one in said for fault in schemas.faults(one, schema_of(asked))))
        unique = [one for place, one in enumerate(said) if one not in said[:place]]
        if unique and not fault:
            try:
                return [settled(errand, tool, one) for one in unique]
            except Left as left:
                fault = str(left)
    raise Left(f"The model could not say what {tool.name} needs: {fault or 'it said nothing'}.")


def settled(errand: Errand, tool: Tool, given: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments in the request's own words, in the known ones, and with the addresses of the people named."""
    properties, after = schema_of(tool)["properties"], dict(given)
    meant = next((given[name] for name in ("field", "column", "property") if "enum" in properties.get(name, {}) and name in given), "")
    for name, value in given.items():
        if not isinstance(value, str) or "enum" in properties[name]:
            continue
        sought, known = name, properties[name]
        if meant and "value" in name.lower():
            others = (schema_of(one)["properties"].get(meant, {}) for one in errand.tools)
            sought, known = meant, max(others, key=lambda one: ("enum" in one, bool(one)))
        if "enum" in known:
            after[name] = next((one for one in known["enum"] if rows.plain(one) == rows.plain(value)), value)
        elif is_address(sought, {"type": "string", **known}):
            after[name] = address_of(errand, sought, known, value)
        else:
            after[name] = as_said(value, errand.request)
    return after


def as_said(value: str, request: str) -> str:
    """The words as they stand in the request, where the model changed nothing but their case, their signs or their line breaks."""
    words = re.findall(r"\w+", value)
    if not words or value in request:
        return value
    match = re.search(r"(?:\\n|\W|_)+".join(map(re.escape, words)), request, re.IGNORECASE)
    return match[0] + ("" if value[-1].isalnum() else request[match.end() : match.end() + 1].strip("'\"”’ ")) if match else value


def address_of(errand: Errand, name: str, schema: Mapping[str, Any], value: str) -> str:
    """The address that the value is, or that is found for whom it names."""
    said = errand.request + "\n" + errand.context.instructions
    if "@" in value and value.lower() in said.lower():
        return value
    known = {word.lower(): word for word in re.findall(r"[^\W_]+", errand.request)}
    who = [known[word] for word in re.findall(r"[^\W\d_]+", value.partition("@")[0].lower()) if word in known]
    able = [one for one in errand.tools if not changes(one) and asks_for_one(one)]
    if not who or not able:
        raise Left(f"Nobody said whose {choosing.spaced(name)} is meant.")
    finder = _nearest(errand, f"Find {choosing.spaced(name)}: {schema.get('description', '')}", able)
    words = errand.use(finder, {schema_of(finder)["required"][0]: " ".join(who)})
    found = [one for one in dict.fromkeys(_FOUND.findall(words)) if "@" in one and any(word.lower() in one.lower() for word in who)]
    if len(found) != 1:
        raise Left(f"For {' '.join(who)} {len(found) or 'no'} addresses were found.")
    return found[0]


# --- what is found -------------------------------------------------------------------------------------------------------------------


def things(errand: Errand, tool: Tool, id: str, action: str, uses: Sequence[Mapping[str, Any]]) -> list[str]:
    """The ids of what is meant, copied from what was found."""
    finder = _finder(errand, tool, f"Find {choosing.spaced(id)}: {about(tool, id)}")
    becomes = {str(value).lower() for one in uses for value in one.values()}
    found = searched(errand, finder, action, becomes)
    key = next((name for row in found for name in (id, "id") if name in row), "")
    return [str(row[key]) for row in rows.picked(found, action, errand.now) if key in row] if key else []


def _finder(errand: Errand, tool: Tool, wanted: str) -> Tool:
    """The tool beside this one that finds what it is used on."""
    space = tool.name.rpartition(".")[0]
    able = [one for one in errand.tools if not changes(one) and not choosing.references(one) and one.name.rpartition(".")[0] == space]
    if not able:
        raise Left(f"There is no tool that finds what {tool.name} needs.")
    return _nearest(errand, wanted, able)


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
        wrong = [name for name, value in said.items() if str(value).lower() in becomes]
        said = {name: value for name, value in said.items() if name not in wrong}
        fault = "; ".join([*schemas.faults(said, schema_of(asked)), *(f"{name} is what it is to become, not what it is" for name in wrong)])
        if not fault:
            break
    found = rows.rows_in(errand.use(finder, {**given, **said}))
    found = rows.narrowed(found, [{"field": name, "test": "is", "values": said} for name, said in known.items() if len(said) > 1])
    return restricted(errand, found, text)


def restricted(errand: Errand, found: list[Row], text: str) -> list[Row]:
    """Without those that the text leaves out, as the chat model says by tests on their columns."""
    if not found or not _RESTRICTS.search(dates.unquoted(text)):
        return found
    prompt = prompts.where(errand.context.instructions, rows.columns(found), text, rows.TESTS)
    return rows.narrowed(found, errand.reply(prompt).get("where"))


def holds(errand: Errand, condition: str) -> bool:
    """Whether it does, by what was found."""
    test = errand.reply(prompts.check(errand.context.instructions, condition))
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


def _nearest(errand: Errand, text: str, tools: Sequence[Tool]) -> Tool:
    embed = errand.context.embed
    place = errand.kept(lambda: int(np.argmax(embed([choosing.described(one) for one in tools]) @ embed([text])[0])))
    return tools[place]
