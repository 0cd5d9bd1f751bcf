"""Every page as a person finds it, in a real browser: usable with assistive technology in light and dark, quiet in the console, at home
on its own origin, and never wider than the screen. And the way from signing in to the cited words, with the keyboard alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from north.demo.company import FILES
from tests.conftest import PASSWORD
from tests.installation import Installation, wait_until

pytestmark = [pytest.mark.whole, pytest.mark.browser]
WIDE, NARROW = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
FILED = (
    "products/cleanfluid-safety-data-sheet.pdf", "handbook/remote-work.md", "finance/price-list-2026.xlsx",
    "support/complaint-sakura-foods.eml",
)  # fmt: skip
READ = {file.suffix: file for file in map(FILES.joinpath, FILED)}
QUESTION = "How many days a week may employees work from home?"
AXE = Axe()
NOT_THERE = {"/nothing", "/welcome/nothing"}
OUTSIDE = {"sign-in": "/sign-in", "welcome": "{welcome}", "dead link": "/welcome/nothing", "invitation": "{invitation}"}
INSIDE = {
    "home": "/", "workspaces": "/workspaces", "new workspace": "/workspaces/new", "account": "/account", "nothing here": "/nothing",
    "ask": "/w/acme/", "ask, empty": "/w/fresh/", "thread": "{thread}", "search": "/w/acme/search", "results": "/w/acme/search?q=home",
    "documents": "/w/acme/documents", "no documents": "/w/fresh/documents", "access": "{md}/access",
    "pdf": "{pdf}", "markdown": "{md}", "sheet": "{xlsx}", "mail": "{eml}",
    "sources": "/w/acme/sources", "no sources": "/w/fresh/sources", "new source": "/w/acme/sources/new", "source": "{source}",
    "edit source": "{source}/edit", "people": "/w/acme/people", "group": "{group}", "settings": "/w/acme/settings",
    "administration": "/admin", "users": "/admin/users", "groups": "/admin/groups", "all workspaces": "/admin/workspaces",
    "all sources": "/admin/sources", "models": "/admin/models", "capability card": "/admin/models/card", "audit": "/admin/audit",
    "all keys": "/admin/keys", "keys": "/w/acme/keys", "key": "{key}", "programs": "/w/acme/programs", "webhooks": "/w/acme/webhooks",
    "webhook": "{webhook}", "all usage": "/admin/usage", "usage": "/w/acme/usage?days=7&of=seconds",
    "quality": "/w/acme/quality", "golden questions": "/w/acme/quality/questions", "measurement": "{measurement}",
}  # fmt: skip


@dataclass
class Visitor:
    """A page of the browser, and what went wrong on it."""

    page: Page
    faults: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, browser: Browser, url: str) -> Visitor:
        context = browser.new_context(viewport=WIDE, base_url=url, reduced_motion="reduce", color_scheme="light")  # type: ignore[arg-type]
        visitor = cls(context.new_page())
        visitor.page.on("console", visitor.heard)
        visitor.page.on("pageerror", lambda error: visitor.faults.append(str(error)))
        visitor.page.on("request", lambda request: visitor.asked(request.url, url))
        return visitor

    def heard(self, message: ConsoleMessage) -> None:
        """Violations of the content security policy are among the errors; that a page is not there is none of its own."""
        of_the_page = message.location["url"] == self.page.url and "status of 404" in message.text
        if (message.type == "error" or "Content Security Policy" in message.text) and not of_the_page:
            self.faults.append(message.text)

    def asked(self, address: str, url: str) -> None:
        if urlsplit(address).scheme not in {"data", "blob"} and not address.startswith(url + "/"):
            self.faults.append(f"asked {address}")

    def sign_in(self, name: str) -> None:
        self.page.goto("/sign-in")
        self.page.get_by_label("E-mail").fill(f"{name}@acme.example")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(re.compile(r"/(w/|workspaces)"))


@pytest.fixture(scope="module")
def places(north: Installation) -> dict[str, str]:
    """Where the pages are that have names of their own; alice is an administrator and owns acme, which holds some of everything."""
    made = north.run_python(
        "from north.workspaces import actions\nfrom north.workspaces.access import enter\nfrom north.workspaces.models import *\n"
        "alice = User.objects.get(email='alice@acme.example')\nUser.objects.filter(pk=alice.pk).update(is_admin=True)\n"
        "actions.create_workspace('Fresh', actor=alice, slug='fresh')\nalice = enter(alice, slug='acme')\n"
        "group = actions.create_group('HR', actor=alice)\nprint('group', f'/w/acme/groups/{group.pk}')\n"
        "from north.workspaces import keys\nkeys.create_service_account('Crawler', Role.READER, actor=alice)\n"
        "print('key', f'/w/acme/keys/{keys.issue_key(alice, name=\"ci\", actor=alice)[0].pk}')\n"
        "from north.webhooks.announcing import queue\nfrom north.webhooks.models import Webhook\n"
        "hook = Webhook(workspace=alice.workspace, url='https://hooks.invalid/', events=['sync.failed'])\nhook.set_secret()\nhook.save()\n"
        "queue(hook, 'webhook.test', {})\nprint('webhook', f'/w/acme/webhooks/{hook.pk}')\n"
        "_, link = actions.invite('carl@acme.example', Role.READER, actor=alice)\nprint('invitation', link)\n"
    )
    found = dict(line.split(maxsplit=1) for line in made.splitlines())
    found["welcome"] = north.manage("sign_in_link", "rita@acme.example").split()[-1]
    api = north.api("alice")
    for ending, file in {**READ, ".broken": None}.items():
        name, content = (file.name, file.read_bytes()) if file else ("broken.pdf", b"%PDF-1.4 and nothing more")
        found[ending[1:]] = f"/w/acme/documents/{api.post('/documents', files={'file': (name, content)}).raise_for_status().json()['id']}"
    wait_until(lambda: settled(api), 90, every=0.5)
    return {name: urlsplit(place).path for name, place in found.items()}


def settled(api: httpx.Client) -> bool:
    statuses = [document["status"] for document in api.get("/documents").json()["items"]]
    return statuses.count("ready") == len(READ) and "failed" in statuses


@pytest.fixture(scope="module")
def inside(north: Installation, places: dict[str, str], browser: Browser) -> Iterator[Visitor]:
    """Signed in as alice, who has asked a question and set up a source."""
    visitor = Visitor.of(browser, north.url)
    visitor.sign_in("alice")
    page = visitor.page
    page.goto("/w/acme/sources/new")
    page.get_by_label("Name").fill("Shares")
    page.get_by_label("Folder on the server").fill(str(north.folder / "shares"))
    page.get_by_label("Everyone in the workspace").check()
    page.get_by_role("button", name="Set up and sync").click()
    page.get_by_role("heading", name="Shares").wait_for()
    places["source"] = urlsplit(page.url).path
    page.goto("/w/acme/")
    page.locator("textarea").fill(QUESTION)
    page.keyboard.press("Enter")
    page.locator("a.cite").first.wait_for(timeout=60_000)
    places["thread"] = urlsplit(page.url).path
    page.get_by_role("button", name="This answers it").first.click()
    page.get_by_role("button", name="Undo").wait_for()
    page.goto("/w/acme/quality")
    page.get_by_role("button", name="Measure now").click()
    page.wait_for_url("**/quality")
    wait_until(lambda: page.goto("/w/acme/quality") and page.locator("tbody a").count(), 60, every=1)
    places["measurement"] = str(page.locator("tbody a").first.get_attribute("href"))
    yield visitor
    page.context.close()


@pytest.fixture(scope="module")
def outside(north: Installation, browser: Browser) -> Iterator[Visitor]:
    visitor = Visitor.of(browser, north.url)
    yield visitor
    visitor.page.context.close()


def is_in_order(visitor: Visitor, address: str) -> None:
    page = visitor.page
    visitor.faults.clear()
    page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="light")
    answer = page.goto(address)
    assert answer is not None and answer.status == (404 if address in NOT_THERE else 200)
    expect(page.locator("h1, h2").first).to_be_visible()
    found = violations(page, {})
    page.emulate_media(color_scheme="dark")
    found += violations(page, {"runOnly": ["color-contrast"]})
    page.set_viewport_size(NARROW)  # type: ignore[arg-type]
    page.emulate_media(color_scheme="light")
    width = page.evaluate("document.documentElement.scrollWidth")
    assert (found, visitor.faults) == ([], [])
    assert width <= NARROW["width"]


def violations(page: Page, options: dict[str, Any]) -> list[str]:
    said = AXE.run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    grave = [violation for violation in said if violation["impact"] in {"serious", "critical"}]
    return [f"{violation['id']}: {node['html'][:200]} {node['failureSummary']}" for violation in grave for node in violation["nodes"]]


@pytest.mark.parametrize("name", OUTSIDE)
def test_a_page_for_strangers_is_in_order(name: str, outside: Visitor, places: dict[str, str]) -> None:
    is_in_order(outside, OUTSIDE[name].format(**places))


@pytest.mark.parametrize("name", INSIDE)
def test_a_page_for_members_is_in_order(name: str, inside: Visitor, places: dict[str, str]) -> None:
    is_in_order(inside, INSIDE[name].format(**places))


def test_the_viewer_beside_an_answer_is_in_order(inside: Visitor, places: dict[str, str]) -> None:
    inside.page.set_viewport_size(WIDE)  # type: ignore[arg-type]
    inside.page.goto(places["thread"])
    inside.page.locator("a.cite").first.click()
    inside.page.locator("#aside mark").first.wait_for()
    assert violations(inside.page, {}) == []
    inside.page.emulate_media(color_scheme="dark")
    assert violations(inside.page, {"runOnly": ["color-contrast"]}) == []


def tab_to(page: Page, selector: str, presses: int = 60) -> None:
    """Tab, until the first that fits has the focus: nothing on the way may keep it."""
    for _ in range(presses):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement === document.querySelector(selector)", selector):
            return
    raise AssertionError(f"{selector} was not reached")


def test_a_question_is_asked_and_its_source_read_with_the_keyboard_alone(
    north: Installation, places: dict[str, str], browser: Browser
) -> None:
    visitor = Visitor.of(browser, north.url)
    page = visitor.page
    page.goto("/sign-in")
    page.keyboard.type("bob@acme.example")
    tab_to(page, "[type=password]")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile(r"/w/acme/"))
    page.locator(".skip").evaluate("link => link.focus()")
    tab_to(page, "#question")
    page.keyboard.type(QUESTION)
    page.keyboard.press("Enter")
    cite = page.locator("a.cite").first
    cite.wait_for(timeout=60_000)
    tab_to(page, "a.cite")
    page.keyboard.press("Enter")
    expect(page.locator("#aside .viewer")).to_contain_text(READ[".md"].name)
    expect(page.locator("#aside mark").first).to_contain_text("work from home")
    expect(page.locator("#aside mark").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#aside .viewer")).to_have_count(0)
    expect(cite).to_be_focused()
    page.context.close()
    assert visitor.faults == []
