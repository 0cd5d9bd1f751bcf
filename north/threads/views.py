"""Pages of threads: forms in, pages and fragments out. Whoever sends an htmx request gets the fragment, everybody else a redirect."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.core.paginator import Paginator
from django.db.models import Case, Exists, OuterRef, Q, QuerySet, When
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from north.cards import words
from north.cards.models import Card
from north.threads import actions, control, pages
from north.threads.errors import Refused
from north.threads.models import Agent, Queued, Run, Thread
from north.threads.reading import is_id
from north.workspaces.access import inside
from north.workspaces.models import Membership

THREADS = 30
RECENT = 12
QUERY_LENGTH = 200
SHOWN = 50
"""Questions of a thread on one page."""


def taken(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A question that is not taken is answered with the reason: as text to htmx, as a message on the page before to everybody else."""

    @functools.wraps(view)
    def wrapper(request: HttpRequest, membership: Membership, **arguments: Any) -> HttpResponse:
        try:
            return view(request, membership, **arguments)
        except Refused as error:
            if request.htmx:  # type: ignore[attr-defined]
                return HttpResponse(str(error), status=error.status, content_type="text/plain; charset=utf-8")
            messages.error(request, str(error))
            slug, thread = membership.workspace.slug, arguments.get("thread_id")
            return redirect("threads:thread", slug, thread) if thread else redirect("threads:index", slug)

    return wrapper


@require_safe
@inside()
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    query = request.GET.get("q", "").strip()[:QUERY_LENGTH]
    threads = Thread.objects.of(membership).exclude(asked_at=None).matching(query)
    agents, card = list(Agent.objects.of(membership)), Card.objects.in_use()
    agent = chosen_of(agents, request.GET.get("agent", ""))
    values = {
        "nav": "threads", "query": query, "page": Paginator(threads, THREADS).get_page(request.GET.get("page")),
        "agents": agents, "agent": agent, "questions": agent.questions if agent else [],
        "recent": recent(membership), "length": actions.QUESTION_LENGTH,
        "has_documents": membership.workspace.documents.alive().exists(), "model": settings.MODELS["chat"].get("model", ""),
        "card": card, "card_words": words.short(card),
    }  # fmt: skip
    return render(request, "threads/index.html", values)


def chosen_of(agents: list[Agent], wanted: str) -> Agent | None:
    """The one that an address names, else the one that answers where none is chosen."""
    return next((one for one in agents if str(one.pk) == wanted), None) or next((one for one in agents if one.shared), None)


def recent(membership: Membership) -> list[Thread]:
    return list(Thread.objects.of(membership).exclude(asked_at=None)[:RECENT])


def with_recent(membership: Membership, thread_id: UUID) -> tuple[Thread, Sequence[Thread]]:
    """The thread, and the recent ones, it perhaps among them; whether questions wait in it, and whether there are agents to choose from.
    One query."""
    rows = Thread.objects.of(membership).filter(Q(pk=thread_id) | Q(asked_at__isnull=False))
    rows = rows.annotate(waits=Exists(Queued.objects.filter(thread=OuterRef("pk"))), choice=Exists(Agent.objects.of(membership)[1:2]))
    found = list(rows.order_by(Case(When(pk=thread_id, then=0), default=1), "-asked_at", "-created_at")[: RECENT + 1])
    if not found or found[0].pk != thread_id:
        raise Http404
    asked = [(one.asked_at, one) for one in found if one.asked_at]
    return found[0], [one for _at, one in sorted(asked, key=lambda pair: pair[0], reverse=True)][:RECENT]


def own(membership: Membership, thread_id: UUID) -> Thread:
    return get_object_or_404(Thread.objects.of(membership), pk=thread_id)


def own_run(membership: Membership, run_id: UUID) -> Run:
    return get_object_or_404(Run.objects.of(membership).select_related("thread"), pk=run_id)


