"""The hosts that a workspace's agents may ask for pages."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

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
