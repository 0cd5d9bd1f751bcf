"""Members, roles and groups; and nobody gets in from the side."""

from __future__ import annotations

from uuid import uuid4

import pytest
from django.http import Http404
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from north.workspaces import actions, keys
from north.workspaces.errors import LastOwner, Taken
from north.workspaces.models import ApiKey, AuditEvent, Group, Invitation, Membership, Role, User, Workspace
from tests.conftest import browser_of, membership_of, person


def test_everybody_sees_who_is_here_and_only_owners_see_controls_and_groups(
    as_alice: Client, as_bob: Client, as_rita: Client, hr: Group, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(12):
        mine = as_alice.get("/w/acme/people").content.decode()
    assert "Invite somebody" in mine and f"/w/acme/groups/{hr.pk}" in mine
    his = as_bob.get("/w/acme/people").content.decode()
    assert "rita@acme.example" in his and "Invite somebody" not in his and "HR" not in his
    assert "HR" in as_rita.get("/w/acme/people").content.decode()


def test_the_page_does_not_ask_more_for_more_people(
    as_alice: Client, workspace: Workspace, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    for number in range(30):
        Membership.objects.create(workspace=workspace, user=User.objects.create(email=f"{number}@acme.example"))
        Group.objects.create(workspace=workspace, name=f"G{number}")
    with django_assert_max_num_queries(12):
        assert as_alice.get("/w/acme/people").status_code == 200


def test_an_owner_changes_a_role(as_alice: Client, bob: User, workspace: Workspace) -> None:
    as_alice.post(f"/w/acme/people/{bob.pk}/role", {"role": "owner"})
    assert membership_of(bob, workspace).role == Role.OWNER


def test_a_role_that_does_not_exist_is_refused(as_alice: Client, bob: User, workspace: Workspace) -> None:
    for role in ("admin", "", "OWNER"):
        assert as_alice.post(f"/w/acme/people/{bob.pk}/role", {"role": role}).status_code == 404
    assert membership_of(bob, workspace).role == Role.EDITOR


def test_the_last_owner_can_neither_leave_nor_step_down_nor_be_removed(as_alice: Client, alice: User, owner: Membership) -> None:
    for path, values in (("people/{}/role", {"role": "reader"}), ("people/{}/remove", {}), ("settings/leave", {})):
        page = as_alice.post(f"/w/acme/{path.format(alice.pk)}", values, follow=True).content.decode()
        assert "A workspace needs an owner." in page
    owner.refresh_from_db()
    assert owner.is_owner


def test_a_suspended_owner_does_not_count_as_one(owner: Membership, bob: User) -> None:
    Membership.objects.filter(user=bob).update(role=Role.OWNER)
    User.objects.filter(pk=bob.pk).update(is_active=False)
    with pytest.raises(LastOwner):
        actions.remove(owner, actor=owner)


def test_one_of_two_owners_may_leave(owner: Membership, editor: Membership) -> None:
    actions.change_role(editor, Role.OWNER, actor=owner)
    actions.remove(owner, actor=owner)
    with pytest.raises(LastOwner):
        actions.remove(editor, actor=editor)


def test_removing_takes_groups_and_keys_of_this_workspace_only(
    owner: Membership, reader: Membership, hr: Group, other_workspace: Workspace
) -> None:
    elsewhere = Membership.objects.create(workspace=other_workspace, user=reader.user)
    group = Group.objects.create(workspace=other_workspace, name="x")
    group.users.add(reader.user)
    keys.issue_key(reader, actor=reader)
    kept, _key = keys.issue_key(elsewhere, actor=elsewhere)
    actions.remove(reader, actor=owner)
    assert not hr.users.exists() and group.users.get() == reader.user
    assert list(ApiKey.objects.filter(revoked_at=None)) == [kept]


def test_inviting_a_member_is_refused_in_words(as_alice: Client, bob: User) -> None:
    response = as_alice.post("/w/acme/people/invite", {"email": bob.email.upper(), "role": "reader"})
    assert response.status_code == 422 and "is a member already" in response.content.decode()


def test_groups_are_made_renamed_filled_and_deleted(as_alice: Client, workspace: Workspace, bob: User, rita: User) -> None:
    path = as_alice.post("/w/acme/groups/new", {"name": "Sales"}).headers["Location"]
    group = Group.objects.get()
    as_alice.post(f"{path}/rename", {"name": "Field sales"})
    as_alice.post(f"{path}/members", {"members": [bob.pk, rita.pk]})
    assert set(group.users.all()) == {bob, rita}
    as_alice.post(f"{path}/members", {"members": [rita.pk]})
    assert set(group.users.all()) == {rita}
    assert "Field sales" in as_alice.get(path).content.decode()
    as_alice.post(f"{path}/delete")
    assert not Group.objects.exists()


def test_two_groups_of_one_name_are_refused(owner: Membership, hr: Group, as_alice: Client, other_workspace: Workspace) -> None:
    with pytest.raises(Taken):
        actions.create_group("HR", actor=owner)
    sales = actions.create_group("Sales", actor=owner)
    for path in ("/w/acme/groups/new", f"/w/acme/groups/{sales.pk}/rename"):
        response = as_alice.post(path, {"name": "HR"})
        assert response.status_code == 422 and "already" in response.content.decode()
    Group.objects.create(workspace=other_workspace, name="Sales")


# --- from the side ---------------------------------------------------------------------------------------------------------------------
def test_only_members_of_the_workspace_get_into_its_groups(as_alice: Client, hr: Group, charlie: User, rita: User) -> None:
    for foreign in (charlie.pk, uuid4(), "nonsense"):
        assert as_alice.post(f"/w/acme/groups/{hr.pk}/members", {"members": [rita.pk, foreign]}).status_code == 404
    assert set(hr.users.all()) == {rita}


def test_a_verb_refuses_members_of_another_workspace(owner: Membership, hr: Group, charlie: User, other_workspace: Workspace) -> None:
    with pytest.raises(Http404):
        actions.set_group_members(hr, [membership_of(charlie, other_workspace)], actor=owner)


@pytest.fixture
def foreign(other_workspace: Workspace, charlie: User) -> list[tuple[str, dict[str, object]]]:
    """Posts that name things of charlie's workspace below acme's address."""
    theirs = membership_of(charlie, other_workspace)
    group = actions.create_group("Theirs", actor=theirs)
    invitation, _link = actions.invite("x@elsewhere.example", Role.READER, actor=theirs)
    key, _secret = keys.issue_key(theirs, actor=theirs)
    return [
        (f"people/{charlie.pk}/role", {"role": "reader"}),
        (f"people/{charlie.pk}/remove", {}),
        (f"people/invitations/{invitation.pk}/take-back", {}),
        (f"groups/{group.pk}/rename", {"name": "Ours"}),
        (f"groups/{group.pk}/members", {"members": []}),
        (f"groups/{group.pk}/delete", {}),
        (f"keys/{key.pk}/revoke", {}),
    ]


def test_things_of_another_workspace_are_not_found_here(as_alice: Client, foreign: list[tuple[str, dict[str, object]]]) -> None:
    for path, values in foreign:
        assert as_alice.post(f"/w/acme/{path}", values).status_code == 404, path
    assert Group.objects.filter(name="Theirs").exists() and Invitation.objects.exists() and ApiKey.objects.filter(revoked_at=None).exists()


def own(rita: User, hr: Group) -> list[tuple[str, dict[str, object]]]:
    return [
        ("people/invite", {"email": "x@acme.example", "role": "owner"}),
        (f"people/{rita.pk}/role", {"role": "owner"}),
        (f"people/{rita.pk}/remove", {}),
        ("groups/new", {"name": "Mine"}),
        (f"groups/{hr.pk}/rename", {"name": "Mine"}),
        (f"groups/{hr.pk}/members", {"members": []}),
        (f"groups/{hr.pk}/delete", {}),
        ("settings/change", {"name": "Mine"}),
        ("settings/delete", {"name": "Acme"}),
    ]


@pytest.mark.parametrize("who", ["bob", "rita", "charlie", "anonymous"])
def test_nobody_but_an_owner_changes_anything(
    who: str, bob: User, rita: User, charlie: User, hr: Group, other_workspace: Workspace
) -> None:
    people = {"bob": bob, "rita": rita, "charlie": charlie}
    browser = browser_of(people[who]) if who in people else Client()
    before = (list(Membership.objects.values_list("user", "role")), list(Group.objects.values_list()), list(hr.users.all()))
    events = AuditEvent.objects.count()
    for path, values in own(rita, hr):
        response = browser.post(f"/w/acme/{path}", values)
        assert response.status_code == (302 if who == "anonymous" else 404), path
        assert who != "anonymous" or response.headers["Location"].startswith("/sign-in")
    assert browser.get(f"/w/acme/groups/{hr.pk}").status_code == (302 if who == "anonymous" else 404)
    assert before == (list(Membership.objects.values_list("user", "role")), list(Group.objects.values_list()), list(hr.users.all()))
    assert AuditEvent.objects.count() == events
    assert Workspace.objects.get(slug="acme").name == "Acme"


def test_verbs_ask_for_the_role_themselves(editor: Membership, reader: Membership, hr: Group) -> None:
    for verb in (
        lambda: actions.invite("x@y.example", Role.READER, actor=editor),
        lambda: actions.change_role(editor, Role.OWNER, actor=editor),
        lambda: actions.remove(reader, actor=editor),
        lambda: actions.create_group("x", actor=editor),
        lambda: actions.delete_group(hr, actor=editor),
        lambda: actions.delete_workspace(editor.workspace, actor=editor),
        lambda: actions.delete_workspace(editor.workspace, actor=editor.user),
    ):
        with pytest.raises(Http404):
            verb()


def test_two_owners_who_demote_each_other_leave_one(owner: Membership) -> None:
    second = Membership.objects.create(workspace=owner.workspace, user=person("second@acme.example"), role=Role.OWNER)
    stale_owner, stale_second = (Membership.objects.select_related("user", "workspace").get(pk=row.pk) for row in (owner, second))
    actions.change_role(second, Role.READER, actor=owner)
    with pytest.raises(LastOwner):
        actions.change_role(stale_owner, Role.READER, actor=stale_second)
