"""In and out: signing in, one-time links, invitations."""

from __future__ import annotations

import re
from datetime import timedelta
from threading import Barrier, Thread

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone

from north.tracing import JsonFormatter
from north.workspaces import actions, audit
from north.workspaces.errors import DeadLink
from north.workspaces.models import AuditEvent, Invitation, Membership, Role, SignInLink, User, UserSession, Workspace
from tests.conftest import PASSWORD, browser_of, person

NEW = "a much longer secret"


def sign_in(client: Client, email: str, password: str = PASSWORD, **more: str) -> object:
    return client.post("/sign-in", {"username": email, "password": password, **more})


def path_of(link: str) -> str:
    assert link.startswith(settings.PUBLIC_URL + "/")
    return link.removeprefix(settings.PUBLIC_URL)


# --- signing in and out ------------------------------------------------------------------------------------------------------------
def test_a_stranger_is_sent_to_sign_in(alice: User, client: Client) -> None:
    assert client.get("/").headers["Location"] == "/sign-in"
    assert client.get("/account").headers["Location"] == "/sign-in?next=/account"


def test_signing_in_leads_to_the_one_workspace(workspace: Workspace, client: Client) -> None:
    assert sign_in(client, " Alice@ACME.example ").headers["Location"] == "/"
    assert client.get("/").headers["Location"] == "/w/acme/"


def test_somebody_in_no_workspace_is_offered_to_make_one(alice: User) -> None:
    browser = browser_of(alice)
    assert browser.get("/").headers["Location"] == "/workspaces"
    assert "/workspaces/new" in browser.get("/workspaces").content.decode()


def test_a_wrong_password_a_wrong_person_and_a_suspended_one_read_the_same(alice: User, bob: User, client: Client) -> None:
    User.objects.filter(pk=bob.pk).update(is_active=False)
    pages = set()
    for email, password in ((alice.email, "wrong"), ("nobody@acme.example", PASSWORD), (bob.email, PASSWORD)):
        response = sign_in(client, email, password)
        assert response.status_code == 422
        page = response.content.decode()
        assert "The e-mail address or the password is wrong." in page
        pages.add(re.sub(r'value="[^"]*"|x-csrftoken[^}]*', "", page))
    assert len(pages) == 1


def test_guessing_is_throttled_also_with_another_spelling(alice: User, client: Client) -> None:
    statuses = [sign_in(client, spelling, "wrong").status_code for spelling in (alice.email, alice.email.upper(), f" {alice.email}") * 4]
    assert statuses[0] == 422 and statuses[-1] == 429
    locked = sign_in(client, alice.email)
    assert locked.status_code == 429 and "quarter of an hour" in locked.content.decode()
    assert sign_in(client, "nobody@acme.example", "wrong").status_code == 422


def test_a_few_slips_before_the_right_password_are_forgiven(alice: User) -> None:
    for _round in range(3):
        client = Client()
        for _slip in range(4):
            sign_in(client, alice.email, "wrong")
        assert sign_in(client, alice.email).status_code == 302


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "\\\\evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "http://testserver/account",
        "account",
        "\t//evil.example",
        " //evil.example",
        "/\t/evil.example",
    ],
)
def test_next_leads_only_to_own_paths(alice: User, client: Client, wanted: str) -> None:
    response = client.post(f"/sign-in?next={wanted}", {"username": alice.email, "password": PASSWORD, "next": wanted})
    assert response.headers["Location"] == "/"


def test_next_is_followed_within_the_house(alice: User, client: Client) -> None:
    assert sign_in(client, alice.email, next="/account?x=1").headers["Location"] == "/account?x=1"


def test_the_session_gets_a_new_key_when_somebody_signs_in(alice: User, client: Client) -> None:
    session = client.session
    session["planted"] = 1
    session.save()
    planted = session.session_key
    sign_in(client, alice.email)
    assert client.session.session_key != planted
    assert client.cookies[settings.SESSION_COOKIE_NAME]["httponly"]
    assert client.cookies[settings.SESSION_COOKIE_NAME]["samesite"] == "Lax"


