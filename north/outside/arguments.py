"""The arguments of a server's tool: what of a stranger's schema is used, and whether what a person wrote fits it. Loads no agent."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from agents import schemas
from agents.schemas import narrowed

CHARACTERS = 8000
"""Of all arguments, as JSON."""


class Unfitting(ValueError):
    """In words that say which argument, and what it must be."""


def checked(schema: Mapping[str, Any], text: str) -> dict[str, Any]:
    """The JSON object in `text`, if the tool may be sent it. Raises Unfitting."""
    try:
        said = json.loads(text or "{}")
    except (ValueError, RecursionError) as error:
        raise Unfitting(_("The arguments are no JSON: %(error)s.") % {"error": error}) from None
    if not isinstance(said, dict):
        raise Unfitting(_("The arguments must be one JSON object."))
    wanted = narrowed(schema)
    if strange := sorted(set(said) - set(wanted["properties"])):
        raise Unfitting(_("This tool takes no %(names)s.") % {"names": ", ".join(map(str, strange))[:200]})
    for name in wanted["required"]:
        if said.get(name) in (None, ""):
            raise Unfitting(_("%(name)s is needed.") % {"name": name})
    for name, value in said.items():
        fitting(name, value, wanted["properties"][name])
    return said


def fitting(name: str, value: Any, wanted: Mapping[str, Any]) -> None:
    kind = wanted["type"]
    if schemas.faults(value, {"type": kind} if kind in schemas.PLAIN else wanted, name):
        raise Unfitting(_("%(name)s must be of the kind %(kind)s.") % {"name": name, "kind": kind})
    if "enum" in wanted and value not in wanted["enum"]:
        raise Unfitting(_("%(name)s must be one of %(known)s.") % {"name": name, "known": ", ".join(wanted["enum"])})
    if isinstance(value, str) and len(value) > wanted["maxLength"]:
        raise Unfitting(_("%(name)s has at most %(most)d characters.") % {"name": name, "most": wanted["maxLength"]})


def of_form(schema: Mapping[str, Any], given: Mapping[str, str]) -> str:
    """What a form of these arguments says, as JSON; what was left empty is not sent. No number: it stays text, for `checked` to refuse."""
    said: dict[str, Any] = {}
    for name, wanted in narrowed(schema)["properties"].items():
        text = given.get(name, "").strip()
        if wanted["type"] == "string":
            said |= {name: text} if text else {}
        elif text:
            said[name] = value_of(text, wanted["type"])
    return json.dumps(said, ensure_ascii=False)


def value_of(text: str, kind: str) -> Any:
    if kind == "boolean":
        return {"true": True, "false": False}.get(text.lower(), text)
    try:
        return json.loads(text) if kind in {"array", "object"} else int(text) if kind == "integer" else float(text)
    except (ValueError, RecursionError):
        return text
