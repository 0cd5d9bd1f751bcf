"""What a person does with a run besides asking: lets it go on, does it again from a step, and puts a further question behind it."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from north.failpoints import failpoint
from north.hints import hint
from north.leases import OPEN
from north.threads import actions
from north.threads.errors import Refused, Spent, StillWorking, TooMany, Unaskable
from north.threads.models import Agent, Approval, Queued, Run, Thread
from north.usage.budgets import refusing
from north.workspaces import audit
from north.workspaces.access import enter_by
from north.workspaces.models import Membership

KEPT = timedelta(days=1)
"""So long the state of a run that may go on is kept after its end."""
QUEUED = 5
"""Questions that may wait behind one another in a thread."""


def resume(run: Run, *, actor: Membership) -> Run:
    """Goes on where it was stopped or failed. Raises Refused."""
    if run.status not in {Run.Status.CANCELLED, Run.Status.FAILED}:
        raise Unaskable(_("Only what was stopped or failed can go on."))
    return reopened(run, "run.resume", actor)


def retry(run: Run, key: str, *, actor: Membership) -> Run:
    """Does it again from its step of this key on; what was changed with somebody's consent is not changed twice. Raises Refused."""
    if not run.over:
        raise StillWorking
    if not run.steps.filter(key=key).exists():
        raise Unaskable(_("This question has no such step."))
    if not run.checkpointed:
        raise Unaskable(_("What North knew then is no longer kept. Ask the question again."))
    return reopened(run, "run.retry", actor, retry_from=key)


def reopened(run: Run, action: str, actor: Membership, **values: str) -> Run:
    actions.own(run.thread, actor)
    actions.asked_of(run.thread, run.agent_id or "", actor)
    if run.thread.runs.filter(created_at__gt=run.created_at).exists():
        raise Unaskable(_("Only the last question of a thread can go on. Ask this one again instead."))
    if budget := refusing(actor):
        raise Spent(budget)
    if Run.objects.of(actor).open().count() >= actions.OPEN_RUNS:
        raise TooMany(actions.OPEN_RUNS)
    fresh: dict[str, Any] = {
        **dict.fromkeys(("error", "cut_short", "answer"), ""), "unsupported": [], "claims": [], "searched": [],
        "status": Run.Status.PENDING, "cancel_requested": False, "refused": False, "ended_at": None, "try_at": None, "attempts": 0,
        "resumed_at": timezone.now(), **values,
    }  # fmt: skip
    try:
        with transaction.atomic():
            if not Run.objects.over().filter(pk=run.pk).update(**fresh):
                raise StillWorking
            run.citations.all().delete()
            if values:
                run.approvals.exclude(standing=Approval.Standing.DONE).delete()
            audit.record(action, actor=actor, thing=run, step=values.get("retry_from", ""))
            transaction.on_commit(partial(hint, "threads.execute", str(run.pk), expires=actions.MESSAGE_SECONDS), robust=True)
    except IntegrityError:
        raise StillWorking from None
    return Run.objects.select_related("thread").get(pk=run.pk)


# --- questions that wait ------------------------------------------------------------------------------------------------------------


def queue(thread: Thread, question: str, *, actor: Membership, agent: UUID | str = "", thorough: bool = False) -> Queued:
    """Asked when the run before it is over; at once, if it just ended. `agent`: whom, as in `actions.ask`. Raises Refused."""
    actions.own(thread, actor)
    chosen = actions.asked_of(thread, agent, actor)
    question = actions.checked(question)
    if budget := refusing(actor):
        raise Spent(budget)
    with transaction.atomic():
        if thread.queued.count() >= QUEUED:
            raise Unaskable(_("%(count)d questions are waiting here already. Take one out, or wait.") % {"count": QUEUED})
        row = Queued.objects.create(
            thread=thread,
            question=question,
            agent=chosen if agent else None,
            key_id=actor.key_id,
            by_key=bool(actor.key_id),
            thorough=thorough,
        )
        audit.record("run.queue", actor=actor, thing=row, thread=str(thread.pk))
    ask_next(thread.pk)
    return row


def unqueue(row: Queued, *, actor: Membership) -> None:
    actions.own(row.thread, actor)
    with transaction.atomic():
        audit.record("run.unqueue", actor=actor, thing=row, thread=str(row.thread_id))
        row.delete()


def ask_next(thread_id: UUID) -> None:
    """The question that has waited longest in this thread becomes a run, if none is open. What cannot be asked now says why, and waits."""
    row = Queued.objects.select_related("thread__user").filter(thread=thread_id, thread__deleted_at=None).first()
    if row is None or Run.objects.filter(thread=thread_id, status__in=OPEN).exists():
        return
    try:
        actor = enter_by(row.key_id, row.thread.user, workspace=row.thread.workspace_id)
        if row.by_key and row.key_id is None:
            raise Http404
        if row.agent_id and not Agent.objects.of(actor).filter(pk=row.agent_id).exists():
            raise Unaskable(_("The agent that it is for answers nobody any more. Take it out, and ask another one."))
        with transaction.atomic():
            if Queued.objects.filter(pk=row.pk).delete()[0]:
                failpoint("dequeue")
                actions.ask(row.thread, row.question, actor=actor, agent=row.agent_id or "", pk=row.pk, thorough=row.thorough)
    except StillWorking:
        return
    except Http404:
        row.delete()
    except Refused as error:
        Queued.objects.filter(pk=row.pk).update(words=str(error))
