"""Who may read a document, as people say it and as rows list it. Nobody listed means nobody; public inside the workspace is said."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from django.utils.text import get_text_list
from django.utils.translation import gettext as _

from north.documents.identities import held_by
from north.documents.models import Principal
from north.workspaces import access
from north.workspaces.models import Group, Membership, Workspace
from retrieval.types import Scope


@dataclass(frozen=True)
class Readers:
    everyone: bool = False
    groups: tuple[Group, ...] = ()
    others: bool = False
    """Also people whom the source system names, or groups that are gone; for showing only."""

    def principals(self, workspace: Workspace) -> frozenset[str]:
        """As documents list them. A group of another workspace is a fault of the caller's: it is left out, so it opens nothing."""
        if self.everyone:
            return frozenset({workspace.everyone})
        return frozenset(group.principal for group in self.groups if group.workspace_id == workspace.pk)

    @classmethod
    def of(cls, principals: Iterable[str], workspace: Workspace, groups: Iterable[Group]) -> Self:
        """What these principals say. `groups`: all of the workspace."""
        listed = set(principals)
        found = tuple(group for group in groups if group.principal in listed)
        others = listed - {workspace.everyone} - {group.principal for group in found}
        return cls(workspace.everyone in listed, found, bool(others))

    @property
    def nobody(self) -> bool:
        return not (self.everyone or self.groups or self.others)

    def __str__(self) -> str:
        if self.everyone:
            return _("everyone in the workspace")
        names = [group.name for group in self.groups] + ([_("people named by the source")] if self.others else [])
        return get_text_list(names, _("and")) if names else _("nobody")


def principals(membership: Membership) -> frozenset[str]:
    """Everything that this person is in this workspace and in its sources, as documents list it."""
    return access.principals(membership) | held_by(membership)


def scope_of(membership: Membership) -> Scope:
    """What this person may read, as it is now, by the key with which they came."""
    return Scope(str(membership.workspace_id), principals(membership), membership.sources)


def sees_access(membership: Membership) -> bool:
    """Whether this person is shown why a document is open to them."""
    return membership.is_owner or membership.user.is_admin


def opened_by(documents: Iterable[str], membership: Membership) -> dict[str, list[str]]:
    """For each of these documents, which of this person's own principals let them read it, in words. Two queries, one where no group's
    word is needed."""
    listed = list(Principal.objects.filter(document__in=list(documents)).order_by("value").values_list("document", "value"))
    mine = {membership.workspace.everyone: _("everyone in the workspace"), f"u:{membership.user_id}": _("you by name")}
    if any(value.startswith("g:") for _document, value in listed):
        groups = membership.user.knowledge_groups.filter(workspace=membership.workspace)
        mine |= {group.principal: _("the group %s") % group.name for group in groups}
    found: dict[str, list[str]] = {}
    for document, value in listed:
        if value in mine:
            found.setdefault(str(document), []).append(mine[value])
    return found
