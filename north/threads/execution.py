"""One attempt at one run: hands the agent what it may reach, in the name of whoever asked and with the rights they have at that moment.

Lives in the model worker. Knows no broker message and no page; who holds the run, and what becomes of its errors, is the task's.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import replace

import numpy as np
from django.conf import settings
from django.db import connection
from django.http import Http404

from agents.card import Card as Facts
from agents.card import Limits, limits_for
from agents.context import Context, Style, Turn
from agents.errors import Cancelled
from agents.events import AnswerDelta, Answered, Waiting
from agents.run import run as run_agent
from agents.state import passage_from_plain
from agents.tool import Tool
from agents.tools import TOOLS
from north import wiring
from north.cards.models import Card
from north.documents import passages
from north.evaluation import thresholds
from north.failpoints import failpoint
from north.inference.batching import patience
from north.inference.errors import Gone, ModelError, Overloaded
from north.inference.metering import metered
from north.leases import LeaseLost
from north.outside.lending import tools_of
from north.threads import reports
from north.threads.checkpoints import checkpointer
from north.threads.configuring import LIMITS, as_asked
from north.threads.consent import Approvals
from north.threads.errors import RightsLost, SourcesChanged
from north.threads.fetched import Pages
from north.threads.models import Agent, Run
from north.threads.reading import open_documents
from north.threads.recording import Recorder
from north.threads.replaying import found_then, readable_of
from north.threads.shelf import Bookcase
from north.workspaces.access import enter_by
from north.workspaces.models import Membership, User
from retrieval.types import Filters, Passage

TURNS = 4
ANSWERS = {"short": 0.5, "long": 2.0}
"""By how much an answer of this length may be longer."""
REPORT_SEARCHES, REPORT_SECONDS, REPORT_TOKENS = 12, 900.0, 160_000
WATCH_SECONDS = 0.5


def attempt(run: Run, recorder: Recorder, lost: threading.Event) -> None:
    """Runs the agent to its end and writes the answer, or to where a person must decide first. Raises what the agent, the model and the
    search raise, `Cancelled`, `RightsLost`, `SourcesChanged` and `LeaseLost`."""
    membership = member(run)
    watch = Watch(run, lost)
    with metered() as embedding:
        try:
            with patience(gone=watch):
                answered = drive(run, recorder, context(run, membership, watch))
        except (Cancelled, Gone):
            raise watch.reason or Cancelled() from None
        finally:
            recorder.spend(embedding, model=wiring.model_name("embed"))
    if answered is None:
        return recorder.rest()
    # Whatever was taken away from this reader since it was found may have gone into the answer.
    shown = {passage.document for passage in answered.passages}
    if not shown <= open_documents(member(run), shown).keys():
        raise SourcesChanged
    if run.thorough and not answered.refused:
        reports.keep(run, answered, member(run))
    recorder.done(answered)


def drive(run: Run, recorder: Recorder, context: Context) -> Answered | None:
    """None: it waits for a person."""
    with closing(run_agent(run.question, history(run), context)) as events:
        for event in events:
            if isinstance(event, Answered):
                return event
            if isinstance(event, Waiting):
                return None
            recorder.record(event)
            if isinstance(event, AnswerDelta):
                failpoint("generate")
    raise Cancelled


def context(run: Run, membership: Membership, watch: Watch) -> Context:
    agent, card, searching = as_asked(run), Card.objects.in_use(), searching_for(run)
    facts = card.facts() if card else Facts()
    return Context(
        run_id=str(run.pk),
        model=wiring.chat_model(),
        search=searching,
        embed=likeness,
        lacks=lambda: searching.notice,
        checkpointer=checkpointer(),
        grounded=membership.workspace.grounded,
        instructions=agent.instructions,
        style=style_of(agent),
        seed=run.seed,
        thorough=run.thorough,
        card=facts,
        limits=for_reports(within(limits_for(facts), agent)) if run.thorough else within(limits_for(facts), agent),
        tools=offered(agent, membership),
        shelf=Bookcase(run, member),
        web=Pages(run),
        consent=Approvals(run, member),
        confirms=agent.confirms,  # type: ignore[arg-type]
        judge=judged if settings.MODELS.get("score") else None,
        judged_by=thresholds.judge_name(),
        refuses_below=thresholds.refuses_below(membership.workspace_id),
        removes=membership.workspace.removes_unsupported,
        cancelled=watch,
    )


def offered(agent: Agent, member: Membership) -> Mapping[str, Tool]:
    """What it may use, North's own and those of registered servers: not what its maker forbade, and no pages where no host may be asked."""
    left_out = {name for name, rule in agent.rules.items() if rule == "deny"}
    left_out |= set() if member.workspace.allowed_hosts.exists() else {"fetch_page"}
    return {name: tool for name, tool in {**TOOLS, **tools_of(member)}.items() if name not in left_out}


