"""Agents as things of a workspace: who makes, changes, shares and retires them. Each save is a version; a run keeps its own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.languages import NAMES
from north.documents.models import Document
from north.threads.approving import EFFECTS, lines
from north.threads.errors import Unaskable
from north.threads.models import Agent, AgentVersion, Run
from north.workspaces import audit
from north.workspaces.access import demand
from north.workspaces.models import Membership, Role

MOST = 50
"""Agents of one workspace."""
LIMITS: Mapping[str, tuple[int, int]] = {"searches": (1, 8), "steps": (1, 20), "seconds": (30, 900)}
INSTRUCTIONS, QUESTIONS, QUESTION_CHARACTERS = 4000, 8, 300


# --- a person's verbs -----------------------------------------------------------------------------------------------------------------
def make(values: Mapping[str, Any], *, shared: bool, actor: Membership) -> Agent:
    """Raises Unaskable."""
    demand(actor, Role.EDITOR)
    kept = checked(values, actor)
    if Agent.objects.filter(workspace=actor.workspace, retired_at=None).count() >= MOST:
        raise Unaskable(_("There are %(most)d agents already. Retire one first.") % {"most": MOST})
    with transaction.atomic():
        agent = Agent.objects.create(workspace=actor.workspace, made_by=actor.user, shared=shared, number=1, **kept)
        agent.versions.create(number=1, values=kept, saved_by=actor.user)
        audit.record("agent.create", actor=actor, thing=agent, shared=shared)
    return agent


def save(agent: Agent, values: Mapping[str, Any], *, actor: Membership) -> Agent:
    """A new version, unless nothing was changed. Runs that work keep theirs. Raises Unaskable."""
    editable(agent, actor)
    kept = checked({**agent.values(), **values}, actor)
    with transaction.atomic():
        row = Agent.objects.select_for_update().get(pk=agent.pk)
        if row.number and kept == row.values():
            return row
        if not row.number:  # as it was before anybody saved it
            row.number = 1
            row.versions.create(number=1, values=row.values())
        row.number += 1
        for name, value in kept.items():
            setattr(row, name, value)
        row.save()
        row.versions.create(number=row.number, values=kept, saved_by=actor.user)
        audit.record("agent.change", actor=actor, thing=row, version=row.number)
    return row


def restore(version: AgentVersion, *, actor: Membership) -> Agent:
    """An older version as the newest again; a source that is gone meanwhile is left out."""
    known = {"", *map(str, version.agent.workspace.sources.values_list("pk", flat=True))}
    sources = [one for one in version.values["sources"] if one in known]
    if version.values["sources"] and not sources:
        raise Unaskable(_("The sources that this version knew are gone."))
    return save(version.agent, {**version.values, "sources": sources}, actor=actor)


def share(agent: Agent, shared: bool, *, actor: Membership) -> None:
    """With the workspace, or back to its maker alone. Raises Unaskable where no shared one would remain."""
    editable(agent, actor)
    with transaction.atomic():
        if not shared:
            not_the_last(agent)
            if agent.made_by_id != actor.user_id:
                raise Unaskable(_("Only who made this agent can take it back."))
        agent.shared = shared
        agent.save(update_fields=["shared"])
        audit.record("agent.share" if shared else "agent.unshare", actor=actor, thing=agent)


def retire(agent: Agent, *, actor: Membership) -> None:
    """It answers nobody any more; what it answered stays. Raises Unaskable where no shared one would remain."""
    editable(agent, actor)
    with transaction.atomic():
        not_the_last(agent)
        Agent.objects.filter(pk=agent.pk).update(retired_at=timezone.now())
        audit.record("agent.retire", actor=actor, thing=agent)


def not_the_last(agent: Agent) -> None:
    others = Agent.objects.filter(workspace=agent.workspace_id, shared=True, retired_at=None).exclude(pk=agent.pk)
    if agent.shared and not others.exists():
        raise Unaskable(_("It is the only agent that everybody here may use. Share another one first."))


def editable(agent: Agent, actor: Membership) -> None:
    """A 404 for who may not: readers, strangers, and everybody but its maker while it is not shared."""
    demand(actor, Role.EDITOR)
    if agent.workspace_id != actor.workspace_id or agent.retired_at or not (agent.shared or agent.made_by_id == actor.user_id):
        raise Http404


# --- what may be said -----------------------------------------------------------------------------------------------------------------
def checked(values: Mapping[str, Any], actor: Membership) -> dict[str, Any]:
    """As an agent keeps it; everything of `Agent.VALUES`. Raises Unaskable."""
    kept = {**Agent().values(), **values}
    kept["name"], kept["about"] = " ".join(lines(str(kept["name"])).split()), " ".join(lines(str(kept["about"])).split())
    kept["instructions"] = lines(str(kept["instructions"]))
    kept["questions"] = [" ".join(lines(str(one)).split()) for one in kept["questions"] if str(one).strip()]
    kept["sources"], kept["rules"] = sorted(set(map(str, kept["sources"]))), {tool: rule for tool, rule in kept["rules"].items() if rule}
    kept["limits"] = {name: value for name, value in kept["limits"].items() if value is not None}
    for wrong in filter(None, faults(kept, actor)):
        raise Unaskable(wrong)
    return kept


def faults(kept: Mapping[str, Any], actor: Membership) -> list[str]:
    known = {"", *map(str, actor.workspace.sources.values_list("pk", flat=True))}
    return [
        "" if 0 < len(kept["name"]) <= 80 else _("Give the agent a name of at most 80 characters."),
        "" if len(kept["about"]) <= 200 else _("Say in at most 200 characters what it is for."),
        "" if len(kept["instructions"]) <= INSTRUCTIONS else _("Instructions have at most %d characters.") % INSTRUCTIONS,
        ""
        if len(kept["questions"]) <= QUESTIONS and all(len(one) <= QUESTION_CHARACTERS for one in kept["questions"])
        else _("At most %(count)d starter questions, of at most %(most)d characters each.")
        % {"count": QUESTIONS, "most": QUESTION_CHARACTERS},
        "" if set(kept["sources"]) <= known else _("One of the sources is not in this workspace."),
        ""
        if set(kept["rules"]) <= set(EFFECTS) and set(kept["rules"].values()) <= {"ask", "deny"}
        else _("A tool or its rule is unknown."),
        *(limit_fault(name, value) for name, value in kept["limits"].items()),
        "" if kept["language"] in {"", *NAMES} else _("North knows no such language."),
        "" if kept["length"] in Agent.Length.values and kept["form"] in Agent.Form.values else _("There is no such length or form."),
        "" if kept["confirms"] in Agent.Confirms.values else _("Plans are shown never, always, or when something is changed (writes)."),
    ]


def limit_fault(name: str, value: Any) -> str:
    if name not in LIMITS:
        return _("There is no limit “%s”.") % name
    least, most = LIMITS[name]
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return ""
    return _("%(name)s: from %(least)d to %(most)d.") % {"name": name, "least": least, "most": most}


# --- as a run uses it -----------------------------------------------------------------------------------------------------------------
def as_asked(run: Run) -> Agent:
    """The agent of a run as it was when it was asked; not to be saved."""
    agent = run.agent or run.thread.workspace.agents.default() or Agent()
    values = {**agent.values(), **(run.version.values if run.version else {})}
    return Agent(**values)


def known_to(agent: Agent, documents: QuerySet[Document]) -> QuerySet[Document]:
    """Those of the sources that it knows."""
    if not agent.sources:
        return documents
    uploads = Q(source=None) if "" in agent.sources else Q(pk__in=[])
    return documents.filter(uploads | Q(source__in=[one for one in agent.sources if one]))
