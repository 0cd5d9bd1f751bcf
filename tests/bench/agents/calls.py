"""Berkeley function calling (BFCL v4, Patil et al. 2025, github.com/ShishirPatil/gorilla, Apache-2.0): its questions, and its rule for one
call: the right function, all that it needs, nothing it does not know, and each value one of those that the set allows.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Call = tuple[str, Mapping[str, Any]]
KINDS = {"dict": "object", "float": "number", "tuple": "array", "any": "string", "list": "array", "str": "string"}
KEPT = {"type", "description", "properties", "required", "items", "enum", "default"}


@dataclass(frozen=True, slots=True)
class Function:
    name: str
    about: str
    schema: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    key: str
    question: str
    functions: Sequence[Function]
    allowed: Mapping[str, Mapping[str, Sequence[Any]]] | None
    """None: no call is right."""


def load(folder: Path, kind: str) -> list[Case]:
    """`kind`: simple, multiple, irrelevance, or another file's name between "BFCL_v4_" and ".json"."""
    name = f"BFCL_v4_{'simple_python' if kind == 'simple' else kind}.json"
    answers = Path(folder, "possible_answer", name)
    allowed = {one["id"]: one["ground_truth"][0] for one in _lines(answers)} if answers.exists() else {}
    return [
        Case(one["id"], "\n".join(said["content"] for said in one["question"][0]),
             [Function(f["name"], f["description"], plain(f["parameters"])) for f in one["function"]], allowed.get(one["id"]))
        for one in _lines(Path(folder, name))
    ]  # fmt: skip


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def plain(schema: Any) -> Any:
    """The set's types in JSON schema's words."""
    if not isinstance(schema, Mapping):
        return schema
    found = {name: value for name, value in schema.items() if name in KEPT}
    if "type" in found:
        found["type"] = KINDS.get(found["type"], found["type"])
    if isinstance(found.get("properties"), Mapping):
        found["properties"] = {name: plain(one) for name, one in found["properties"].items()}
    if isinstance(found.get("items"), Mapping):
        found["items"] = plain(found["items"])
    return found


def right(case: Case, made: Sequence[Call]) -> bool:
    if case.allowed is None:
        return not made
    return len(made) == 1 and _matches(made[0], case.allowed, {one.name: one for one in case.functions})


def _matches(call: Call, allowed: Mapping[str, Mapping[str, Sequence[Any]]], known: Mapping[str, Function]) -> bool:
    name, arguments = call
    if name not in allowed:
        return False
    schema, possible = known[name].schema, allowed[name]
    if any(one not in arguments for one in schema.get("required", [])):
        return False
    known_of = schema["properties"]
    if any(one not in possible or not _is_one_of(value, possible[one], known_of.get(one, {})) for one, value in arguments.items()):
        return False
    return all(one in arguments or "" in values for one, values in possible.items())


def _is_one_of(value: Any, possible: Sequence[Any], schema: Mapping[str, Any]) -> bool:
    """A whole number may stand where a broken one is asked for; not the other way round, and no text for a number."""
    kind = schema.get("type")
    if kind == "integer" and (isinstance(value, bool) or not isinstance(value, int)):
        return False
    if kind == "number" and (isinstance(value, bool) or not isinstance(value, int | float)):
        return False
    if kind == "boolean" and not isinstance(value, bool):
        return False
    return any(_same(value, one) for one in possible)


def _same(value: Any, one: Any) -> bool:
    if isinstance(value, str) and isinstance(one, str):
        return _bare(value) == _bare(one)
    if isinstance(value, list) and isinstance(one, list | tuple):
        return len(value) == len(one) and all(_same(a, b) for a, b in zip(value, one, strict=True))
    if isinstance(value, Mapping) and isinstance(one, Mapping):  # of an object each value has a list of those allowed
        return set(value) <= set(one) and all(
            any(_same(value[name], each) for each in options) if name in value else "" in options for name, options in one.items()
        )
    return isinstance(value, bool) == isinstance(one, bool) and value == one


def _bare(text: str) -> str:
    """As the set compares texts: without regard to case and punctuation."""
    return re.sub(r"[ ,./\-_*^]", "", text).lower().replace("'", '"')
