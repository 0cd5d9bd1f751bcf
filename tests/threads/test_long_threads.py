"""A thread of a thousand questions is answered, shown and taken along like any other."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
import redis
from django.db import transaction
from django.utils import timezone
from playwright.sync_api import Browser, expect

from north.documents.models import Document
from north.threads import actions
from north.threads.models import Citation, Run, Step, Thread
from north.threads.views import SHOWN
from north.workspaces.models import Membership, User
from tests.conftest import browser_of, watched
from tests.threads.conftest import NOTICE, Actor, finish

pytestmark = pytest.mark.django_db(transaction=True)
MESSAGES = 1000


@pytest.fixture
def long(broker: redis.Redis, model: Actor, notice: Document, reader: Membership) -> Thread:
    thread, at = actions.create(actor=reader), timezone.now()
    told = {"status": Run.Status.DONE, "answer": NOTICE, "ended_at": at, "searched": ["notice"]}
    runs = Run.objects.bulk_create(Run(thread=thread, question=f"Question {number}?", **told) for number in range(MESSAGES - 1))
    with transaction.atomic():
        for number, run in enumerate(runs):
            Run.objects.filter(pk=run.pk).update(created_at=at - timedelta(minutes=MESSAGES - number))
    source = {"document": str(notice.pk), "name": notice.name, "start": 0, "end": 46, "text": NOTICE[:46], "score": 1.0}
    Citation.objects.bulk_create(Citation(run=run, start=0, end=46, text=NOTICE[:46], sources=[source]) for run in runs)
    step = {"key": "search:1", "ordinal": 1, "kind": "search", "detail": {"found": [source]}, "started_at": at, "ended_at": at}
    Step.objects.bulk_create(Step(run=run, **step) for run in runs)
    return thread


def test_the_thousandth_question_is_answered_and_its_page_holds_the_newest(long: Thread, reader: Membership) -> None:
    run = finish(actions.ask(long, "How long is the notice period?", actor=reader))
    assert (run.status, run.citations.count()) == ("done", 1)
    browser, address = browser_of(reader.user), f"/w/acme/threads/{long.pk}"
    html = browser.get(address).content.decode()
    asked = re.findall(r"Question (\d+)\?</h2>", html)
    assert asked == [str(number) for number in range(MESSAGES - SHOWN, MESSAGES - 1)] and "How long is the notice period?</h2>" in html
    assert len(html) < 500_000 and "data-composer" in html and "Back to the newest" not in html
    earlier = re.search(r'href="(\?before=[0-9a-f-]+)"', html)
    assert earlier
    html = browser.get(address + earlier[1]).content.decode()
    asked = re.findall(r"Question (\d+)\?</h2>", html)
    assert asked == [str(number) for number in range(MESSAGES - 2 * SHOWN, MESSAGES - SHOWN)]
    assert "Back to the newest" in html and "data-composer" not in html
    first = Run.objects.get(question="Question 3?")
    assert re.findall(r"Question (\d+)\?</h2>", browser.get(f"{address}?before={first.pk}").content.decode()) == ["0", "1", "2"]
    other = Run.objects.create(thread=actions.create(actor=reader), question="Why?")
    wrong = [f"{name}={id}" for name in ("before", "run") for id in (other.pk, "nonsense", "0")]
    assert {browser.get(f"{address}?{query}").status_code for query in wrong} == {404}


def test_a_link_to_a_question_opens_the_page_that_holds_it(long: Thread, reader: Membership) -> None:
    browser, address = browser_of(reader.user), f"/w/acme/threads/{long.pk}"
    newest = MESSAGES - 2
    for number, last in ((newest, newest), (newest - SHOWN + 1, newest), (newest - SHOWN, newest - SHOWN), (500, 548), (0, 48)):
        run = Run.objects.get(question=f"Question {number}?")
        html = browser.get(f"{address}?run={run.pk}").content.decode()
        asked = re.findall(r"Question (\d+)\?</h2>", html)
        assert asked == [str(one) for one in range(max(0, last - SHOWN + 1), last + 1)] and f'id="run-{run.pk}"' in html
        assert ("data-composer" in html, "Back to the newest" in html) == (last == newest, last != newest)
        trace = browser.get(f"/w/acme/runs/{run.pk}/trace").content.decode()
        assert f'href="{address}?run={run.pk}#run-{run.pk}"' in trace


@pytest.mark.browser
def test_a_link_to_an_old_question_shows_it_to_whoever_follows_it(
    long: Thread, reader: Membership, chromium: Browser, server: str, rita: User
) -> None:
    run = Run.objects.get(question="Question 500?")
    Thread.objects.update(title="A thousand questions")
    with watched(chromium, server, rita) as page:
        page.goto(f"{server}/w/acme/runs/{run.pk}/trace")
        page.get_by_role("link", name="A thousand questions").first.click()
        expect(page.get_by_role("heading", name="Question 500?", exact=True)).to_be_in_viewport()
        expect(page.get_by_role("heading", name="Question 998?", exact=True)).to_have_count(0)
        assert page.faults == []
