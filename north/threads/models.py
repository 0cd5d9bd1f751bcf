"""What was asked: agents, threads, runs with their steps and citations. A run's rows are the record; its stream is only the view."""

from __future__ import annotations

import re
import uuid
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from north.leases import Leased, LeasedQuerySet
from north.workspaces.models import ApiKey, Membership, User, Workspace

TITLE_LENGTH = 80


class Agent(models.Model):
    """A configured assistant of a workspace; the oldest is the one that answers."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="agents")
    name = models.CharField(_("name"), max_length=80)
    instructions = models.TextField(_("instructions"), blank=True, max_length=4000)
    questions = models.JSONField(default=list)
    """Good example questions, shown where a thread is empty."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["created_at"]

    def __str__(self) -> str:
        return self.name


class ThreadQuerySet(models.QuerySet):
    def of(self, membership: Membership) -> Self:
        """This person's own threads in this workspace: the only way in."""
        return self.filter(workspace=membership.workspace_id, user=membership.user_id, deleted_at=None)

    def matching(self, query: str) -> Self:
        """Those in whose title, questions or answers every word of `query` stands. Upper and lower case are the same in every script."""
        found = self
        for word in query.split()[:8]:
            pattern = re.escape(word)
            said = Run.objects.filter(Q(question__iregex=pattern) | Q(answer__iregex=pattern)).values("thread")
            found = found.filter(Q(title__iregex=pattern) | Q(pk__in=said))
        return found


class Thread(models.Model):
    """One person's conversation in a workspace; nobody else's. A deleted one is a tombstone until the sweeper has cleared its journals
    and checkpoints."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="threads")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="threads")
    title = models.CharField(_("title"), max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    asked_at = models.DateTimeField(null=True, db_index=True)
    deleted_at = models.DateTimeField(null=True, db_index=True)

    objects = ThreadQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-asked_at", "-created_at"]

    def __str__(self) -> str:
        return self.title


class RunQuerySet(LeasedQuerySet):
    def of(self, membership: Membership) -> Self:
        """Runs of this person's own threads in this workspace: the only way in."""
        return self.filter(thread__workspace=membership.workspace_id, thread__user=membership.user_id, thread__deleted_at=None)

    def open(self) -> Self:
        return self.filter(status__in=OPEN)

    def over(self) -> Self:
        return self.exclude(status__in=OPEN)


class Run(Leased):
    """One question and its answer."""

    class Status(models.TextChoices):
        PENDING = "pending", _("waiting")
        RUNNING = "running", _("working")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("stopped")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="runs")
    question = models.TextField(max_length=8000)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING, db_index=True)
    answer = models.TextField(blank=True)
    unsupported = models.JSONField(default=list)
    """[{"start", "end", "text"}]: words of the answer that rest on nothing that was found."""
    searched = models.JSONField(default=list)
    """The queries, in order."""
    refused = models.BooleanField(default=False)
    error = models.TextField(blank=True)
    cancel_requested = models.BooleanField(default=False)
    checkpointed = models.BooleanField(default=False)
    """Checkpoints of this run may still lie in the checkpointer."""
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    tokens_cached = models.PositiveIntegerField(default=0)
    milliseconds = models.PositiveIntegerField(default=0)
    """That its calls held the chat model, in all attempts, as are the tokens."""
    key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, db_index=False, related_name="+")
    """By which it was asked; None: in the browser."""
    trace = models.CharField(max_length=32, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True)
    first_token_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    objects = RunQuerySet.as_manager()  # type: ignore[misc]

    class Meta:
        ordering: ClassVar = ["created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["thread"], condition=Q(status__in=["pending", "running"]), name="one_question_at_a_time")
        ]

    def __str__(self) -> str:
        return self.question[:TITLE_LENGTH]

    @property
    def over(self) -> bool:
        return self.status not in OPEN

    @property
    def seconds(self) -> float | None:
        """From the question to the end; `None` while it works."""
        return (self.ended_at - self.created_at).total_seconds() if self.ended_at else None


OPEN = [Run.Status.PENDING, Run.Status.RUNNING]


class Step(models.Model):
    """One move in a run; `key` is the agent's own name for it, the same after a resume."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="steps")
    key = models.CharField(max_length=60)
    ordinal = models.PositiveSmallIntegerField()
    kind = models.CharField(max_length=20)
    detail = models.JSONField(default=dict)
    error = models.TextField(blank=True)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)
    tokens_in = models.PositiveIntegerField(default=0)
    tokens_out = models.PositiveIntegerField(default=0)
    tokens_cached = models.PositiveIntegerField(default=0)
    milliseconds = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["ordinal"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "key"], name="one_step_a_key")]

    def __str__(self) -> str:
        return self.key


class Citation(models.Model):
    """Which words of an answer rest on which words of documents; Cohere's field names."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="citations")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    text = models.TextField()
    sources = models.JSONField()
    """[{"document": id, "name", "start", "end", "text", "score"}], best first; spans of the document's text."""

    class Meta:
        ordering: ClassVar = ["start"]

    def __str__(self) -> str:
        return self.text
