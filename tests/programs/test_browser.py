"""Keys and webhooks in a real browser, by keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from north.webhooks.models import Webhook
from north.workspaces import access
from north.workspaces.models import ApiKey, User, Workspace
from tests.conftest import watched
from tests.webhooks.conftest import Receiver, receiver  # noqa: F401  (a fixture)

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium"), pytest.mark.django_db(transaction=True)]
STOPS = 80
SHOWS_FOCUS = "one => one === document.activeElement && one.matches(':focus-visible') && getComputedStyle(one).outlineStyle !== 'none'"


@pytest.fixture
def seen(chromium: Browser, server: str, alice: User, workspace: Workspace) -> Iterator[Page]:
    with watched(chromium, server, alice) as page:
        yield page


def reach(page: Page, wanted: Locator, press: str = "Enter") -> None:
    """Tab from where the focus is to this one, whose focus is seen; then the key."""
    expect(wanted).to_have_count(1)
    for _stop in range(STOPS):
        page.keyboard.press("Tab")
        if wanted.evaluate("one => one === document.activeElement"):
            assert wanted.evaluate(SHOWS_FOCUS), "nobody sees where the focus is"
            return page.keyboard.press(press)
    raise AssertionError(f"Tab does not come to {wanted}")


def agree(page: Page, label: str) -> None:
    """In the dialog the focus lies on what changes nothing, and Tab stays in it."""
    expect(page.locator("#confirm").get_by_role("button", name="Cancel")).to_be_focused()
    reach(page, page.locator("#confirm").get_by_role("button", name=label))


def test_a_key_is_made_seen_once_and_revoked_by_keyboard(server: str, seen: Page) -> None:
    seen.goto(f"{server}/w/acme/keys")
    reach(seen, seen.get_by_label("What it is for"), press="c")
    seen.keyboard.type("i")
    reach(seen, seen.get_by_label("Write:"), press="Space")
    reach(seen, seen.get_by_role("button", name="Make the key"))
    shown = seen.get_by_role("status").locator("code")
    expect(shown).to_contain_text("north_")
    key = shown.inner_text()
    member = access.by_key(key)
    assert member and member.key and (member.key.name, member.key.scopes) == ("ci", ["read", "write", "infer"])
    reach(seen, seen.get_by_role("button", name="Copy"))
    reach(seen, seen.get_by_role("link", name="ci"))
    expect(seen.get_by_role("heading", name="ci")).to_be_visible()
    assert key not in seen.content()
    reach(seen, seen.get_by_role("button", name="Revoke the key"))
    agree(seen, "Revoke")
    expect(seen.get_by_text("The key was revoked.")).to_be_visible()
    expect(seen.get_by_text("There is none yet.")).to_be_visible()
    assert access.by_key(key) is None and ApiKey.objects.get().revoked_at and seen.faults == []  # type: ignore[attr-defined]


def test_a_webhook_is_made_its_secret_seen_once_and_deleted_by_keyboard(server: str, seen: Page, receiver: Receiver) -> None:  # noqa: F811
    seen.goto(f"{server}/w/acme/webhooks")
    reach(seen, seen.get_by_label("Address"), press="h")
    seen.keyboard.type(receiver.url[1:])
    reach(seen, seen.get_by_label("A source could not be synced"), press="Space")
    reach(seen, seen.get_by_role("button", name="Add it"))
    shown = seen.get_by_role("status").locator("code")
    expect(shown).to_contain_text("whsec_")
    secret = shown.inner_text()
    hook = Webhook.objects.get()
    assert (hook.url, hook.events, hook.secrets()) == (receiver.url, ["sync.failed"], [secret])
    reach(seen, seen.get_by_role("link", name="Webhooks"))
    expect(seen.get_by_role("heading", name="Add a webhook")).to_be_visible()
    reach(seen, seen.get_by_role("link", name=receiver.url))
    expect(seen.get_by_role("heading", name="Messages")).to_be_visible()
    assert secret not in seen.content()
    reach(seen, seen.get_by_role("button", name="Delete"))
    agree(seen, "Delete")
    expect(seen.get_by_text("The webhook was deleted.")).to_be_visible()
    assert not Webhook.objects.exists() and seen.faults == []  # type: ignore[attr-defined]
