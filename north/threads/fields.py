"""The arguments of a proposed action, as fields that a person sees and may change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from django.utils.translation import gettext as _

from agents.schemas import narrowed
from north.outside.arguments import Unfitting, checked
from north.threads.models import Approval

ARGUMENT = "argument-"
"""Before the name of an argument of a server's tool, in a form."""


@dataclass(frozen=True, slots=True)
class Field:
    """An argument of a proposed action: to be seen, and where it is `editable` to be changed."""

    name: str
    label: str
    value: str
    editable: bool
    long: bool
    derived: bool


def field_of(name: str, value: Any, editable: bool, derived: bool) -> Field:
    labels = {"title": _("Title"), "text": _("Text"), "question": _("Question"), "answer": _("Your answer"),
              "document": _("Document"), "sql": _("Query"),
        "url": _("Address"),
        "about": _("To find there")}  # fmt: skip
    shown = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    return Field(name, labels.get(name, name), shown, editable, name == "text" or len(shown) > 100 or "\n" in shown, derived)


def arguments_of(row: Approval, schema: Mapping[str, Any]) -> tuple[Field, ...]:
    """A field for each argument of a server's tool; empty, where it was not given one."""
    try:
        said = checked(schema, row.arguments["arguments"])
    except Unfitting:
        return (field_of("arguments", row.arguments["arguments"], False, "arguments" in row.derived),)
    wanted = narrowed(schema)
    names = {name: name + (_(" (needed)") if name in wanted["required"] else "") for name in wanted["properties"]}
    found = [field_of(name, said.get(name, ""), True, "arguments" in row.derived) for name in names]
    return tuple(replace(one, name=ARGUMENT + one.name, label=names[one.name]) for one in found)
