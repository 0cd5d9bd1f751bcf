"""What the API keeps of its own: answers to requests that may come again."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models

from north.workspaces.models import User, Workspace


class KeptAnswer(models.Model):
    """The answer to one request with an `Idempotency-Key`. Without a status it is under way, by whoever wrote `until`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    key = models.CharField(max_length=255)
    request = models.CharField(max_length=64)
    """SHA-256 of method, address and body."""
    until = models.DateTimeField()
    """Then whoever is at it is taken for dead."""
    status = models.PositiveSmallIntegerField(null=True)
    body = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "user", "key"], name="one_answer_a_key")]

    def __str__(self) -> str:
        return self.key
