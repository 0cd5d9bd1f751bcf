"""Verbs of the installation's administrators on people and workspaces. Refusals are `Refused`, in words."""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from north.workspaces import sessions
from north.workspaces.actions import sign_in_link
from north.workspaces.audit import lock, record
from north.workspaces.errors import LastAdmin, Refused, Taken
from north.workspaces.models import Membership, Role, User, UserManager, Workspace


def create_user(email: str, *, name: str, is_admin: bool, actor: User) -> tuple[User, str]:
    """The user, who has no password yet, and the link to sign in and choose one."""
    try:
        with transaction.atomic():
            user = User.objects.create_user(email, None, name=name, is_admin=is_admin)
            record("user.create", actor=actor, thing=user, email=user.email, is_admin=is_admin)
            return user, sign_in_link(user, actor=actor)
    except IntegrityError as error:
        raise Taken(_("Somebody has this e-mail address already.")) from error


def fresh_link(user: User, *, actor: User) -> str:
    """A sign-in link for somebody who forgot the password."""
    if not user.is_active:
        raise Refused(_("%(name)s is suspended. End that first.") % {"name": user})
    return sign_in_link(user, actor=actor)


def keeps_an_admin(user: User) -> None:
    """Raises `LastAdmin` if `user` is the only administrator who is not suspended. Holds the audit log until the transaction ends."""
    lock()
    if set(User.objects.filter(is_admin=True, is_active=True).values_list("pk", flat=True)) == {user.pk}:
        raise LastAdmin


@transaction.atomic
def suspend(user: User, *, actor: User) -> None:
    """Sessions, links and keys of this person are dead at once; keys live again when the suspension ends."""
    keeps_an_admin(user)
    if user.pk == actor.pk:
        raise Refused(_("You cannot suspend yourself. Another administrator can."))
    user.is_active = False
    user.save(update_fields=["is_active"])
    sessions.end(user.sessions.all())
    user.sign_in_links.all().delete()
    record("user.suspend", actor=actor, thing=user, email=user.email)


@transaction.atomic
def restore(user: User, *, actor: User) -> None:
    user.is_active = True
    user.save(update_fields=["is_active"])
    record("user.restore", actor=actor, thing=user, email=user.email)


@transaction.atomic
def set_admin(user: User, is_admin: bool, *, actor: User) -> None:
    if not is_admin:
        keeps_an_admin(user)
    user.is_admin = is_admin
    user.save(update_fields=["is_admin"])
    record("user.admin", actor=actor, thing=user, email=user.email, is_admin=is_admin)


@transaction.atomic
def appoint_owner(workspace: Workspace, email: str, *, actor: User) -> Membership:
    """Makes somebody an owner of a workspace, for instance of one whose owner was suspended."""
    user = User.objects.people().filter(email=UserManager.normalise(email), is_active=True).first()
    if user is None:
        raise Refused(_("No user who is not suspended has this e-mail address."))
    member = Membership.objects.update_or_create(workspace=workspace, user=user, defaults={"role": Role.OWNER})[0]
    record("member.appoint", actor=actor, workspace=workspace, thing=user, email=user.email, role=Role.OWNER)
    return member
