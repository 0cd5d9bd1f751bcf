"""Who agreed that a source reads what they may see."""

from __future__ import annotations

from django.db import models

from north.workspaces.models import User


class Connection(models.Model):
    """A source's consent; the token that it gave lies among the source's secrets. `name`: the account, as the service calls it."""

    source = models.OneToOneField("Source", on_delete=models.CASCADE, primary_key=True, related_name="connection")
    name = models.CharField(max_length=200, blank=True)
    by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return self.name
