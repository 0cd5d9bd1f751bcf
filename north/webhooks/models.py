"""Who is told what happens in a workspace: addresses of programs, and each message to one of them. The row of a message is the job."""

from __future__ import annotations

import base64
import secrets
import uuid
from datetime import timedelta
from typing import ClassVar, Self
from urllib.parse import urlsplit

from django.db import models
from django.db.models import Min, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from north.leases import Job, JobQuerySet
from north.sealing import seal, unseal
from north.workspaces.models import User, Workspace


class Event(models.TextChoices):
    RUN_FINISHED = "run.finished", _("A run has finished: answered, failed or stopped")
    APPROVAL_NEEDED = "approval.needed", _("A run waits for somebody's approval")
    SYNC_FAILED = "sync.failed", _("A source could not be synced; told once, until it works again")
    SYNC_STUCK = "sync.stuck", _("A sync got no further; it was begun again, or given up")


TEST = "webhook.test"


def new_secret() -> str:
    """As the Standard Webhooks write it: `whsec_` and 32 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


class Webhook(models.Model):
    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="webhooks")
    url = models.TextField(_("address"), max_length=2000)
    events = models.JSONField(default=list)
    sealed = models.TextField(editable=False)
    """The secret under which messages are signed, encrypted; the one before it, too, while both sign."""
    old_sealed = models.TextField(blank=True, editable=False)
    old_until = models.DateTimeField(null=True)
    made_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    failing_since = models.DateTimeField(null=True)
    try_at = models.DateTimeField(null=True)
    """While it fails: when it is tried again."""
    disabled_at = models.DateTimeField(null=True)
    disabled_why = models.TextField(blank=True)
    """Empty where a person switched it off."""

    class Meta:
        ordering: ClassVar = ["created_at"]

    def __str__(self) -> str:
        return self.url

    @property
    def host(self) -> str:
        return urlsplit(self.url).netloc

    @property
    def state(self) -> str:
        return "off" if self.disabled_at else "failing" if self.failing_since else "well"

    def secrets(self) -> list[str]:
        """Those that sign a message now. Raises `sealing.Unreadable`."""
        old = [unseal(self.old_sealed)] if self.old_sealed and self.old_until and self.old_until > timezone.now() else []
        return [unseal(self.sealed), *old]

    def set_secret(self, *, old_lasts: timedelta = timedelta()) -> str:
        """A new secret, which is not shown again; the one so far signs as well for so long."""
        secret = new_secret()
        self.old_sealed, self.old_until = self.sealed, timezone.now() + old_lasts
        self.sealed = seal(secret)
        return secret


class DeliveryQuerySet(JobQuerySet):
    def sendable(self) -> Self:
        """What may be sent now: everything that is due; of a webhook that fails only the oldest, and that when it is tried again."""
        now = timezone.now()
        ready = self.open().due().filter(webhook__disabled_at=None)
        well = Q(webhook__failing_since=None)
        again = Q(webhook__try_at=None) | Q(webhook__try_at__lte=now)
        failing = ready.filter(~well & again).order_by().values("webhook").annotate(first=Min("number")).values("first")
        return ready.filter(well | Q(number__in=failing)).order_by("number")


class Delivery(Job):
    """One message to one webhook. What is sent, `body`, never changes, however often it is tried."""

    number = models.BigAutoField(primary_key=True)
    id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=40)
    body = models.TextField()
    created_at = models.DateTimeField(auto_now_add=True)
    tried_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    answered = models.PositiveSmallIntegerField(null=True)
    """The status of the last answer; None: there was none."""
    answer = models.TextField(blank=True)
    """How it begins."""
    milliseconds = models.PositiveIntegerField(null=True)

    objects = DeliveryQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering: ClassVar = ["-number"]

    def __str__(self) -> str:
        return f"{self.event} {self.id}"

    @property
    def message_id(self) -> str:
        """The same at each attempt, so that a receiver can tell a message that comes twice."""
        return f"msg_{self.id.hex}"
