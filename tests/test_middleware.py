"""What Django's middlewares do, they do in the event loop, too: the same headers, sessions and refusals, without a thread each."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import AsyncClient, Client, override_settings
from django.urls import reverse

from north import middleware
from north.workspaces.models import Workspace

pytestmark = pytest.mark.django_db(transaction=True)
VARIES = {"X-Request-ID", "Date"}


def headers(response: Any) -> dict[str, str]:
    return {name: value for name, value in response.headers.items() if name not in VARIES}


@pytest.mark.parametrize("path", ["/healthz", "/v1/models", "/nowhere", "/static/north.css"])
def test_an_answer_has_the_same_headers_from_the_event_loop(path: str) -> None:
    here = Client().get(path)
    there = asyncio.run(AsyncClient().get(path))
    assert there.status_code == here.status_code
    assert headers(there) == headers(here)


def test_a_page_is_served_with_its_security_headers_and_knows_who_is_signed_in(workspace: Workspace) -> None:
    reader = AsyncClient()
    member = workspace.memberships.select_related("user").first()
    assert member is not None

    async def visit() -> Any:
        await reader.aforce_login(member.user)
        return await reader.get(reverse("workspaces:home"), follow=True)

    page = asyncio.run(visit())
    assert page.status_code == 200
    assert "default-src" in page.headers["Content-Security-Policy"]
    assert page.headers["X-Frame-Options"] == "DENY" and page.headers["X-Content-Type-Options"] == "nosniff"
    assert workspace.name in page.content.decode()


def test_a_form_without_its_token_is_refused() -> None:
    answer = asyncio.run(AsyncClient(enforce_csrf_checks=True).post(reverse("workspaces:sign_in"), {"username": "a", "password": "b"}))
    assert answer.status_code == 403


@override_settings(SECURE_SSL_REDIRECT=True, SECURE_HSTS_SECONDS=60)
def test_behind_tls_the_event_loop_redirects_and_says_for_how_long() -> None:
    path = reverse("workspaces:sign_in")
    assert asyncio.run(AsyncClient().get(path)).headers["Location"] == f"https://testserver{path}"
    assert asyncio.run(AsyncClient().get(path, secure=True)).headers["Strict-Transport-Security"].startswith("max-age=60")


def test_a_program_s_request_waits_for_no_thread_in_a_middleware(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(function: Callable[..., Any]) -> Any:
        raise AssertionError(f"{function} was handed to a thread")

    monkeypatch.setattr(middleware, "sync_to_async", none)
    assert asyncio.run(AsyncClient().get("/healthz")).status_code == 200


def test_a_session_that_changed_is_saved() -> None:
    get_user_model().objects.create_user("ada@example.org", password="a long enough one")
    client = AsyncClient()

    async def sign_in() -> Any:
        await client.post(reverse("workspaces:sign_in"), {"username": "ada@example.org", "password": "a long enough one"})
        return await client.get(reverse("workspaces:home"))

    assert asyncio.run(sign_in()).status_code in {200, 302}
    assert client.cookies[settings.SESSION_COOKIE_NAME].value
