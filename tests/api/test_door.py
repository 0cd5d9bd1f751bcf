"""The door of the APIs: what each key opens, what it says to those who are turned away, and what it tells of limits."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from north.documents.models import Document, Source, Status
from north.inference.metering import Used
from north.threads.models import Agent, Run, Thread
from north.usage import models, rates
from north.usage.models import Kind
from north.workspaces import keys
from north.workspaces.models import ApiKey, KeyScope, Membership, User, Workspace

pytestmark = pytest.mark.django_db


def call(key: str, path: str, body: Any = None, method: str = "") -> HttpResponse:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    data = json.dumps(body) if body is not None else ""
    method = method or ("post" if body is not None else "get")
    return Client().generic(method.upper(), f"/api/v1{path}", data, content_type="application/json", headers=headers)


def made(membership: Membership, **fields: Any) -> tuple[ApiKey, str]:
    return keys.issue_key(membership, actor=membership, **fields)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic eDp5", "north_x_y", "Token north_x_y"])
def test_without_a_key_the_answer_asks_for_one(header: str, workspace: Workspace) -> None:
    answer = Client().get("/api/v1/documents", headers={"Authorization": header})
    assert answer.status_code == 401 and answer.json()["code"] == "unauthorized"
    assert answer["WWW-Authenticate"] == 'Bearer realm="north"'


def test_whoever_holds_a_key_is_told_why_it_is_not_taken(reader: Membership) -> None:
    row, key = made(reader)
    past = timezone.now() - timedelta(seconds=1)

    def said(sent: str, **change: Any) -> str:
        ApiKey.objects.filter(pk=row.pk).update(expires_at=None, revoked_at=None)
        ApiKey.objects.filter(pk=row.pk).update(**change)
        answer = call(sent, "/documents")
        assert answer.status_code == 401 and answer["WWW-Authenticate"].startswith('Bearer realm="north", error="invalid_token", ')
        return answer.json()["detail"]

    assert "has expired" in said(key, expires_at=past) and "was revoked" in said(key, revoked_at=past)
    assert said(key[:-1] + "~", revoked_at=past) == said("north_0_x", revoked_at=None), "a stranger learns nothing"
    User.objects.filter(pk=reader.user_id).update(is_active=False)
    assert "suspended" in said(key, name="x")


NEEDS = {
    ("get", "/documents"): "read", ("delete", f"/documents/{uuid.UUID(int=1)}"): "write", ("post", "/documents"): "write",
    ("post", "/search"): "read", ("post", f"/threads/{uuid.UUID(int=1)}/runs"): "infer",
}  # fmt: skip


@pytest.mark.parametrize(("method", "path"), NEEDS)
def test_a_key_is_for_its_scopes_only(method: str, path: str, owner: Membership) -> None:
    for scope in KeyScope.values:
        answer = call(made(owner, scopes=[scope])[1], path, {}, method)
        if scope == NEEDS[method, path]:
            assert answer.status_code not in {401, 403}
        else:
            assert answer.status_code == 403 and answer.json()["code"] == "insufficient_scope"
            assert answer["WWW-Authenticate"] == f'Bearer realm="north", error="insufficient_scope", scope="{NEEDS[method, path]}"'


def test_scopes_are_looked_at_before_the_body(reader: Membership) -> None:
    assert call(made(reader, scopes=["read"])[1], f"/threads/{uuid.uuid4()}/runs", "no object").status_code == 403


def test_who_only_asks_may_read_the_answer(reader: Membership) -> None:
    _row, key = made(reader, scopes=["infer"])
    thread = call(key, "/threads", {}).json()
    run = call(key, f"/threads/{thread['id']}/runs", {"question": "Why?"})
    assert run.status_code == 202 and call(key, f"/runs/{run.json()['id']}").status_code == 200
    assert call(key, "/documents").status_code == 403


# --- limited to agents and sources ----------------------------------------------------------------------------------------------------
@pytest.fixture
def shares(workspace: Workspace) -> dict[str, Source]:
    found = {}
    for name in ("Legal", "Sales"):
        source = Source.objects.create(workspace=workspace, connector="folder", name=name, config={"path": "/nowhere"}, principals=[])
        document = Document.objects.create(workspace=workspace, name=f"{name}.txt", sha256="0" * 64, source=source, status=Status.READY)
        document.principals.create(value=workspace.everyone)
        found[name] = source
    upload = Document.objects.create(workspace=workspace, name="Upload.txt", sha256="0" * 64, status=Status.READY)
    upload.principals.create(value=workspace.everyone)
    return found


def test_a_key_for_some_sources_sees_no_other_document(owner: Membership, shares: dict[str, Source]) -> None:
    _row, key = made(owner, sources=[str(shares["Legal"].pk)])
    assert [one["name"] for one in call(key, "/documents").json()["items"]] == ["Legal.txt"]
    for document in Document.objects.exclude(name="Legal.txt"):
        assert call(key, f"/documents/{document.pk}").status_code == 404
        assert call(key, f"/documents/{document.pk}", method="delete").status_code == 404
    nothing = call(made(owner, sources=[str(uuid.uuid4())])[1], "/documents")
    assert nothing.json()["items"] == []


def test_a_limited_key_sees_only_what_was_asked_by_it(reader: Membership, shares: dict[str, Source]) -> None:
    row, key = made(reader, sources=[str(shares["Legal"].pk)])
    thread = Thread.objects.create(workspace=reader.workspace, user=reader.user)
    other = Run.objects.create(thread=thread, question="In the browser?", status=Run.Status.DONE, answer="Sales are secret.")
    assert call(key, f"/runs/{other.pk}").status_code == 404
    assert call(key, f"/threads/{thread.pk}/runs", {"question": "What did I ask?"}).status_code == 404
    own = call(key, f"/threads/{call(key, '/threads', {}).json()['id']}/runs", {"question": "Why?"}).json()
    assert call(key, f"/runs/{own['id']}").status_code == 200
    assert Run.objects.get(pk=own["id"]).key_id == row.pk


def test_a_key_for_some_agents_asks_no_other(reader: Membership) -> None:
    agent = Agent.objects.create(workspace=reader.workspace, name="Lawyer")
    for allowed, status in (([str(agent.pk)], 202), ([str(uuid.uuid4())], 404)):
        _row, key = made(reader, agents=allowed)
        thread = call(key, "/threads", {}).json()["id"]
        assert call(key, f"/threads/{thread}/runs", {"question": "Why?"}).status_code == status


# --- limits -------------------------------------------------------------------------------------------------------------------------------
def test_too_many_requests_are_told_when_to_come_back(broker: redis.Redis, reader: Membership) -> None:
    rates.away_until = 0.0
    row, key = made(reader)
    keys.allow(row, {"requests_per_minute": 2})
    first = call(key, "/documents")
    assert (first["x-ratelimit-limit-requests"], first["x-ratelimit-remaining-requests"]) == ("2", "1")
    assert first["RateLimit-Policy"] == '"requests";q=2;w=60' and first["RateLimit"].startswith('"requests";r=1;t=')
    assert call(key, "/documents").status_code == 200
    third = call(key, "/documents")
    assert third.status_code == 429 and third.json()["code"] == "rate_limited" and "2 a minute" in third.json()["detail"]
    assert 0 < int(third["Retry-After"]) <= 30 and 0 < int(third["retry-after-ms"]) <= 30_000
    assert int(third["X-RateLimit-Reset"]) > timezone.now().timestamp()
    assert call(made(reader)[1], "/documents").status_code == 200, "the limit is the key's"


def test_a_members_keys_share_the_members_limit(broker: redis.Redis, reader: Membership, editor: Membership) -> None:
    rates.away_until = 0.0
    keys.allow(reader.workspace, {"requests_per_minute": 2})
    statuses = [call(made(reader)[1], "/documents").status_code for _key in range(3)]
    assert statuses == [200, 200, 429] and call(made(editor)[1], "/documents").status_code == 200


def test_a_soft_budget_warns_and_a_hard_one_refuses_without_asking_to_wait(reader: Membership) -> None:
    row, key = made(reader)
    keys.allow(row, {"tokens_per_month": 100})
    models.add(Kind.RUN, Used(90, 0, 20, 1.0), model="m", workspace=reader.workspace_id, user=reader.user_id, key=row.pk)

    def ask() -> HttpResponse:
        return call(key, f"/threads/{call(key, '/threads', {}).json()['id']}/runs", {"question": "Why?"})

    warned = ask()
    assert warned.status_code == 202 and "110 %" in warned["x-north-notice"] and warned["x-ratelimit-remaining-tokens"] == "0"
    Run.objects.update(status=Run.Status.DONE)
    keys.allow(row, {"refuses": True})
    refused = ask()
    assert refused.status_code == 429 and refused.json()["code"] == "budget_used" and refused["x-should-retry"] == "false"
    assert "Retry-After" not in refused or int(refused["Retry-After"]) <= 60
    assert call(key, "/documents").status_code == 200, "reading goes on"
    assert Run.objects.count() == 1


def test_a_members_hard_budget_holds_in_the_browser_too(reader: Membership, as_rita: Client) -> None:
    keys.allow(reader.workspace, {"tokens_per_day": 10, "refuses": True})
    models.add(Kind.RUN, Used(10, 0, 0, 1.0), model="m", workspace=reader.workspace_id, user=reader.user_id)
    answer = as_rita.post("/w/acme/ask", {"question": "Why?"}, follow=True)
    assert not Run.objects.exists() and "100 % of your 10 tokens of today" in answer.content.decode()


def test_a_replaced_key_is_told_so(reader: Membership) -> None:
    row, first = made(reader)
    second = keys.rotate_key(row, grace=timedelta(hours=1), actor=reader)
    assert "This key was replaced" in call(first, "/documents")["x-north-notice"]
    assert "x-north-notice" not in call(second, "/documents")


def test_the_description_names_the_scheme_once() -> None:
    described = Client().get("/api/openapi.json").json()
    assert described["components"]["securitySchemes"] == {"Key": {"type": "http", "scheme": "bearer", **_texts(described)}}
    assert all("security" in call for path in described["paths"].values() for call in path.values())


def _texts(described: Any) -> dict[str, str]:
    scheme = described["components"]["securitySchemes"]["Key"]
    return {name: scheme[name] for name in ("name", "description") if name in scheme}
