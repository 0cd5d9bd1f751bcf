"""Searches as rows: those that people keep, and what counts how much in a workspace's."""

from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from north.workspaces.models import User, Workspace


class SavedSearch(models.Model):
    """A question with its filters that a person keeps for later. Theirs alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="saved_searches")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_searches")
    name = models.CharField(_("name"), max_length=120)
    query = models.CharField(max_length=4000)
    """The search page's query string."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "user", "name"], name="one_saved_search_a_name")]
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class SearchWeights(models.Model):
    """What counts how much in the searches of one workspace, in place of the defaults: fitted there, for one pair of models."""

    workspace = models.OneToOneField(Workspace, on_delete=models.CASCADE, primary_key=True, related_name="search_weights")
    embed_model = models.CharField(max_length=200)
    score_model = models.CharField(max_length=200, blank=True)
    cosine = models.FloatField()
    words = models.FloatField()
    offset = models.FloatField()
    blend = models.FloatField()
    """How many times as much as by default the first search counts beside the model that judges."""
    since = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.cosine:g}, {self.words:g}, {self.offset:g}; {self.blend:g}"
