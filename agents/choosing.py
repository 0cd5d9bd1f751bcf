"""Which tools of somebody else's a request needs, and with which arguments.

A small model calls whatever is before its eyes and picks badly among many. So its choice is carried: another model says whether any tool
fits at all, few are offered, the choice is one of their names, the arguments follow the tool's schema, and what they name must stand in
what was said or found. Knows no graph.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from agents import prompts, schemas
from agents.context import Context
from agents.matching import holds, words_of
from agents.state import Plain
from agents.steps import Step, ask
from agents.tool import Tool

MOST_OFFERED = 5
MOST_JUDGED = 12
"""Of the nearest by their vectors, that another model looks at."""
FITS, FITS_BY_VECTOR = -1.45, 0.845
"""What the best tool must reach, as logit or cosine; set on the fifth of BFCL's simple, multiple and irrelevance questions that is kept
apart for it, where 90 % of what fits and 13 % of what does not reach it (by vectors alone 89 % and 29 %). To be set anew with the judge's
weights: with those of November 22 it was -2.7, which 60 % of what does not fit reach now."""
A_COSINE = 60.0
"""Logits of it: of tools that fit by their vectors, those within 0.05 of the best are offered."""
FAR = 3.0
"""So much less likely than the best (as logit), a tool is not offered."""
ARGUMENT_TOKENS = 300
STEM = 4
"""Letters that two forms of a word have in common at least."""
DONE = "done"
_REFERS = re.compile(r"(?:^|_)(?:id|uuid|e?mail)s?$|\b(?:id|e-?mail address)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Use:
    """A tool that is to be used now, with its arguments; or why nothing is."""

    tool: str = ""
    arguments: Mapping[str, Any] | None = None
    fault: str = ""


def lent(tools: Mapping[str, Tool]) -> list[Tool]:
    """Those that are not ours."""
    return [tool for tool in tools.values() if tool.schema is not None]


def offered(question: str, context: Context) -> list[str]:
    """The names of those that may do what is asked, best first; none where none fits."""
    tools = lent(context.tools)
    order = ranked(question, tools, context)
    if not order or order[0][0] < FITS:
        return []
    kept = [tool for score, tool in order if score >= order[0][0] - FAR][:MOST_OFFERED]
    return [tool.name for tool in [*kept, *_finding(kept, tools, context)]]


def ranked(question: str, tools: Sequence[Tool], context: Context) -> list[tuple[float, Tool]]:
    """The tools that are nearest to a question, best first, each with a logit; where no other model judges, with one made of the cosine."""
    if not tools:
        return []
    near = context.embed([described(tool) for tool in tools]) @ context.embed([question])[0]
    order = list(np.argsort(-near, kind="stable")[:MOST_JUDGED])
    scores = context.judge(question, [described(tools[place]) for place in order]) if context.judge else None
    if scores is None:
        scores = [FITS + A_COSINE * float(near[place] - FITS_BY_VECTOR) for place in order]
    return sorted(((float(score), tools[place]) for score, place in zip(scores, order, strict=True)), key=lambda one: -one[0])


def _finding(kept: Sequence[Tool], tools: Sequence[Tool], context: Context) -> list[Tool]:
    """For what the offered tools must be told and nobody says by itself (an id, an address): the tools that are nearest to finding it."""
    sought = {f"Find {spaced(name)}: {one.get('description', '')}": None for tool in kept for name, one in references(tool).items()}
    able = [tool for tool in tools if not references(tool)]
    if not sought or not able:
        return []
    near = context.embed(list(sought)) @ context.embed([described(tool) for tool in able]).T
    return [able[place] for place in dict.fromkeys(map(int, near.argmax(axis=1))) if able[place] not in kept]


def references(tool: Tool) -> dict[str, Mapping[str, Any]]:
    """What it must be told that names a thing."""
    schema = tool.schema or {"properties": {}, "required": []}
    return {name: schema["properties"][name] for name in schema["required"] if refers(name, schema["properties"][name])}


def refers(name: str, schema: Mapping[str, Any]) -> bool:
    """Whether an argument names a thing that there must be, by an id or an address."""
    return schema.get("type") == "string" and bool(_REFERS.search(name) or _REFERS.search(schema.get("description", "")))


def described(tool: Tool) -> str:
    taken = ", ".join(map(spaced, (tool.schema or {}).get("properties", {})))
    return f"{spaced(tool.name)}: {tool.about}" + (f" Takes {taken}." if taken else "")


def spaced(name: str) -> str:
    return re.sub(r"[._]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))


def next_use(request: str, names: Sequence[str], done: Sequence[Plain], context: Context, step: Step) -> Use:
    """What is to be done now: `done` are the uses so far, with what came of each."""
    tools = [context.tools[name] for name in names if name in context.tools]
    if not tools:
        return Use()
    name = _chosen(request, tools, done, context, step)
    if not name:
        return Use()
    said, fault = filled(context.tools[name], tools, request, done, (context, step))
    return Use(name, said, fault)


def _chosen(request: str, tools: Sequence[Tool], done: Sequence[Plain], context: Context, step: Step) -> str:
    """The name of the tool; nothing where all is done. One that alone fits needs no choice, and is not used again once it has worked."""
    if len(tools) == 1:
        worked = any(one["status"] == "done" for one in done)
        return "" if worked else tools[0].name
    work = prompts.work(context.instructions, tools, request, done)
    said = ask(*prompts.choice([tool.name for tool in tools], work, DONE if done else ""), context, step).get("tool")
    return said if isinstance(said, str) and said in {tool.name for tool in tools} else ""


def filled(
    tool: Tool, tools: Sequence[Tool], request: str, done: Sequence[Plain], by: tuple[Context, Step]
) -> tuple[Mapping[str, Any], str]:
    """The arguments for one of these tools of somebody else's, checked, after one repair; and what is still wrong with them, in words."""
    (context, step), schema, fault = by, tool.schema or {}, ""
    source = "\n".join([context.instructions, request, *(str(one["words"]) for one in done)])
    said: Mapping[str, Any] = {}
    for _ in range(2):
        messages, form = prompts.arguments(tool, prompts.work(context.instructions, tools, request, done), fault)
        said = said_only(ask(messages, form, context, step, ARGUMENT_TOKENS), schema, source)
        fault = "; ".join([*schemas.faults(said, schema), *invented(said, schema, source)])
        if not fault:
            break
    return said, fault


