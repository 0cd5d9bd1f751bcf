"""A person's word by REST: the same verbs as on the page, and every wrong one answered in words."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.test import Client

from north.documents.models import Document
from north.threads import actions
from north.threads.models import Approval, ArtifactVersion
from north.workspaces.models import ApiKey, Membership, User, Workspace
from tests.threads.conftest import Actor, finish, model, notice, shelve  # noqa: F401  (fixtures)

pytestmark = pytest.mark.django_db(transaction=True)
SENTENCE = "The notice period is thirty days for all staff."


class Caller:
    def __init__(self, key: str) -> None:
        self.client, self.headers = Client(), {"Authorization": f"Bearer {key}"}

    def get(self, path: str) -> Any:
        return self.client.get(f"/api/v1/{path}", headers=self.headers)

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(f"/api/v1/{path}", body, content_type="application/json", headers=self.headers)


@pytest.fixture
def rita_calls(workspace: Workspace, rita: User) -> Caller:
    return Caller(ApiKey.issue(workspace=workspace, user=rita)[1])


@pytest.fixture
def asked(broker: redis.Redis, model: Actor, notice: Document, reader: Membership) -> Approval:  # noqa: F811
    return finish(actions.start("Write a report about the notice period", actor=reader)).approvals.get()


def test_what_waits_is_listed_approved_with_changes_and_done(asked: Approval, rita_calls: Caller) -> None:
    (listed,) = rita_calls.get("approvals").json()
    assert (listed["id"], listed["standing"], listed["arguments"]["text"]) == (str(asked.pk), "waiting", SENTENCE)
    assert listed["derived"] == ["text", "citations"]
    assert rita_calls.get(f"runs/{asked.run_id}").json()["approvals"] == [str(asked.pk)]
    body = {"decision": "approve", "seen": listed["seen"], "changes": {"title": "Notice"}}
    assert rita_calls.post(f"approvals/{asked.pk}", body).json()["standing"] == "approved"
    finish(asked.run)
    done = rita_calls.get(f"approvals/{asked.pk}").json()
    assert (done["standing"], done["words"]) == ("done", "Kept as “Notice”, version 1.")
    run = rita_calls.get(f"runs/{asked.run_id}").json()
    assert (run["status"], run["approvals"], run["refused"]) == ("done", [], False)
    (claim,) = run["claims"]
    assert (run["answer"][claim["start"] : claim["end"]], claim["support"]) == (SENTENCE, "supported")
    assert claim["citations"][0]["name"] == "handbook.txt"
    assert rita_calls.get("approvals").json() == []


def test_wrong_words_change_nothing(asked: Approval, rita_calls: Caller, alice: User, workspace: Workspace) -> None:
    path, seen = f"approvals/{asked.pk}", asked.proposed
    wrong = [
        ({}, 422), ({"decision": "maybe", "seen": seen}, 422), ({"decision": "approve"}, 422), ([], 422),
        ({"decision": "approve", "seen": "0" * 64}, 409), ({"decision": "approve", "seen": "é"}, 409),
        ({"decision": "approve", "seen": seen, "changes": {"citations": []}}, 409),
        ({"decision": "approve", "seen": seen, "changes": {"text": 7}}, 409),
        ({"decision": "approve", "seen": seen, "changes": {"title": "x" * 121}}, 409),
        ({"decision": "approve", "seen": seen, "changes": {"text": ""}}, 409),
    ]  # fmt: skip
    for body, status in wrong:
        answer = rita_calls.post(path, body)
        assert (answer.status_code, bool(answer.json()["detail"])) == (status, True), body
    owner = Caller(ApiKey.issue(workspace=workspace, user=alice)[1])
    assert owner.post(path, {"decision": "approve", "seen": seen}).status_code == 404
    assert owner.get("approvals").json() == []
    assert Approval.objects.get().standing == "waiting"
    assert rita_calls.post(path, {"decision": "reject", "seen": seen}).status_code == 200
    assert rita_calls.post(path, {"decision": "approve", "seen": seen}).status_code == 409
    finish(asked.run)
    assert not ArtifactVersion.objects.exists()
