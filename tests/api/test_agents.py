"""Agents by REST."""

from __future__ import annotations

import pytest

from north.threads import configuring
from north.threads.models import Agent
from north.workspaces.models import Membership
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db


@pytest.fixture
def calls(editor: Membership) -> Caller:
    return Caller(editor)


def test_an_agent_is_made_changed_shared_and_retired(calls: Caller, editor: Membership, reader: Membership) -> None:
    made = calls.post(
        "/agents", {"name": "Lawyer", "sources": [""], "rules": {"calculate": "deny"}, "limits": {"steps": 3}, "shared": False}
    )
    assert made.status_code == 201
    agent, rita = made.json(), Caller(reader)
    assert (agent["version"], agent["sources"], agent["limits"]) == (1, [""], {"searches": None, "steps": 3, "seconds": None})
    path = f"/agents/{agent['id']}"
    assert rita.get("/agents").json()["items"] == []
    assert calls.send("PUT", f"{path}/sharing", {"shared": True}).json()["shared"] is True
    assert [one["name"] for one in rita.get("/agents").json()["items"]] == ["Lawyer"]
    assert rita.get(path).status_code == 404, "how it is set up is for editors"
    tag = calls.get(path).headers["ETag"]
    changed = calls.send("PUT", path, {"name": "Judge", "language": "de"}, if_match=tag)
    assert (changed.json()["version"], changed.json()["name"], changed.json()["rules"]) == (2, "Judge", {})
    assert calls.send("PUT", path, {"name": "Late"}, if_match=tag).status_code == 412
    assert [one["number"] for one in calls.get(f"{path}/versions").json()["items"]] == [2, 1]
    assert calls.post(f"{path}/versions/1/restore").json()["rules"] == {"calculate": "deny"}
    assert calls.post(f"{path}/versions/9/restore").status_code == 404
    last = calls.delete(path)
    assert (last.status_code, "Share another one first" in last.json()["detail"]) == (422, True)
    configuring.make({"name": "Other"}, shared=True, actor=editor)
    assert calls.delete(path).status_code == 204
    assert calls.get(path).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {}, {"name": ""}, {"name": "X", "rules": {"calculate": "allow"}}, {"name": "X", "limits": {"steps": 99}},
        {"name": "X", "model": "gpt"},
        {"name": "X", "length": "epic"}, {"name": "X", "sources": ["x"]},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused(calls: Caller, body: dict[str, object]) -> None:
    assert calls.post("/agents", body).status_code == 422
    assert not Agent.objects.exists()


def test_a_question_names_whom_it_is_for(calls: Caller, editor: Membership) -> None:
    configuring.make({"name": "First"}, shared=True, actor=editor)
    second = configuring.make({"name": "Second"}, shared=True, actor=editor)
    thread = calls.post("/threads").json()["id"]
    asked = calls.post(f"/threads/{thread}/runs", {"question": "Why?", "agent": str(second.pk)})
    assert (asked.status_code, asked.json()["agent"], asked.json()["agent_version"]) == (202, str(second.pk), 1)
    wrong = calls.post(f"/threads/{thread}/runs", {"question": "Why?", "agent": thread})
    assert wrong.status_code == 404
