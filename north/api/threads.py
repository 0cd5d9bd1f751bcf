"""Threads and runs by REST: ask, follow, stop, ask again. Everybody's own only."""

from __future__ import annotations

import uuid
from functools import partial

from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404
from ninja import Query, Status

from north.api.keys import Key, by_key_or_404, caller
from north.api.paging import Paging, page
from north.api.router import answers, router
from north.api.schemas.work import (
    QueuedOut,
    RetryIn,
    RunIn,
    RunOut,
    RunPage,
    ThreadChange,
    ThreadIn,
    ThreadOut,
    ThreadPage,
    ThreadsAsked,
)
from north.api.shapes import run_out, runs_out
from north.api.tags import held, tagged
from north.threads import actions, control, stream
from north.threads.models import Queued, Run, Thread
from north.workspaces.models import Membership

threads = router()
runs = router()


# --- threads --------------------------------------------------------------------------------------------------------------------------
def thread_out(thread: Thread) -> ThreadOut:
    return ThreadOut(id=thread.pk, title=thread.title, created_at=thread.created_at, asked_at=thread.asked_at)


def the_thread(thread_id: uuid.UUID, actor: Membership) -> Thread:
    return get_object_or_404(Thread.objects.of(actor), pk=thread_id)


@threads.get("", auth=Key("read", "infer"), response=answers(200, ThreadPage), summary="List threads")
def list_threads(request: HttpRequest, asked: Query[ThreadsAsked]) -> ThreadPage:
    """The key's user's own in this workspace, newest first."""
    actor = caller(request)
    found, following = page(Thread.objects.of(actor).matching(asked.q), asked, by="-created_at", within=actor.workspace_id)
    return ThreadPage(items=[thread_out(one) for one in found], next=following)


@threads.post("", auth=Key("infer", "write"), response=answers(201, ThreadOut, 409), summary="Begin a thread")
def create_thread(request: HttpRequest, body: ThreadIn | None = None) -> Status[ThreadOut]:
    actor = caller(request)
    with transaction.atomic():
        thread = actions.create(actor=actor)
        if body and body.title.strip():
            actions.rename(thread, body.title, actor=actor)
    return Status(201, thread_out(thread))


@threads.get("/{uuid:thread_id}", auth=Key("read", "infer"), response=answers(200, ThreadOut, 304), summary="One thread")
def get_thread(request: HttpRequest, response: HttpResponse, thread_id: uuid.UUID) -> ThreadOut:
    return tagged(request, response, thread_out(the_thread(thread_id, caller(request))))


@threads.patch("/{uuid:thread_id}", auth=Key("infer", "write"), response=answers(200, ThreadOut, 409, 412), summary="Rename a thread")
def rename_thread(request: HttpRequest, response: HttpResponse, thread_id: uuid.UUID, body: ThreadChange) -> ThreadOut:
    actor = caller(request)
    with held(request, Thread.objects.of(actor).filter(pk=thread_id), thread_out) as thread:
        actions.rename(thread, body.title, actor=actor)
    return tagged(request, response, thread_out(thread))


@threads.delete("/{uuid:thread_id}", auth=Key("infer", "write"), response=answers(204, None, 409, 412), summary="Delete a thread")
def delete_thread(request: HttpRequest, thread_id: uuid.UUID) -> Status[None]:
    """Gone at once, with its runs; one that works is stopped."""
    actor = caller(request)
    with held(request, Thread.objects.of(actor).filter(pk=thread_id), thread_out) as thread:
        actions.delete(thread, actor=actor)
    return Status(204, None)


# --- runs -----------------------------------------------------------------------------------------------------------------------------
def the_run(run_id: uuid.UUID, actor: Membership) -> Run:
    return get_object_or_404(
        Run.objects.of(actor).select_related("thread", "version").prefetch_related("steps", "citations", "approvals"), pk=run_id
    )


@threads.get(
    "/{uuid:thread_id}/runs", auth=Key("read", "infer"), response=answers(200, RunPage), summary="The questions of a thread, oldest first"
)
def list_runs(request: HttpRequest, thread_id: uuid.UUID, paging: Query[Paging]) -> RunPage:
    actor = caller(request)
    rows = the_thread(thread_id, actor).runs.select_related("version").prefetch_related("steps", "citations", "approvals")
    found, following = page(rows, paging, by="created_at", within=actor.workspace_id)
    return RunPage(items=runs_out(found, actor), next=following)


@threads.post("/{uuid:thread_id}/runs", auth=Key("infer"), response=answers(202, RunOut, 409), summary="Ask a question")
def ask(request: HttpRequest, thread_id: uuid.UUID, body: RunIn) -> Status[RunOut]:
    """A pending run: follow its events, or read it until its status is done, failed or cancelled. 409 while the thread has an unanswered
    question."""
    actor = caller(request)
    run = actions.ask(the_thread(thread_id, actor), body.question, actor=actor, agent=body.agent or "", thorough=body.thorough)
    return Status(202, run_out(run, actor))


