"""Keys and service accounts: what they open, for how long, and what nobody gets by them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.http import Http404
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from north.workspaces import access, actions, keys
from north.workspaces.errors import LastOwner, Refused
from north.workspaces.models import ApiKey, AuditEvent, Group, Membership, Role, User, Workspace
from tests.conftest import browser_of, membership_of

pytestmark = pytest.mark.django_db
DAY = timedelta(days=1)


def refusal(key: str) -> str:
    with pytest.raises(access.KeyRefused) as refused:
        access.open_key(key)
    return refused.value.reason


def test_a_key_is_kept_only_as_its_digest(reader: Membership) -> None:
    row, key = keys.issue_key(reader, name="script", actor=reader)
    kept = " ".join(str(value) for value in ApiKey.objects.filter(pk=row.pk).values_list().get())
    assert key not in kept and key.split("_")[-1] not in kept and row.prefix in key
    assert key not in str(AuditEvent.objects.filter(action="key.create").values())


def test_an_expired_key_opens_nothing_and_says_so_to_its_holder_only(reader: Membership) -> None:
    row, key = keys.issue_key(reader, expires_at=timezone.now() + DAY, actor=reader)
    assert access.open_key(key) == reader
    ApiKey.objects.filter(pk=row.pk).update(expires_at=timezone.now())
    assert refusal(key) == "expired" and refusal(key[:-1] + "~") == "unknown"
    keys.revoke_key(row, actor=reader)
    assert refusal(key) == "revoked"
    with pytest.raises(Refused, match="future"):
        keys.issue_key(reader, expires_at=timezone.now(), actor=reader)


@pytest.mark.parametrize("key", ["", "north_", "north__", "x", "north_%_x", "north_" + "a" * 5000, "north_\0_x", "north_é_x", "Bearer x"])
def test_what_is_no_key_is_unknown(key: str, reader: Membership) -> None:
    assert refusal(key) == "unknown"


def test_a_replaced_key_is_taken_for_its_grace_and_no_longer(reader: Membership) -> None:
    row, first = keys.issue_key(reader, actor=reader)
    second = keys.rotate_key(row, grace=DAY, actor=reader)
    assert access.open_key(second).by_old_key is False and access.open_key(first).by_old_key is True
    row.refresh_from_db()
    assert row.used_at and row.old_used_at and row.prefix == second.split("_")[1] == first.split("_")[1]
    third = keys.rotate_key(row, grace=DAY, actor=reader)
    assert refusal(first) == "unknown", "only the one before the last is kept"
    assert access.open_key(second) == access.open_key(third) == reader
    ApiKey.objects.filter(pk=row.pk).update(old_until=timezone.now())
    assert refusal(second) == "replaced" and access.open_key(third) == reader
    fourth = keys.rotate_key(row, grace=timedelta(), actor=reader)
    assert refusal(third) == "replaced" and access.open_key(fourth) == reader
    keys.revoke_key(row, actor=reader)
    assert refusal(fourth) == "revoked"
    with pytest.raises(Refused):
        keys.rotate_key(row, grace=DAY, actor=reader)


def test_its_use_is_written_at_most_once_a_minute(reader: Membership, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    row, key = keys.issue_key(reader, actor=reader)
    with django_assert_num_queries(3):
        access.open_key(key)
    for _again in range(3):
        with django_assert_num_queries(2):
            access.open_key(key)
    long_ago = timezone.now() - timedelta(minutes=2)
    ApiKey.objects.filter(pk=row.pk).update(used_at=long_ago)
    access.open_key(key)
    row.refresh_from_db()
    assert row.used_at and row.used_at > long_ago


def test_nobody_makes_or_replaces_a_key_that_acts_as_another_person(owner: Membership, reader: Membership) -> None:
    row, _key = keys.issue_key(reader, actor=reader)
    with pytest.raises(Http404):
        keys.issue_key(reader, actor=owner)
    with pytest.raises(Http404):
        keys.rotate_key(row, grace=DAY, actor=owner)
    keys.revoke_key(row, actor=owner)


def test_a_key_gives_another_no_more_than_it_has(owner: Membership) -> None:
    soon = timezone.now() + DAY
    _row, secret = keys.issue_key(owner, scopes=["admin", "read"], sources=["s1"], expires_at=soon, actor=owner)
    by_key = access.open_key(secret)
    fits: dict[str, Any] = {"scopes": ["read"], "sources": ["s1"], "expires_at": soon}
    keys.issue_key(owner, **fits, actor=by_key)
    for wider in ({"scopes": ["read", "write"]}, {"scopes": None}, {"sources": ["s1", "s2"]}, {"sources": None}, {"expires_at": None}):
        with pytest.raises(Refused, match="no more than it has"):
            keys.issue_key(owner, **{**fits, **wider}, actor=by_key)
    wide, _secret = keys.issue_key(owner, actor=owner)
    with pytest.raises(Refused, match="no more than it has"):
        keys.rotate_key(wide, grace=DAY, actor=by_key)


def test_limits_are_an_owners_decision(owner: Membership, reader: Membership, other_workspace: Workspace, charlie: User) -> None:
    row, _key = keys.issue_key(reader, actor=reader)
    with pytest.raises(Http404):
        keys.allow_key(row, {"tokens_per_day": 10}, actor=reader)
    with pytest.raises(Http404):
        keys.allow_key(row, {"tokens_per_day": 10}, actor=membership_of(charlie, other_workspace))
    keys.allow_key(row, {"tokens_per_day": 10, "refuses": True}, actor=owner)
    row.refresh_from_db()
    assert (row.tokens_per_day, row.refuses, row.tokens_per_month) == (10, True, None)
    with pytest.raises(TypeError):
        keys.allow_key(row, {"digest": "x"}, actor=owner)


# --- service accounts -----------------------------------------------------------------------------------------------------------------
@pytest.fixture
def crawler(owner: Membership) -> Membership:
    return keys.create_service_account("Crawler", Role.READER, actor=owner)


def test_a_service_account_has_rights_of_its_own_whoever_made_its_key(owner: Membership, crawler: Membership, hr: Group) -> None:
    _row, secret = keys.issue_key(crawler, actor=owner)
    caller = access.open_key(secret)
    assert caller.user.name == "Crawler" and caller.role == Role.READER and not caller.is_owner
    assert access.principals(caller) == {owner.workspace.everyone, f"u:{crawler.user_id}"}
    actions.set_group_members(hr, [crawler], actor=owner)
    assert hr.principal in access.principals(access.open_key(secret))
    with pytest.raises(Http404):
        keys.create_service_account("Second", Role.READER, actor=caller)


def test_a_service_account_is_no_person(owner: Membership, crawler: Membership, admin: User) -> None:
    assert not crawler.user.has_usable_password() and crawler.user.email.endswith(".invalid")
    with pytest.raises(Refused, match="cannot sign in"):
        actions.sign_in_link(crawler.user, actor=None)
    with pytest.raises(Refused, match="makes no other"):
        actions.create_workspace("Its own", actor=crawler.user)
    actions.change_role(crawler, Role.OWNER, actor=owner)
    with pytest.raises(LastOwner):
        actions.remove(owner, actor=owner)
    browser = browser_of(admin)
    assert "Crawler" not in browser.get("/admin/users").content.decode()
    assert browser.post(f"/admin/users/{crawler.user_id}/make-admin").status_code == 404
    assert browser.post(f"/admin/users/{crawler.user_id}/link").status_code == 404
    people = browser_of(owner.user).get("/w/acme/people").content.decode()
    assert ".invalid" not in people and "1 service account<" in people


def test_a_service_account_goes_with_its_keys(owner: Membership, editor: Membership, crawler: Membership) -> None:
    _row, secret = keys.issue_key(crawler, actor=owner)
    with pytest.raises(Http404):
        keys.delete_service_account(crawler, actor=editor)
    with pytest.raises(Http404):
        keys.delete_service_account(editor, actor=owner)
    with pytest.raises(Refused):
        keys.create_service_account("Crawler", Role.READER, actor=owner)
    keys.delete_service_account(crawler, actor=owner)
    assert refusal(secret) == "unknown" and not User.objects.exclude(service_of=None).exists()
    second = keys.create_service_account("Crawler", Role.READER, actor=owner)
    actions.remove(second, actor=owner)
    assert not User.objects.exclude(service_of=None).exists()


def test_the_command_makes_a_key_for_what_is_said(editor: Membership, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("issue_key", "--workspace", "acme", "--user", "bob@acme.example", "--scope", "read", "--days", "7")
    made = access.open_key(capsys.readouterr().out.strip()).key
    assert made and made.scopes == ["read"] and made.expires_at and made.expires_at < timezone.now() + 8 * DAY
    for days in ("0", "-1", "99999"):
        with pytest.raises(CommandError, match="--days"):
            call_command("issue_key", "--workspace", "acme", "--user", "bob@acme.example", "--days", days)
