"""What is kept of a stranger's JSON schema when a model is held to it: kinds, known values, lists and objects of them, what each is for.
Patterns, references and whatever else could run away with a grammar are left out. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

PLAIN = {"string", "number", "integer", "boolean"}
PROPERTIES, WORDS, ITEMS, KNOWN, DEPTH = 16, 2000, 32, 40, 3
WRITTEN = 1000
"""Characters of a text that a model may write; a person may write WORDS. Servers made of older llama.cpp refuse a grammar that repeats
something 2,000 times."""
ABOUT = 160

Schema = Mapping[str, Any]


def narrowed(schema: object) -> dict[str, Any]:
    """An object's schema; one that says nothing usable has no properties."""
    found = _object(schema if isinstance(schema, Mapping) else {}, DEPTH)
    return {name: value for name, value in found.items() if name != "description"}


def _object(schema: Schema, depth: int) -> dict[str, Any]:
    given = schema.get("properties")
    named = list(given.items())[:PROPERTIES] if isinstance(given, Mapping) else []
    kept = {str(name): part for name, one in named if str(name).isidentifier() and (part := _part(one, depth))}
    said = schema.get("required")
    needed = [name for name in said if isinstance(name, str) and name in kept] if isinstance(said, list) else []
    return {"type": "object", "properties": kept, "required": list(dict.fromkeys(needed)), "additionalProperties": False}


def _part(one: object, depth: int) -> dict[str, Any] | None:
    if not isinstance(one, Mapping) or not isinstance(kind := one.get("type"), str):
        return None
    found: dict[str, Any] | None = None
    if kind in PLAIN:
        found = {"type": kind, **({"maxLength": WORDS} if kind == "string" else {}), **_known(one, kind)}
    elif kind == "array" and depth and (items := _part(one.get("items") or {"type": "string"}, depth - 1)):
        found = {"type": "array", "items": items, "maxItems": ITEMS}
    elif kind == "object" and depth and (inner := _object(one, depth - 1))["properties"]:
        found = inner
    if found is not None and isinstance(about := one.get("description"), str) and about.strip():
        found["description"] = " ".join(about.split())[:ABOUT]
    return found


def _known(one: Schema, kind: str) -> dict[str, Any]:
    """The values that it may have, and the one that it has where nothing is said."""
    values, default = one.get("enum"), one.get("default")
    texts = [value for value in values if isinstance(value, str) and len(value) <= ABOUT] if isinstance(values, list) else []
    found: dict[str, Any] = {"enum": texts[:KNOWN]} if kind == "string" and texts and len(texts) == len(values or []) else {}
    return {**found, "default": default} if is_a(default, kind) else found


def bound(schema: Schema) -> dict[str, Any]:
    """The same, as a model is held to it."""
    found = dict(schema)
    if "maxLength" in schema:
        found["maxLength"] = min(schema["maxLength"], WRITTEN)
    if "items" in schema:
        found["items"] = bound(schema["items"])
    if "properties" in schema:
        found["properties"] = {name: bound(one) for name, one in schema["properties"].items()}
    return found


def is_a(value: object, kind: str) -> bool:
    """Whether a value is of this plain kind; a whole number is a number, a truth value is none."""
    wanted = {"string": str, "boolean": bool, "integer": int, "number": int | float}[kind]
    return isinstance(value, wanted) and (kind == "boolean" or not isinstance(value, bool))


def faults(value: object, schema: Schema, name: str = "") -> list[str]:
    """What is wrong with arguments, in words that a model can mend them by."""
    kind = str(schema.get("type"))
    if kind == "object":
        return _object_faults(value, schema, name)
    if kind == "array":
        if not isinstance(value, list):
            return [f"{name} must be a list"]
        return [fault for one in value for fault in faults(one, schema["items"], name)][:1]
    if not is_a(value, kind):
        return [f"{name} must be a{'n' if kind[0] in 'io' else ''} {kind}"]
    if "enum" in schema and value not in schema["enum"]:
        return [f"{name} must be one of {', '.join(schema['enum'])}"]
    return []


def _object_faults(value: object, schema: Schema, name: str) -> list[str]:
    if not isinstance(value, Mapping):
        return [f"{name or 'the whole'} must be an object"]
    known = schema["properties"]
    lacking = [f"{one} is missing" for one in schema["required"] if one not in value]
    wrong = [fault for key, one in value.items() for fault in (faults(one, known[key], key) if key in known else [f"{key} is not known"])]
    return lacking + wrong


def told(schema: Schema, depth: int = 2) -> Sequence[str]:
    """The properties in lines for a model: "to (string): who gets it"."""
    needed = set(schema.get("required", ()))
    lines = []
    for name, one in schema.get("properties", {}).items():
        kind = one["type"] + ("" if name in needed else ", optional") + (f", one of {', '.join(one['enum'])}" if "enum" in one else "")
        about = one.get("description", "")
        lines.append(f"  {name} ({kind}){': ' + about if about else ''}")
        inner = one.get("items", one) if one["type"] == "array" else one
        if depth and inner.get("properties"):
            lines += ["  " + line for line in told(inner, depth - 1)]
    return lines
