"""Threads as a person meets them: in a real browser, with steps and words that come while they look."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from celery.contrib.testing.worker import start_worker
from playwright.sync_api import Browser, Page, expect

from north.celery import app
from north.documents.models import Document
from north.threads.journal import pen
from north.threads.models import Run, Thread
from north.threads.recording import Recorder
from north.workspaces.models import Membership, User, Workspace
from tests.conftest import watched
from tests.threads.conftest import Actor
from tests.threads.test_rendering import PAYLOADS

pytestmark = [pytest.mark.browser, pytest.mark.usefixtures("chromium"), pytest.mark.django_db(transaction=True)]
ANSWER = "**Thirty days** is the notice period for all staff.\n\n- It begins at the end of the month.\n- Nobody can shorten the moon."


@pytest.fixture
def worker(transactional_db: None, broker: redis.Redis, model: Actor) -> Iterator[Actor]:
    with start_worker(app, pool="threads", concurrency=3, queues=["runs"], perform_ping_check=False):
        yield model


@pytest.fixture
def seen(chromium: Browser, server: str, rita: User, reader: Membership) -> Iterator[Page]:
    with watched(chromium, server, rita) as page:
        yield page


def test_a_question_is_worked_on_before_ones_eyes_and_answered(worker: Actor, notice: Document, server: str, seen: Page) -> None:
    worker.says, worker.delay = ANSWER, 0.05
    seen.goto(f"{server}/w/acme/")
    seen.get_by_label("Your question").fill("How long is the notice period?")
    seen.keyboard.press("Enter")
    expect(seen.locator(".step").first).to_be_visible()
    expect(seen.locator(".writing")).to_contain_text("**Thirty days** is")
    answer = seen.locator(".answer:not([aria-busy])")
    expect(answer.locator("strong")).to_have_text("Thirty days")
    expect(answer.locator(".unsupported").first).to_contain_text("Nobody can shorten the moon")
    expect(seen.locator(".source").first).to_contain_text("handbook.txt")
    expect(seen.locator("#stop")).to_have_count(0)
    ids = seen.locator("[id]").evaluate_all("all => all.map(one => one.id)")
    assert len(ids) == len(set(ids))
    assert seen.faults == []


def test_a_reload_or_a_lost_network_in_the_middle_leaves_no_gap(worker: Actor, notice: Document, server: str, seen: Page) -> None:
    worker.says, worker.delay = " ".join(f"word{number}" for number in range(60)), 0.08
    seen.goto(f"{server}/w/acme/")
    seen.get_by_label("Your question").fill("How long is the notice period?")
    seen.keyboard.press("Enter")
    writing = seen.locator(".writing")
    expect(writing).to_contain_text("word5 ")
    seen.reload()
    expect(writing).to_contain_text("word15 ")
    assert writing.inner_text().startswith("word0 word1 word2 ")
    seen.context.set_offline(True)
    seen.wait_for_timeout(800)
    seen.context.set_offline(False)
    expect(writing).to_contain_text("word40 ", timeout=15000)
    words = writing.inner_text().split()
    assert words == [f"word{number}" for number in range(len(words))]
    expect(seen.locator(".answer:not([aria-busy])")).to_contain_text(worker.says, timeout=15000)
    assert seen.locator(".step").evaluate_all("all => new Set(all.map(one => one.id)).size === all.length")


def test_what_is_asked_meanwhile_waits_and_is_asked_when_the_answer_is_there(
    worker: Actor, notice: Document, server: str, seen: Page
) -> None:
    worker.says, worker.delay = "word " * 60, 0.05
    seen.goto(f"{server}/w/acme/")
    for question in ("How long is the notice period?", "Who books trains?"):
        seen.get_by_label("Your question").fill(question)
        seen.keyboard.press("Enter")
        expect(seen.locator(".writing")).to_contain_text("word")
    expect(seen.locator("#queue")).to_contain_text("Who books trains?")
    expect(seen.locator(".question")).to_have_text(["How long is the notice period?", "Who books trains?"], timeout=20_000)
    expect(seen.locator("#queue section")).to_have_count(0)
    assert seen.faults == []


def test_it_is_stopped_and_asked_again(worker: Actor, notice: Document, server: str, seen: Page) -> None:
    worker.says, worker.delay = "word " * 200, 0.05
    seen.goto(f"{server}/w/acme/")
    seen.get_by_label("Your question").fill("How long is the notice period?")
    seen.keyboard.press("Enter")
    expect(seen.locator(".writing")).to_contain_text("word word")
    seen.get_by_role("button", name="Stop").click()
    expect(seen.locator(".run .notice")).to_contain_text("Stopped. What was written so far")
    worker.says, worker.delay = "", 0.0
    seen.get_by_role("button", name="Ask again").click()
    expect(seen.locator(".run")).to_have_count(2)
    expect(seen.locator(".run").last.locator(".cite").first).to_have_text("The notice period is thirty days for all staff.1")
    assert seen.faults == []


def test_a_citation_opens_its_document_by_keyboard(worker: Actor, notice: Document, server: str, seen: Page) -> None:
    seen.set_viewport_size({"width": 1360, "height": 900})
    seen.goto(f"{server}/w/acme/")
    seen.get_by_label("Your question").fill("How long is the notice period?")
    seen.keyboard.press("Enter")
    cite = seen.locator("a.cite")
    cite.focus()
    assert "handbook.txt" in str(cite.get_attribute("title"))
    seen.keyboard.press("Enter")
    expect(seen.locator("#aside mark").first).to_contain_text("notice period is thirty days")


def test_nothing_of_an_answer_runs_or_fetches_at_any_moment_while_it_is_written(
    broker: redis.Redis, workspace: Workspace, rita: User, server: str, seen: Page
) -> None:
    thread = Thread.objects.create(workspace=workspace, user=rita, title="x")
    run = Run.objects.take(Run.objects.create(thread=thread, question=PAYLOADS[1]).pk)
    run.write(status=Run.Status.RUNNING)
    recorder = Recorder(run, pen())
    seen.add_init_script("window.alert = () => { window.pwned = true; }")
    seen.goto(f"{server}/w/acme/threads/{thread.pk}")
    for payload in PAYLOADS:
        for cut in (1, 3, 5, len(payload) // 2):
            for text in (payload[:cut], payload[cut:] + "\n\n"):
                recorder.answer += text
                recorder.journal.append("delta", {"offset": len(recorder.answer) - len(text), "text": text})
    recorder.answer = "\n\n".join(PAYLOADS)
    expect(seen.locator(".writing")).to_contain_text(PAYLOADS[-1].splitlines()[-1])
    assert seen.locator(".writing *").count() == 0
    recorder.cancelled()
    expect(seen.locator(".answer:not([aria-busy])")).to_contain_text("alert(1)")
    for link in seen.locator(".answer a").all():
        assert link.get_attribute("rel") == "noopener noreferrer nofollow"
    assert seen.evaluate("window.pwned") is None
    assert seen.faults == []
