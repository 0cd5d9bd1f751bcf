"""Groups of a workspace by REST: everybody sees their own, owners all, and who is in them."""

from __future__ import annotations

import uuid
from functools import partial

from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Status

from north.api.keys import Key, caller
from north.api.paging import Paging, page
from north.api.people import members_of, owner
from north.api.router import answers, router
from north.api.schemas.people import GroupIn, GroupMembersIn, GroupOut, GroupPage
from north.api.tags import held, tagged
from north.workspaces import actions
from north.workspaces.models import Group, Membership

routes = router()


def seen_by(actor: Membership) -> QuerySet[Group]:
    groups = Group.objects.filter(workspace=actor.workspace)
    return groups if actor.is_owner else groups.filter(users=actor.user)


def group_out(actor: Membership, group: Group) -> GroupOut:
    members = sorted(user.pk for user in group.users.all()) if actor.is_owner else None
    return GroupOut(id=group.pk, name=group.name, members=members)


@routes.get("", response=answers(200, GroupPage), summary="List groups")
def list_groups(request: HttpRequest, paging: Query[Paging]) -> GroupPage:
    actor = caller(request)
    found, following = page(seen_by(actor).prefetch_related("users"), paging, by="name", within=actor.workspace_id)
    return GroupPage(items=[group_out(actor, one) for one in found], next=following)


@routes.post("", auth=Key("admin"), response=answers(201, GroupOut, 409), summary="Make a group")
def create_group(request: HttpRequest, body: GroupIn) -> Status[GroupOut]:
    actor = owner(request)
    return Status(201, group_out(actor, actions.create_group(body.name, actor=actor)))


@routes.get("/{uuid:group_id}", response=answers(200, GroupOut, 304), summary="One group")
def get_group(request: HttpRequest, response: HttpResponse, group_id: uuid.UUID) -> GroupOut:
    actor = caller(request)
    return tagged(request, response, group_out(actor, get_object_or_404(seen_by(actor), pk=group_id)))


@routes.patch("/{uuid:group_id}", auth=Key("admin"), response=answers(200, GroupOut, 409, 412), summary="Rename a group")
def rename_group(request: HttpRequest, response: HttpResponse, group_id: uuid.UUID, body: GroupIn) -> GroupOut:
    actor = owner(request)
    with held(request, seen_by(actor).filter(pk=group_id), partial(group_out, actor)) as group:
        actions.rename_group(group, body.name, actor=actor)
    return tagged(request, response, group_out(actor, group))


@routes.put("/{uuid:group_id}/members", auth=Key("admin"), response=answers(200, GroupOut, 409, 412), summary="Say who is in a group")
def set_group_members(request: HttpRequest, response: HttpResponse, group_id: uuid.UUID, body: GroupMembersIn) -> GroupOut:
    """Answers follow it from then on. A 404 where one of the users is no member of the workspace."""
    actor = owner(request)
    wanted = set(body.members)
    members = list(members_of(actor).filter(user_id__in=wanted))
    if len(members) != len(wanted):
        raise Http404
    with held(request, seen_by(actor).filter(pk=group_id), partial(group_out, actor)) as group:
        actions.set_group_members(group, members, actor=actor)
    return tagged(request, response, group_out(actor, group))


@routes.delete("/{uuid:group_id}", auth=Key("admin"), response=answers(204, None, 409, 412), summary="Delete a group")
def delete_group(request: HttpRequest, group_id: uuid.UUID) -> Status[None]:
    """What was only for this group is for nobody then, until somebody changes it."""
    actor = owner(request)
    with held(request, seen_by(actor).filter(pk=group_id), partial(group_out, actor)) as group:
        actions.delete_group(group, actor=actor)
    return Status(204, None)
