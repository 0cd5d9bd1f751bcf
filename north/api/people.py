"""Workspaces and their people by REST. A key ends at the wall of its workspace: it sees and changes this one only."""

from __future__ import annotations

import uuid
from functools import partial

from django.core.exceptions import ValidationError as DjangoValidationError
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Query, Status

from north.api.keys import Key, caller
from north.api.paging import Paging, page
from north.api.problems import Conflict, Wrong
from north.api.router import answers, router
from north.api.schemas.people import (
    DeletionAsked,
    InvitationIn,
    InvitationMade,
    InvitationOut,
    InvitationPage,
    MemberOut,
    MemberPage,
    MeOut,
    RoleIn,
    WorkspaceChange,
    WorkspaceIn,
    WorkspaceOut,
)
from north.api.tags import held, tagged
from north.workspaces import actions
from north.workspaces.access import demand
from north.workspaces.models import Group, Invitation, Membership, Role, Workspace

routes = router()


def owner(request: HttpRequest) -> Membership:
    actor = caller(request)
    demand(actor, Role.OWNER)
    return actor


# --- the workspace --------------------------------------------------------------------------------------------------------------------
def workspace_out(workspace: Workspace) -> WorkspaceOut:
    return WorkspaceOut(**{name: getattr(workspace, name) for name in WorkspaceOut.model_fields})


@routes.get("/me", response=answers(200, MeOut, 304), summary="Whom this key acts as", tags=["workspace"])
def me(request: HttpRequest, response: HttpResponse) -> MeOut:
    actor = caller(request)
    groups = actor.user.knowledge_groups.filter(workspace=actor.workspace).values_list("name", flat=True)
    user = actor.user
    shape = MeOut(user=user.pk, email=user.email, name=user.name, role=actor.role, groups=groups, workspace=workspace_out(actor.workspace))  # type: ignore[arg-type]
    return tagged(request, response, shape)


@routes.post(
    "/workspaces", auth=Key("admin"), response=answers(201, WorkspaceOut, 409), summary="Make another workspace", tags=["workspace"]
)
def create_workspace(request: HttpRequest, body: WorkspaceIn) -> Status[WorkspaceOut]:
    """The key's user owns it. This key does not open it: make one for it on its settings page."""
    return Status(201, workspace_out(actions.create_workspace(body.name, actor=caller(request).user).workspace))


@routes.get("/workspace", response=answers(200, WorkspaceOut, 304), summary="The key's workspace", tags=["workspace"])
def get_workspace(request: HttpRequest, response: HttpResponse) -> WorkspaceOut:
    return tagged(request, response, workspace_out(caller(request).workspace))


@routes.patch(
    "/workspace", auth=Key("admin"), response=answers(200, WorkspaceOut, 409, 412), summary="Change the workspace", tags=["workspace"]
)
def change_workspace(request: HttpRequest, response: HttpResponse, body: WorkspaceChange) -> WorkspaceOut:
    """What is left out or null stays as it is."""
    actor = owner(request)
    with held(request, Workspace.objects.filter(pk=actor.workspace_id), workspace_out) as workspace:
        actor.workspace = workspace
        now = {name: getattr(workspace, name) for name in WorkspaceChange.model_fields}
        actions.change_workspace(**{**now, **body.model_dump(exclude_none=True)}, actor=actor)
    return tagged(request, response, workspace_out(actor.workspace))


@routes.delete(
    "/workspace",
    auth=Key("admin"),
    response=answers(204, None, 409, 412),
    summary="Delete the workspace with everything in it",
    tags=["workspace"],
)
def delete_workspace(request: HttpRequest, asked: Query[DeletionAsked]) -> Status[None]:
    actor = owner(request)
    with held(request, Workspace.objects.filter(pk=actor.workspace_id), workspace_out) as workspace:
        if asked.name.strip() != workspace.name:
            raise Conflict("Nothing was deleted: this is not the workspace's name.")
        actions.delete_workspace(workspace, actor=actor)
    return Status(204, None)


# --- members --------------------------------------------------------------------------------------------------------------------------
def members_of(actor: Membership) -> QuerySet[Membership]:
    return Membership.objects.filter(workspace=actor.workspace).select_related("user", "workspace")


def member_out(actor: Membership, member: Membership, groups: dict[uuid.UUID, list[str]] | None = None) -> MemberOut:
    if groups is None:
        groups = groups_by_user(actor, [member])
    return MemberOut(
        user=member.user_id,
        email=member.user.email,
        name=member.user.name,
        role=member.role,  # type: ignore[arg-type]
        suspended=not member.user.is_active,
        joined_at=member.created_at,
        groups=groups.get(member.user_id, []) if actor.is_owner else None,
    )


