"""Doors by which sources say that something changed: an unguessable address for each, and a secret that their messages prove."""

from __future__ import annotations

import secrets
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import models, transaction
from django.db.models.signals import pre_delete
from django.dispatch import receiver
from django.urls import reverse
from django.utils import timezone

from north.hints import hint
from north.sealing import seal, unseal

SHORTEST = 10.0
"""Seconds between two passes that messages begin."""
REMEMBERED = timedelta(days=1)
"""How long a service that is away is asked to close channels of a door that is gone."""


def unguessable() -> str:
    return secrets.token_urlsafe(32)


class Hook(models.Model):
    """One source's door. `wanted_at`: something changed then, and no pass has begun since."""

    source = models.OneToOneField("Source", on_delete=models.CASCADE, primary_key=True, related_name="hook")
    key = models.CharField(max_length=64, unique=True, default=unguessable)
    sealed = models.TextField(blank=True)
    wanted_at = models.DateTimeField(null=True, db_index=True)
    heard_at = models.DateTimeField(null=True)
    refused_at = models.DateTimeField(null=True)
    """When a message came last that was not the source's own."""
    channels = models.JSONField(default=dict)
    """Those that were opened at the source's service, as `retrieval.connectors.contract.Channel` says, by what they tell of."""
    told_until = models.DateTimeField(null=True)
    """When the first of them ends, if it is not renewed."""
    tend_at = models.DateTimeField(null=True, db_index=True)
    """When they are looked after next; None where there is nothing to open."""
    fault = models.TextField(blank=True)
    """Why that failed last, in words."""
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return str(self.source)

    @property
    def address(self) -> str:
        return settings.PUBLIC_URL + reverse("hook", args=[self.key])

    @property
    def secret(self) -> str:
        """Bound to its door. Raises `sealing.Unreadable`."""
        key, _, secret = unseal(self.sealed).partition(" ") if self.sealed else ("", "", "")
        return secret if key == self.key else ""

    def set_secret(self, secret: str = "") -> str:
        """A new one, or the source's own; saved by whoever calls."""
        secret = secret or secrets.token_urlsafe(32)
        self.sealed = seal(f"{self.key} {secret}")
        return secret

    def note(self, **what: Any) -> None:
        for name, value in what.items():
            setattr(self, name, value)
        Hook.objects.filter(pk=self.pk).update(**what)

    def look(self) -> UUID | None:
        """Begins a pass for what was told so far, unless one began just now or is under way; then `tasks.sync_due` comes back to it."""
        source, until = self.source, self.wanted_at
        just_now = source.synced_at and source.synced_at + timedelta(seconds=SHORTEST) > timezone.now()
        if until is None or just_now or (run := source.begin()) is None:
            return None
        Hook.objects.filter(pk=self.pk, wanted_at__lte=until).update(wanted_at=None)
        found: UUID = run.pk
        return found


class Closing(models.Model):
    """Channels of a door that is gone, which are still to be closed at their service. With all that this takes, since the source may be
    gone, too, and its workspace; `secrets` are sealed as the source's. The row goes when they are closed, or its time is over."""

    source = models.UUIDField()
    connector = models.CharField(max_length=40)
    name = models.CharField(max_length=120)
    config = models.JSONField(default=dict)
    secrets = models.TextField(blank=True)
    channels = models.JSONField()
    try_at = models.DateTimeField(default=timezone.now, db_index=True)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name

    @classmethod
    def begin(cls, source: Any, channels: Any) -> None:
        """They are closed once this is durable; `tasks.sync_due` comes back to it."""
        same = {name: getattr(source, name) for name in ("connector", "name", "config", "secrets")}
        row = cls.objects.create(source=source.pk, channels=dict(channels), **same)
        transaction.on_commit(partial(hint, "documents.close_channels", row.pk), robust=True)


@receiver(pre_delete, sender=Hook)
def leave_channels(instance: Hook, **_arguments: Any) -> None:
    """Whatever takes the door away, be it its source or its workspace. Read again and locked: a worker may have opened one just now."""
    kept = Hook.objects.select_for_update().filter(pk=instance.pk).values_list("channels", flat=True).first()
    if kept:
        Closing.begin(instance.source, kept)
