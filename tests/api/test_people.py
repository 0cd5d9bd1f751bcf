"""Workspaces, members, invitations and groups by REST."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from north.workspaces.models import ApiKey, AuditEvent, Group, Invitation, Membership, Role, User, Workspace
from tests.api.calling import Caller
from tests.conftest import membership_of

pytestmark = pytest.mark.django_db


def test_a_key_says_whom_it_acts_as(rita_calls: Caller, rita: User, hr: Group) -> None:
    said = rita_calls.get("/me").json()
    assert (said["email"], said["role"], said["groups"], said["workspace"]["slug"]) == (rita.email, "reader", ["HR"], "acme")


def test_only_what_is_said_of_a_workspace_changes(alice_calls: Caller, workspace: Workspace) -> None:
    said = alice_calls.send("PATCH", "/workspace", {"grounded": False, "name": None}).json()
    assert (said["name"], said["grounded"], said["uploads_for_all"]) == ("Acme", False, True)
    workspace.refresh_from_db()
    assert workspace.grounded is False and AuditEvent.objects.get(action="workspace.change").actor == "alice@acme.example"


def test_a_workspace_is_deleted_only_by_its_name(alice_calls: Caller) -> None:
    for query, status in (("", 422), ("?name=Acm", 409), ("?name=Acme", 204)):
        assert Workspace.objects.filter(slug="acme").exists()
        assert alice_calls.delete(f"/workspace{query}", idempotency_key=uuid.uuid4().hex).status_code == status
    assert not Workspace.objects.filter(slug="acme").exists() and alice_calls.get("/me").status_code == 401


def test_another_workspace_belongs_to_whoever_makes_it_and_the_key_does_not_open_it(rita_calls: Caller, rita: User) -> None:
    made = rita_calls.post("/workspaces", {"name": "Mine"}).json()
    assert membership_of(rita, Workspace.objects.get(pk=made["id"])).role == Role.OWNER
    assert rita_calls.get("/workspace").json()["slug"] == "acme"


def test_members_are_seen_by_all_and_their_groups_by_owners(alice_calls: Caller, rita_calls: Caller, rita: User, hr: Group) -> None:
    seen = {one["email"]: one for one in alice_calls.get("/members").json()["items"]}
    assert len(seen) == 4 and seen[rita.email]["groups"] == ["HR"] and seen["bob@acme.example"]["groups"] == []
    assert all(one["groups"] is None for one in rita_calls.get("/members").json()["items"])
    assert rita_calls.get(f"/members/{uuid.uuid4()}").status_code == 404


def test_an_owner_changes_roles_and_the_last_one_stays(alice_calls: Caller, alice: User, rita: User) -> None:
    assert alice_calls.send("PATCH", f"/members/{rita.pk}", {"role": "editor"}).json()["role"] == "editor"
    for answer in (alice_calls.send("PATCH", f"/members/{alice.pk}", {"role": "reader"}), alice_calls.delete(f"/members/{alice.pk}")):
        assert answer.status_code == 409 and "needs an owner" in answer.json()["detail"]
    assert alice_calls.send("PATCH", f"/members/{rita.pk}", {"role": "king"}).json()["errors"][0]["field"] == "/role"


def test_who_leaves_takes_their_keys_along(rita_calls: Caller, rita: User) -> None:
    assert rita_calls.delete(f"/members/{rita.pk}").status_code == 204
    assert rita_calls.get("/me").status_code == 401 and not ApiKey.objects.filter(user=rita, revoked_at=None).exists()


def test_an_invitation_is_made_listed_and_taken_back(alice_calls: Caller, rita: User) -> None:
    made = alice_calls.post("/invitations", {"email": "New@acme.example", "role": "editor"}).json()
    assert (made["email"], made["role"]) == ("new@acme.example", "editor") and "/invitation/" in made["link"]
    listed = alice_calls.get("/invitations").json()["items"]
    assert [one["id"] for one in listed] == [made["id"]] and "link" not in listed[0]
    assert alice_calls.delete(f"/invitations/{made['id']}").status_code == 204 and not Invitation.objects.exists()
    assert alice_calls.post("/invitations", {"email": rita.email}).status_code == 409


def test_groups_are_made_filled_renamed_and_deleted(alice_calls: Caller, rita: User, charlie: User) -> None:
    group = alice_calls.post("/groups", {"name": "Finance"}).json()["id"]
    assert alice_calls.send("PUT", f"/groups/{group}/members", {"members": [str(rita.pk)]}).json()["members"] == [str(rita.pk)]
    outside = alice_calls.send("PUT", f"/groups/{group}/members", {"members": [str(charlie.pk)]})
    assert outside.status_code == 404 and list(Group.objects.get(pk=group).users.all()) == [rita]
    assert alice_calls.send("PATCH", f"/groups/{group}", {"name": "Money"}).json()["name"] == "Money"
    assert alice_calls.delete(f"/groups/{group}").status_code == 204 and not Group.objects.exists()


def test_everybody_sees_their_own_groups_only(rita_calls: Caller, bob_calls: Caller, hr: Group) -> None:
    assert [one["name"] for one in rita_calls.get("/groups").json()["items"]] == ["HR"]
    assert rita_calls.get(f"/groups/{hr.pk}").json()["members"] is None
    assert bob_calls.get("/groups").json()["items"] == [] and bob_calls.get(f"/groups/{hr.pk}").status_code == 404


FOREIGN: list[tuple[str, str, Any]] = [
    ("GET", "/members/{user}", None), ("PATCH", "/members/{user}", {"role": "reader"}), ("DELETE", "/members/{user}", None),
    ("GET", "/groups/{group}", None), ("PATCH", "/groups/{group}", {"name": "x"}), ("DELETE", "/groups/{group}", None),
    ("PUT", "/groups/{group}/members", {"members": []}), ("GET", "/invitations/{invitation}", None),
    ("DELETE", "/invitations/{invitation}", None),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "body"), FOREIGN)
def test_ids_of_another_workspace_are_not_found(
    alice_calls: Caller, other_workspace: Workspace, charlie: User, method: str, path: str, body: Any
) -> None:
    owner: Membership = membership_of(charlie, other_workspace)
    group = Group.objects.create(workspace=other_workspace, name="Theirs")
    invitation = Caller(owner).post("/invitations", {"email": "x@elsewhere.example"}).json()["id"]
    answer = alice_calls.send(method, path.format(user=charlie.pk, group=group.pk, invitation=invitation), body)
    assert answer.status_code == 404 and answer.json()["code"] == "not_found"
    assert Group.objects.filter(name="Theirs").exists() and Invitation.objects.count() == 1