def groups_by_user(actor: Membership, members: list[Membership]) -> dict[uuid.UUID, list[str]]:
    found: dict[uuid.UUID, list[str]] = {}
    if actor.is_owner:
        through = Group.users.through.objects.filter(group__workspace=actor.workspace, user__in=[one.user_id for one in members])
        for user, name in through.order_by("group__name").values_list("user", "group__name"):
            found.setdefault(user, []).append(name)
    return found


@routes.get("/members", response=answers(200, MemberPage), summary="List members", tags=["people"])
def list_members(request: HttpRequest, paging: Query[Paging]) -> MemberPage:
    actor = caller(request)
    found, following = page(members_of(actor), paging, by="created_at", within=actor.workspace_id)
    groups = groups_by_user(actor, found)
    return MemberPage(items=[member_out(actor, one, groups) for one in found], next=following)


@routes.get("/members/{uuid:user_id}", response=answers(200, MemberOut, 304), summary="One member", tags=["people"])
def get_member(request: HttpRequest, response: HttpResponse, user_id: uuid.UUID) -> MemberOut:
    actor = caller(request)
    return tagged(request, response, member_out(actor, get_object_or_404(members_of(actor), user_id=user_id)))


@routes.patch(
    "/members/{uuid:user_id}",
    auth=Key("admin"),
    response=answers(200, MemberOut, 409, 412),
    summary="Change a member's role",
    tags=["people"],
)
def change_member(request: HttpRequest, response: HttpResponse, user_id: uuid.UUID, body: RoleIn) -> MemberOut:
    actor = owner(request)
    with held(request, members_of(actor).filter(user_id=user_id), partial(member_out, actor)) as member:
        actions.change_role(member, Role(body.role), actor=actor)
    return tagged(request, response, member_out(actor, member))


@routes.delete(
    "/members/{uuid:user_id}",
    auth=Key("admin"),
    response=answers(204, None, 409, 412),
    summary="Remove a member, or leave",
    tags=["people"],
)
def remove_member(request: HttpRequest, user_id: uuid.UUID) -> Status[None]:
    """An owner removes anybody; everybody may leave. Groups and keys of the workspace go with the membership."""
    actor = caller(request)
    if user_id != actor.user_id:
        demand(actor, Role.OWNER)
    with held(request, members_of(actor).filter(user_id=user_id), partial(member_out, actor)) as member:
        actions.remove(member, actor=actor)
    return Status(204, None)


# --- invitations ----------------------------------------------------------------------------------------------------------------------
def standing(actor: Membership) -> QuerySet[Invitation]:
    return Invitation.objects.filter(workspace=actor.workspace, used_at=None, expires_at__gt=timezone.now())


def invitation_out(invitation: Invitation) -> InvitationOut:
    return InvitationOut(**{name: getattr(invitation, name) for name in InvitationOut.model_fields})


@routes.get("/invitations", auth=Key("admin"), response=answers(200, InvitationPage), summary="List standing invitations", tags=["people"])
def list_invitations(request: HttpRequest, paging: Query[Paging]) -> InvitationPage:
    actor = owner(request)
    found, following = page(standing(actor), paging, by="-created_at", within=actor.workspace_id)
    return InvitationPage(items=[invitation_out(one) for one in found], next=following)


@routes.post("/invitations", auth=Key("admin"), response=answers(201, InvitationMade, 409), summary="Invite somebody", tags=["people"])
def invite(request: HttpRequest, body: InvitationIn) -> Status[InvitationMade]:
    """Give the link only to the person whom it is for. One that the same address had before dies."""
    actor = owner(request)
    try:
        validate_email(body.email.strip())
    except DjangoValidationError:
        raise Wrong("/email", "This is not an e-mail address.") from None
    invitation, link = actions.invite(body.email, Role(body.role), actor=actor)
    return Status(201, InvitationMade(**invitation_out(invitation).model_dump(), link=link))


@routes.get(
    "/invitations/{uuid:invitation_id}",
    auth=Key("admin"),
    response=answers(200, InvitationOut, 304),
    summary="One invitation",
    tags=["people"],
)
def get_invitation(request: HttpRequest, response: HttpResponse, invitation_id: uuid.UUID) -> InvitationOut:
    found = get_object_or_404(standing(owner(request)), pk=invitation_id)
    return tagged(request, response, invitation_out(found))


@routes.delete(
    "/invitations/{uuid:invitation_id}",
    auth=Key("admin"),
    response=answers(204, None, 409, 412),
    summary="Take an invitation back",
    tags=["people"],
)
def take_back(request: HttpRequest, invitation_id: uuid.UUID) -> Status[None]:
    """Its link is dead from then on."""
    actor = owner(request)
    with held(request, standing(actor).filter(pk=invitation_id), invitation_out) as invitation:
        actions.take_back(invitation, actor=actor)
    return Status(204, None)
