"""Plans and tools as the pages of threads name them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from agents.plans import MOST_STEPS
from north.threads.approving import NAMED


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A step of the plan that this step made, or whether its criterion was reached."""

    name: str
    criterion: str
    met: str = ""


@dataclass(frozen=True, slots=True)
class PlanRow:
    """A step of a plan that may be changed."""

    number: int
    name: str
    tool: str
    input: str
    criterion: str
    after: str


def tool_names() -> dict[str, str]:
    return {"search": _("Search"), **{tool: str(name) for tool, name in NAMED.items()}}


def plan_rows(steps: Sequence[Mapping[str, Any]]) -> tuple[PlanRow, ...]:
    """The steps of a plan, and an empty row for another where there is room."""
    rows = [
        PlanRow(number, one["name"], one["tool"], one["input"], one["criterion"], ", ".join(map(str, one["after"])))
        for number, one in enumerate(steps, 1)
    ]
    return (*rows, PlanRow(len(rows) + 1, "", "search", "", "", "")) if len(rows) < MOST_STEPS else tuple(rows)


def plan_lines(detail: Mapping[str, Any]) -> tuple[PlanLine, ...]:
    lines = detail.get("criteria") or detail.get("steps") or []
    return tuple(PlanLine(str(one["name"]), str(one["criterion"]), str(one.get("met", ""))) for one in lines)
