"""The accounts and groups of a source, as rows; `identities.py` says what they are for. And the rights that wait, for `granting.py`."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from north.workspaces.models import User


class Identity(models.Model):
    """An account of a source. `mapped`: an owner said who that is, or with no `user` that it is nobody; else its address says so."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    source = models.ForeignKey("Source", on_delete=models.CASCADE, related_name="identities")
    key = models.CharField(max_length=400)
    name = models.CharField(_("name"), max_length=200, blank=True)
    email = models.CharField(max_length=254, blank=True, db_index=True)
    active = models.BooleanField(default=True)
    mapped = models.BooleanField(default=False)
    user = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    principals = models.JSONField(default=list)
    listed = models.PositiveIntegerField(default=0)
    """The listing in which it was named last."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["source", "key"], name="one_identity_an_account")]
        ordering: ClassVar = ["name", "key"]

    def __str__(self) -> str:
        return self.name or self.key


class SourceGroup(models.Model):
    """A group of a source: keys of the accounts and groups that are in it. Where they could not be read, nobody is known to be in it."""

    source = models.ForeignKey("Source", on_delete=models.CASCADE, related_name="groups")
    key = models.CharField(max_length=400)
    name = models.CharField(max_length=200, blank=True)
    users = models.JSONField(default=list)
    groups = models.JSONField(default=list)
    readable = models.BooleanField(default=True)
    listed = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["source", "key"], name="one_group_a_source_key")]
        ordering: ClassVar = ["key"]

    def __str__(self) -> str:
        return self.name or self.key


class Rule(models.Model):
    """Rights that must hold together, such as a page's and its space's: documents list the rule, and who keeps it holds its principal."""

    source = models.ForeignKey("Source", on_delete=models.CASCADE, related_name="rules")
    principal = models.CharField(max_length=200)
    clauses = models.JSONField(default=list)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["source", "principal"], name="one_rule_a_principal")]

    def __str__(self) -> str:
        return self.principal


class PendingPrincipal(models.Model):
    """One that a document is to list when the pass that found it has come to its end; until then it opens nothing. A table of its own,
    so that nobody who asks who may read can meet it."""

    document = models.ForeignKey("Document", on_delete=models.CASCADE, related_name="+")
    value = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.value