def test_signing_out_ends_the_session(alice: User, client: Client) -> None:
    sign_in(client, alice.email)
    stolen = Client()
    stolen.cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
    assert stolen.get("/account").status_code == 200
    assert client.get("/sign-out").status_code == 405
    client.post("/sign-out")
    assert stolen.get("/account").status_code == 302
    assert not UserSession.objects.exists()


def test_a_form_of_another_site_signs_nobody_in_or_out(alice: User) -> None:
    strict = Client(enforce_csrf_checks=True)
    assert sign_in(strict, alice.email).status_code == 403
    strict.force_login(alice, backend="django.contrib.auth.backends.ModelBackend")
    assert strict.post("/sign-out").status_code == 403
    assert strict.post("/workspaces/new", {"name": "x"}).status_code == 403


# --- the first administrator ----------------------------------------------------------------------------------------------------------
def first(name: str = "Ada", email: str = "ada@north.example") -> dict[str, str]:
    return {"name": name, "email": email, "password": NEW, "repeated": NEW}


def test_an_empty_installation_says_where_the_link_is(db: None, client: Client) -> None:
    assert "one-time link" in client.get("/").content.decode()


def test_the_first_link_makes_one_administrator(db: None, client: Client) -> None:
    path = path_of(actions.first_link())
    assert client.get(path).status_code == 200
    assert client.get(path).headers["Cache-Control"].count("no-store")
    assert client.post(path, first()).headers["Location"] == "/"
    user = User.objects.get()
    assert user.is_admin and user.check_password(NEW) and client.get("/account").status_code == 200
    assert Client().get(path).status_code == 404
    assert actions.first_link() is None
    assert audit.verify() == []


def test_a_second_start_makes_a_new_first_link_and_the_old_one_dies(db: None, client: Client) -> None:
    old, new = path_of(actions.first_link()), path_of(actions.first_link())
    assert client.get(old).status_code == 404
    assert client.get(new).status_code == 200


def test_the_first_link_is_dead_as_soon_as_somebody_is_here(db: None, client: Client) -> None:
    path = path_of(actions.first_link())
    person("demo@north.example")
    assert client.post(path, first()).status_code == 404
    assert User.objects.count() == 1


def test_what_is_not_asked_for_does_not_reach_the_row(db: None, client: Client) -> None:
    client.post(path_of(actions.first_link()), first() | {"is_active": "", "id": "x", "created_at": "1999-01-01"})
    assert User.objects.get().created_at.year > 2000


@pytest.mark.parametrize("change", [{"password": "short"}, {"repeated": "other"}, {"email": "nonsense"}, {"password": "ada@north.example"}])
def test_a_wrong_form_uses_no_link_up(db: None, client: Client, change: dict[str, str]) -> None:
    path = path_of(actions.first_link())
    values = first() | change
    values["repeated"] = change.get("repeated", values["password"])
    assert client.post(path, values).status_code == 422
    assert client.post(path, first()).status_code == 302


