"""What a run tells becomes rows (what is kept) and entries of its journal (what is seen now). Knows no agent and no page."""

from __future__ import annotations

import time
from dataclasses import asdict
from datetime import timedelta
from functools import cached_property
from typing import Any

import redis
from django.db import transaction
from django.db.models import Min
from django.utils import timezone

from agents.events import AnswerDelta, Answered, AnswerReset, Event, StepFinished, StepStarted, StepTraced, Waiting
from north import wiring
from north.failpoints import failpoint
from north.inference.metering import Used
from north.threads import traces
from north.threads.journal import Journal
from north.threads.models import Citation, Run, Step
from north.usage import models as usage
from north.webhooks.announcing import announce
from north.webhooks.models import Event as Told

DELTA_SECONDS = 0.05
"""Pieces of the answer go out together, at most twenty times a second."""


def step_payload(step: Step) -> dict[str, Any]:
    return {
        "key": step.key, "ordinal": step.ordinal, "kind": step.kind, "detail": step.detail, "error": step.error,
        "started_at": step.started_at.isoformat(), "ended_at": step.ended_at.isoformat() if step.ended_at else None,
        "tokens_in": step.tokens_in, "tokens_out": step.tokens_out, "tokens_cached": step.tokens_cached,
    }  # fmt: skip


def result_payload(run: Run, citations: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "text": run.answer, "citations": citations, "unsupported": run.unsupported, "claims": run.claims, "refused": run.refused,
        "searched": run.searched, "cut_short": run.cut_short,
    }  # fmt: skip


def citation_payload(citation: Citation) -> dict[str, Any]:
    return {"start": citation.start, "end": citation.end, "text": citation.text, "sources": citation.sources}


def told(run: Run) -> None:
    """Tells the workspace's webhooks that the run is over; what was asked and answered stays with whoever asked."""
    thread = run.thread
    announce(
        Told.RUN_FINISHED, workspace=thread.workspace_id, run=run.pk, thread=thread.pk, status=run.status, user=thread.user_id,
        key=run.key_id,
    )  # fmt: skip


