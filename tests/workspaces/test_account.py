"""One's own account: name, password, sessions."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from north.workspaces import sessions
from north.workspaces.models import User, UserSession
from tests.conftest import PASSWORD, browser_of

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
NEW = "a much longer secret"


@pytest.fixture(autouse=True)
def fresh_cache() -> None:
    cache.clear()


def test_the_page_lists_sessions_by_browser_and_address(alice: User) -> None:
    client = Client(headers={"user-agent": FIREFOX})
    client.post("/sign-in", {"username": alice.email, "password": PASSWORD})
    page = client.get("/account").content.decode()
    assert "Firefox, Linux" in page and "127.0.0.1" in page and "This one" in page


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (FIREFOX, "Firefox, Linux"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0.0.0 Safari/537.36 Edg/140.0", "Edge, Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1", "Safari, iOS"),
        ("", ""),
    ],
)
def test_browsers_are_named_in_words(rf: object, agent: str, words: str) -> None:
    assert sessions.browser_of(rf.get("/", headers={"user-agent": agent})) == words  # type: ignore[attr-defined]


def test_ending_a_session_signs_that_browser_out(alice: User) -> None:
    here, there = browser_of(alice), browser_of(alice)
    row = UserSession.objects.get(session_key=there.session.session_key)
    assert here.post(f"/account/sessions/{row.pk}/end").status_code == 302
    assert there.get("/account").status_code == 302
    assert here.get("/account").status_code == 200


def test_nobody_ends_somebody_elses_session(alice: User, bob: User) -> None:
    hers, his = browser_of(alice), browser_of(bob)
    row = UserSession.objects.get(session_key=his.session.session_key)
    assert hers.post(f"/account/sessions/{row.pk}/end").status_code == 404
    assert his.get("/account").status_code == 200


def test_all_other_sessions_end_by_one_button(alice: User, bob: User) -> None:
    here, there, his = browser_of(alice), browser_of(alice), browser_of(bob)
    here.post("/account/sessions/end-others")
    assert [client.get("/account").status_code for client in (here, there, his)] == [200, 302, 200]


def change(client: Client, current: str, password: str = NEW, repeated: str = NEW) -> int:
    return client.post("/account/password", {"current": current, "password": password, "repeated": repeated}).status_code


def test_a_new_password_keeps_this_session_and_ends_the_others(alice: User) -> None:
    here, there = browser_of(alice), browser_of(alice)
    key = here.session.session_key
    assert change(here, PASSWORD) == 302
    assert here.session.session_key != key
    assert [client.get("/account").status_code for client in (here, there)] == [200, 302]
    assert list(UserSession.objects.values_list("session_key", flat=True)) == [here.session.session_key]
    assert not Session.objects.exclude(session_key=here.session.session_key).exists()


@pytest.mark.parametrize(
    ("current", "password", "repeated"),
    [("wrong", NEW, NEW), (PASSWORD, NEW, "other"), (PASSWORD, "short", "short"), (PASSWORD, "1234567890", "1234567890")],
)
def test_a_wrong_change_changes_nothing(alice: User, current: str, password: str, repeated: str) -> None:
    assert change(browser_of(alice), current, password, repeated) == 422
    alice.refresh_from_db()
    assert alice.check_password(PASSWORD)


def test_the_name_changes_and_nothing_else(alice: User) -> None:
    browser_of(alice).post("/account", {"name": "Alice B.", "email": "x@y.example", "is_admin": "on"})
    alice.refresh_from_db()
    assert (alice.name, alice.email, alice.is_admin) == ("Alice B.", "alice@acme.example", False)


def test_a_session_is_noted_as_seen_at_most_once_a_minute(alice: User, django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    client = browser_of(alice)
    long_ago = timezone.now() - timedelta(hours=1)
    UserSession.objects.update(seen_at=long_ago)
    client.get("/account")
    assert UserSession.objects.get().seen_at > long_ago
    UserSession.objects.update(seen_at=long_ago)
    with django_assert_max_num_queries(12):
        client.get("/account")
    assert UserSession.objects.get().seen_at == long_ago


def test_sessions_that_ran_out_are_not_listed(alice: User) -> None:
    client = browser_of(alice)
    browser_of(alice)
    Session.objects.exclude(session_key=client.session.session_key).update(expire_date=timezone.now())
    assert sessions.alive(alice).count() == 1