@runs.get("/{uuid:run_id}", auth=Key("read", "infer"), response=answers(200, RunOut, 304), summary="One run: steps, answer, citations")
def get_run(request: HttpRequest, response: HttpResponse, run_id: uuid.UUID) -> RunOut:
    actor = caller(request)
    return tagged(request, response, run_out(the_run(run_id, actor), actor))


@runs.post("/{uuid:run_id}/cancel", auth=Key("infer", "write"), response=answers(202, RunOut, 409), summary="Stop a run")
def cancel(request: HttpRequest, run_id: uuid.UUID) -> Status[RunOut]:
    """What is over stays as it is."""
    actor = caller(request)
    run = the_run(run_id, actor)
    actions.cancel(run, actor=actor)
    control.ask_next(run.thread_id)
    return Status(202, run_out(the_run(run_id, actor), actor))


@runs.post("/{uuid:run_id}/again", auth=Key("infer"), response=answers(202, RunOut, 409), summary="Ask the same again")
def ask_again(request: HttpRequest, run_id: uuid.UUID) -> Status[RunOut]:
    """As a new run at the end of its thread."""
    actor = caller(request)
    return Status(202, run_out(actions.again(the_run(run_id, actor), actor=actor), actor))


@runs.post("/{uuid:run_id}/resume", auth=Key("infer"), response=answers(202, RunOut, 409), summary="Let a stopped or failed run go on")
def resume(request: HttpRequest, run_id: uuid.UUID) -> Status[RunOut]:
    """Where it was; what it had found is not looked up again."""
    actor = caller(request)
    control.resume(the_run(run_id, actor), actor=actor)
    return Status(202, run_out(the_run(run_id, actor), actor))


@runs.post("/{uuid:run_id}/retry", auth=Key("infer"), response=answers(202, RunOut, 409), summary="Do a run again from a step")
def retry(request: HttpRequest, run_id: uuid.UUID, body: RetryIn) -> Status[RunOut]:
    """For a day after a run that was stopped, failed, or has a step that failed. What was changed with consent is not changed twice."""
    actor = caller(request)
    control.retry(the_run(run_id, actor), body.step, actor=actor)
    return Status(202, run_out(the_run(run_id, actor), actor))


@threads.get("/{uuid:thread_id}/queue", auth=Key("read", "infer"), response=answers(200, list[QueuedOut]), summary="Questions that wait")
def list_queued(request: HttpRequest, thread_id: uuid.UUID) -> list[QueuedOut]:
    return [queued_out(row) for row in the_thread(thread_id, caller(request)).queued.all()]


def queued_out(row: Queued) -> QueuedOut:
    return QueuedOut(
        id=row.pk, thread=row.thread_id, question=row.question, agent=row.agent_id, words=row.words, created_at=row.created_at
    )  # fmt: skip


@threads.post("/{uuid:thread_id}/queue", auth=Key("infer"), response=answers(202, QueuedOut, 409), summary="Ask when the thread is free")
def queue_question(request: HttpRequest, thread_id: uuid.UUID, body: RunIn) -> Status[QueuedOut]:
    """At once, where nothing runs: the run has the same id."""
    actor = caller(request)
    thread = the_thread(thread_id, actor)
    row = control.queue(thread, body.question, actor=actor, agent=body.agent or "", thorough=body.thorough)
    return Status(202, queued_out(row))


@threads.delete("/{uuid:thread_id}/queue/{uuid:queued_id}", auth=Key("infer"), response=answers(204, None), summary="Do not ask it")
def unqueue(request: HttpRequest, thread_id: uuid.UUID, queued_id: uuid.UUID) -> Status[None]:
    actor = caller(request)
    row = get_object_or_404(Queued.objects.select_related("thread"), thread=the_thread(thread_id, actor), pk=queued_id)
    control.unqueue(row, actor=actor)
    return Status(204, None)


@runs.get("/{uuid:run_id}/events", auth=Key("read", "infer"), summary="Follow a run: server-sent events", response=answers(200, None, 204))
async def run_events(request: HttpRequest, run_id: uuid.UUID) -> HttpResponseBase:
    """`text/event-stream`: each event has an `id`, its kind as `event` and JSON as `data`: restart, step, delta, reset, answer, end.
    After a lost connection send the last id as `Last-Event-ID`: nothing is missed, nothing comes twice; 204 where nothing follows it."""
    key = request.headers.get("Authorization", "").partition(" ")[2].strip()
    return await stream.respond(run_id, request.headers.get("Last-Event-ID", ""), partial(by_key_or_404, key))
