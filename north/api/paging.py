"""Lists in pages. A cursor names the last row that was given, signed and good for one list of one workspace: what is added or deleted
meanwhile moves nothing, so no row comes twice and none is missed that was there all the time."""

from __future__ import annotations

from typing import Any, TypeVar
from uuid import UUID

from django.core import signing
from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext as _
from ninja import Schema
from pydantic import Field

MOST = 100
T = TypeVar("T", bound=Model)


class WrongCursor(Exception):
    def __init__(self) -> None:
        super().__init__(_("This cursor was not given by this list. Send the `next` of the page before, or none to begin."))


class Paging(Schema):
    limit: int = Field(50, ge=1, le=MOST, description="How many a page has at most.")
    cursor: str = Field("", max_length=500, description="The `next` of the page before; without it the list begins.")


def page(rows: QuerySet[T], paging: Paging, *, by: str, within: UUID) -> tuple[list[T], str | None]:
    """The rows of this page in the order of `by` (a field that is never null, `-` for descending) and then of their keys, and the cursor of
    the next page. `within`: the workspace."""
    field, down = by.lstrip("-"), by.startswith("-")
    salt = f"north.api.paging:{rows.model._meta.label}:{by}:{within}"
    if paging.cursor:
        rows = rows.filter(after(rows.model, field, down, opened(paging.cursor, salt)))
    sign = "-" if down else ""
    found = list(rows.order_by(f"{sign}{field}", f"{sign}pk")[: paging.limit + 1])
    if len(found) <= paging.limit:
        return found, None
    last = found[paging.limit - 1]
    return found[: paging.limit], signing.dumps([str(getattr(last, field)), str(last.pk)], salt=salt)


def after(model: type[Model], field: str, down: bool, place: list[str]) -> Q:
    value = model._meta.get_field(field).to_python(place[0])  # type: ignore[union-attr]
    key = model._meta.pk.to_python(place[1])  # type: ignore[union-attr]
    beyond = "lt" if down else "gt"
    return Q(**{f"{field}__{beyond}": value}) | Q(**{field: value, f"pk__{beyond}": key})


def opened(cursor: str, salt: str) -> Any:
    """Raises `WrongCursor`."""
    try:
        return signing.loads(cursor, salt=salt)
    except signing.BadSignature:
        raise WrongCursor from None


def pieces(found: list[Any], paging: Paging, *, of: str) -> tuple[list[Any], str | None]:
    """The same of a list that is not in the database; `of` says what it is a list of, in which version."""
    salt = f"north.api.pieces:{of}"
    start = opened(paging.cursor, salt) if paging.cursor else 0
    end = start + paging.limit
    return found[start:end], signing.dumps(end, salt=salt) if end < len(found) else None
