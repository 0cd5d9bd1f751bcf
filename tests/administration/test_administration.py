"""The administrators' pages: only theirs, everything audited, and nobody locks everybody out."""

from __future__ import annotations

import uuid
from datetime import timedelta
from uuid import uuid4

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from north.administration import actions
from north.administration.urls import urlpatterns
from north.documents.models import Document, Source, SyncRun
from north.workspaces import access, audit
from north.workspaces.errors import LastAdmin, Refused, Taken
from north.workspaces.keys import issue_key
from north.workspaces.models import ApiKey, AuditEvent, Group, Membership, Role, User, Workspace
from tests.conftest import PASSWORD, browser_of

PAGES = [
    "/admin",
    "/admin/users",
    "/admin/groups",
    "/admin/workspaces",
    "/admin/sources",
    "/admin/keys",
    "/admin/index",
    "/admin/models/card",
    "/admin/audit",
]
NEW = "a much longer secret"


@pytest.fixture
def as_admin(admin: User) -> Client:
    return browser_of(admin)


def post(browser: Client, path: str, follow: bool = True, **values: object) -> str:
    return browser.post(f"/admin/{path}", values, follow=follow).content.decode()


def some_of_everything(workspace: Workspace, count: int) -> None:
    for number in range(count):
        Group.objects.create(workspace=workspace, name=f"group {number}")
        source = Source.objects.create(workspace=workspace, connector="folder", name=f"source {number}")
        SyncRun.objects.create(source=source, status=SyncRun.Status.FAILED, error="The folder is gone.")
        Document.objects.create(workspace=workspace, name=f"{number}.pdf", sha256="0" * 64, source=source, external_id=str(number))
        owned = Workspace.objects.create(slug=f"w{number}", name=f"W{number}")
        user = User.objects.create(email=f"{number}@acme.example")
        Membership.objects.create(workspace=owned, user=user, role=Role.OWNER)
        ApiKey.issue(workspace=owned, user=user)
        audit.record("x", actor=user, workspace=owned)


# --- who may ------------------------------------------------------------------------------------------------------------------------------
def every_path(user: User, workspace: Workspace) -> list[str]:
    given = {"user": user.pk, "workspace": workspace.pk, "key": uuid.uuid4()}
    paths = [f"/admin{pattern.pattern}" for pattern in urlpatterns]
    for name, value in given.items():
        paths = [path.replace(f"<uuid:{name}>", str(value)) for path in paths]
    paths = [path.replace("<int:generation>", "1") for path in paths]
    return paths


def test_nobody_else_finds_these_pages(as_alice: Client, alice: User, rita: User, workspace: Workspace) -> None:
    events = AuditEvent.objects.count()
    for path in every_path(rita, workspace):
        for response in (as_alice.get(path), as_alice.post(path, {"email": "alice@acme.example", "name": "Acme"})):
            assert response.status_code in {404, 405}, path
        assert as_alice.post(path).status_code == 404 or as_alice.get(path).status_code == 404, path
        assert Client().post(path).status_code in {302, 405} and Client().get(path).status_code in {302, 405}, path
    assert AuditEvent.objects.count() == events
    rita.refresh_from_db()
    assert rita.is_active and not rita.is_admin


