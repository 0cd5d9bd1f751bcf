"""North's own script in a real browser: what a person does on a page that fetches itself anew is not undone, and a form that is refused
leads to what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from north.cards.models import Card, identity, plain_of
from north.documents.models import Document, Status
from north.inference.outcomes import Outcome
from north.workspaces.models import User, Workspace
from tests.conftest import cookies

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(chromium: Browser, server: str) -> Iterator[Page]:
    context = chromium.new_context(base_url=server)
    yield context.new_page()
    context.close()


def signed_in(page: Page, server: str, user: User) -> None:
    page.context.add_cookies([{"name": name, "value": value, "url": server} for name, value in cookies(user).items()])


def refreshed(page: Page, selector: str) -> None:
    """Waits until what stands there was fetched anew."""
    page.locator(selector).evaluate("element => { element.stale = true; }")
    page.wait_for_function("selector => !document.querySelector(selector).stale", arg=selector)


@pytest.fixture
def tested(admin: User, transactional_db: None, settings: Any) -> Card:
    told = [plain_of(Outcome(probe, tried=1, faults=(f"fault of {probe}",))) for probe in ("json", "refusal")]
    return Card.objects.create(**identity(settings.MODELS["chat"]), status=Card.Status.RUNNING, doing="speed", told=told)


def test_what_went_wrong_stays_open_and_the_focus_stays_while_a_model_is_tested(page: Page, server: str, admin: User, tested: Card) -> None:
    signed_in(page, server, admin)
    page.goto("/admin/models/card")
    page.locator("#faults-2 summary").click()
    for _time in range(2):
        refreshed(page, "#card")
        expect(page.locator("#faults-2")).to_contain_text("fault of refusal")
        expect(page.locator("#card details[open]")).to_have_count(1)
        expect(page.locator("#faults-2 summary")).to_be_focused()
    page.get_by_role("button", name="Stop the test").focus()
    refreshed(page, "#card")
    expect(page.get_by_role("button", name="Stop the test")).to_be_focused()
    Card.objects.update(status=Card.Status.CANCELLED)
    expect(page.locator("#announcer")).to_contain_text("The test is over.")


def test_a_name_is_typed_and_a_document_chosen_while_others_are_read(
    page: Page, server: str, workspace: Workspace, alice: User, broker: object
) -> None:
    for name in ("one.txt", "two.txt"):
        Document.objects.create(workspace=workspace, name=name, status=Status.QUEUED, sha256="0" * 64)
    signed_in(page, server, alice)
    page.goto("/w/acme/documents")
    page.get_by_label("Filter by name").press_sequentially("tw")
    refreshed(page, "#documents")
    page.keyboard.type("o")
    assert page.get_by_label("Filter by name").input_value() == "two"
    delete = page.get_by_role("button", name="Delete two.txt")
    delete.focus()
    refreshed(page, "#documents")
    expect(delete).to_be_focused()


def test_a_form_that_is_refused_leads_to_what_is_wrong(page: Page, server: str, workspace: Workspace, admin: User) -> None:
    signed_in(page, server, admin)
    page.goto("/admin/workspaces")
    page.get_by_role("button", name="Add owner").click()
    page.get_by_label("E-mail address of a user").fill("nobody@acme.example")
    page.get_by_role("button", name="Make owner").click()
    dialog = page.get_by_role("dialog", name="An owner for Acme")
    expect(dialog).to_contain_text("No user who is not suspended has this e-mail address.")
    expect(dialog.get_by_label("E-mail address of a user")).to_be_focused()
    expect(dialog.get_by_label("E-mail address of a user")).to_have_value("nobody@acme.example")
