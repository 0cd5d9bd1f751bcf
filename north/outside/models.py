"""The hosts that a workspace's agents may ask for pages, and the servers whose tools they may use."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from north.workspaces.models import User, Workspace


class AllowedHost(models.Model):
    """`host`: a name as in an address, perhaps with a port; `*.` before it stands for every name below."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="allowed_hosts")
    host = models.CharField(max_length=260)
    added_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["host"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "host"], name="one_allowance_a_host")]

    def __str__(self) -> str:
        return self.host


class ToolServer(models.Model):
    """A program that offers tools by the Model Context Protocol (streamable HTTP), as an owner registered it."""

    class Secret(models.TextChoices):
        NONE = "none", _("none")
        SERVER = "server", _("one for everybody")
        USER = "user", _("each person's own")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="tool_servers")
    name = models.CharField(max_length=20)
    url = models.TextField(max_length=2000)
    secret = models.CharField(max_length=6, choices=Secret.choices, default=Secret.NONE)
    """Whose, sent as a bearer token."""
    made_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    read_at = models.DateTimeField(null=True)
    error = models.TextField(blank=True)
    """Why its tools could not be read the last time."""

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "name"], name="one_tool_server_a_name")]

    def __str__(self) -> str:
        return self.name


class ServerSecret(models.Model):
    """What a server is told to know who asks: a person's, or without one everybody's."""

    server = models.ForeignKey(ToolServer, on_delete=models.CASCADE, related_name="secrets")
    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="+")
    sealed = models.TextField(editable=False)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["server", "user"], name="one_secret_a_person"),
            models.UniqueConstraint(fields=["server"], condition=models.Q(user=None), name="one_secret_for_everybody"),
        ]

    def __str__(self) -> str:
        return f"{self.server_id}"


class ServerTool(models.Model):
    """A tool as its server describes it. It may be used only while that is what an owner approved."""

    server = models.ForeignKey(ToolServer, on_delete=models.CASCADE, related_name="tools")
    name = models.CharField(max_length=38)
    about = models.TextField()
    schema = models.JSONField(default=dict)
    digest = models.CharField(max_length=64)
    """SHA-256 of its name, description and schema as they are now."""
    approved = models.CharField(max_length=64, blank=True)
    """The digest that was approved; empty: none."""

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["server", "name"], name="one_tool_a_name")]

    def __str__(self) -> str:
        return self.full_name

    @property
    def full_name(self) -> str:
        return f"{self.server.name}.{self.name}"

    @property
    def state(self) -> str:
        return "new" if not self.approved else "approved" if self.approved == self.digest else "changed"
