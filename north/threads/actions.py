"""What a person does with threads: ask, stop, ask again, rename, delete. Rows and their audit event in one transaction, work on commit."""

from __future__ import annotations

from functools import partial
from secrets import randbelow
from typing import Any, NoReturn
from uuid import UUID, uuid4

from django.db import IntegrityError, transaction
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _

from north.hints import hint
from north.leases import OPEN
from north.threads.errors import Spent, StillWorking, TooMany, Unaskable
from north.threads.journal import pen
from north.threads.models import TITLE_LENGTH, Agent, Run, Thread
from north.threads.reading import is_id
from north.threads.recording import Recorder
from north.tracing import trace_id
from north.usage.budgets import refusing
from north.workspaces import audit
from north.workspaces.access import may_use_agent
from north.workspaces.models import Membership

MESSAGE_SECONDS = 30
"""A hint older than this is void: the sweeper gives a new one."""
QUESTION_LENGTH = 8000
SEEDS = 2**31
OPEN_RUNS = 5
"""Questions of one person that may wait for their answers in one workspace."""


def create(*, actor: Membership) -> Thread:
    """An empty thread."""
    with transaction.atomic():
        thread = Thread.objects.create(workspace=actor.workspace, user=actor.user)
        audit.record("thread.create", actor=actor, thing=thread)
    return thread


def start(question: str, *, actor: Membership, agent: UUID | str = "", thorough: bool = False) -> Run:
    """A new thread with its first question."""
    with transaction.atomic():
        return ask(create(actor=actor), question, actor=actor, agent=agent, thorough=thorough)


def ask(
    thread: Thread, question: str, *, actor: Membership, agent: UUID | str = "", pk: UUID | None = None, thorough: bool = False,
    **repeated: Any,
) -> Run:  # fmt: skip
    """`agent`: whom; without it the one that answered before in this thread. `pk`: the run's, where it is known before. `thorough`: as a
    report from many searches. `repeated`: values of the run that say what it repeats, and how. Raises `Unaskable`, `StillWorking` and
    `TooMany`."""
    own(thread, actor)
    chosen = asked_of(thread, agent, actor)
    question = checked(question)
    if budget := refusing(actor):
        raise Spent(budget)
    with transaction.atomic():
        if Run.objects.of(actor).open().count() >= OPEN_RUNS:
            raise TooMany(OPEN_RUNS)
        run = added(thread, question, actor, chosen, pk, thorough=thorough, **repeated)
        title = thread.title or " ".join(question.split())[:TITLE_LENGTH]
        Thread.objects.filter(pk=thread.pk).update(asked_at=timezone.now(), title=title)
        thread.title = title
        audit.record("run.start", actor=actor, thing=run, thread=str(thread.pk))
        transaction.on_commit(partial(hint, "threads.execute", str(run.pk), expires=MESSAGE_SECONDS), robust=True)
    return run


def again(run: Run, *, actor: Membership) -> Run:
    """The same question once more, as a new run at the end of its thread."""
    return ask(run.thread, run.question, actor=actor, agent=run.agent_id or "", thorough=run.thorough, repeats=run)


def cancel(run: Run, *, actor: Membership) -> None:
    """Stops it: at once where no worker has it yet, else as soon as its worker looks. What is over stays as it is."""
    own(run.thread, actor)
    with transaction.atomic():
        if not Run.objects.open().filter(pk=run.pk, cancel_requested=False).update(cancel_requested=True, try_at=None):
            return
        audit.record("run.cancel", actor=actor, thing=run)
    waiting = Run.objects.take(run.pk, status__in=OPEN)
    if waiting:
        Recorder(waiting, pen()).cancelled()


def rename(thread: Thread, title: str, *, actor: Membership) -> None:
    own(thread, actor)
    thread.title = " ".join(title.split())[:200]
    if not thread.title:
        raise Unaskable(_("Give the thread a title."))
    with transaction.atomic():
        thread.save(update_fields=["title"])
        audit.record("thread.rename", actor=actor, thing=thread)


def delete(thread: Thread, *, actor: Membership) -> None:
    """Gone for its reader at once; the sweeper clears what hangs on it."""
    own(thread, actor)
    with transaction.atomic():
        Thread.objects.filter(pk=thread.pk).update(deleted_at=timezone.now())
        Run.objects.filter(thread=thread).open().update(cancel_requested=True)
        audit.record("thread.delete", actor=actor, thing=thread)


def own(thread: Thread, actor: Membership) -> None:
    if (thread.user_id, thread.workspace_id) != (actor.user_id, actor.workspace_id) or thread.deleted_at:
        raise Http404


def asked_of(thread: Thread, agent: UUID | str, actor: Membership) -> Agent | None:
    """Who is to answer; None where the workspace has no agent. A 404 for one that this person, or their key, may not use."""
    mine = Agent.objects.of(actor)
    if agent:
        return get_object_or_404(mine, pk=agent) if is_id(str(agent)) else missing()
    before = thread.runs.exclude(agent=None).order_by("-created_at").values("agent")[:1]
    found = mine.filter(pk__in=before).first() or actor.workspace.agents.default()
    if actor.key and actor.key.agents is not None and (found is None or not may_use_agent(actor, found.pk)):
        raise Http404
    return found


def missing() -> NoReturn:
    raise Http404


def checked(question: str) -> str:
    question = question.replace("\0", "").replace("\r\n", "\n").replace("\r", "\n").strip()
    question = question.encode("utf-8", "replace").decode()
    if not question:
        raise Unaskable(_("Write a question first."))
    if len(question) > QUESTION_LENGTH:
        raise Unaskable(
            _("This question has %(count)d characters. Shorten it to %(most)d.") % {"count": len(question), "most": QUESTION_LENGTH}
        )
    return question


def added(thread: Thread, question: str, actor: Membership, agent: Agent | None, pk: UUID | None, **values: Any) -> Run:
    said = {"version": agent.versions.first() if agent else None, "seed": randbelow(SEEDS), **values}
    try:
        with transaction.atomic():
            return Run.objects.create(
                pk=pk or uuid4(), thread=thread, question=question, agent=agent, key_id=actor.key_id, trace=trace_id.get(), **said
            )
    except IntegrityError:
        raise StillWorking from None
