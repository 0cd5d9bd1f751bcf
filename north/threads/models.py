"""What was asked: threads, runs with their steps and citations. A run's rows are the record; its stream is only the view."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from north.leases import Job, JobQuerySet
from north.threads.agents import Agent, AgentVersion
from north.threads.naming import is_page, page_id
from north.threads.traces import Trace, TracedDocument
from north.workspaces.models import ApiKey, Membership, User, Workspace

TITLE_LENGTH = 80
__all__ = ["Agent", "AgentVersion", "Trace", "TracedDocument"]


class ThreadQuerySet(models.QuerySet):
    def of(self, membership: Membership) -> Self:
        """This person's own threads in this workspace: the only way in. A key that is limited to some agents or sources finds none in
        which anything was asked otherwise."""
        found = self.filter(workspace=membership.workspace_id, user=membership.user_id, deleted_at=None)
        if membership.key is None or not membership.key.limited:
            return found
        return found.exclude(Exists(Run.objects.filter(thread=OuterRef("pk")).exclude(key=membership.key)))

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


class RunQuerySet(JobQuerySet):
    def of(self, membership: Membership) -> Self:
        """Runs of this person's own threads in this workspace: the only way in."""
        found = self.filter(thread__workspace=membership.workspace_id, thread__user=membership.user_id, thread__deleted_at=None)
        return found.filter(key=membership.key) if membership.key and membership.key.limited else found


class Run(Job):
    """One question and its answer."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="runs")
    agent = models.ForeignKey(Agent, on_delete=models.SET_NULL, null=True, related_name="+")
    """Whom it was asked; None: whoever answers here."""
    version = models.ForeignKey(AgentVersion, on_delete=models.SET_NULL, null=True, related_name="+")
    """Of the agent; None: it was never saved by a person."""
    question = models.TextField(max_length=8000)
    answer = models.TextField(blank=True)
    unsupported = models.JSONField(default=list)
    """[{"start", "end", "text"}]: words of the answer that rest on nothing that was found."""
    claims = models.JSONField(default=list)
    """[{"start", "end", "text", "support", "reasons", "citation"}]: what the verifier said of each sentence; `citation` counts from 0."""
    thorough = models.BooleanField(default=False)
    """It asks for a report from many searches."""
    searched = models.JSONField(default=list)
    """The queries, in order."""
    refused = models.BooleanField(default=False)
    cut_short = models.TextField(blank=True)
    """Why it ended before everything was done, with the best answer that there was by then."""
    resumed_at = models.DateTimeField(null=True)
    """When whoever asked let it go on, after it was over."""
    retry_from = models.CharField(max_length=60, blank=True)
    """The key of the step before which it begins again; empty once it has."""
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
    model = models.CharField(max_length=200, blank=True)
    """The chat model that answered, or did last; empty: none yet."""
    seed = models.PositiveIntegerField(default=0)
    """Given to the model with each call."""
    repeats = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, related_name="repeated")
    """The run whose question it asks again."""
    as_then = models.BooleanField(default=False)
    """From the passages that were found then, by the same version of the agent and with the same seed."""
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
    def may_go_on(self) -> bool:
        """It is over without having come to its end, or a step of it may be done again: its checkpoints are kept for a while."""
        return self.over and self.checkpointed

    @property
    def seconds(self) -> float | None:
        """From the question to the end; `None` while it works."""
        return (self.ended_at - (self.resumed_at or self.created_at)).total_seconds() if self.ended_at else None


class Queued(models.Model):
    """A further question of a thread whose run is not over: asked when it is, under this id."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    thread = models.ForeignKey(Thread, on_delete=models.CASCADE, related_name="queued")
    question = models.TextField(max_length=8000)
    agent = models.ForeignKey(Agent, on_delete=models.SET_NULL, null=True, db_index=False, related_name="+")
    """Whom it is for; None: the one that answered before in this thread."""
    key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, db_index=False, related_name="+")
    thorough = models.BooleanField(default=False)
    """It shall ask for a report from many searches."""
    by_key = models.BooleanField(default=False)
    """It was asked by a key: without that it is not asked any more."""
    trace = models.CharField(max_length=32, blank=True)
    words = models.TextField(blank=True)
    """Why it still waits, though nothing runs."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["created_at"]

    def __str__(self) -> str:
        return self.question[:TITLE_LENGTH]


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


class WebPageQuerySet(models.QuerySet):
    def of(self, membership: Membership) -> Self:
        """Those that this person's own runs in this workspace have read, and those that what was written for them rests on: the only way
        in."""
        return self.filter(Q(run__in=Run.objects.of(membership)) | Q(artifact__in=Artifact.objects.of(membership)))


class WebPage(models.Model):
    """A page of the web as a run has read it, for what is cited of it. It lives as the run does, and is its reader's alone; what is written
    and kept has its own of those that it cites."""

    id = models.UUIDField(primary_key=True, editable=False)
    """As `naming.page_id` makes it of the run and the address that was asked, or of the artifact and the version that cites it."""
    run = models.ForeignKey(Run, on_delete=models.CASCADE, null=True, related_name="web_pages")
    artifact = models.ForeignKey("Artifact", on_delete=models.CASCADE, null=True, related_name="web_pages")
    url = models.TextField()
    """Where it was at last."""
    title = models.CharField(max_length=200, blank=True)
    text = models.TextField()
    fetched_at = models.DateTimeField()

    objects = WebPageQuerySet.as_manager()

    class Meta:
        constraints: ClassVar = [models.CheckConstraint(condition=Q(run=None) ^ Q(artifact=None), name="one_owner_a_web_page")]

    def __str__(self) -> str:
        return self.title or self.url


class ToolRule(models.Model):
    """What a workspace says of a tool, where that is not the default: reading is allowed, everything else asks."""

    class Rule(models.TextChoices):
        ALLOW = "allow", _("allowed")
        ASK = "ask", _("asks first")
        DENY = "deny", _("forbidden")

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="tool_rules")
    tool = models.CharField(max_length=60)
    rule = models.CharField(max_length=5, choices=Rule.choices)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["workspace", "tool"], name="one_rule_a_tool")]

    def __str__(self) -> str:
        return f"{self.tool}: {self.rule}"


class ApprovalQuerySet(models.QuerySet):
    def of(self, membership: Membership) -> Self:
        """Those of this person's own runs in this workspace: the only way in."""
        return self.filter(run__in=Run.objects.of(membership))

    def waiting(self) -> Self:
        return self.filter(standing=Approval.Standing.WAITING)


