"""The pages for programs: keys, service accounts, limits, and the guide, whose examples run. Who may open them: tests/test_matrix.py."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from north.documents.models import Document, Source
from north.inference.metering import Used
from north.programs.examples import EXAMPLES
from north.threads.models import Agent
from north.usage import models as usage
from north.usage.models import Kind
from north.workspaces import access, keys
from north.workspaces.models import ApiKey, Membership, Role, User, Workspace

pytestmark = pytest.mark.django_db
FORM = {"name": "script", "scopes": ["read", "infer"], "lasts": "90"}


def test_a_key_is_shown_once_and_works(as_rita: Client, reader: Membership) -> None:
    page = as_rita.post("/w/acme/keys/new", {**FORM, "user": "x", "workspace": "y"})
    key = page.context["secret"]
    assert "no-store" in page["Cache-Control"] and key in page.content.decode() and access.by_key(key) == reader
    again = as_rita.get("/w/acme/keys").content.decode()
    assert key not in again and key[:18] in again
    made = ApiKey.objects.get()
    assert made.scopes == ["read", "infer"] and made.sources is None and made.made_by == reader.user
    assert made.expires_at and timedelta(days=89) < made.expires_at - timezone.now() <= timedelta(days=90)


@pytest.mark.parametrize("wrong", [
    {"name": ""}, {"name": "x" * 81}, {"name": "a\0b"}, {"scopes": []}, {"scopes": ["all"]}, {"lasts": ""}, {"lasts": "-1"}, {"lasts": "5"},
    {"lasts": "x"}, {"acts_as": str(uuid.uuid4())}, {"acts_as": "x"}, {"sources": ["x"]}, {"agents": ["*"]},
])  # fmt: skip
def test_a_form_with_a_wrong_field_makes_no_key(wrong: dict[str, Any], as_alice: Client) -> None:
    answer = as_alice.post("/w/acme/keys/new", {**FORM, **wrong})
    assert answer.status_code == 422 and not ApiKey.objects.exists()
    assert answer.context["form"].errors.keys() == wrong.keys()


def test_a_key_may_be_for_some_agents_and_sources_of_this_workspace(
    as_alice: Client, workspace: Workspace, other_workspace: Workspace
) -> None:
    agent = Agent.objects.create(workspace=workspace, name="Lawyer")
    mine, theirs = (
        Source.objects.create(workspace=place, connector="folder", name="Share", config={}, principals=[])
        for place in (workspace, other_workspace)
    )
    assert as_alice.post("/w/acme/keys/new", {**FORM, "sources": [theirs.pk]}).status_code == 422
    page = as_alice.post("/w/acme/keys/new", {**FORM, "sources": [mine.pk], "agents": [agent.pk]})
    made = ApiKey.objects.get()
    assert page.status_code == 200 and made.sources == [str(mine.pk)] and made.agents == [str(agent.pk)]
    shown = as_alice.get(f"/w/acme/keys/{made.pk}").content.decode()
    assert "Lawyer" in shown and "<dd>Share</dd>" in shown


def test_members_see_and_revoke_their_own_keys_and_owners_all(
    as_alice: Client, as_bob: Client, as_rita: Client, reader: Membership
) -> None:
    row, key = keys.issue_key(reader, name="ritas script", actor=reader)
    assert "ritas script" not in as_bob.get("/w/acme/keys").content.decode()
    assert as_bob.post(f"/w/acme/keys/{row.pk}/revoke").status_code == 404 and access.by_key(key)
    assert "ritas script" in as_alice.get("/w/acme/keys").content.decode()
    page = as_alice.get(f"/w/acme/keys/{row.pk}").content.decode()
    assert "Replace the key" not in page and "Save the limits" in page, "an owner limits it, and never holds it"
    assert as_alice.post(f"/w/acme/keys/{row.pk}/revoke").status_code == 302 and access.by_key(key) is None
    assert as_alice.post(f"/w/acme/keys/{row.pk}/revoke").status_code == 404
    own, _key = keys.issue_key(reader, actor=reader)
    assert "Save the limits" not in as_rita.get(f"/w/acme/keys/{own.pk}").content.decode()
    assert as_rita.post(f"/w/acme/keys/{own.pk}/revoke").status_code == 302


def test_a_key_is_replaced_with_time_to_change_it(as_rita: Client, reader: Membership) -> None:
    row, first = keys.issue_key(reader, actor=reader)
    for grace in ("", "x", "5", "-1"):
        assert as_rita.post(f"/w/acme/keys/{row.pk}/rotate", {"grace": grace}).status_code == 422
    page = as_rita.post(f"/w/acme/keys/{row.pk}/rotate", {"grace": "24"})
    second = page.context["secret"]
    assert "no-store" in page["Cache-Control"] and second in page.content.decode()
    assert access.by_key(first) == access.by_key(second) == reader
    assert second not in as_rita.get(f"/w/acme/keys/{row.pk}").content.decode()


@pytest.mark.parametrize("wrong", ["0", "-5", "x", "1.5", "9" * 30, "1e3"])
@pytest.mark.parametrize("field", ["requests_per_minute", "tokens_per_day", "tokens_per_month"])
def test_limits_are_whole_numbers(field: str, wrong: str, as_alice: Client, reader: Membership) -> None:
    row, _key = keys.issue_key(reader, actor=reader)
    assert as_alice.post(f"/w/acme/keys/{row.pk}/allow", {field: wrong}).status_code == 422
    assert as_alice.post("/w/acme/keys/members", {f"members-{field}": wrong}).status_code == 422
    assert not ApiKey.objects.exclude(**{field: None}).exists() and not Workspace.objects.exclude(**{field: None}).exists()


def test_limits_are_set_and_taken_away(as_alice: Client, reader: Membership) -> None:
    row, _key = keys.issue_key(reader, actor=reader)
    as_alice.post(f"/w/acme/keys/{row.pk}/allow", {"requests_per_minute": "5", "tokens_per_day": "1000", "refuses": "on"})
    as_alice.post("/w/acme/keys/members", {"members-tokens_per_month": "70"})
    row.refresh_from_db()
    assert (row.requests_per_minute, row.tokens_per_day, row.refuses) == (5, 1000, True)
    usage.add(Kind.RUN, Used(900, 0, 0, 1.0), model="m", workspace=reader.workspace_id, user=reader.user_id, key=row.pk, count=3)
    page = as_alice.get(f"/w/acme/keys/{row.pk}").content.decode()
    assert "This key has used 90 % of its 1,000 tokens of today" in page and "3 uses" in page
    assert "Budget nearly used up" in as_alice.get("/w/acme/keys").content.decode()
    as_alice.post(f"/w/acme/keys/{row.pk}/allow", {})
    row.refresh_from_db()
    assert (row.requests_per_minute, row.tokens_per_day, row.refuses) == (None, None, False)
    assert Workspace.objects.get(pk=reader.workspace_id).tokens_per_month == 70


def test_a_service_account_is_made_given_a_key_and_deleted(as_alice: Client, workspace: Workspace) -> None:
    for wrong in ({}, {"account-name": "", "account-role": "reader"}, {"account-name": "Robot", "account-role": "king"}):
        assert as_alice.post("/w/acme/keys/accounts/new", wrong).status_code == 422
    as_alice.post("/w/acme/keys/accounts/new", {"account-name": "Robot", "account-role": "reader"})
    assert as_alice.post("/w/acme/keys/accounts/new", {"account-name": "Robot", "account-role": "reader"}).status_code == 422
    robot = User.objects.get(name="Robot")
    page = as_alice.post("/w/acme/keys/new", {**FORM, "acts_as": str(robot.pk)})
    assert access.open_key(page.context["secret"]).user == robot
    as_alice.post(f"/w/acme/keys/accounts/{robot.pk}/role", {"role": "editor"})
    assert access.open_key(page.context["secret"]).role == Role.EDITOR
    assert as_alice.post(f"/w/acme/keys/accounts/{robot.pk}/role", {"role": "x"}).status_code == 404
    as_alice.post(f"/w/acme/keys/accounts/{robot.pk}/delete")
    assert not User.objects.filter(name="Robot").exists() and not ApiKey.objects.exists()


def test_an_account_of_elsewhere_is_not_there(as_alice: Client, other_workspace: Workspace, charlie: User, bob: User) -> None:
    theirs = keys.create_service_account(
        "Robot", Role.READER, actor=Membership.objects.select_related("user", "workspace").get(user=charlie)
    )
    for user in (theirs.user, bob, charlie):
        assert as_alice.post(f"/w/acme/keys/accounts/{user.pk}/delete").status_code == 404
        assert as_alice.post("/w/acme/keys/new", {**FORM, "acts_as": str(user.pk)}).status_code == 422
    assert User.objects.filter(pk__in=[theirs.user_id, bob.pk, charlie.pk]).count() == 3


def test_pages_take_few_queries(as_alice: Client, owner: Membership, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    account = keys.create_service_account("Robot", Role.READER, actor=owner)
    rows = [keys.issue_key(one, name=f"key {number}", actor=owner)[0] for number in range(20) for one in (owner, account)]
    for path in ("/w/acme/keys", f"/w/acme/keys/{rows[0].pk}", "/w/acme/programs", "/w/acme/settings"):
        with django_assert_max_num_queries(12):
            assert as_alice.get(path).status_code == 200


def test_administrators_see_and_revoke_every_key_and_no_secret(admin: User, reader: Membership) -> None:
    row, key = keys.issue_key(reader, name="ritas script", actor=reader)
    browser = Client()
    browser.force_login(admin, backend="django.contrib.auth.backends.ModelBackend")
    page = browser.get("/admin/keys").content.decode()
    assert "ritas script" in page and "Acme" in page and key not in page
    assert browser.post(f"/admin/keys/{row.pk}/revoke").status_code == 302 and access.by_key(key) is None
    assert browser.post(f"/admin/keys/{row.pk}/revoke").status_code == 404


# --- the guide ----------------------------------------------------------------------------------------------------------------------------
def test_the_guide_is_filled_with_the_readers_address(as_rita: Client) -> None:
    page = as_rita.get("/w/acme/programs", headers={"Host": "localhost:8123"}).content.decode()
    assert page.count("http://localhost:8123/v2/chat") == 2 and "$address" not in page and "$question" not in page
    assert "north_YOUR_KEY" in page and 'href="/w/acme/keys"' in page
    assert '<td data-label="128" class="number">0.626</td>' in page, "what fewer dimensions cost"


def test_the_examples_are_well_formed() -> None:
    for example in EXAMPLES:
        code = example.filled("https://north.example")
        assert "https://north.example" in code and "$$" not in code and max(map(len, code.splitlines())) < 110
        if example.language == "python":
            ast.parse(code)
        elif example.language == "json":
            assert json.loads(code)["mcpServers"]["north"]["url"] == "https://north.example/mcp"
        elif example.language == "bash":
            subprocess.run(["bash", "-n", "-c", code], check=True)


@pytest.mark.django_db(transaction=True)
def test_the_example_of_rest_works_as_it_is_copied(server: str, owner: Membership, tmp_path: Any, settings: Any) -> None:
    settings.FILES_DIR = tmp_path
    _row, key = keys.issue_key(owner, actor=owner)
    (tmp_path / "handbook.pdf").write_bytes(b"%PDF-1.4 a")
    code = next(example for example in EXAMPLES if example.name == "rest").filled(server)
    calls = [part for part in re.split(r"\n\n", code) if "search" not in part]
    environment = {**os.environ, "NORTH_KEY": key, "no_proxy": "127.0.0.1"}
    said = [
        json.loads(subprocess.run(["bash", "-c", part], env=environment, cwd=tmp_path, capture_output=True, check=True).stdout)
        for part in calls
    ]
    assert said[0]["name"] == "handbook.pdf" and said[0]["status"] == "queued" and said[1]["counts"]["queued"] == 1
    assert Document.objects.get().uploaded_by == owner.user
    made = access.open_key(said[2]["key"])
    assert made == owner and made.key and made.key.scopes == ["read"]
