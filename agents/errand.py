"""How far a request that changes something is, and how its words become the arguments of a tool: which tool is meant, what only the request
can say, and whose address that is. Knows no graph."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import log
from typing import Any

import numpy as np

from agents import choosing, dates, prompts, rows, schemas, verbs
from agents.choosing import Use
from agents.context import Context
from agents.matching import words_of
from agents.signatures import asks_for_one, becoming, changes, is_address, kind_of, schema_of, unspoken, without, words_in
from agents.state import Plain
from agents.steps import Step, ask
from agents.tool import Tool

CLOSE = 0.5
"""As logit: tools so near to the best one are put to the chat model."""
MOST_CLOSE = 3
A_WORD = 0.3
"""Logits of a shared word, times its rarity among the tools. On the fifth of WorkBench that is kept apart the right one of 14 is then among
the first three for some 98 % of the requests with one action; for 87 % without."""
_BECOMES = re.compile(r"(?<=\w\s)\b(?:to|as|into)\b(?:(?! (?:in|on|at) the\b).)*", re.DOTALL)
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
    """As another model says, which does not see the arguments' known values, and by the words that a tool has and few others have. Where
    the text has a verb of what one of them does, those that do another kind of thing are left out."""
    kinds = verbs.kinds_in(dates.unquoted(text))
    if any(kind_of(tool) in kinds for tool in tools):
        tools = [tool for tool in tools if kind_of(tool) in {*kinds, ""}]
    if kinds == {"alters"}:  # what a thing is to become speaks of other things
        text = _BECOMES.sub("", text)
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
        said = each_known(asked, action, said) if several else said
        unique = [one for place, one in enumerate(said) if one not in said[:place]]
        if unique and not fault:
            try:
                return [settled(errand, tool, one, alone=len(unique) == 1) for one in unique]
            except Left as left:
                fault = str(left)
    raise Left(f"The model could not say what {tool.name} needs: {fault or 'it said nothing'}.")


def each_known(tool: Tool, action: str, said: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """One use for each of an argument's known values, where the text names several: a model leaves some out, or adds others."""
    for name, one in schema_of(tool)["properties"].items():
        named = rows.values_said(one.get("enum", ()), action)
        if len(named) > 1 and said:
            return [{**said[0], name: value} for value in named]
    return list(said)


def settled(errand: Errand, tool: Tool, given: Mapping[str, Any], *, alone: bool = False) -> dict[str, Any]:
    """The arguments in the request's own words, in the known ones, and with the addresses of the people named. `alone`: the only use, so
    that a known value which the request says is meant for it."""
    properties, after = schema_of(tool)["properties"], dict(given)
    meant_by = next((name for name in ("field", "column", "property") if "enum" in properties.get(name, {}) and name in given), "")
    meant = given.get(meant_by, "")
    for name, value in given.items():
        known = rows.values_said(properties[name].get("enum", ()), errand.request) if alone and name != meant_by else []
        if len(known) == 1:
            after[name] = known[0]
        if not isinstance(value, str) or "enum" in properties[name]:
            continue
        sought, schema = name, properties[name]
        if meant and "value" in name.lower():
            others = (schema_of(one)["properties"].get(meant, {}) for one in errand.tools)
            sought, schema = meant, max(others, key=lambda one: ("enum" in one, bool(one)))
        if "enum" in schema:
            after[name] = next((one for one in schema["enum"] if rows.plain(one) == rows.plain(value)), value)
        elif is_address(sought, {"type": "string", **schema}):
            after[name] = address_of(errand, sought, schema, value)
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
    finder = nearest(errand, f"Find {choosing.spaced(name)}: {schema.get('description', '')}", able)
    words = errand.use(finder, {schema_of(finder)["required"][0]: " ".join(who)})
    found = [one for one in dict.fromkeys(_FOUND.findall(words)) if "@" in one and any(word.lower() in one.lower() for word in who)]
    if len(found) != 1:
        raise Left(f"For {' '.join(who)} {len(found) or 'no'} addresses were found.")
    return found[0]


def nearest(errand: Errand, text: str, tools: Sequence[Tool]) -> Tool:
    embed = errand.context.embed
    place = errand.kept(lambda: int(np.argmax(embed([choosing.described(one) for one in tools]) @ embed([text])[0])))
    return tools[place]