def said_only(said: Mapping[str, Any], schema: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Without what the tool does not know, and without what need not be said and nobody said: a model fills in whatever there is."""
    known, needed = schema.get("properties", {}), set(schema.get("required", ()))
    return {name: value for name, value in said.items()
            if name in known and value is not None and (name in needed or _is_said(name, value, known[name], source))}  # fmt: skip


def _is_said(name: str, value: object, schema: Mapping[str, Any], source: str) -> bool:
    """Whether somebody said this value of an argument that need not be given."""
    if value in ("", None, [], {}) or ("default" in schema and value == schema["default"]):
        return False
    if isinstance(value, bool):
        return _alike(spaced(name), source)
    if isinstance(value, list):
        return any(_is_said(name, one, {}, source) for one in value)
    if isinstance(value, Mapping):
        return any(_is_said(key, one, {}, source) for key, one in value.items())
    text = str(value)
    named = " ".join(word for word in spaced(name).split() if len(word) > STEM)
    if text.lower() in source.lower() or _alike(text, source) or ("enum" not in schema and _alike(named, source)):
        return True
    known = words_of(source)
    return any(holds(known.numbers, number) for number in words_of(text).numbers)


def _alike(text: str, source: str) -> bool:
    """Whether a word of the text is one of the source, or another form of it: "strengths" and "strength", "standardize" and
    "standardization"."""
    words, known = words_of(text).words, words_of(source).words
    return bool(words & known) or any(_shared(word, one) >= max(STEM, min(len(word), len(one)) - 2) for word in words for one in known)


def _shared(one: str, other: str) -> int:
    """Letters with which both begin."""
    least = min(len(one), len(other))
    return next((place for place in range(least) if one[place] != other[place]), least)


def invented(said: Mapping[str, Any], schema: Mapping[str, Any], source: str) -> list[str]:
    """Ids and addresses that stand nowhere: a model makes them up rather than look for them."""
    known = source.lower()
    return [
        f"{name} “{value[:40]}” stands nowhere: it must be found first"
        for name, value in said.items()
        if isinstance(value, str) and refers(name, schema["properties"].get(name, {})) and value.lower() not in known
    ]


def written(arguments: Mapping[str, Any]) -> str:
    return json.dumps(arguments, ensure_ascii=False)
