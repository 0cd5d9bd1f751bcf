"""Agents as a workspace configures them, version by version: whom a question of a thread is for."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from north.workspaces.models import Membership, User, Workspace


class AgentQuerySet(models.QuerySet):
    def of(self, membership: Membership) -> Self:
        """Those that this person may use: the workspace's shared ones, and their own; by a key that is limited to some, only these."""
        found = self.filter(Q(shared=True) | Q(made_by=membership.user_id), workspace=membership.workspace_id, retired_at=None)
        key = membership.key
        return found if key is None or key.agents is None else found.filter(pk__in=key.agents)

    def default(self) -> Agent | None:
        """The one that answers where none is chosen: the oldest that is shared."""
        return self.filter(shared=True, retired_at=None).first()  # type: ignore[return-value]


class Agent(models.Model):
    """A configured assistant of a workspace, as it was saved last; the oldest shared one answers where none is chosen."""

    VALUES: ClassVar = (
        "name",
        "about",
        "instructions",
        "questions",
        "sources",
        "rules",
        "confirms",
        "limits",
        "language",
        "length",
        "form",
    )
    """What a version holds."""

    class Length(models.TextChoices):
        SHORT = "short", _("short: two sentences")
        MEDIUM = "", _("as the question needs")
        LONG = "long", _("long: with all details")

    class Form(models.TextChoices):
        FREE = "", _("as the question needs")
        PROSE = "prose", _("paragraphs")
        LIST = "list", _("a list of points")
        TABLE = "table", _("a table")

    class Confirms(models.TextChoices):
        NEVER = "never", _("never")
        WRITES = "writes", _("when it changes something")
        ALWAYS = "always", _("always")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="agents")
    name = models.CharField(_("name"), max_length=80)
    instructions = models.TextField(_("instructions"), blank=True, max_length=4000)
    questions = models.JSONField(default=list)
    """Good example questions, shown where a thread is empty."""
    about = models.CharField(_("what it is for"), max_length=200, blank=True)
    sources = models.JSONField(default=list)
    """Ids of those whose documents it knows, "" being uploads; none: all that the asker may read."""
    rules = models.JSONField(default=dict)
    """{tool: "ask" or "deny"}: only ever stricter than what the workspace says of the tool."""
    confirms = models.CharField(_("show its plans first"), max_length=6, choices=Confirms.choices, default=Confirms.NEVER)
    """Which plans whoever asked sees, and may change, before they run."""
    limits = models.JSONField(default=dict)
    """{"searches", "steps", "seconds"}: what is left out is as the chat model allows."""
    language = models.CharField(_("language of the answers"), max_length=8, blank=True)
    length = models.CharField(_("length of the answers"), max_length=8, blank=True, choices=Length.choices)
    form = models.CharField(_("form of the answers"), max_length=8, blank=True, choices=Form.choices)
    shared = models.BooleanField(default=True)
    """With the workspace; else it is its maker's alone."""
    made_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    number = models.PositiveIntegerField(default=0)
    """Of its newest version; 0: it was never saved by a person."""
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True)

    objects = AgentQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at"]

    def __str__(self) -> str:
        return self.name

    def values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.VALUES}


class AgentVersion(models.Model):
    """An agent as it was saved once. A run goes on with the version that it was asked of."""

    agent = models.ForeignKey(Agent, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    values = models.JSONField()
    """As `Agent.values`."""
    saved_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["agent", "number"], name="one_agent_version_a_number")]

    def __str__(self) -> str:
        return f"{self.number}"
