"""How many tokens a caller may still use today and this month, by the rows of what was used: one query.

What is under way is counted when it is done, so a budget may be overrun by as much as is under way at once. Days and months are UTC.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from uuid import UUID

from django.db.models import F, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from north.usage.models import Usage, today
from north.workspaces.models import ApiKey, Membership, Workspace

Whose = Literal["key", "member"]
TOKENS = F("tokens_in") + F("tokens_out")
WARNED_FROM = 0.8
"""The share of a budget from which on it is warned of."""


@dataclass(frozen=True, slots=True)
class Budget:
    whose: Whose
    span: Literal["day", "month"]
    limit: int
    used: int
    refuses: bool
    ends: datetime
    """When it begins anew."""

    @property
    def remaining(self) -> int:
        return max(self.limit - self.used, 0)

    @property
    def over(self) -> bool:
        return self.used >= self.limit

    @property
    def near(self) -> bool:
        return self.used >= WARNED_FROM * self.limit

    @property
    def percent(self) -> int:
        return min(100 * self.used // self.limit, 999) if self.limit else 100

    def __str__(self) -> str:
        """In words: how much is used, of what, until when."""
        words = {
            ("key", "day"): _("This key has used %(percent)d %% of its %(limit)s tokens of today (UTC)."),
            ("key", "month"): _("This key has used %(percent)d %% of its %(limit)s tokens of this month (UTC)."),
            ("member", "day"): _("You have used %(percent)d %% of your %(limit)s tokens of today (UTC) in this workspace."),
            ("member", "month"): _("You have used %(percent)d %% of your %(limit)s tokens of this month (UTC) in this workspace."),
        }[self.whose, self.span]
        return words % {"percent": self.percent, "limit": f"{self.limit:,}"}


def budgets(membership: Membership) -> list[Budget]:
    """Those that hold for this caller: of their key, and of each member. Without any, no query."""
    owners: list[tuple[Whose, ApiKey | Workspace]] = [("member", membership.workspace)]
    if membership.key:
        owners.append(("key", membership.key))
    if all(row.tokens_per_day is None and row.tokens_per_month is None for _whose, row in owners):
        return []
    used = used_by(membership)
    return [one for whose, row in owners for one in of_row(whose, row, used[f"{whose}_day"], used[f"{whose}_month"])]


def of_row(whose: Whose, row: ApiKey | Workspace, day: int, month: int) -> list[Budget]:
    """The budgets that this row sets, of which so many tokens are used today and this month."""
    found = []
    if row.tokens_per_day is not None:
        found.append(Budget(whose, "day", row.tokens_per_day, day, row.refuses, begins(today() + timedelta(days=1))))
    if row.tokens_per_month is not None:
        found.append(Budget(whose, "month", row.tokens_per_month, month, row.refuses, begins(next_month(today()))))
    return found


def used_by_keys(keys: Collection[ApiKey]) -> dict[UUID | None, tuple[int, int]]:
    """Tokens of today and of this month, of each of these keys of one workspace."""
    found: dict[UUID | None, tuple[int, int]] = dict.fromkeys((key.pk for key in keys), (0, 0))
    if keys:
        rows = Usage.objects.filter(workspace=next(iter(keys)).workspace_id, key__in=list(found), day__gte=today().replace(day=1))
        sums = rows.values("key").annotate(now=Sum(TOKENS, filter=Q(day=today()), default=0), month=Sum(TOKENS, default=0))
        found |= {row["key"]: (row["now"], row["month"]) for row in sums}
    return found


def used_by(membership: Membership) -> dict[str, int]:
    """Tokens read and written, of today and this month, by this key and by this member."""
    now = Q(day=today())
    who = {"member": Q(user=membership.user_id), "key": Q(key=membership.key_id) if membership.key_id else Q(pk__in=[])}
    rows = Usage.objects.filter(who["member"] | who["key"], workspace=membership.workspace_id, day__gte=today().replace(day=1))
    sums: dict[str, Any] = {f"{name}_month": Sum(TOKENS, filter=which, default=0) for name, which in who.items()}
    return rows.aggregate(**sums, **{f"{name}_day": Sum(TOKENS, filter=which & now, default=0) for name, which in who.items()})


def begins(day: date) -> datetime:
    return datetime.combine(day, time.min, UTC)


def next_month(day: date) -> date:
    return (day.replace(day=28) + timedelta(days=4)).replace(day=1)


def seconds_left(budget: Budget) -> int:
    return max(int((budget.ends - timezone.now()).total_seconds()), 1)


def refusing(membership: Membership) -> Budget | None:
    """The budget for whose sake this caller may use no model now, if there is one."""
    return next((budget for budget in budgets(membership) if budget.refuses and budget.over), None)
