"""One door: strangers, people who left, the suspended and revoked keys find nothing."""

from __future__ import annotations

import pytest
from django.http import Http404
from django.test import Client

from north.workspaces import access, actions, keys
from north.workspaces.models import ApiKey, Group, Membership, Role, User, Workspace


def test_a_stranger_and_a_missing_workspace_look_the_same(charlie: User, workspace: Workspace) -> None:
    for slug in ("acme", "no-such-workspace"):
        with pytest.raises(Http404):
            access.enter(charlie, slug=slug)


def test_a_role_opens_what_it_may(reader: Membership, editor: Membership, owner: Membership) -> None:
    assert access.enter(editor.user, Role.EDITOR, slug="acme") == editor
    assert access.enter(owner.user, Role.READER, pk=owner.workspace_id) == owner
    with pytest.raises(Http404):
        access.enter(reader.user, Role.EDITOR, slug="acme")


def test_a_key_acts_as_its_member(editor: Membership) -> None:
    _row, key = keys.issue_key(editor, actor=editor)
    assert access.by_key(key) == editor


@pytest.mark.parametrize("key", ["", "north_", "north__", "north_abc_def", "x" * 10_000, "north_%_%"])
def test_nonsense_is_no_key(db: None, key: str) -> None:
    assert access.by_key(key) is None


def test_a_key_with_one_letter_changed_opens_nothing(editor: Membership) -> None:
    _row, key = keys.issue_key(editor, actor=editor)
    assert access.by_key(key[:-1] + ("a" if key[-1] != "a" else "b")) is None


def test_a_key_dies_when_revoked_suspended_or_removed(editor: Membership, owner: Membership) -> None:
    row, key = keys.issue_key(editor, actor=editor)
    User.objects.filter(pk=editor.user_id).update(is_active=False)
    assert access.by_key(key) is None
    User.objects.filter(pk=editor.user_id).update(is_active=True)
    assert access.by_key(key)
    keys.revoke_key(row, actor=editor)
    assert access.by_key(key) is None
    _row, second = keys.issue_key(editor, actor=editor)
    actions.remove(editor, actor=owner)
    assert access.by_key(second) is None
    Membership.objects.create(workspace=owner.workspace, user=editor.user)
    assert access.by_key(second) is None, "a key does not come back with a new membership"


def test_only_a_digest_of_the_key_is_kept(editor: Membership) -> None:
    _row, key = keys.issue_key(editor, actor=editor)
    secret = key.split("_", 2)[2]
    assert not [value for row in ApiKey.objects.values_list() for value in row if secret in str(value)]


def test_principals_are_everybody_oneself_and_ones_groups_here(reader: Membership, hr: Group, other_workspace: Workspace) -> None:
    foreign = Group.objects.create(workspace=other_workspace, name="HR")
    foreign.users.add(reader.user)
    assert access.principals(reader) == {reader.workspace.everyone, f"u:{reader.user_id}", hr.principal}


def test_a_suspended_persons_session_is_dead_at_once(as_bob: Client, bob: User) -> None:
    assert as_bob.get("/account").status_code == 200
    User.objects.filter(pk=bob.pk).update(is_active=False)
    assert as_bob.get("/account").status_code == 302
    assert as_bob.get("/w/acme/people").status_code == 302
