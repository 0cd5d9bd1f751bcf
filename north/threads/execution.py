"""One attempt at one run: hands the agent what it may reach, in the name of whoever asked and with the rights they have at that moment.

Lives in the model worker. Knows no broker message and no page; who holds the run, and what becomes of its errors, is the task's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import closing

from django.db import connection
from django.http import Http404

from agents.context import Context, Turn
from agents.errors import Cancelled
from agents.events import AnswerDelta, Answered
from agents.run import run as run_agent
from north import wiring
from north.documents import passages
from north.failpoints import failpoint
from north.inference.batching import patience
from north.inference.errors import Gone
from north.leases import LeaseLost
from north.threads.checkpoints import checkpointer
from north.threads.errors import RightsLost, SourcesChanged
from north.threads.models import Run
from north.threads.reading import open_documents
from north.threads.recording import Recorder
from north.workspaces.access import enter
from north.workspaces.models import Membership, User
from retrieval.types import Passage

TURNS = 4
WATCH_SECONDS = 0.5


def attempt(run: Run, recorder: Recorder, lost: threading.Event) -> None:
    """Runs the agent to its end and writes the answer. Raises what the agent, the model and the search raise, `Cancelled`,
    `RightsLost`, `SourcesChanged` and `LeaseLost`."""
    membership = member(run)
    watch = Watch(run, lost)
    try:
        with patience(gone=watch):
            answered = drive(run, recorder, context(run, membership, watch))
    except (Cancelled, Gone):
        raise watch.reason or Cancelled() from None
    # Whatever was taken away from this reader since it was found may have gone into the answer.
    shown = {passage.document for passage in answered.passages}
    if not shown <= open_documents(member(run), shown).keys():
        raise SourcesChanged
    recorder.done(answered)


def drive(run: Run, recorder: Recorder, context: Context) -> Answered:
    with closing(run_agent(run.question, history(run), context)) as events:
        for event in events:
            if isinstance(event, Answered):
                return event
            recorder.record(event)
            if isinstance(event, AnswerDelta):
                failpoint("generate")
    raise Cancelled


def context(run: Run, membership: Membership, watch: Watch) -> Context:
    agent = membership.workspace.agents.first()
    return Context(
        run_id=str(run.pk),
        model=wiring.chat_model(),
        search=Searching(run),
        embed=wiring.embedder().embed_queries,
        checkpointer=checkpointer(),
        grounded=membership.workspace.grounded,
        instructions=agent.instructions if agent else "",
        cancelled=watch,
    )


def member(run: Run) -> Membership:
    """Who asked, as they are now. Raises `RightsLost`."""
    try:
        return enter(run.thread.user, pk=run.thread.workspace_id)
    except Http404:
        raise RightsLost from None


def history(run: Run) -> Sequence[Turn]:
    """The last answered questions of the thread. An answer that rests on what its reader may no longer open is left out."""
    before = run.thread.runs.filter(status=Run.Status.DONE, created_at__lt=run.created_at).prefetch_related("citations")
    turns = list(before.order_by("-created_at")[:TURNS])[::-1]
    cited = {turn.pk: {source["document"] for citation in turn.citations.all() for source in citation.sources} for turn in turns}
    readable = open_documents(member(run), set().union(*cited.values())).keys()
    return [Turn(turn.question, turn.answer if cited[turn.pk] <= readable else "") for turn in turns]


class Searching:
    """The agent's search: each call asks with the rights of that moment."""

    def __init__(self, run: Run) -> None:
        self.workspace, self.user = str(run.thread.workspace_id), str(run.thread.user_id)
        self.thread = threading.get_ident()

    def __call__(self, query: str, top_k: int) -> Sequence[Passage]:
        try:
            return passages.search(self.workspace, self.user, query, top_k)
        except (Http404, User.DoesNotExist):
            raise RightsLost from None
        finally:
            close_in_passing(self.thread)


class Watch:
    """Whether the run should stop, and why: a person stopped it, lost their rights, deleted the thread, or the lease is gone."""

    def __init__(self, run: Run, lost: threading.Event) -> None:
        self.run, self.lost = run, lost
        self.reason: Exception | None = None
        self.look_at = 0.0
        self.thread = threading.get_ident()

    def __call__(self) -> bool:
        if self.reason is None and self.lost.is_set():
            self.reason = self.lost_lease()
        if self.reason is None and time.monotonic() >= self.look_at:
            self.reason = self.look()
            self.look_at = time.monotonic() + WATCH_SECONDS
        return self.reason is not None

    def lost_lease(self) -> LeaseLost:
        return LeaseLost(f"Run {self.run.pk} is held by another worker, or was deleted.")

    def look(self) -> Exception | None:
        try:
            row = Run.objects.filter(pk=self.run.pk).values("cancel_requested", "thread__deleted_at", "lease_token").first()
            if row is None or row["lease_token"] != self.run.lease_token:
                return self.lost_lease()
            if row["cancel_requested"] or row["thread__deleted_at"]:
                return Cancelled()
            member(self.run)
        except RightsLost as error:
            return error
        finally:
            close_in_passing(self.thread)
        return None


def close_in_passing(home: int) -> None:
    """The agent may call from short-lived threads of its own: their database connections end with the call."""
    if threading.get_ident() != home:
        connection.close()
