"""The list of sources in a real browser, at every width that people have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from north.documents import ending
from north.documents.models import Source, SyncRun
from north.workspaces.models import Group, User, Workspace
from tests.conftest import watched

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
WIDER = """document.documentElement.scrollWidth > innerWidth
    || [...document.querySelectorAll(".card")].some(one => one.scrollWidth > one.clientWidth)"""
WIDTHS = (390, 700, 769, 860, 1024, 1280)


@pytest.fixture
def seen(chromium: Browser, server: str, bob: User) -> Iterator[Page]:
    with watched(chromium, server, bob) as page:
        yield page


def source(workspace: Workspace, name: str, path: str, **more: object) -> Source:
    values = {"connector": "stalling", "config": {"path": path}, "schedule": 900, "synced_at": timezone.now(), **more}
    return Source.objects.create(workspace=workspace, name=name, **values)


def at_work(row: Source, **values: object) -> SyncRun:
    run: SyncRun = SyncRun.objects.take(row.begin().pk)  # type: ignore[union-attr]
    run.write(status=SyncRun.Status.RUNNING, **values)
    return run


@pytest.fixture
def rows(workspace: Workspace, hr: Group) -> None:
    """One at work, one in trouble, one that is held up, one that is fresh; with names and addresses as long as they get."""
    everyone = [workspace.everyone]
    at_work(source(workspace, "Handbook", "/srv/share/handbook", principals=everyone), new=1200, expected=5000, speed=38.0)
    long = "https://acme.sharepoint.com/sites/human-resources-and-organisational-development/Shared%20Documents/Policies"
    broken = source(workspace, "Human resources and organisational development", long, principals=[hr.principal], as_source=True)
    ending.end(at_work(broken), error="“graph.microsoft.com” does not take these credentials: they have expired.", fault="TokenRefused")
    source(workspace, "Archive", "/srv/archive", paused_at=timezone.now() - timedelta(hours=3), principals=[hr.principal])
    fresh = source(workspace, "Wiki", "https://wiki.acme.example", principals=everyone, schedule=0)
    ending.end(at_work(fresh, new=12345, unchanged=678901), timezone.now())


@pytest.mark.usefixtures("rows")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_list_is_read_without_scrolling_sideways(seen: Page, server: str, scheme: str) -> None:
    seen.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
    seen.goto(f"{server}/w/acme/sources")
    for width in WIDTHS:
        seen.set_viewport_size({"width": width, "height": 900})
        expect(seen.get_by_role("link", name="Handbook")).to_be_visible()
        expect(seen.get_by_role("button", name="Pause Wiki")).to_be_in_viewport() if width > 1000 else None
        if folder := os.environ.get("SHOTS"):
            seen.screenshot(path=f"{folder}/sources-{width}-{scheme}.png", full_page=True)
        assert not seen.evaluate(WIDER), f"it scrolls sideways at {width}"
    assert seen.faults == []  # type: ignore[attr-defined]
