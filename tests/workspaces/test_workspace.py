"""Making, setting up, leaving and deleting workspaces; keys."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from north.workspaces import access, actions
from north.workspaces.models import ApiKey, AuditEvent, Membership, Role, User, Workspace
from tests.conftest import browser_of


def test_whoever_makes_a_workspace_owns_it(charlie: User) -> None:
    browser = browser_of(charlie)
    path = browser.post("/workspaces/new", {"name": "Über uns & Co.", "slug": "acme", "members": "x"}).headers["Location"]
    made = Workspace.objects.get()
    assert path == f"/w/{made.slug}/" and made.slug.startswith("uber-uns-co-")
    assert access.enter(charlie, Role.OWNER, slug=made.slug)
    assert made.grounded and made.uploads_for_all


@pytest.mark.parametrize("name", ["", "   ", "x" * 121, "a\0b"])
def test_a_bad_name_is_refused_in_words(charlie: User, name: str) -> None:
    assert browser_of(charlie).post("/workspaces/new", {"name": name}).status_code == 422
    assert not Workspace.objects.exists()


def test_a_name_of_no_latin_letter_gets_an_address_too(charlie: User) -> None:
    assert actions.create_workspace("日本", actor=charlie).workspace.slug.startswith("workspace-")


def test_an_address_does_not_tell_who_else_has_the_name(charlie: User, workspace: Workspace) -> None:
    slugs = {actions.create_workspace("Acme", actor=charlie).workspace.slug for _ in range(3)}
    assert len(slugs) == 3 and all(len(slug) == len("acme-0000") for slug in slugs)


def test_the_list_shows_ones_own_only(as_charlie: Client, charlie: User, workspace: Workspace) -> None:
    actions.create_workspace("Third", actor=charlie)
    page = as_charlie.get("/workspaces").content.decode()
    assert "Elsewhere" in page and "Third" in page and "Acme" not in page
    assert as_charlie.get("/").headers["Location"] == "/workspaces"


def test_an_owner_changes_the_settings(as_alice: Client) -> None:
    assert as_alice.post("/w/acme/settings/change", {"name": "Acme Inc.", "slug": "evil", "id": "x"}).status_code == 302
    changed = Workspace.objects.get()
    assert (changed.name, changed.slug, changed.grounded, changed.uploads_for_all) == ("Acme Inc.", "acme", False, False)
    assert AuditEvent.objects.filter(action="workspace.change").get().detail["grounded"] is False
    assert as_alice.post("/w/acme/settings/change", {"name": ""}).status_code == 422


def test_pages_take_few_queries(as_alice: Client, as_rita: Client, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    paths = [(as_alice, "/w/acme/settings"), (as_rita, "/w/acme/settings"), (as_alice, "/workspaces"), (as_alice, "/workspaces/new")]
    for browser, path in paths:
        with django_assert_max_num_queries(12):
            assert browser.get(path).status_code == 200


# --- keys --------------------------------------------------------------------------------------------------------------------------------
def test_the_command_prints_the_key_and_nothing_else(editor: Membership, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("issue_key", "--workspace", "acme", "--user", "Bob@acme.example")
    assert access.by_key(capsys.readouterr().out.strip()) == editor
    for workspace, user in (("acme", "nobody@acme.example"), ("nowhere", "bob@acme.example")):
        with pytest.raises(CommandError):
            call_command("issue_key", "--workspace", workspace, "--user", user)
    User.objects.filter(pk=editor.user_id).update(is_active=False)
    with pytest.raises(CommandError, match="suspended"):
        call_command("issue_key", "--workspace", "acme", "--user", "bob@acme.example")
    assert ApiKey.objects.count() == 1


# --- leaving, deleting --------------------------------------------------------------------------------------------------------------
def test_a_member_leaves(as_rita: Client, reader: Membership) -> None:
    assert as_rita.post("/w/acme/settings/leave").headers["Location"] == "/workspaces"
    assert as_rita.get("/w/acme/people").status_code == 404


def test_a_workspace_is_deleted_only_with_its_name_typed(as_alice: Client, workspace: Workspace) -> None:
    for typed in ("", "acme", "Elsewhere"):
        assert "Nothing was deleted" in as_alice.post("/w/acme/settings/delete", {"name": typed}, follow=True).content.decode()
    assert as_alice.post("/w/acme/settings/delete", {"name": "Acme"}).headers["Location"] == "/workspaces"
    assert not Workspace.objects.exists() and as_alice.get("/w/acme/people").status_code == 404
    assert AuditEvent.objects.filter(action="workspace.delete", workspace_id=workspace.pk).get().detail == {"name": "Acme"}
