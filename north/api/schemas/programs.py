"""What programs come by and are told by: keys, service accounts, limits, webhooks."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, ClassVar, Literal

from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, Field, StringConstraints

from north.api.schemas import In, Page, Text, storable
from north.api.schemas.people import Role
from north.api.schemas.work import DayFigures, Figures, NamedFigures
from north.webhooks.models import Event
from north.workspaces.keys import MOST_REQUESTS, MOST_TOKENS
from north.workspaces.models import KeyScope

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80), AfterValidator(storable)]
Some = Annotated[list[uuid.UUID], Field(min_length=1, max_length=1000)]


# --- keys -----------------------------------------------------------------------------------------------------------------------------
class KeyIn(In):
    name: Name = Field(description="What it is for.")
    scopes: list[KeyScope] = Field(min_length=1, max_length=10)
    expires_at: AwareDatetime | None = Field(description="A time with its zone; null: no end.")
    acts_as: uuid.UUID | None = Field(None, description="A service account, for owners; null: whom the calling key acts as.")
    agents: Some | None = Field(None, description="Only these; null: all.")
    sources: Some | None = Field(None, description="Only documents of these; null: all that it may read.")


class KeyOut(Schema):
    id: uuid.UUID
    name: str
    prefix: str = Field(description="What the key begins with.")
    acts_as: uuid.UUID
    acts_as_name: str
    scopes: list[KeyScope]
    agents: list[uuid.UUID] | None
    sources: list[uuid.UUID] | None
    created_at: datetime
    expires_at: datetime | None
    used_at: datetime | None = Field(description="To the minute.")
    rotated_at: datetime | None
    old_until: datetime | None = Field(description="Until when the key before the last rotation is taken.")
    revoked_at: datetime | None


class KeyMade(KeyOut):
    shown_once: ClassVar[set[str]] = {"key"}
    key: str | None = Field(description="The key itself. It is in this answer only; where the request is repeated it is null.")


class KeyPage(Page):
    items: list[KeyOut]


class RotationIn(In):
    grace_hours: Annotated[Literal[0, 1, 24, 168], Field(description="How long the key so far is taken, too; 0: it dies now.")] = 24


class Limits(Schema):
    """null: no limit. Days and months are UTC."""

    requests_per_minute: int | None
    tokens_per_day: int | None
    tokens_per_month: int | None
    refuses: bool


class LimitsIn(In):
    """What is left out or null is not limited."""

    requests_per_minute: int | None = Field(None, ge=1, le=MOST_REQUESTS)
    tokens_per_day: int | None = Field(None, ge=1, le=MOST_TOKENS, description="Read and written.")
    tokens_per_month: int | None = Field(None, ge=1, le=MOST_TOKENS)
    refuses: bool = Field(False, description="Refuse what is over the budget; else it is only warned of.")


class BudgetOut(Schema):
    span: Literal["day", "month"]
    limit: int
    used: int
    remaining: int
    refuses: bool
    ends: datetime = Field(description="When it begins anew.")


class KeyUsage(Schema):
    total: Figures
    days: list[DayFigures]
    kinds: list[NamedFigures]
    models: list[NamedFigures]
    budgets: list[BudgetOut] = Field(description="How far those that the key itself has are used up.")


# --- service accounts -----------------------------------------------------------------------------------------------------------------
class AccountIn(In):
    name: Name
    role: Role = "reader"


class AccountChange(In):
    role: Role


class AccountOut(Schema):
    id: uuid.UUID = Field(description="The user, as members and groups name it.")
    email: str
    name: str
    role: Role
    created_at: datetime


class AccountPage(Page):
    items: list[AccountOut]


# --- webhooks -------------------------------------------------------------------------------------------------------------------------
class WebhookIn(In):
    url: Text = Field(min_length=1, max_length=2000, description="http or https, to where the server may connect.")
    events: list[Event] = Field(min_length=1, max_length=10)


class WebhookChange(In):
    url: Text | None = Field(None, min_length=1, max_length=2000)
    events: list[Event] | None = Field(None, min_length=1, max_length=10)
    enabled: bool | None = None


class WebhookOut(Schema):
    id: uuid.UUID
    url: str
    events: list[Event]
    state: Literal["well", "failing", "off"]
    why: str = Field(description="Why North switched it off; empty where a person did.")
    failing_since: datetime | None
    created_at: datetime


class WebhookMade(WebhookOut):
    shown_once: ClassVar[set[str]] = {"secret"}
    secret: str | None = Field(
        description="Messages are signed with it (Standard Webhooks). It is in this answer only; where the request is repeated it is null."
    )


class WebhookPage(Page):
    items: list[WebhookOut]


class DeliveryOut(Schema):
    id: uuid.UUID
    message: str = Field(description="The header webhook-id, the same at each attempt.")
    event: str
    body: dict[str, Any] = Field(description="What is sent.")
    status: Literal["pending", "running", "done", "failed", "cancelled"]
    attempts: int
    answered: int | None = Field(description="The status of the last answer; null: there was none.")
    answer: str = Field(description="How the last answer begins.")
    milliseconds: int | None
    error: str
    created_at: datetime
    tried_at: datetime | None
    next_at: datetime | None = Field(description="When it is tried again.")
    ended_at: datetime | None


class DeliveryPage(Page):
    items: list[DeliveryOut]