class Approval(models.Model):
    """One action that a run proposed, a person's word on it, and what came of it. Its key is the action's own: a run does it once."""

    class Standing(models.TextChoices):
        WAITING = "waiting", _("waiting for you")
        APPROVED = "approved", _("approved")
        REJECTED = "rejected", _("rejected")
        DENIED = "denied", _("forbidden")
        EXPIRED = "expired", _("not decided in time")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="approvals")
    key = models.CharField(max_length=60)
    tool = models.CharField(max_length=60)
    effect = models.CharField(max_length=10)
    arguments = models.JSONField()
    """As proposed; once it is approved, as approved: a person may have edited them."""
    proposed = models.CharField(max_length=64)
    """SHA-256 of the tool and the arguments as the run proposed them."""
    seal = models.CharField(max_length=64, blank=True)
    """HMAC of run, key, tool and the approved arguments under the installation's secret key; empty: not approved."""
    derived = models.JSONField(default=list)
    """The names of the arguments whose words come from what was read."""
    preview = models.TextField(blank=True)
    standing = models.CharField(max_length=10, choices=Standing.choices, default=Standing.WAITING)
    words = models.TextField(blank=True)
    """Why it was not done, or what came of it."""
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    """None where nobody was asked: the rules allowed or forbade it."""
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True)
    begun_at = models.DateTimeField(null=True)
    """When something that leaves the house was sent; it may have arrived, whatever became of North."""
    done_at = models.DateTimeField(null=True)

    objects = ApprovalQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["created_at"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "key"], name="one_approval_an_action")]

    def __str__(self) -> str:
        return f"{self.tool} {self.standing}"


class ArtifactQuerySet(models.QuerySet):
    def of(self, membership: Membership) -> Self:
        """This person's own: what an agent wrote for them may tell what only they may read. A key that is limited to some agents or
        sources finds what was written by its own runs only."""
        found = self.filter(workspace=membership.workspace_id, user=membership.user_id)
        if membership.key is None or not membership.key.limited:
            return found
        return found.exclude(Exists(ArtifactVersion.objects.filter(artifact=OuterRef("pk")).exclude(run__key=membership.key)))


class Artifact(models.Model):
    """What an agent wrote and kept with somebody's consent. Theirs alone."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="artifacts")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="artifacts")
    thread = models.ForeignKey(Thread, on_delete=models.SET_NULL, null=True, related_name="artifacts")
    title = models.CharField(_("title"), max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = ArtifactQuerySet.as_manager()

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["thread", "title"], name="one_artifact_a_title")]

    def __str__(self) -> str:
        return self.title

    def add(self, run: Run, text: str, citations: Sequence[Mapping[str, Any]], chart: Mapping[str, Any] | None = None) -> ArtifactVersion:
        """The next version, by this run, in the transaction of the caller. Pages of the web that it cites are kept with it: the thread that
        has read them may be deleted."""
        number = self.versions.count() + 1
        cited = {source["document"] for one in citations for source in one["sources"]}
        kept: dict[str, str] = {}
        for page in WebPage.objects.filter(run__thread=run.thread_id, pk__in=filter(is_page, cited)):
            kept[str(page.pk)] = str(page_id(self.pk, f"{number} {page.pk}"))
            page.pk, page.run, page.artifact = uuid.UUID(kept[str(page.pk)]), None, self
            page.save(force_insert=True)
        own = [
            {**one, "sources": [{**source, "document": kept.get(source["document"], source["document"])} for source in one["sources"]]}
            for one in citations
        ]
        return self.versions.create(number=number, text=text, citations=own, chart=dict(chart or {}), run=run)


class ArtifactVersion(models.Model):
    """Its text as it was once, with what it rests on."""

    artifact = models.ForeignKey(Artifact, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    text = models.TextField()
    citations = models.JSONField(default=list)
    """[{"start", "end", "text", "sources"}] as in `Citation`."""
    chart = models.JSONField(default=dict)
    """What is drawn above the text, as `north.exports.charts` draws it; empty: nothing."""
    run = models.ForeignKey(Run, on_delete=models.SET_NULL, null=True, related_name="written")
    """By which it was written; None: by the person."""
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["artifact", "number"], name="one_version_a_number")]

    def __str__(self) -> str:
        return f"{self.number}"
