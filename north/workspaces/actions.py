"""Verbs on workspaces and their people: rows, then an audit event, in one transaction. Refusals are `Refused`, in words."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.http import Http404
from django.urls import reverse
from django.utils.text import slugify
from django.utils.translation import gettext as _

from north.workspaces import sessions
from north.workspaces.access import demand
from north.workspaces.audit import lock, record
from north.workspaces.errors import DeadLink, LastOwner, Refused, Taken
from north.workspaces.models import ApiKey, Group, Invitation, Membership, Role, SignInLink, User, UserManager, UserSession, Workspace

LINK_HOURS = 24
SLUG_TRIES = 5


# --- accounts -----------------------------------------------------------------------------------------------------------------------
def first_link() -> str | None:
    """The one-time link that makes the first administrator; `None` where somebody is here already. The link before it dies."""
    with transaction.atomic():
        lock()
        if User.objects.exists():
            return None
        SignInLink.objects.filter(user=None).delete()
        secret = SignInLink.issue(lasts=timedelta(hours=LINK_HOURS), user=None)[1]
    return link_to("welcome", secret)


def sign_in_link(user: User, *, actor: User | None) -> str:
    """A link that signs `user` in once, within a day. Links made before die."""
    if user.service_of_id:
        raise Refused(_("A service account cannot sign in. Give its program a key."))
    with transaction.atomic():
        user.sign_in_links.all().delete()
        secret = SignInLink.issue(lasts=timedelta(hours=LINK_HOURS), user=user)[1]
        record("user.link", actor=actor, thing=user, email=user.email)
    return link_to("welcome", secret)


def link_to(name: str, secret: str) -> str:
    return settings.PUBLIC_URL + reverse(f"workspaces:{name}", args=[secret])


@transaction.atomic
def make_first_admin(link: SignInLink, *, email: str, name: str, password: str) -> User:
    """Exactly one of any number of simultaneous callers gets a user; the others a `DeadLink`."""
    lock()
    if link.user_id is not None or User.objects.exists() or not link.use():
        raise DeadLink
    user = User.objects.create_user(email, password, name=name, is_admin=True)
    record("user.create", actor=user, thing=user, email=user.email, is_admin=True)
    return user


@transaction.atomic
def use_sign_in_link(link: SignInLink, *, password: str = "") -> User:
    """The user that this link signs in, with a new password if one is given: their sessions so far end then."""
    user = link.user
    if user is None or not user.is_active or not link.use():
        raise DeadLink
    if password:
        set_password(user, password)
    record("user.link_used", actor=user, thing=user)
    return user


@transaction.atomic
def change_password(user: User, password: str, *, keep: str | None) -> None:
    """Every session of the user ends but the one with the key `keep`."""
    set_password(user, password, keep)


def set_password(user: User, password: str, keep: str | None = None) -> None:
    user.set_password(password)
    user.save(update_fields=["password"])
    user.sign_in_links.all().delete()
    sessions.end(user.sessions.exclude(session_key=keep or ""))
    record("user.password", actor=user, thing=user)


@transaction.atomic
def rename_user(user: User, name: str) -> None:
    user.name = name
    user.save(update_fields=["name"])
    record("user.rename", actor=user, thing=user, name=name)


@transaction.atomic
def end_session(session: UserSession, *, actor: User) -> None:
    sessions.end(actor.sessions.filter(pk=session.pk))
    record("session.end", actor=actor, thing=session)


@transaction.atomic
def end_other_sessions(*, actor: User, keep: str | None) -> int:
    ended = sessions.end(actor.sessions.exclude(session_key=keep or ""))
    record("session.end_others", actor=actor, count=ended)
    return ended


# --- workspaces ---------------------------------------------------------------------------------------------------------------------
def create_workspace(name: str, *, actor: User, slug: str = "") -> Membership:
    """A workspace that `actor` owns. Anybody who is signed in may make one. Without a `slug` the address gets a random tail, so that it
    does not tell whether somebody else has a workspace of that name."""
    if actor.service_of_id:
        raise Refused(_("A service account belongs to its workspace and makes no other."))
    for _attempt in range(SLUG_TRIES):
        tried = slug or f"{slugify(name)[:50] or 'workspace'}-{secrets.token_hex(2)}"
        try:
            with transaction.atomic():
                workspace = Workspace.objects.create(name=name, slug=tried)
                membership = Membership.objects.create(workspace=workspace, user=actor, role=Role.OWNER)
                record("workspace.create", actor=membership, thing=workspace, name=name)
        except IntegrityError:
            continue
        return membership
    raise Taken(_("This address is taken. Choose another name."))


@transaction.atomic
def change_workspace(*, name: str, grounded: bool, uploads_for_all: bool, removes_unsupported: bool, actor: Membership) -> None:
    demand(actor, Role.OWNER)
    values: dict[str, Any] = {
        "name": name, "grounded": grounded, "uploads_for_all": uploads_for_all, "removes_unsupported": removes_unsupported,
    }  # fmt: skip
    for field, value in values.items():
        setattr(actor.workspace, field, value)
    actor.workspace.save(update_fields=list(values))
    record("workspace.change", actor=actor, thing=actor.workspace, **values)


@transaction.atomic
def delete_workspace(workspace: Workspace, *, actor: User | Membership) -> None:
    """With everything in it; what other floors keep of it outside the database goes by their own receivers. By an owner, or by an
    administrator of the installation."""
    if isinstance(actor, Membership):
        demand(actor, Role.OWNER)
    elif not actor.is_admin:
        raise Http404
    record("workspace.delete", actor=actor, workspace=workspace, thing=workspace, name=workspace.name)
    workspace.delete()


# --- invitations --------------------------------------------------------------------------------------------------------------------
@transaction.atomic
def invite(email: str, role: Role, *, actor: Membership) -> tuple[Invitation, str]:
    """The invitation and its link, which works once. One that the same address had before dies."""
    demand(actor, Role.OWNER)
    email, workspace = UserManager.normalise(email), actor.workspace
    if workspace.memberships.filter(user__email=email).exists():
        raise Taken(_("%(email)s is a member already.") % {"email": email})
    workspace.invitations.filter(email=email, used_at=None).delete()
    lasts = timedelta(days=settings.INVITATION_DAYS)
    invitation, secret = Invitation.issue(lasts=lasts, workspace=workspace, email=email, role=role, invited_by=actor.user)
    record("invitation.create", actor=actor, thing=invitation, email=email, role=role)
    return invitation, link_to("invitation", secret)


@transaction.atomic
def take_back(invitation: Invitation, *, actor: Membership) -> None:
    demand(actor, Role.OWNER)
    record("invitation.take_back", actor=actor, thing=invitation, email=invitation.email)
    invitation.delete()


def open_invitation(secret: str) -> Invitation:
    """The standing invitation of this secret: unused, not expired, and by somebody who still may invite. Raises `DeadLink`."""
    invitation = Invitation.open(secret)
    if invitation is None:
        raise DeadLink
    by_owner = invitation.workspace.memberships.filter(user=invitation.invited_by_id, role=Role.OWNER, user__is_active=True)
    if not by_owner.exists():
        raise DeadLink
    return invitation


@transaction.atomic
def accept(invitation: Invitation, *, actor: User) -> Membership:
    """`actor` becomes a member; somebody who is one already keeps the role. Raises `DeadLink`, and a 404 for another address."""
    if actor.email != invitation.email or not actor.is_active:
        raise Http404
    if not invitation.use():
        raise DeadLink
    membership, new = Membership.objects.get_or_create(workspace=invitation.workspace, user=actor, defaults={"role": invitation.role})
    if new:
        record("invitation.accept", actor=membership, thing=invitation, role=invitation.role)
    return membership


@transaction.atomic
def accept_as_new(invitation: Invitation, *, name: str, password: str) -> Membership:
    """Makes the account that the invitation is for and lets it in."""
    try:
        with transaction.atomic():
            user = User.objects.create_user(invitation.email, password, name=name)
    except IntegrityError as error:
        raise DeadLink from error
    record("user.create", actor=user, workspace=invitation.workspace, thing=user, email=user.email)
    return accept(invitation, actor=user)


# --- members ------------------------------------------------------------------------------------------------------------------------
def keeps_an_owner(member: Membership) -> None:
    """Raises `LastOwner` if `member` is the only owner who is a person and not suspended. Holds the workspace until the commit."""
    Workspace.objects.select_for_update().get(pk=member.workspace_id)
    owners = Membership.objects.filter(workspace_id=member.workspace_id, role=Role.OWNER, user__is_active=True, user__service_of=None)
    if set(owners.values_list("pk", flat=True)) == {member.pk}:
        raise LastOwner


@transaction.atomic
def change_role(member: Membership, role: Role, *, actor: Membership) -> None:
    demand(actor, Role.OWNER)
    if role != Role.OWNER:
        keeps_an_owner(member)
    before, member.role = member.role, role
    member.save(update_fields=["role"])
    record("member.role", actor=actor, thing=member.user, email=member.user.email, before=before, role=role)


@transaction.atomic
def remove(member: Membership, *, actor: Membership) -> None:
    """`actor` removes a member, or leaves (where both are one). Groups and keys of the workspace go with the membership."""
    leaving = member.pk == actor.pk
    if not leaving:
        demand(actor, Role.OWNER)
    keeps_an_owner(member)
    Group.users.through.objects.filter(user_id=member.user_id, group__workspace_id=member.workspace_id).delete()
    for key in ApiKey.objects.filter(workspace_id=member.workspace_id, user_id=member.user_id, revoked_at=None):
        key.revoke()
    record("member.leave" if leaving else "member.remove", actor=actor, thing=member.user, email=member.user.email)
    if member.user.service_of_id:  # it is nothing without its workspace
        member.user.delete()
    else:
        member.delete()


# --- groups -------------------------------------------------------------------------------------------------------------------------
@transaction.atomic
def create_group(name: str, *, actor: Membership) -> Group:
    demand(actor, Role.OWNER)
    group = Group(workspace=actor.workspace, name=name)
    name_group(group, name)
    record("group.create", actor=actor, thing=group, name=name)
    return group


@transaction.atomic
def rename_group(group: Group, name: str, *, actor: Membership) -> None:
    demand(actor, Role.OWNER)
    before = group.name
    name_group(group, name)
    record("group.rename", actor=actor, thing=group, before=before, name=name)


def name_group(group: Group, name: str) -> None:
    group.name = name
    try:
        with transaction.atomic():
            group.save()
    except IntegrityError as error:
        raise Taken(_("There is a group of this name already.")) from error


@transaction.atomic
def delete_group(group: Group, *, actor: Membership) -> None:
    """What was only for this group is for nobody then, until somebody changes it."""
    demand(actor, Role.OWNER)
    record("group.delete", actor=actor, thing=group, name=group.name)
    group.delete()


@transaction.atomic
def set_group_members(group: Group, members: list[Membership], *, actor: Membership) -> None:
    """Exactly these members of the group's workspace."""
    demand(actor, Role.OWNER)
    if any(member.workspace_id != group.workspace_id for member in members):
        raise Http404
    group.users.set([member.user for member in members])
    record("group.members", actor=actor, thing=group, name=group.name, emails=sorted(member.user.email for member in members))
