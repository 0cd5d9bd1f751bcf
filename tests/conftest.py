"""The cast and the real parts that tests share.

acme is alice's workspace: alice owns it, bob edits, rita reads and is in the group HR, carl reads and is in no group.
charlie owns another workspace and must see nothing of acme.

Property tests draw the same examples in every run; `pytest --hypothesis-profile=explore` looks for new ones.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import hypothesis
import pytest
import redis
import uvicorn
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.db import connections
from django.test import Client, override_settings
from playwright.sync_api import Browser, Page, Route, sync_playwright

from north.broker import redis_client
from north.supervisor import answers, broker_command, vectors_command
from north.threads.stream import ROWS
from north.workspaces.models import Group, Membership, Role, User, Workspace

hypothesis.settings.register_profile("explore", deadline=None, max_examples=1000)
hypothesis.settings.register_profile("north", deadline=None, derandomize=True)
hypothesis.settings.load_profile("north")
PASSWORD = "correct horse battery"


def person(email: str, *, is_admin: bool = False) -> User:
    return User.objects.create_user(email, PASSWORD, name=email.split("@")[0].title(), is_admin=is_admin)


@pytest.fixture
def alice(db: None) -> User:
    return person("alice@acme.example")


@pytest.fixture
def bob(db: None) -> User:
    return person("bob@acme.example")


@pytest.fixture
def rita(db: None) -> User:
    return person("rita@acme.example")


@pytest.fixture
def carl(db: None) -> User:
    return person("carl@acme.example")


@pytest.fixture
def charlie(db: None) -> User:
    return person("charlie@elsewhere.example")


@pytest.fixture
def admin(db: None) -> User:
    return person("ada@north.example", is_admin=True)


@pytest.fixture
def workspace(alice: User, bob: User, rita: User, carl: User) -> Workspace:
    acme = Workspace.objects.create(slug="acme", name="Acme")
    for user, role in ((alice, Role.OWNER), (bob, Role.EDITOR), (rita, Role.READER), (carl, Role.READER)):
        Membership.objects.create(workspace=acme, user=user, role=role)
    return acme


@pytest.fixture
def hr(workspace: Workspace, rita: User) -> Group:
    group = Group.objects.create(workspace=workspace, name="HR")
    group.users.add(rita)
    return group


@pytest.fixture
def other_workspace(charlie: User) -> Workspace:
    elsewhere = Workspace.objects.create(slug="elsewhere", name="Elsewhere")
    Membership.objects.create(workspace=elsewhere, user=charlie, role=Role.OWNER)
    return elsewhere


def membership_of(user: User, workspace: Workspace) -> Membership:
    return Membership.objects.select_related("workspace", "user").get(user=user, workspace=workspace)


@pytest.fixture
def owner(alice: User, workspace: Workspace) -> Membership:
    return membership_of(alice, workspace)


@pytest.fixture
def editor(bob: User, workspace: Workspace) -> Membership:
    return membership_of(bob, workspace)


@pytest.fixture
def reader(rita: User, workspace: Workspace) -> Membership:
    return membership_of(rita, workspace)


def browser_of(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def as_alice(alice: User, workspace: Workspace) -> Client:
    return browser_of(alice)


@pytest.fixture
def as_bob(bob: User, workspace: Workspace) -> Client:
    return browser_of(bob)


@pytest.fixture
def as_rita(rita: User, workspace: Workspace) -> Client:
    return browser_of(rita)


@pytest.fixture
def as_charlie(charlie: User, other_workspace: Workspace) -> Client:
    return browser_of(charlie)


@pytest.fixture(scope="session")
def broker() -> Iterator[redis.Redis]:
    """A real broker on the socket that the settings name, for the whole session."""
    process = subprocess.Popen(broker_command(), stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    client = redis_client()
    deadline = time.monotonic() + 20
    while True:
        try:
            client.ping()
            break
        except redis.RedisError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.05)
    yield client
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="session")
def vectors() -> Iterator[str]:
    """The real vector daemon at the address that the settings name, for the whole session."""
    environment = {**os.environ, "NORTH_EDGE_API_KEY": settings.QDRANT_API_KEY}
    command = vectors_command()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + 30
    while not answers(f"{settings.QDRANT_URL}/readyz"):
        if time.monotonic() > deadline or process.poll() is not None:
            raise RuntimeError("The vector daemon did not start.")
        time.sleep(0.05)
    yield settings.QDRANT_URL
    process.terminate()
    process.wait(10)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """Debian's Chromium, which needs no download of its own."""
    path = shutil.which("chromium") or shutil.which("google-chrome") or ""
    return {"executable_path": path, "args": ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]}


@pytest.fixture(scope="session")
def server(django_db_setup: None) -> Iterator[str]:
    """The web process as people reach it: uvicorn around the real application, at this address."""
    with override_settings(WHITENOISE_USE_FINDERS=True, WHITENOISE_AUTOREFRESH=True):
        application = get_asgi_application()
    config = uvicorn.Config(application, host="127.0.0.1", port=0, lifespan="off", log_level="warning", access_log=False)
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        assert thread.is_alive()
        time.sleep(0.01)
    yield f"http://127.0.0.1:{running.servers[0].sockets[0].getsockname()[1]}"
    running.should_exit = True
    thread.join(10)
    everyone = threading.Barrier(ROWS._max_workers)
    for done in [ROWS.submit(lambda: (everyone.wait(10), connections.close_all())) for _ in range(ROWS._max_workers)]:
        done.result(20)


def cookies(user: User) -> dict[str, str]:
    """Those of a browser in which this person is signed in."""
    return {name: morsel.value for name, morsel in browser_of(user).cookies.items()}


@contextmanager
def watched(chromium: Browser, server: str, user: User) -> Iterator[Page]:
    """This person's browser; what would leave the machine or breaks in it comes into `page.faults`, for the test to find none."""
    faults: list[str] = []

    def gate(route: Route) -> None:
        if not route.request.url.startswith(server):
            faults.append(route.request.url)
        route.continue_()

    context = chromium.new_context()
    context.add_cookies([{"name": name, "value": value, "url": server} for name, value in cookies(user).items()])
    context.route("**/*", gate)
    page = context.new_page()
    page.on("console", lambda message: faults.append(message.text) if message.type == "error" and "ERR_" not in message.text else None)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.faults = faults  # type: ignore[attr-defined]
    yield page
    context.close()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whole installations come last: the browser of their tests, pytest-playwright's, stays to the end of the session (see `chromium`)."""
    items.sort(key=lambda item: item.get_closest_marker("whole") is not None)


@pytest.fixture(scope="module")
def chromium(browser_type_launch_args: dict[str, Any]) -> Iterator[Browser]:
    """A browser for these tests only: while Playwright runs it keeps an event loop in this thread, in which Django would refuse to
    ask its database."""
    with pytest.MonkeyPatch.context() as environment, sync_playwright() as playwright:
        environment.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "true")
        browser = playwright.chromium.launch(**browser_type_launch_args)
        yield browser
        browser.close()
