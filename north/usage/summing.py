"""What was used in the last days, summed for a page: two queries over the daily rows, however many people and models there are, and one
for the names of each kind of thing that is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from north.usage.models import Usage, today
from north.workspaces.models import ApiKey, User, Workspace

FIGURES = ("count", "tokens_in", "tokens_cached", "tokens_out", "milliseconds")
SHOWN = 10


@dataclass(slots=True)
class Sums:
    count: int = 0
    tokens_in: int = 0
    tokens_cached: int = 0
    tokens_out: int = 0
    milliseconds: int = 0

    def add(self, row: dict[str, Any]) -> None:
        for figure in FIGURES:
            setattr(self, figure, getattr(self, figure) + row[figure])

    @property
    def tokens(self) -> int:
        return self.tokens_in + self.tokens_out

    @property
    def seconds(self) -> int:
        return round(self.milliseconds / 1000)


MEASURES: dict[str, Callable[[Sums], int]] = {
    "tokens": lambda sums: sums.tokens,
    "seconds": lambda sums: sums.seconds,
    "count": lambda sums: sums.count,
}


@dataclass(slots=True)
class Spent:
    """`days`: all days of the span, oldest first, each with its sums by model; the others by id, None where nobody or no key is known."""

    days: dict[date, dict[str, Sums]]
    total: Sums = field(default_factory=Sums)
    kinds: dict[str, Sums] = field(default_factory=dict)
    model: dict[str, Sums] = field(default_factory=dict)
    workspace: dict[UUID, Sums] = field(default_factory=dict)
    user: dict[UUID | None, Sums] = field(default_factory=dict)
    key: dict[UUID | None, Sums] = field(default_factory=dict)


def since(days: int, workspace: UUID | None = None) -> QuerySet[Usage]:
    """The rows of the last so many days, today among them; of one workspace, if one is given."""
    rows = Usage.objects.filter(day__gt=today() - timedelta(days=days))
    return rows.filter(workspace=workspace) if workspace else rows


def spent(rows: QuerySet[Usage], days: int) -> Spent:
    found = Spent({today() - timedelta(days=ago): {} for ago in reversed(range(days))})
    sums = {figure: Sum(figure) for figure in FIGURES}
    by_day: Iterable[Any] = rows.values("day", "model").annotate(**sums)
    for row in by_day:
        if row["day"] in found.days:
            found.days[row["day"]].setdefault(row["model"], Sums()).add(row)
    by_all: Iterable[Any] = rows.values("kind", "workspace", "user", "key", "model").annotate(**sums)
    for row in by_all:
        found.total.add(row)
        found.kinds.setdefault(row["kind"], Sums()).add(row)
        for name in ("model", "workspace", "user", "key"):
            getattr(found, name).setdefault(row[name], Sums()).add(row)
    return found


def ranked(sums: dict[Any, Sums], measure: str) -> list[tuple[Any, Sums]]:
    """The SHOWN that used most, most first."""
    of = MEASURES[measure]
    return sorted(sums.items(), key=lambda one: (-of(one[1]), str(one[0])))[:SHOWN]


def names(kind: str, ids: Iterable[Any]) -> dict[Any, str]:
    """What these are called; ids that are gone are said to be."""
    wanted = set(ids)
    if kind == "model":
        return {name: name for name in wanted}
    known: dict[Any, str] = {}
    if real := wanted - {None}:
        rows: QuerySet[Any] = {"workspace": Workspace.objects, "user": User.objects, "key": ApiKey.objects}[kind].filter(pk__in=real)
        known = {row.pk: f"{row.name or _('Without a name')} · north_{row.prefix}_…" if kind == "key" else str(row) for row in rows}
    gone = {"workspace": _("a deleted workspace"), "user": _("a deleted user"), "key": _("a deleted key")}[kind]
    nobody = {"workspace": "", "user": _("North itself"), "key": _("in the browser")}[kind]
    return {id: nobody if id is None else known.get(id, gone) for id in wanted}
