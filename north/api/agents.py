"""Agents by REST: whom a question may go to; and for editors how each is set up, version by version."""

from __future__ import annotations

import uuid
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Status

from north.api.keys import Key, caller
from north.api.paging import Paging, page
from north.api.router import answers, router
from north.api.schemas.work import AgentDetail, AgentIn, AgentNew, AgentOut, AgentPage, AgentSharing, AgentVersionOut, AgentVersions
from north.api.tags import held, tagged
from north.threads import configuring
from north.threads.models import Agent
from north.workspaces.access import demand
from north.workspaces.models import Membership, Role

routes = router()


def agent_out(agent: Agent) -> AgentOut:
    return AgentOut(id=agent.pk, name=agent.name, about=agent.about, questions=agent.questions, shared=agent.shared, version=agent.number)


def detail(agent: Agent) -> AgentDetail:
    return AgentDetail(id=agent.pk, shared=agent.shared, version=agent.number, **agent.values())


def editor(request: HttpRequest) -> Membership:
    actor = caller(request)
    demand(actor, Role.EDITOR)
    return actor


def one(agent_id: uuid.UUID, actor: Membership) -> Agent:
    return get_object_or_404(Agent.objects.of(actor), pk=agent_id)


def values(body: AgentIn) -> dict[str, Any]:
    said = body.model_dump(exclude={"shared"})
    return {**said, "sources": [str(source) for source in body.sources]}


@routes.get("", auth=Key("read", "infer"), response=answers(200, AgentPage), summary="List agents")
def list_agents(request: HttpRequest, paging: Query[Paging]) -> AgentPage:
    """The oldest shared one answers where none is chosen."""
    actor = caller(request)
    found, following = page(Agent.objects.of(actor), paging, by="created_at", within=actor.workspace_id)
    return AgentPage(items=[agent_out(one) for one in found], next=following)


@routes.post("", response=answers(201, AgentDetail, 409), summary="Make an agent")
def create_agent(request: HttpRequest, body: AgentNew) -> Status[AgentDetail]:
    return Status(201, detail(configuring.make(values(body), shared=body.shared, actor=editor(request))))


@routes.get("/{uuid:agent_id}", response=answers(200, AgentDetail, 304), summary="How an agent is set up")
def get_agent(request: HttpRequest, response: HttpResponse, agent_id: uuid.UUID) -> AgentDetail:
    return tagged(request, response, detail(one(agent_id, editor(request))))


@routes.put("/{uuid:agent_id}", response=answers(200, AgentDetail, 409, 412), summary="Set up an agent anew: a new version")
def change_agent(request: HttpRequest, response: HttpResponse, agent_id: uuid.UUID, body: AgentIn) -> AgentDetail:
    """What is left out is as in a new agent. Runs that work keep the version that they were asked of."""
    actor = editor(request)
    with held(request, Agent.objects.of(actor).filter(pk=agent_id), detail) as agent:
        saved = configuring.save(agent, values(body), actor=actor)
    return tagged(request, response, detail(saved))


@routes.put("/{uuid:agent_id}/sharing", response=answers(200, AgentDetail, 409), summary="Share it with the workspace, or take it back")
def share_agent(request: HttpRequest, agent_id: uuid.UUID, body: AgentSharing) -> AgentDetail:
    actor = editor(request)
    configuring.share(one(agent_id, actor), body.shared, actor=actor)
    return detail(one(agent_id, actor))


@routes.delete("/{uuid:agent_id}", response=answers(204, None, 409, 412), summary="Retire an agent")
def retire_agent(request: HttpRequest, agent_id: uuid.UUID) -> Status[None]:
    """It answers nobody any more; what it answered stays. 409 where no shared one would remain."""
    actor = editor(request)
    with held(request, Agent.objects.of(actor).filter(pk=agent_id), detail) as agent:
        configuring.retire(agent, actor=actor)
    return Status(204, None)


@routes.get("/{uuid:agent_id}/versions", response=answers(200, AgentVersions), summary="Its versions, newest first")
def list_agent_versions(request: HttpRequest, agent_id: uuid.UUID) -> AgentVersions:
    """At most a hundred."""
    rows = one(agent_id, editor(request)).versions.select_related("saved_by")[:100]
    return AgentVersions(items=[
        AgentVersionOut(
            number=row.number, values=row.values, saved_by=row.saved_by.email if row.saved_by else "", created_at=row.created_at
        )
        for row in rows
    ])  # fmt: skip


@routes.post("/{uuid:agent_id}/versions/{int:number}/restore", response=answers(200, AgentDetail, 409), summary="An older version again")
def restore_agent(request: HttpRequest, agent_id: uuid.UUID, number: int) -> AgentDetail:
    actor = editor(request)
    version = get_object_or_404(one(agent_id, actor).versions, number=number)
    return detail(configuring.restore(version, actor=actor))