@pytest.mark.parametrize("path", PAGES)
def test_each_page_shows_with_few_queries(
    as_admin: Client, workspace: Workspace, hr: Group, path: str, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    some_of_everything(workspace, 15)
    with django_assert_max_num_queries(12):
        assert as_admin.get(path).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_each_page_shows_where_there_is_nothing(as_admin: Client, path: str) -> None:
    assert as_admin.get(path).status_code == 200


def test_the_models_page_says_what_is_unwell(as_admin: Client, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    with django_assert_max_num_queries(12):
        page = as_admin.get("/admin/models").content.decode()
    assert settings.EMBED_MODEL in page and "unwell" in page


def test_the_models_page_shows_a_broker_that_is_well(as_admin: Client, broker: redis.Redis) -> None:
    assert "healthy" in as_admin.get("/admin/models").content.decode()


# --- users --------------------------------------------------------------------------------------------------------------------------
def test_a_new_user_gets_a_link_and_chooses_a_password(as_admin: Client) -> None:
    response = as_admin.post("/admin/users/new", {"email": "Nia@acme.example", "name": "Nia", "is_active": "", "password": "x"})
    assert "no-store" in response.headers["Cache-Control"]
    link, user = response.context["link"], User.objects.get(email="nia@acme.example")
    assert link.startswith(settings.PUBLIC_URL) and not user.is_admin and not user.has_usable_password()
    browser = Client()
    assert browser.post(link.removeprefix(settings.PUBLIC_URL), {"password": NEW, "repeated": NEW}).status_code == 302
    assert browser.get("/account").status_code == 200
    assert "user.create" in AuditEvent.objects.values_list("action", flat=True)


@pytest.mark.parametrize("email", ["", "nonsense", "ADA@north.example"])
def test_a_bad_or_taken_address_is_refused_in_words(as_admin: Client, email: str) -> None:
    response = as_admin.post("/admin/users/new", {"email": email})
    assert response.status_code == 422 and "errorlist" in response.content.decode()
    assert User.objects.count() == 1


def test_suspending_kills_sessions_links_and_keys_at_once(as_admin: Client, as_bob: Client, bob: User, editor: Membership) -> None:
    _row, key = issue_key(editor, actor=editor)
    link = as_admin.post(f"/admin/users/{bob.pk}/link").context["link"].removeprefix(settings.PUBLIC_URL)
    post(as_admin, f"users/{bob.pk}/suspend")
    assert as_bob.get("/account").status_code == 302
    assert access.by_key(key) is None
    assert Client().get(link).status_code == 404
    assert Client().post("/sign-in", {"username": bob.email, "password": PASSWORD}).status_code == 422
    assert "suspended" in post(as_admin, f"users/{bob.pk}/link")
    post(as_admin, f"users/{bob.pk}/restore")
    assert as_bob.get("/account").status_code == 302, "the old session stays dead"
    assert Client().post("/sign-in", {"username": bob.email, "password": PASSWORD}).status_code == 302
    assert Client().get(link).status_code == 404
    assert access.by_key(key) == editor


def test_an_administrator_makes_and_unmakes_another(as_admin: Client, admin: User, bob: User) -> None:
    post(as_admin, f"users/{bob.pk}/make-admin")
    bob.refresh_from_db()
    assert bob.is_admin
    assert browser_of(bob).post(f"/admin/users/{admin.pk}/unmake-admin").status_code == 302
    assert as_admin.get("/admin").status_code == 404


def test_the_last_administrator_stays_one(as_admin: Client, admin: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_admin=True, is_active=False)
    with pytest.raises(LastAdmin):
        actions.set_admin(admin, False, actor=admin)
    with pytest.raises(LastAdmin):
        actions.suspend(admin, actor=admin)
    assert "needs an administrator" in post(as_admin, f"users/{admin.pk}/suspend")
    admin.refresh_from_db()
    assert admin.is_admin and admin.is_active


def test_nobody_suspends_oneself(admin: User, bob: User) -> None:
    User.objects.filter(pk=bob.pk).update(is_admin=True)
    with pytest.raises(Refused):
        actions.suspend(admin, actor=admin)


def test_users_are_found_by_name_and_address(as_admin: Client, bob: User, rita: User) -> None:
    page = as_admin.get("/admin/users?q=BOB@").content.decode()
    assert "bob@acme.example" in page and "rita@acme.example" not in page
    for odd in ("%00", "%25", "'", "x" * 5000, "&page=999", "&page=x"):
        assert as_admin.get(f"/admin/users?q={odd}").status_code == 200


def test_what_is_not_there_is_not_found(as_admin: Client) -> None:
    for path in (*(f"users/{uuid4()}/{verb}" for verb in ("suspend", "restore", "link", "make-admin")), f"workspaces/{uuid4()}/delete"):
        assert as_admin.post(f"/admin/{path}").status_code == 404


# --- workspaces ---------------------------------------------------------------------------------------------------------------------
def test_an_owner_is_appointed_where_one_is_missing(as_admin: Client, workspace: Workspace, alice: User, bob: User, charlie: User) -> None:
    post(as_admin, f"workspaces/{workspace.pk}/owner", email="BOB@acme.example")
    post(as_admin, f"workspaces/{workspace.pk}/owner", email=charlie.email)
    owners = set(Membership.objects.filter(workspace=workspace, role=Role.OWNER).values_list("user__email", flat=True))
    assert owners == {alice.email, bob.email, charlie.email}


@pytest.mark.parametrize(
    ("email", "words"), [("nobody@acme.example", "No user"), ("nonsense", "Enter a valid email address"), ("", "This field is required")]
)
def test_who_cannot_be_appointed_is_said_beside_what_was_typed(
    as_admin: Client, workspace: Workspace, other_workspace: Workspace, email: str, words: str
) -> None:
    answer = as_admin.post(f"/admin/workspaces/{workspace.pk}/owner", {"email": email})
    dialogs = [part.split("</dialog>")[0] for part in answer.content.decode().split("<dialog ")[1:] if "data-open" in part.split(">")[0]]
    assert answer.status_code == 422 and len(dialogs) == 1
    assert words in dialogs[0] and f'value="{email}"' in dialogs[0] and "Acme" in dialogs[0]


def test_an_administrator_does_not_see_into_workspaces(as_admin: Client, workspace: Workspace, hr: Group) -> None:
    for path in ("people", "settings", f"groups/{hr.pk}"):
        assert as_admin.get(f"/w/acme/{path}").status_code == 404


def test_a_workspace_is_deleted_only_with_its_name_typed(as_admin: Client, workspace: Workspace) -> None:
    assert "Nothing was deleted" in post(as_admin, f"workspaces/{workspace.pk}/delete", name="acme")
    assert Workspace.objects.exists()


# --- the audit log ------------------------------------------------------------------------------------------------------------------
def listed(browser: Client, query: str) -> list[str]:
    return [event.action for event, _name in browser.get(f"/admin/audit?{query}").context["rows"]]


def test_the_log_is_filtered(as_admin: Client, owner: Membership, editor: Membership, other_workspace: Workspace, charlie: User) -> None:
    audit.record("group.create", actor=owner, name="<script>alert(1)</script>")
    audit.record("member.remove", actor=editor)
    audit.record("group.create", actor=charlie, workspace=other_workspace)
    assert listed(as_admin, "actor=alice@acme.example") == ["group.create"]
    assert listed(as_admin, "action=member.remove") == ["member.remove"]
    assert listed(as_admin, f"workspace={other_workspace.pk}&action=group.create") == ["group.create"]
    today, tomorrow = timezone.now().date(), timezone.now().date() + timedelta(days=1)
    assert len(listed(as_admin, f"since={today}&until={today}")) == AuditEvent.objects.count()
    assert listed(as_admin, f"since={tomorrow}") == []
    page = as_admin.get("/admin/audit").content.decode()
    assert "<script>alert" not in page and "&lt;script&gt;" in page


@pytest.mark.parametrize("query", ["workspace=x", "since=yesterday", "action=%00", "actor=%00", "page=-1", "page=x", "unknown=1"])
def test_a_filter_that_makes_no_sense_breaks_nothing(as_admin: Client, query: str) -> None:
    assert as_admin.get(f"/admin/audit?{query}").status_code == 200


def test_the_log_is_paged(as_admin: Client, admin: User) -> None:
    for _number in range(60):
        audit.record("x", actor=admin)
    first, second = listed(as_admin, "action=x"), listed(as_admin, "action=x&page=2")
    assert (len(first), len(second)) == (50, 10)
    assert "action=x&amp;page=2" in as_admin.get("/admin/audit?action=x").content.decode()


def test_the_button_verifies(as_admin: Client, admin: User) -> None:
    assert "The log is whole" in post(as_admin, "audit/verify")
    assert AuditEvent.objects.filter(action="audit.verify").get().detail == {"problems": 0}
    with connection.cursor() as cursor:
        cursor.execute(f"DROP TRIGGER audit_append_only{' ON workspaces_auditevent' if connection.vendor == 'postgresql' else ''}")
        cursor.execute("UPDATE workspaces_auditevent SET actor = 'mallory' WHERE number = 1")
    page = post(as_admin, "audit/verify")
    assert "not what was written: 1 problem." in page and "event 1:" in page


def test_a_taken_address_leaves_nothing_behind(admin: User) -> None:
    with pytest.raises(Taken):
        actions.create_user(admin.email, name="x", is_admin=False, actor=admin)
    assert audit.verify() == []