def style_of(agent: Agent) -> Style:
    return Style(agent.language, agent.length, agent.form)  # type: ignore[arg-type]


def within(limits: Limits, agent: Agent) -> Limits:
    """The chat model's limits with what the agent's maker chose in their place."""
    chosen = {name: value for name, value in agent.limits.items() if name in LIMITS}
    return replace(limits, **chosen, answer_tokens=round(limits.answer_tokens * ANSWERS.get(agent.length, 1.0)))


def for_reports(limits: Limits) -> Limits:
    """What a report may take, which is more than an answer."""
    return replace(limits, searches=REPORT_SEARCHES, seconds=max(limits.seconds, REPORT_SECONDS), tokens=REPORT_TOKENS)


def judged(claim: str, texts: Sequence[str]) -> Sequence[float] | None:
    """By the model that judges; None where it does not work just now: then nothing is called verified."""
    try:
        return wiring.judged(claim, texts)
    except (Overloaded, Gone):
        raise
    except ModelError:
        return None


def likeness(texts: Sequence[str]) -> np.ndarray:
    """The embeddings by which agents compare sentences. Where no embedding model works all are nothing, float32 (len(texts), 1): nothing is
    alike by its meaning, and words decide. Raises `Overloaded` and `Gone`."""
    try:
        return np.asarray(wiring.embedder().embed_queries(texts), np.float32)
    except (Overloaded, Gone):
        raise
    except ModelError:
        return np.zeros((len(texts), 1), np.float32)


def member(run: Run) -> Membership:
    """Who asked, as they are now. Raises `RightsLost`."""
    try:
        return enter_by(run.key_id, run.thread.user, workspace=run.thread.workspace_id)
    except Http404:
        raise RightsLost from None


def history(run: Run) -> Sequence[Turn]:
    """The last answered questions of the thread. An answer that rests on what its reader may no longer open is left out."""
    asked_at = run.repeats.created_at if run.as_then and run.repeats else run.created_at
    before = run.thread.runs.filter(status=Run.Status.DONE, created_at__lt=asked_at).prefetch_related("citations")
    turns = list(before.order_by("-created_at")[:TURNS])[::-1]
    cited = {turn.pk: {source["document"] for citation in turn.citations.all() for source in citation.sources} for turn in turns}
    readable = open_documents(member(run), set().union(*cited.values())).keys()
    return [Turn(turn.question, turn.answer if cited[turn.pk] <= readable else "") for turn in turns]


class Searching:
    """The agent's search: each call asks with the rights of that moment."""

    def __init__(self, run: Run) -> None:
        self.workspace, self.user, self.key = str(run.thread.workspace_id), str(run.thread.user_id), run.key_id
        self.filters = Filters(sources=frozenset(as_asked(run).sources))
        self.thread = threading.get_ident()
        self.notice = ""
        """What a search of this run lacked, in words."""

    def __call__(self, query: str, top_k: int) -> Sequence[Passage]:
        try:
            found = passages.find(
                self.workspace, self.user, query, top_k, self.filters, key_id=self.key, explain=False, patient=True,
                judge=settings.RERANK_FOR_AGENTS,
            )  # fmt: skip
            self.notice = self.notice or found.notice
            return found.passages
        except (Http404, User.DoesNotExist):
            raise RightsLost from None
        finally:
            close_in_passing(self.thread)


def searching_for(run: Run) -> Searching:
    return Replayed(run, run.repeats) if run.as_then and run.repeats else Searching(run)


class Replayed(Searching):
    """Finds what the run found that is asked again as then, as far as its reader may still read it; what that did not search for, today's
    index answers."""

    def __init__(self, run: Run, then: Run) -> None:
        super().__init__(run)
        self.then = found_then(then)

    def __call__(self, query: str, top_k: int) -> Sequence[Passage]:
        if query not in self.then:
            return super().__call__(query, top_k)
        try:
            member = enter_by(self.key, User.objects.get(pk=self.user), workspace=self.workspace)
            found = [passage_from_plain(plain) for plain in readable_of(self.then[query], member)]
            return found[:top_k]
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