@require_safe
@inside()
def thread(request: HttpRequest, membership: Membership, thread_id: UUID) -> HttpResponse:
    """Its newest questions; `before` the one of this id, those that came before it; `run`, the page that holds the one of this id."""
    found, others = with_recent(membership, thread_id)
    rows, before = found.runs.order_by("-created_at"), request.GET.get("before", "")
    if wanted := request.GET.get("run", ""):
        before = page_of(rows, run_in(found, wanted))
    if before:
        rows = rows.filter(created_at__lt=run_in(found, before).created_at)
    shown = pages.runs_of(rows[: SHOWN + 1], membership)
    runs = shown[:SHOWN][::-1]
    agents, queued = agents_for(runs, membership) if found.choice else [], list(found.queued.all()) if found.waits else []  # type: ignore[attr-defined]
    values = {
        "nav": "threads", "thread": found, "agents": agents, "runs": runs, "recent": others, "length": actions.QUESTION_LENGTH,
        "queued": queued, "slug": membership.workspace.slug, "before": before, "earlier": len(shown) > SHOWN,
    }  # fmt: skip
    return render(request, "threads/thread.html", values)


def run_in(thread: Thread, run_id: str) -> Run:
    return get_object_or_404(thread.runs, pk=run_id if is_id(run_id) else None)


def page_of(rows: QuerySet[Run], run: Run) -> str:
    """Before which question the page of this one begins, where each page is full; empty for the newest page. `rows`: the newest first."""
    newer = rows.filter(created_at__gt=run.created_at)
    pages_before = newer.count() // SHOWN
    return str(newer[pages_before * SHOWN - 1].pk) if pages_before else ""


def agents_for(runs: list[pages.RunPage], membership: Membership) -> list[Agent]:
    """Whom the next question of a thread may go to, first the one that answered last."""
    agents = Agent.objects.of(membership)
    last = next((one.run.agent_id for one in reversed(runs) if one.run.agent_id), None)
    return sorted(agents, key=lambda one: (one.pk != last, not one.shared))


@require_POST
@inside()
@taken
def start(request: HttpRequest, membership: Membership) -> HttpResponse:
    question, agent = request.POST.get("question", ""), request.POST.get("agent", "")
    run = actions.start(question, actor=membership, agent=agent, thorough="thorough" in request.POST)
    return HttpResponseRedirect(reverse("threads:thread", args=[membership.workspace.slug, run.thread_id]))


@require_POST
@inside()
@taken
def ask(request: HttpRequest, membership: Membership, thread_id: UUID) -> HttpResponse:
    found, question, agent = own(membership, thread_id), request.POST.get("question", ""), request.POST.get("agent", "")
    thorough = "thorough" in request.POST
    if not found.runs.open().exists() and not found.queued.exists():
        return added(request, membership, actions.ask(found, question, actor=membership, agent=agent, thorough=thorough))
    row = control.queue(found, question, actor=membership, agent=agent, thorough=thorough)
    if not request.htmx:  # type: ignore[attr-defined]
        return redirect("threads:thread", membership.workspace.slug, thread_id)
    values = {"queued": list(found.queued.all()), "thread": found, "slug": membership.workspace.slug, "out_of_band": True}
    values["asked"] = pages.runs_of(Run.objects.of(membership).filter(pk=row.pk), membership)  # it may have begun by now
    return render(request, "threads/thread.html#queue", values)


@require_POST
@inside()
@taken
def again(request: HttpRequest, membership: Membership, run_id: UUID) -> HttpResponse:
    return added(request, membership, actions.again(own_run(membership, run_id), actor=membership))


def added(request: HttpRequest, membership: Membership, run: Run) -> HttpResponse:
    """The new run at the end of its thread; it opens its stream by itself."""
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "threads/thread.html#run", {"run": pages.run_page(run.pk, membership)})
    return HttpResponseRedirect(reverse("threads:thread", args=[membership.workspace.slug, run.thread_id]) + f"#run-{run.pk}")


@require_POST
@inside()
def cancel(request: HttpRequest, membership: Membership, run_id: UUID) -> HttpResponse:
    run = own_run(membership, run_id)
    actions.cancel(run, actor=membership)
    control.ask_next(run.thread_id)
    if request.htmx:  # type: ignore[attr-defined]
        return HttpResponse(status=204)
    return redirect("threads:thread", membership.workspace.slug, run.thread_id)


@require_POST
@inside()
@taken
def rename(request: HttpRequest, membership: Membership, thread_id: UUID) -> HttpResponse:
    actions.rename(own(membership, thread_id), request.POST.get("title", ""), actor=membership)
    return redirect("threads:thread", membership.workspace.slug, thread_id)


@require_POST
@inside()
def delete(request: HttpRequest, membership: Membership, thread_id: UUID) -> HttpResponse:
    actions.delete(own(membership, thread_id), actor=membership)
    return redirect("threads:index", membership.workspace.slug)