class Recorder:
    """Writes one attempt at one run, under its lease. Raises `LeaseLost` as soon as somebody else holds the run."""

    def __init__(self, run: Run, client: redis.Redis) -> None:
        self.run = run
        self.steps = {step.key: step for step in run.steps.all()}
        self.answer = ""
        self.notice = ""
        self.result: dict[str, Any] | None = None
        self.waiting = ""
        self.asking = False
        self.sent_at = 0.0
        self.journal = Journal(client, run.pk, self.state)
        self.journal.restart()

    @cached_property
    def before(self) -> set[str]:
        """The documents that earlier answers of the thread rest on: a prompt may hold words of these answers."""
        cited = Citation.objects.filter(run__thread=self.run.thread_id).exclude(run=self.run.pk).values_list("sources", flat=True)
        return {source["document"] for sources in cited for source in sources}

    def state(self) -> dict[str, Any]:
        return {
            "status": self.run.status, "notice": self.notice, "steps": [step_payload(step) for step in self.steps.values()],
            "answer": self.answer, "result": self.result, "asking": self.asking,
        }  # fmt: skip

    def record(self, event: Event) -> None:
        match event:
            case StepStarted():
                self._started(event)
            case StepFinished():
                self._finished(event)
            case StepTraced():
                traces.keep(self.run.pk, event, self.before)
            case AnswerDelta():
                self._wrote(event)
            case AnswerReset():
                self._reset()
            case Answered() | Waiting():
                raise TypeError("The end of a run is written by `done`, its rest by `rest`.")

    def done(self, answered: Answered) -> None:
        """The answer with its citations and the end of the lease, in one transaction; then the end of the journal."""
        self._flush()
        citations = [asdict(citation) for citation in answered.citations]
        outcome = {
            "answer": answered.text, "unsupported": [asdict(span) for span in answered.unsupported], "refused": answered.refused,
            "claims": [asdict(claim) for claim in answered.claims], "searched": list(answered.searched), "cut_short": answered.cut_short,
        }  # fmt: skip
        with transaction.atomic():
            self._over(Run.Status.DONE, **outcome)
            self.run.citations.all().delete()
            Citation.objects.bulk_create(Citation(run=self.run, **citation) for citation in citations)
        self.answer, self.result = answered.text, result_payload(self.run, citations)
        self.journal.append("answer", self.result)
        self._end()

    def failed(self, error: str) -> None:
        self._flush()
        self._over(Run.Status.FAILED, error=error)
        self._end()

    def cancelled(self) -> None:
        """What was written so far is kept, without citations."""
        self._flush()
        self._over(Run.Status.CANCELLED, answer=self.answer)
        self._end()

    def put_back(self, error: str, seconds: float, **values: Any) -> None:
        """To be tried again in so many seconds."""
        self.run.give_back(status=Run.Status.PENDING, error=error, try_at=timezone.now() + timedelta(seconds=seconds), **values)
        self.notice, self.answer, self.waiting = error, "", ""
        self.journal.restart()

    def rest(self) -> None:
        """Until a person has decided, or it is too late for that; costs no attempt. The run's row is written first, so that a decision
        that is just being made either finds it at rest or is found here."""
        failpoint("rest")
        with transaction.atomic():
            far = timezone.now() + timedelta(days=365)
            self.run.give_back(status=Run.Status.PENDING, error="", try_at=far, attempts=max(self.run.attempts - 1, 0))
            until = self.run.approvals.waiting().aggregate(first=Min("expires_at"))["first"]
            Run.objects.filter(pk=self.run.pk).update(try_at=until)
        failpoint("rested")
        self.waiting, self.notice, self.asking = "", "", until is not None
        self.journal.restart()

    def _over(self, status: str, **values: Any) -> None:
        with transaction.atomic():
            self.run.give_back(status=status, ended_at=timezone.now(), **{"error": "", **values})
            self.spend(Used(), count=1)
            told(self.run)

    def spend(self, used: Used, *, model: str = "", count: int = 0) -> None:
        """Counts for whoever asked; `model`: the chat model, if no other is said."""
        thread = self.run.thread
        usage.add(
            usage.Kind.RUN, used, model=model or wiring.model_name("chat"), workspace=thread.workspace_id, user=thread.user_id,
            key=self.run.key_id, count=count,
        )  # fmt: skip

    def _end(self) -> None:
        self.journal.close({"status": self.run.status, "error": self.run.error})

    def _started(self, event: StepStarted) -> None:
        values = {"kind": event.kind, "detail": dict(event.detail), "error": "", "started_at": timezone.now(), "ended_at": None}
        self._keep(event.key, values)

    def _finished(self, event: StepFinished) -> None:
        now = timezone.now()
        known = self.steps.get(event.key)
        values = {
            "kind": event.kind, "detail": dict(event.detail), "error": event.error, "started_at": known.started_at if known else now,
            "ended_at": now, "tokens_in": event.tokens_in, "tokens_out": event.tokens_out, "tokens_cached": event.tokens_cached,
            "milliseconds": round(event.seconds * 1000),
        }  # fmt: skip
        if known and known.ended_at and (known.detail, known.error) == (values["detail"], values["error"]):
            return  # told again after a resume
        self._keep(event.key, values, Used(event.tokens_in, event.tokens_cached, event.tokens_out, event.seconds))

    def _keep(self, key: str, values: dict[str, Any], used: Used | None = None) -> None:
        """The step and what it used, in one transaction: nothing is counted twice, and what was used before a crash is."""
        self._flush()
        new = key not in self.steps
        ordinal = len(self.steps) + 1 if new else self.steps[key].ordinal
        with transaction.atomic():
            self.run.renew()
            self.steps[key], _ = Step.objects.update_or_create(run=self.run, key=key, defaults={**values, "ordinal": ordinal})
            if used and used != Used():
                figures = ("tokens_in", "tokens_out", "tokens_cached", "milliseconds")
                self.run.write(**{figure: getattr(self.run, figure) + values[figure] for figure in figures})
                self.spend(used)
        self.journal.append("step", {**step_payload(self.steps[key]), "new": new})

    def _wrote(self, event: AnswerDelta) -> None:
        if not self.answer and self.run.first_token_at is None:
            self.run.write(first_token_at=timezone.now())
        if event.offset != len(self.answer):
            self.answer, self.waiting = self.answer[: event.offset] + event.text, ""
            return self.journal.restart()
        self.answer += event.text
        self.waiting += event.text
        if time.monotonic() - self.sent_at >= DELTA_SECONDS:
            self._flush()

    def _flush(self) -> None:
        if self.waiting:
            text, self.waiting = self.waiting, ""
            self.journal.append("delta", {"offset": len(self.answer) - len(text), "text": text})
            self.sent_at = time.monotonic()

    def _reset(self) -> None:
        self.waiting, self.answer = "", ""
        self.journal.append("reset", {})

    def forget(self, key: str = "") -> None:
        """The steps so far are void, or those from `key` on: the run does them anew."""
        first = self.steps[key].ordinal if key in self.steps else 0 if not key else len(self.steps) + 1
        self.run.steps.filter(ordinal__gte=first).delete()
        self.run.traces.exclude(key__in=[name for name, step in self.steps.items() if step.ordinal < first]).delete()
        self.steps = {name: step for name, step in self.steps.items() if step.ordinal < first}
