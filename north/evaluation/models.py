"""A workspace's golden set, the questions whose answers people know, and what was measured with it. A measurement's row is its job."""

from __future__ import annotations

import hashlib
import unicodedata
import uuid
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from north.documents.models import Document
from north.leases import OPEN, Job
from north.workspaces.models import User, Workspace

WAYS = ("bm25", "dense", "fused", "reranked")
"""Of searching, by which what is measured is told."""


def digest(text: str) -> str:
    """The same for questions that differ by case, spaces and width only."""
    return hashlib.sha256(" ".join(unicodedata.normalize("NFKC", text).casefold().split()).encode()).hexdigest()


class GoldenQuestion(models.Model):
    """A question and the documents that answer it. It is asked in the name of its `asker`, who wrote its words: nobody finds out by a
    question of theirs what others may read."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="golden_questions")
    asker = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    text = models.TextField()
    digest = models.CharField(max_length=64)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-created_at", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["workspace", "asker", "digest"], name="one_golden_question_a_person"),
        ]

    def __str__(self) -> str:
        return self.text[:80]


class GoldenAnswer(models.Model):
    question = models.ForeignKey(GoldenQuestion, on_delete=models.CASCADE, related_name="answers")
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="+")
    grade = models.PositiveSmallIntegerField(default=1)
    """How well it answers, for what knows more than yes."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["created_at", "pk"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["question", "document"], name="one_golden_answer_a_document")]

    def __str__(self) -> str:
        return f"{self.document_id} answers {self.question_id}"


class Measurement(Job):
    """The golden set asked of the workspace's own index: to see how well it is found (`measure`), or by which weights best (`fit`)."""

    class Kind(models.TextChoices):
        MEASURE = "measure", _("measured")
        FIT = "fit", _("weights fitted")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="measurements")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    asked_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    commit = models.CharField(max_length=60, blank=True)
    embed_model = models.CharField(max_length=200, blank=True)
    score_model = models.CharField(max_length=200, blank=True)
    weights = models.JSONField(default=dict)
    """{"cosine", "words", "offset", "blend", "own": whether they are the workspace's}: those that were measured, or fitted."""
    documents = models.PositiveIntegerField(default=0)
    """In the index of the workspace at that time."""
    questions = models.PositiveIntegerField(default=0)
    """In the set; while it works, also what is still to be asked."""
    left_out = models.JSONField(default=dict)
    """{"left": questions of people who left, "hidden": whose documents are gone or closed to their asker}."""
    figures = models.JSONField(default=dict)
    """Measured: by way of searching, each measure's mean and `interval`. Fitted: `fitting.Fit` as a dictionary."""
    trace = models.CharField(max_length=32, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(status__in=[str(one) for one in OPEN]), name="one_measurement_at_a_time"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def seconds(self) -> float | None:
        return (self.ended_at - self.started_at).total_seconds() if self.started_at and self.ended_at else None


class Outcome(models.Model):
    """What one question found in one measurement; kept as it comes, so that an interrupted one goes on."""

    measurement = models.ForeignKey(Measurement, on_delete=models.CASCADE, related_name="outcomes")
    question = models.ForeignKey(GoldenQuestion, on_delete=models.CASCADE, related_name="outcomes")
    judged = models.JSONField()
    """{document: grade}: what counted as an answer then."""
    values = models.JSONField()
    """Measured: by way of searching, each measure. Fitted: nDCG@10 by choice of weights."""
    hits = models.JSONField(default=list)
    """The documents that the search as people have it found, best first."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["measurement", "question"], name="one_outcome_a_question")]

    def __str__(self) -> str:
        return f"{self.question_id} in {self.measurement_id}"
