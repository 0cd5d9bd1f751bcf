"""Keys, limits and service accounts by REST: no privilege rises by it, and a secret is shown once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from north.api.models import KeptAnswer
from north.documents.models import Source
from north.inference.metering import Used
from north.threads.models import Agent
from north.usage import models as usage
from north.usage.models import Kind
from north.workspaces import access, keys
from north.workspaces.models import ApiKey, AuditEvent, Membership, Role, User, Workspace
from tests.api.calling import Caller
from tests.conftest import membership_of

pytestmark = pytest.mark.django_db
BODY: dict[str, Any] = {"name": "ci", "scopes": ["read"], "expires_at": None}
By = Callable[..., Caller]


@pytest.fixture
def by() -> By:
    """Who calls by a key of these scopes, agents, sources and limits."""

    def made(member: Membership, **narrowed: Any) -> Caller:
        return Caller(member, ApiKey.issue(workspace=member.workspace, user=member.user, **narrowed)[1])

    return made


# --- keys -----------------------------------------------------------------------------------------------------------------------------
def test_a_key_is_made_shown_once_used_replaced_and_revoked(rita_calls: Caller, reader: Membership) -> None:
    made = rita_calls.post("/keys", {**BODY, "name": " ci "}, idempotency_key="k").json()
    again = rita_calls.post("/keys", {**BODY, "name": " ci "}, idempotency_key="k").json()
    assert again == {**made, "key": None} and made["key"] not in KeptAnswer.objects.get().body
    assert access.by_key(made["key"]) == reader and (made["name"], made["scopes"]) == ("ci", ["read"])
    assert made["key"].startswith(made["prefix"]) and made["acts_as"] == str(reader.user_id)
    assert made["key"] not in rita_calls.get("/keys").content.decode()
    second = rita_calls.post(f"/keys/{made['id']}/rotate", {"grace_hours": 0}).json()
    assert access.by_key(made["key"]) is None and access.by_key(second["key"]) == reader and second["id"] == made["id"]
    assert rita_calls.delete(f"/keys/{made['id']}").status_code == 204 and access.by_key(second["key"]) is None
    assert rita_calls.delete(f"/keys/{made['id']}").status_code == 404
    assert rita_calls.get(f"/keys/{made['id']}").json()["revoked_at"]
    assert made["id"] not in {one["id"] for one in rita_calls.get("/keys").json()["items"]}
    told = list(AuditEvent.objects.order_by("number").values_list("action", "actor"))
    assert told == [(f"key.{verb}", "rita@acme.example") for verb in ("create", "rotate", "revoke")]
    assert made["key"] not in str(list(AuditEvent.objects.values()))


def test_everybody_sees_their_own_keys_and_owners_all(alice_calls: Caller, rita_calls: Caller, editor: Membership) -> None:
    bobs = ApiKey.issue(workspace=editor.workspace, user=editor.user)[0]
    assert {one["acts_as_name"] for one in alice_calls.get("/keys").json()["items"]} == {"Alice", "Bob", "Rita"}
    assert [one["acts_as_name"] for one in rita_calls.get("/keys").json()["items"]] == ["Rita"]
    assert alice_calls.post(f"/keys/{bobs.pk}/rotate").status_code == 404, "an owner revokes it, and never holds it"
    assert alice_calls.delete(f"/keys/{bobs.pk}").status_code == 204


def test_nobody_makes_a_key_that_acts_as_another_person(
    alice_calls: Caller, bob_calls: Caller, editor: Membership, owner: Membership
) -> None:
    robot = keys.create_service_account("Robot", Role.READER, actor=owner)
    before = ApiKey.objects.count()
    for calls, user in ((alice_calls, editor.user_id), (alice_calls, uuid.uuid4()), (bob_calls, owner.user_id), (bob_calls, robot.user_id)):
        assert calls.post("/keys", {**BODY, "acts_as": str(user)}).status_code == 404
    assert ApiKey.objects.count() == before
    assert access.by_key(alice_calls.post("/keys", {**BODY, "acts_as": str(robot.user_id)}).json()["key"]) == robot


@pytest.mark.parametrize("scopes", [["read"], ["write"], ["infer"], ["read", "write", "infer"]])
def test_without_the_scope_admin_a_key_manages_nothing(scopes: list[str], by: By, owner: Membership) -> None:
    calls, before = by(owner, scopes=scopes), ApiKey.objects.count()
    own = ApiKey.objects.get().pk
    answers = [
        calls.post("/keys", BODY), calls.get("/keys"), calls.get(f"/keys/{own}"), calls.post(f"/keys/{own}/rotate"),
        calls.send("PUT", "/limits", {}), calls.post("/service-accounts", {"name": "Robot"}), calls.get("/webhooks"),
        calls.post("/webhooks", {"url": "https://192.0.2.1/", "events": ["sync.failed"]}),
    ]  # fmt: skip
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(403, "insufficient_scope")] * len(answers)
    assert ApiKey.objects.count() == before and not AuditEvent.objects.exists()


def test_a_key_makes_none_that_may_more_than_itself(by: By, owner: Membership, workspace: Workspace) -> None:
    source, other = (Source.objects.create(workspace=workspace, connector="folder", name=name, config={}) for name in ("A", "B"))
    agent = Agent.objects.create(workspace=workspace, name="Lawyer")
    ends = timezone.now() + timedelta(days=9)
    own = {"scopes": ["admin", "read"], "sources": [str(source.pk)], "agents": [str(agent.pk)], "expires_at": ends}
    calls = by(owner, **own)
    fits = {**BODY, "sources": own["sources"], "agents": own["agents"], "expires_at": ends.isoformat()}
    made = calls.post("/keys", fits).json()
    assert made["sources"] == own["sources"] and made["agents"] == own["agents"]
    wide = ApiKey.issue(workspace=workspace, user=owner.user)[0]
    before = ApiKey.objects.count()
    for wider in (
        {"scopes": ["read", "write"]}, {"scopes": ["infer"]}, {"sources": None}, {"sources": [str(source.pk), str(other.pk)]},
        {"agents": None}, {"expires_at": None}, {"expires_at": (ends + timedelta(days=1)).isoformat()},
    ):  # fmt: skip
        answer = calls.post("/keys", {**fits, **wider})
        assert answer.status_code == 403 and answer.json()["code"] == "forbidden" and "no more than it has" in answer.json()["detail"]
    assert calls.post(f"/keys/{wide.pk}/rotate").status_code == 403
    assert ApiKey.objects.count() == before and AuditEvent.objects.count() == 1


def test_a_limited_key_can_neither_lift_its_limits_nor_make_one_without(by: By, owner: Membership) -> None:
    calls = by(owner, tokens_per_day=100, refuses=True)
    own = ApiKey.objects.get(tokens_per_day=100)
    made = ApiKey.objects.get(pk=calls.post("/keys", BODY).json()["id"])
    assert (made.tokens_per_day, made.refuses, made.requests_per_minute) == (100, True, None)
    free = ApiKey.issue(workspace=owner.workspace, user=owner.user)[0]
    for answer in (
        calls.send("PUT", f"/keys/{own.pk}/limits", {}), calls.send("PUT", f"/keys/{made.pk}/limits", {"tokens_per_day": 5}),
        calls.send("PUT", "/limits", {}), calls.post(f"/keys/{free.pk}/rotate"),
    ):  # fmt: skip
        assert answer.status_code == 403 and answer.json()["code"] == "forbidden"
    own.refresh_from_db()
    assert own.tokens_per_day == 100 and calls.post(f"/keys/{own.pk}/rotate").json()["key"], "itself it may replace"


@pytest.mark.parametrize("wrong", [
    {"name": ""}, {"name": "  "}, {"name": "x" * 81}, {"name": "a\0b"}, {"name": None}, {"scopes": []}, {"scopes": ["all"]},
    {"scopes": "read"},
    {"expires_at": "soon"}, {"expires_at": "2020-01-01T00:00:00Z"}, {"expires_at": "2999-01-01T00:00:00Z"},
    {"expires_at": "2027-01-01T00:00:00"}, {"expires_at": "0001-01-01T00:00:00+23:59"}, {"expires_at": "9999-12-31T23:59:59-23:59"},
    {"expires_at": 1e300}, {"acts_as": "me"}, {"sources": []}, {"sources": ["x"]}, {"agents": {}}, {"workspace": "x"}, {"user": "x"},
])  # fmt: skip
def test_a_wrong_value_is_named_and_makes_no_key(alice_calls: Caller, wrong: dict[str, Any]) -> None:
    answer = alice_calls.post("/keys", {**BODY, **wrong})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"].startswith(f"/{next(iter(wrong))}")
    assert ApiKey.objects.count() == 1


def test_agents_and_sources_of_elsewhere_are_not_there(
    alice_calls: Caller, rita_calls: Caller, workspace: Workspace, other_workspace: Workspace
) -> None:
    both = (workspace, other_workspace)
    mine, theirs = (Source.objects.create(workspace=place, connector="folder", name="S", config={}) for place in both)
    agent = Agent.objects.create(workspace=other_workspace, name="Theirs")
    for wrong in ({"sources": [str(theirs.pk)]}, {"sources": [str(mine.pk), str(theirs.pk)]}, {"agents": [str(agent.pk)]}):
        assert alice_calls.post("/keys", {**BODY, **wrong}).status_code == 404
    assert rita_calls.post("/keys", {**BODY, "sources": [str(mine.pk)]}).status_code == 404, "a reader sees no sources"
    assert ApiKey.objects.count() == 2


@pytest.mark.parametrize("body", [{"grace_hours": 5}, {"grace_hours": -1}, {"grace_hours": "x"}, {"grace": 24}, [], "x"])
def test_a_wrong_grace_replaces_nothing(rita_calls: Caller, body: Any) -> None:
    key = ApiKey.objects.get()
    assert rita_calls.post(f"/keys/{key.pk}/rotate", body).status_code == 422 and ApiKey.objects.get().digest == key.digest


def test_what_is_not_taken_any_more_is_not_replaced(rita_calls: Caller, reader: Membership) -> None:
    dead = ApiKey.issue(workspace=reader.workspace, user=reader.user, expires_at=timezone.now())[0]
    assert rita_calls.post(f"/keys/{dead.pk}/rotate").json()["code"] == "conflict"


# --- limits and usage -----------------------------------------------------------------------------------------------------------------
def test_limits_are_read_set_and_taken_away_by_their_state(alice_calls: Caller, rita_calls: Caller, reader: Membership) -> None:
    key = ApiKey.objects.get(user=reader.user)
    for path, row in ((f"/keys/{key.pk}/limits", key), ("/limits", reader.workspace)):
        tag = alice_calls.get(path)["ETag"]
        said = {"requests_per_minute": 5000, "tokens_per_day": 1000, "tokens_per_month": None, "refuses": True}
        assert alice_calls.send("PUT", path, said, if_match=tag).json() == said
        assert alice_calls.send("PUT", path, {}, if_match=tag).status_code == 412
        row.refresh_from_db()
        assert (row.requests_per_minute, row.tokens_per_day, row.refuses) == (5000, 1000, True)
        assert alice_calls.send("PUT", path, {}).json() == {**dict.fromkeys(said), "refuses": False}
        assert rita_calls.send("PUT", path, {}).status_code == 404
    assert [event.action for event in AuditEvent.objects.order_by("number")] == ["key.allow"] * 2 + ["workspace.allow"] * 2


@pytest.mark.parametrize("wrong", [0, -5, "x", 1.5, 10**30, []])
def test_limits_are_whole_numbers(alice_calls: Caller, wrong: Any) -> None:
    key = ApiKey.objects.get()
    for path in (f"/keys/{key.pk}/limits", "/limits"):
        assert alice_calls.send("PUT", path, {"tokens_per_day": wrong}).status_code == 422
    assert not ApiKey.objects.exclude(tokens_per_day=None).exists() and not Workspace.objects.exclude(tokens_per_day=None).exists()


def test_a_key_tells_what_it_used_and_how_far_its_budgets_are(alice_calls: Caller, rita_calls: Caller, reader: Membership) -> None:
    key = ApiKey.objects.get(user=reader.user)
    ApiKey.objects.filter(pk=key.pk).update(tokens_per_day=1000)
    for who, tokens in ((key.pk, 900), (None, 70)):
        usage.add(Kind.RUN, Used(tokens, 0, 0, 1.0), model="m", workspace=reader.workspace_id, user=reader.user_id, key=who, count=3)
    said = rita_calls.get(f"/keys/{key.pk}/usage", days=7).json()
    assert said == alice_calls.get(f"/keys/{key.pk}/usage", days=7).json()
    assert (said["total"]["tokens_in"], said["total"]["count"]) == (900, 3) and [one["model"] for one in said["days"]] == ["m"]
    assert [(one["span"], one["used"], one["remaining"]) for one in said["budgets"]] == [("day", 900, 100)]
    for days in (0, 367, "x"):
        assert rita_calls.get(f"/keys/{key.pk}/usage", days=days).status_code == 422


# --- service accounts -----------------------------------------------------------------------------------------------------------------
def test_a_service_account_is_made_listed_changed_and_deleted(alice_calls: Caller) -> None:
    made = alice_calls.post("/service-accounts", {"name": "Robot"}).json()
    assert made["role"] == "reader" and alice_calls.get("/service-accounts").json()["items"] == [made]
    assert alice_calls.post("/service-accounts", {"name": "Robot"}).status_code == 409
    place = f"/service-accounts/{made['id']}"
    key = alice_calls.post("/keys", {**BODY, "acts_as": made["id"]}).json()["key"]
    assert alice_calls.send("PATCH", place, {"role": "editor"}).json()["role"] == access.open_key(key).role == "editor"
    assert alice_calls.delete(place).status_code == 204 and access.by_key(key) is None
    assert alice_calls.get(place).status_code == 404 and not User.objects.filter(name="Robot").exists()


@pytest.mark.parametrize("wrong", [{}, {"name": ""}, {"name": " "}, {"name": "Robot", "role": "king"}, {"name": "Robot", "email": "x@y.z"}])
def test_a_wrong_service_account_is_not_made(alice_calls: Caller, wrong: dict[str, Any]) -> None:
    assert alice_calls.post("/service-accounts", wrong).status_code == 422 and not User.objects.exclude(service_of=None).exists()


def test_people_and_accounts_of_elsewhere_are_no_service_accounts_here(
    alice_calls: Caller, bob: User, other_workspace: Workspace, charlie: User
) -> None:
    theirs = keys.create_service_account("Robot", Role.READER, actor=membership_of(charlie, other_workspace))
    for user in (bob, charlie, theirs.user):
        place = f"/service-accounts/{user.pk}"
        for answer in (alice_calls.get(place), alice_calls.send("PATCH", place, {"role": "owner"}), alice_calls.delete(place)):
            assert answer.status_code == 404
        assert alice_calls.post("/keys", {**BODY, "acts_as": str(user.pk)}).status_code == 404
    assert User.objects.filter(pk__in=[bob.pk, charlie.pk, theirs.user_id]).count() == 3