@pytest.mark.django_db(transaction=True)
def test_exactly_one_of_50_simultaneous_first_administrators_wins() -> None:
    path = path_of(actions.first_link())
    barrier, statuses = Barrier(50), []

    def race(number: int) -> None:
        browser = Client()
        barrier.wait()
        statuses.append(browser.post(path, first(f"Ada {number}", f"ada{number}@north.example")).status_code)
        connection.close()

    threads = [Thread(target=race, args=(number,)) for number in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [302] + [404] * 49
    assert User.objects.count() == 1 and User.objects.get().is_admin
    assert audit.verify() == []


# --- links for people who are here ----------------------------------------------------------------------------------------------------
def test_a_link_signs_its_person_in_once(alice: User, client: Client) -> None:
    path = path_of(actions.sign_in_link(alice, actor=None))
    assert client.get(path).status_code == 200 and client.get(path).status_code == 200, "a preview does not use it up"
    assert client.post(path, {"password": "", "repeated": ""}).status_code == 302
    assert client.get("/account").status_code == 200
    assert User.objects.get().check_password(PASSWORD)
    assert Client().post(path, {}).status_code == 404


def test_a_new_password_by_link_ends_the_old_sessions(alice: User, client: Client) -> None:
    old = browser_of(alice)
    client.post(path_of(actions.sign_in_link(alice, actor=None)), {"password": NEW, "repeated": NEW})
    assert old.get("/account").status_code == 302
    assert client.get("/account").status_code == 200
    assert sign_in(Client(), alice.email, NEW).status_code == 302


def test_somebody_without_a_password_may_choose_one_now_or_later(db: None, client: Client) -> None:
    user = User.objects.create_user("new@acme.example", None)
    assert client.post(path_of(actions.sign_in_link(user, actor=None)), {"password": NEW, "repeated": ""}).status_code == 422
    assert client.post(path_of(actions.sign_in_link(user, actor=None)), {}).status_code == 302
    assert not User.objects.get().has_usable_password()
    assert Client().post(path_of(actions.sign_in_link(user, actor=None)), {"password": NEW, "repeated": NEW}).status_code == 302
    assert User.objects.get().check_password(NEW)


def test_dead_links_read_the_same_whatever_killed_them(alice: User, bob: User, carl: User, client: Client) -> None:
    replaced = path_of(actions.sign_in_link(alice, actor=None))
    expired = path_of(actions.sign_in_link(alice, actor=None))
    SignInLink.objects.filter(user=alice).update(expires_at=timezone.now() - timedelta(seconds=1))
    suspended = path_of(actions.sign_in_link(bob, actor=None))
    User.objects.filter(pk=bob.pk).update(is_active=False)
    used = path_of(actions.sign_in_link(carl, actor=None))
    Client().post(used, {})
    pages = set()
    for path in (replaced, expired, suspended, used, "/welcome/never-was", "/welcome/%00", f"/welcome/{'x' * 5000}"):
        for response in (client.get(path), client.post(path, {"password": NEW, "repeated": NEW})):
            assert response.status_code == 404
            pages.add(re.sub(r"x-csrftoken[^}]*", "", response.content.decode()))
    assert len(pages) == 1
    assert "sessionid" not in client.cookies


def test_a_link_race_has_one_winner(alice: User) -> None:
    link = SignInLink.issue(lasts=timedelta(hours=1), user=alice)[0]
    stale = SignInLink.objects.get(pk=link.pk)
    actions.use_sign_in_link(link)
    with pytest.raises(DeadLink):
        actions.use_sign_in_link(stale)


def test_the_host_header_does_not_reach_links(as_alice: Client) -> None:
    page = as_alice.post("/w/acme/people/invite", {"email": "n@acme.example", "role": "reader"}, headers={"host": "127.0.0.1"})
    assert f"{settings.PUBLIC_URL}/invitation/" in page.content.decode()
    assert as_alice.get("/account", headers={"host": "evil.example"}).status_code == 400


def test_the_command_prints_a_link_and_nothing_else(alice: User, capsys: pytest.CaptureFixture[str], client: Client) -> None:
    call_command("sign_in_link", "ALICE@acme.example")
    assert client.get(path_of(capsys.readouterr().out.strip())).status_code == 200
    User.objects.update(is_active=False)
    for email in ("alice@acme.example", "nobody@acme.example"):
        with pytest.raises(CommandError):
            call_command("sign_in_link", email)


# --- invitations ------------------------------------------------------------------------------------------------------------------------
@pytest.fixture
def invited(owner: Membership) -> str:
    return path_of(actions.invite("New@acme.example", Role.EDITOR, actor=owner)[1])


JOIN = {"name": "Nia", "password": NEW, "repeated": NEW}


def test_a_new_person_joins_with_a_name_and_a_password(invited: str, client: Client) -> None:
    assert client.get(invited).status_code == 200
    assert client.post(invited, JOIN | {"email": "else@acme.example", "role": "owner", "is_admin": "on"}).headers["Location"] == "/w/acme/"
    member = Membership.objects.get(user__email="new@acme.example")
    assert member.role == Role.EDITOR and not member.user.is_admin
    assert client.get("/w/acme/people").status_code == 200
    assert Client().post(invited, JOIN).status_code == 404


def test_a_person_with_an_account_signs_in_first(owner: Membership, charlie: User, client: Client) -> None:
    path = path_of(actions.invite(charlie.email, Role.READER, actor=owner)[1])
    page = client.get(path).content.decode()
    assert f"/sign-in?next={path}" in page
    assert client.post(path, JOIN).status_code == 200
    assert not Membership.objects.filter(user=charlie).exists()
    assert sign_in(client, charlie.email, next=path).headers["Location"] == path
    assert client.get(path).status_code == 200
    assert client.post(path).headers["Location"] == "/w/acme/"
    assert Membership.objects.get(user=charlie).role == Role.READER


def test_an_invitation_is_for_its_address_only(invited: str, as_charlie: Client, charlie: User, workspace: Workspace) -> None:
    for response in (as_charlie.get(invited), as_charlie.post(invited)):
        assert response.status_code == 403 and "new@acme.example" not in response.content.decode()
    assert not Membership.objects.filter(user=charlie, workspace=workspace).exists()


def test_an_invitation_dies_when_taken_back_expired_replaced_or_its_owner_is_gone(invited: str, owner: Membership, client: Client) -> None:
    assert client.get(invited).status_code == 200
    Membership.objects.filter(pk=owner.pk).update(role=Role.EDITOR)
    assert client.get(invited).status_code == 404
    Membership.objects.filter(pk=owner.pk).update(role=Role.OWNER)
    User.objects.filter(pk=owner.user_id).update(is_active=False)
    assert client.post(invited, JOIN).status_code == 404
    User.objects.filter(pk=owner.user_id).update(is_active=True)
    second = path_of(actions.invite("new@acme.example", Role.READER, actor=owner)[1])
    assert client.get(invited).status_code == 404
    Invitation.objects.update(expires_at=timezone.now())
    assert client.get(second).status_code == 404
    third = path_of(actions.invite("new@acme.example", Role.READER, actor=owner)[1])
    actions.take_back(Invitation.objects.get(used_at=None), actor=owner)
    assert client.post(third, JOIN).status_code == 404


def test_inviting_does_not_tell_who_has_an_account(as_alice: Client, owner: Membership, charlie: User) -> None:
    pages = set()
    for email in (charlie.email, "nobody@elsewhere.example"):
        response = as_alice.post("/w/acme/people/invite", {"email": email, "role": "reader"})
        actions.take_back(Invitation.objects.get(), actor=owner)
        changing = rf"{email}|datetime=\"[^\"]*\"|/invitation/[^<]*|[-0-9a-f]{{36}}|x-csrftoken[^}}]*|value=\"[A-Za-z0-9]{{64}}\""
        pages.add(re.sub(changing, "", response.content.decode()))
    assert len(pages) == 1


def test_somebody_who_became_a_member_meanwhile_keeps_the_role(owner: Membership, charlie: User) -> None:
    path = path_of(actions.invite(charlie.email, Role.READER, actor=owner)[1])
    Membership.objects.create(workspace=owner.workspace, user=charlie, role=Role.OWNER)
    browser_of(charlie).post(path)
    assert Membership.objects.get(user=charlie).role == Role.OWNER


def test_signing_in_is_in_the_audit_log_and_no_secret_is(alice: User, client: Client) -> None:
    sign_in(client, alice.email)
    link = actions.sign_in_link(alice, actor=alice)
    assert {"session.start", "user.link"} <= set(AuditEvent.objects.values_list("action", flat=True))
    secret = link.rsplit("/", 1)[1]
    assert not [row for row in AuditEvent.objects.values_list() if secret in str(row) or PASSWORD in str(row)]


@pytest.fixture(autouse=True)
def fresh_cache() -> None:
    cache.clear()


def test_a_link_that_lives_is_not_written_to_the_log(invited: str, alice: User, client: Client, caplog: pytest.LogCaptureFixture) -> None:
    welcome = path_of(actions.sign_in_link(alice, actor=None))
    for path in (invited, welcome):
        assert client.post(path, {"password": "x", "repeated": "y"}).status_code == 422
    logged = "".join(JsonFormatter().format(entry) for entry in caplog.records)
    assert "/welcome/***" in logged and "/invitation/***" in logged
    assert welcome not in logged and invited not in logged
