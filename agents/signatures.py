"""What tools of others take, told from their schemas: which arguments name things that must be found, between which days they look, and
whether they change something. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from agents import choosing, rows, verbs
from agents.dates import Span, unquoted
from agents.matching import words_of
from agents.tool import Tool

_ADDRESS = re.compile(r"address|mails?$", re.IGNORECASE)
_ID = re.compile(r"(?:^|_)(?:uu)?ids?$", re.IGNORECASE)
_LEAST, _MOST = {"min", "from", "start", "after", "since", "begin"}, {"max", "to", "end", "before", "until"}


def schema_of(tool: Tool) -> Mapping[str, Any]:
    return tool.schema or {"type": "object", "properties": {}, "required": []}


def changes(tool: Tool) -> bool:
    """Whether it changes something, told by the verb of its name or description: servers need not say."""
    return verbs.changes(tool.about) or verbs.changes(_verb(tool))


def kind_of(tool: Tool) -> str:
    """Of what it changes (`verbs.KINDS`); nothing where its verb is of no kind."""
    return verbs.kind_of(_verb(tool)) or verbs.kind_of(tool.about)


def _verb(tool: Tool) -> str:
    return choosing.spaced(tool.name.rpartition(".")[2])


def is_id(name: str, schema: Mapping[str, Any]) -> bool:
    return choosing.refers(name, schema) and not is_address(name, schema)


def without(tool: Tool, names: set[str]) -> Tool:
    """The same for somebody who does not have to say these."""
    schema = schema_of(tool)
    properties = {name: one for name, one in schema["properties"].items() if name not in names}
    return replace(tool, schema={**schema, "properties": properties, "required": [one for one in schema["required"] if one in properties]})


def words_in(tool: Tool) -> frozenset[str]:
    """All that its description and its arguments say, word by word."""
    parts = [choosing.described(tool)]
    for name, one in schema_of(tool)["properties"].items():
        parts += [about(tool, name), *(choosing.spaced(value) for value in one.get("enum", ()))]
    return frozenset(rows.plain(word) for word in words_of(" ".join(parts)).words)


def becoming(tool: Tool, others: Sequence[Tool], text: str) -> dict[str, str]:
    """The arguments of a tool that sets one field of a thing to a new value, where the text says a value that only one field is known to
    have: the last such value behind "to" or "as". Nothing where that is not so."""
    properties = schema_of(tool)["properties"]
    field = next((name for name in ("field", "column", "property") if "enum" in properties.get(name, {})), "")
    value = next((name for name in properties if "value" in name and name != field), "")
    if not field or not value:
        return {}
    known: dict[str, list[str]] = {}
    for one in properties[field]["enum"]:
        enums = (schema_of(other)["properties"].get(one, {}).get("enum") for other in others)
        known[one] = next(filter(None, enums), [])
    tail = re.split(r"\b(?:to|as|into)\b(?: the)?", unquoted(text))
    for part in reversed(tail[1:]):
        said = [(name, one) for name, values in known.items() for one in rows.values_said(values, " ".join(part.split()[:3]))]
        if len(said) == 1:
            return {field: said[0][0], value: said[0][1]}
    return {}


def unspoken(tool: Tool, text: str) -> set[str]:
    """The arguments that need not be given and of which a text says nothing: a model would fill them in, one by one."""
    schema, said = schema_of(tool), words_of(text).words
    free = {name: one for name, one in schema["properties"].items() if name not in schema["required"]}
    return {name for name, one in free.items()
            if not said & words_of(choosing.spaced(name)).words and not rows.values_said(one.get("enum", ()), text)}  # fmt: skip


def asks_for_one(tool: Tool) -> bool:
    """It takes one text that names somebody, or something."""
    needed = schema_of(tool)["required"]
    return len(needed) == 1 and not choosing.references(tool) and schema_of(tool)["properties"][needed[0]].get("type") == "string"


def pairs_of(tool: Tool) -> list[tuple[str, str, frozenset[str]]]:
    """The first and the last day that it takes, and the other words of their names."""
    parts = {name: choosing.spaced(name).lower().split() for name in schema_of(tool)["properties"]}
    dated = {name: words for name, words in parts.items() if re.search(r"YYYY|\bdate|\btime|\bday", about(tool, name) + " ".join(words))}
    low, high = (
        {frozenset(words) - ends: name for name, words in dated.items() if {words[0], words[-1]} & ends} for ends in (_LEAST, _MOST)
    )
    return [(low[stem], high[stem], stem) for stem in low if stem in high]


def bounded(tool: Tool, span: Span, text: str) -> dict[str, str]:
    """The days between which a tool looks, from what was said; of several such pairs the one whose name the text speaks of."""
    pairs = pairs_of(tool)
    if len(pairs) > 1:
        pairs = [pair for pair in pairs if (pair[2] - {"date", "time"}) & words_of(text).words]
    if len(pairs) != 1:
        return {}
    ends = zip(pairs[0][:2], (span.first, span.last), strict=True)
    return {name: rows.written(moment, about(tool, name)) for name, moment in ends if moment}


def moment_of(tool: Tool) -> str:
    """Its one argument that is a moment, day and hour; empty where there is none, or more."""
    names = [name for name in schema_of(tool)["required"] if "HH" in about(tool, name)]
    return names[0] if len(names) == 1 else ""


def is_address(name: str, schema: Mapping[str, Any]) -> bool:
    said = bool(_ADDRESS.search(name) or re.search(r"\baddress\b", schema.get("description", ""), re.IGNORECASE))
    return choosing.refers(name, schema) and said and not _ID.search(name)


def about(tool: Tool, name: str) -> str:
    return str(schema_of(tool)["properties"][name].get("description", ""))
