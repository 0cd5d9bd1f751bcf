"""A person's word on what an agent proposes, given in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from north.documents.models import Document
from north.threads.models import Artifact, ArtifactVersion
from tests.threads.conftest import Actor
from tests.threads.test_browser import seen, worker  # noqa: F401  (fixtures)

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium"), pytest.mark.django_db(transaction=True)]


def test_a_document_is_kept_once_somebody_looked_and_agreed(
    worker: Actor, notice: Document, server: str, seen: Page  # noqa: F811
) -> None:  # fmt: skip
    worker.says = "The notice period is thirty days for all staff. It begins on a Tuesday in Lisbon."
    seen.goto(f"{server}/w/acme/")
    seen.get_by_label("Your question").fill("Write a report about the notice period")
    seen.keyboard.press("Enter")
    card = seen.locator(".approval")
    expect(card).to_contain_text("North wants to keep a document", timeout=60_000)
    expect(card).to_contain_text("check it before you agree")
    assert not Artifact.objects.exists()
    seen.reload()
    card.get_by_label("Title").fill("Notice, in short")
    card.get_by_role("button", name="Agree").click()
    kept = seen.get_by_role("link", name="Notice, in short (1)")
    expect(kept).to_be_visible(timeout=60_000)
    expect(seen.locator(".approval")).to_have_count(0)
    seen.locator(".support > summary").click()
    expect(seen.locator(".support")).to_contain_text("not supported")
    kept.click()
    expect(seen.locator("article .cite").first).to_contain_text("thirty days")
    assert ArtifactVersion.objects.count() == 1
    assert seen.faults == []
