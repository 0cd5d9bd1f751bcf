"""Who an account of a source is here, where its address does not say so. An owner's word; it holds from its commit on."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils.translation import gettext as _

from north.documents.accounts import Identity
from north.documents.errors import Refused
from north.documents.models import Source
from north.workspaces.audit import record
from north.workspaces.models import Membership, User


def accounts(source: Source, words: str = "") -> QuerySet[Identity]:
    """The accounts of a source, all or those with these words in their name, key or address; those who are nobody here first."""
    found = Identity.objects.filter(source=source).select_related("user")
    if words:
        found = found.filter(Q(name__icontains=words) | Q(key__icontains=words) | Q(email__icontains=words))
    return found.order_by("-active", "name", "key")


def people_of(source: Source) -> dict[str, User]:
    """The members of the source's workspace by their addresses."""
    return {user.email: user for user in User.objects.people().filter(memberships__workspace=source.workspace_id, is_active=True)}


def map_identity(identity: Identity, user: User | None, *, actor: Membership) -> None:
    """This account is that member, or with None nobody here."""
    owners(identity, actor)
    if user is not None and not Membership.objects.filter(user=user, workspace=actor.workspace).exists():
        raise Refused(_("This person is no member of the workspace. Invite them first."), field="person")
    said(identity, {"mapped": True, "user": user}, actor=actor)


def unmap_identity(identity: Identity, *, actor: Membership) -> None:
    """Its address says again who it is."""
    owners(identity, actor)
    said(identity, {"mapped": False, "user": None}, actor=actor)


def said(identity: Identity, values: dict[str, object], *, actor: Membership) -> None:
    with transaction.atomic():
        Identity.objects.filter(pk=identity.pk).update(**values)
        person = str(values["user"].email) if isinstance(values["user"], User) else ""
        record("source.map", actor=actor, thing=identity.source, account=identity.key, person=person, mapped=bool(values["mapped"]))
    for name, value in values.items():
        setattr(identity, name, value)


def owners(identity: Identity, actor: Membership) -> None:
    if not actor.is_owner or actor.sources is not None or identity.source.workspace_id != actor.workspace_id:
        raise Http404
