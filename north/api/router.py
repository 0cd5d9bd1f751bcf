"""What the operations of the API share: how they are declared, what they may answer, and what a caller may name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import Http404
from ninja import Router

from north.api.keeping import kept
from north.api.schemas import Problem
from north.documents.readers import Readers
from north.workspaces.models import Group, Membership

PROBLEMS = dict.fromkeys((400, 401, 403, 404, 422, 429, 503), Problem)
"""That every operation may answer with."""


def answers(status: int, shape: Any, *more: int) -> dict[Any, Any]:
    """The shape for this status, and the problems that may come; a 304 or 412 among `more` says that the resource has an ETag."""
    return {status: shape, **PROBLEMS, **{code: Problem if code >= 400 else None for code in more}}


def router() -> Router:
    """Whose writes may carry an Idempotency-Key."""
    made = Router()
    made.add_decorator(kept, mode="operation")
    return made


def groups_of(names: Iterable[str], actor: Membership) -> list[Group]:
    """The groups with these names or ids. Raises a 404 for one that this workspace does not have."""
    wanted = {name.strip() for name in names if name.strip()}
    known = {key: group for group in actor.workspace.groups.all() for key in (group.name, str(group.pk))}
    if wanted - known.keys():
        raise Http404
    return list({known[name].pk: known[name] for name in sorted(wanted)}.values())


def readers_of(everyone: bool, names: Iterable[str], actor: Membership) -> Readers:
    return Readers(everyone=True) if everyone else Readers(groups=tuple(groups_of(names, actor)))
