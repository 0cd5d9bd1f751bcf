"""Pages of agents: to choose one, to make and change it, and to try it out beside its form."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from north.threads import actions, configuring, pages
from north.threads.errors import Refused
from north.threads.forms import AgentForm, filled
from north.threads.models import Agent
from north.threads.views import taken
from north.workspaces.access import demand, inside
from north.workspaces.models import Membership, Role

VERSIONS = 20


@require_safe
@inside()
def index(request: HttpRequest, membership: Membership) -> HttpResponse:
    return render(request, "threads/agents.html", {"nav": "threads", "agents": Agent.objects.of(membership).select_related("made_by")})


def own(membership: Membership, agent_id: UUID) -> Agent:
    return get_object_or_404(Agent.objects.of(membership), pk=agent_id)


@require_http_methods(["GET", "HEAD", "POST"])
@inside(Role.EDITOR)
def new(request: HttpRequest, membership: Membership) -> HttpResponse:
    form = AgentForm(request.POST or None, membership=membership, is_new=True)
    if request.method == "POST" and form.is_valid():
        try:
            made = configuring.make(form.values(), shared=form.cleaned_data["shared"], actor=membership)
            messages.success(request, _("The agent is there. Try it out before others do."))
            return redirect("threads:agent", membership.workspace.slug, made.pk)
        except Refused as error:
            form.add_error(None, str(error))
    return render(request, "threads/agent.html", {"nav": "threads", "form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@inside()
def agent(request: HttpRequest, membership: Membership, agent_id: UUID) -> HttpResponse:
    """Readers see what it is, editors change it. What is wrong is shown again, with the reason."""
    found = own(membership, agent_id)
    if request.method == "POST":
        demand(membership, Role.EDITOR)
    form = AgentForm(request.POST or None, initial=filled(found.values()), membership=membership, is_new=False)
    if request.method == "POST" and form.is_valid():
        try:
            saved = configuring.save(found, form.values(), actor=membership)
            messages.success(request, _("Saved as version %d.") % saved.number)
            return redirect("threads:agent", membership.workspace.slug, agent_id)
        except Refused as error:
            form.add_error(None, str(error))
    return page(request, membership, found, form)


def page(request: HttpRequest, membership: Membership, found: Agent, form: AgentForm) -> HttpResponse:
    values: dict[str, Any] = {
        "nav": "threads", "agent": found, "form": form, "versions": found.versions.select_related("saved_by")[:VERSIONS],
        "length": actions.QUESTION_LENGTH, "is_mine": found.made_by_id == membership.user_id,
    }  # fmt: skip
    return render(request, "threads/agent.html", values, status=422 if form.errors else 200)


@require_POST
@inside()
@taken
def try_out(request: HttpRequest, membership: Membership, agent_id: UUID) -> HttpResponse:
    """A thread of one's own with this agent; beside the form where there is htmx."""
    found = own(membership, agent_id)
    run = actions.start(request.POST.get("question", ""), actor=membership, agent=found.pk)
    if request.htmx:  # type: ignore[attr-defined]
        return render(request, "threads/thread.html#run", {"run": pages.run_page(run.pk, membership)})
    return redirect(reverse("threads:thread", args=[membership.workspace.slug, run.thread_id]))


def changed(request: HttpRequest, membership: Membership, agent_id: UUID, words: str, verb: Any) -> HttpResponse:
    """Does this to the agent, and says so, or why not."""
    try:
        verb(own(membership, agent_id))
        messages.success(request, words)
    except Refused as error:
        messages.error(request, str(error))
    gone = not Agent.objects.of(membership).filter(pk=agent_id).exists()
    slug = membership.workspace.slug
    return redirect("threads:agents", slug) if gone else redirect("threads:agent", slug, agent_id)


@require_POST
@inside(Role.EDITOR)
def restore(request: HttpRequest, membership: Membership, agent_id: UUID) -> HttpResponse:
    number = request.POST.get("version", "")
    version = get_object_or_404(own(membership, agent_id).versions, number=number if number.isdecimal() else 0)
    words = _("Version %s is the newest again.") % number
    return changed(request, membership, agent_id, words, lambda found: configuring.restore(version, actor=membership))


@require_POST
@inside(Role.EDITOR)
def share(request: HttpRequest, membership: Membership, agent_id: UUID) -> HttpResponse:
    shared = request.POST.get("shared") == "1"
    words = _("Everybody in this workspace may ask it now.") if shared else _("Only you can ask it now.")
    return changed(request, membership, agent_id, words, lambda found: configuring.share(found, shared, actor=membership))


@require_POST
@inside(Role.EDITOR)
def retire(request: HttpRequest, membership: Membership, agent_id: UUID) -> HttpResponse:
    words = _("The agent is retired. What it answered stays.")
    return changed(request, membership, agent_id, words, lambda found: configuring.retire(found, actor=membership))
