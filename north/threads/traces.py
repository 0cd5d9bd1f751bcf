"""What was behind the steps of a run, as rows: prompts, replies, passages and decisions, whole.

They hold words of documents, so they live no longer than these: what is deleted is nobody's to read from then on (`tracing.py` asks at each
look), and the sweeper takes its words out of the rows. After NORTH_TRACE_DAYS all of it goes. Never in a log.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, OuterRef, Sum
from django.utils import timezone

from agents.events import StepTraced
from north.documents.models import Document
from north.threads.naming import is_page

AT_ONCE = 50
HIDDEN = "\N{FULL BLOCK}" * 3
"""Stands where words of a document were that may not be read."""
FENCE = re.compile(r"<passage (\d+): [^\n]*\n.*?\n</passage>", re.DOTALL)
"""As `agents.prompts` fences passages; what documents say cannot close it."""


class Trace(models.Model):
    """Of one step."""

    run = models.ForeignKey("Run", on_delete=models.CASCADE, related_name="traces")
    key = models.CharField(max_length=60)
    calls = models.JSONField(default=list)
    """As `agents.tracing.call`."""
    passages = models.JSONField(default=list)
    """As `agents.state.passage_to_plain`."""
    decisions = models.JSONField(default=list)
    """As `agents.tracing.decision`."""
    bytes = models.PositiveIntegerField(default=0)
    left_out = models.BooleanField(default=False)
    """The run's room was used up: what this step had to say was not kept, or not all of it."""
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["run", "key"], name="one_trace_a_step")]

    def __str__(self) -> str:
        return self.key


class TracedDocument(models.Model):
    """A document whose words a trace holds."""

    trace = models.ForeignKey(Trace, on_delete=models.CASCADE, related_name="documents", db_index=False)
    document = models.UUIDField(db_index=True)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["trace", "document"], name="one_mark_a_traced_document")]

    def __str__(self) -> str:
        return str(self.document)


def keep(run_id: uuid.UUID, told: StepTraced, before: Collection[str] = ()) -> None:
    """What a step tells, beside what it told already: a step that was broken off and is done anew keeps both, but nothing twice.
    `before`: the documents that earlier answers of the thread rest on, whose words may stand in any prompt."""
    if not settings.TRACE_DAYS:
        return
    calls = [{**one, "beside": sorted({*one["beside"], *before})} for one in told.calls]
    with transaction.atomic():
        row, _new = Trace.objects.get_or_create(run_id=run_id, key=told.key)
        row.calls, row.passages = joined(row.calls, calls), joined(row.passages, told.passages)
        row.decisions = joined(row.decisions, told.decisions)
        room = settings.TRACE_KILOBYTES * 1024 - (
            Trace.objects.filter(run=run_id).exclude(pk=row.pk).aggregate(sum=Sum("bytes"))["sum"] or 0
        )
        fit(row, room)
        row.save()
        # Pages of the web go with their run, as this row does.
        marks = [TracedDocument(trace=row, document=one) for one in documents_of(row) if not is_page(one)]
        row.documents.bulk_create(marks, ignore_conflicts=True)


def joined(before: list[Any], now: Iterable[Mapping[str, Any]]) -> list[Any]:
    return [*before, *(dict(one) for one in now if dict(one) not in before)]


def fit(row: Trace, room: int) -> None:
    """Leaves out the passages, then the calls, then the rest, where there is no room for them."""
    for name in ("passages", "calls", "decisions"):
        row.bytes = len(json.dumps([row.calls, row.passages, row.decisions], default=str).encode())
        if row.bytes <= room:
            return
        setattr(row, name, [])
        row.left_out = True
    row.bytes = 0


def documents_of(row: Trace) -> set[str]:
    """All whose words it holds."""
    said = {document for call in row.calls for document in (*call["passages"], *call["beside"])}
    return said | {one["document"] for one in row.passages} | {document for one in row.decisions for document in one["documents"]}


# --- what may not be read -------------------------------------------------------------------------------------------------------------
def hide(row: Trace, closed: Collection[str]) -> None:
    """Leaves out of this row, unsaved, all words that come from these documents; can be done twice."""
    row.calls = [call_without(call, closed) for call in row.calls]
    row.passages = [passage_without(one) if one["document"] in closed else one for one in row.passages]
    blank = {"what": HIDDEN, "why": HIDDEN}
    row.decisions = [{**one, **blank} if {*one["documents"]} & {*closed} else one for one in row.decisions]


def call_without(call: Mapping[str, Any], closed: Collection[str]) -> dict[str, Any]:
    """A reply may repeat all that its prompt held."""
    if not {*call["passages"], *call["beside"]} & {*closed}:
        return dict(call)
    whole = bool({*call["beside"]} & {*closed})
    messages = [{**one, "text": prompt_without(one["text"], call["passages"], closed, whole)} if one["role"] == "user" else one
                for one in call["messages"]]  # fmt: skip
    return {**call, "messages": messages, "reply": HIDDEN, "hidden": True}


def prompt_without(text: str, passages: Collection[str], closed: Collection[str], whole: bool) -> str:
    documents = list(passages)
    fences = FENCE.findall(text)
    if whole or len(fences) != len(documents):
        return HIDDEN

    def shown(match: re.Match[str]) -> str:
        number = match[1]
        hidden = f"<passage {number}: {HIDDEN}>\n{HIDDEN}\n</passage>"
        return hidden if documents[int(number) - 1] in closed else match[0]

    return FENCE.sub(shown, text)


def passage_without(passage: Mapping[str, Any]) -> dict[str, Any]:
    return {**passage, "name": "", "text": "", "heading": "", "hidden": True}


# --- what the sweeper does ------------------------------------------------------------------------------------------------------------
def forget_gone() -> None:
    """Takes the words of deleted documents out of all traces."""
    alive = Document.objects.alive().filter(pk=OuterRef("document"))
    for trace_id in TracedDocument.objects.filter(~Exists(alive)).values_list("trace", flat=True).distinct()[:AT_ONCE]:
        with transaction.atomic():
            row = Trace.objects.select_for_update().get(pk=trace_id)
            gone = row.documents.filter(~Exists(alive))
            hide(row, {str(one.document) for one in gone})
            row.save()
            gone.delete()


def expire() -> None:
    """Deletes what is older than it is kept."""
    old = Trace.objects.filter(created_at__lt=timezone.now() - timedelta(days=settings.TRACE_DAYS))
    Trace.objects.filter(pk__in=old.values("pk")[: 10 * AT_ONCE]).delete()
