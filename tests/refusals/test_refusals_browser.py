"""Marking with two keys, in a real browser."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from north.evaluation.models import EvidenceMark
from north.workspaces.models import User, Workspace
from tests.conftest import watched
from tests.refusals.test_refusals import PAGE, asked, judged, read, said  # noqa: F401  (a fixture)

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def seen(chromium: Browser, server: str, alice: User) -> Iterator[Page]:
    with watched(chromium, server, alice) as page:
        yield page


def test_questions_are_marked_by_keys_alone_and_the_curve_comes(seen: Page, server: str, workspace: Workspace, alice: User) -> None:
    document = read(workspace, "Employees receive thirty days of paid annual leave a year.", name="leave.txt")
    for question, evidence in (("How much pay?", 0.45), ("How many days of leave?", 0.6)):
        asked(alice, workspace, question, evidence, document)
    said(workspace, alice, 29)
    seen.goto(f"{server}{PAGE}")
    expect(seen.locator("main")).to_contain_text("How much pay?")
    expect(seen.locator("main")).to_contain_text("Not enough marks yet: 29 of 30")
    seen.keyboard.press("n")
    expect(seen.locator("main")).to_contain_text("How many days of leave?")
    expect(seen.locator(".plot")).to_be_visible()
    if folder := os.environ.get("SHOTS"):
        shots(seen, folder)
    seen.keyboard.press("y")
    expect(seen.locator("main")).to_contain_text("There is nothing to mark just now")
    assert dict(EvidenceMark.objects.filter(text__startswith="How").values_list("text", "answers")) == {
        "How much pay?": False, "How many days of leave?": True,
    }  # fmt: skip
    assert seen.faults == []  # type: ignore[attr-defined]


def shots(seen: Page, folder: str) -> Any:
    seen.screenshot(path=f"{folder}/wide.png", full_page=True)
    seen.set_viewport_size({"width": 390, "height": 800})
    seen.emulate_media(color_scheme="dark")
    seen.screenshot(path=f"{folder}/narrow.png", full_page=True)
