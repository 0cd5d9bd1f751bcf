"""Who is in a workspace, and what it is."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import ClassVar, Literal

from ninja import Schema
from pydantic import Field

from north.api.schemas import In, Page, Text

Role = Literal["owner", "editor", "reader"]


class WorkspaceOut(Schema):
    id: uuid.UUID
    name: str
    slug: str
    grounded: bool = Field(description="Answers only from documents.")
    removes_unsupported: bool = Field(description="Sentences of answers that rest on no source are taken out; else they are marked.")
    uploads_for_all: bool = Field(description="Uploads are for all members unless groups are named.")
    created_at: datetime


class WorkspaceIn(In):
    name: Text = Field(min_length=1, max_length=120)


class WorkspaceChange(In):
    name: Text | None = Field(None, min_length=1, max_length=120)
    grounded: bool | None = None
    removes_unsupported: bool | None = None
    uploads_for_all: bool | None = None


class DeletionAsked(Schema):
    name: Text = Field(max_length=120, description="The workspace's name, so that no slip deletes it.")


class MeOut(Schema):
    user: uuid.UUID
    email: str
    name: str
    role: Role
    groups: list[str]
    workspace: WorkspaceOut


class MemberOut(Schema):
    user: uuid.UUID
    email: str
    name: str
    role: Role
    suspended: bool
    joined_at: datetime
    groups: list[str] | None = Field(description="Told to owners; null for others.")


class MemberPage(Page):
    items: list[MemberOut]


class RoleIn(In):
    role: Role


class InvitationIn(In):
    email: Text = Field(min_length=3, max_length=254, json_schema_extra={"format": "email"})
    role: Role = "reader"


class InvitationOut(Schema):
    id: uuid.UUID
    email: str
    role: Role
    expires_at: datetime
    created_at: datetime


class InvitationMade(InvitationOut):
    shown_once: ClassVar[set[str]] = {"link"}
    link: str | None = Field(description="Works once. It is in this answer only; where the request is repeated it is null.")


class InvitationPage(Page):
    items: list[InvitationOut]


class GroupIn(In):
    name: Text = Field(min_length=1, max_length=80)


class GroupOut(Schema):
    id: uuid.UUID
    name: str
    members: list[uuid.UUID] | None = Field(description="The users in it, told to owners; null for others.")


class GroupPage(Page):
    items: list[GroupOut]


class GroupMembersIn(In):
    members: list[uuid.UUID] = Field(max_length=1000, description="Exactly these users, all of them members of the workspace.")
