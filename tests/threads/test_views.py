from __future__ import annotations

import re
import uuid
from collections.abc import Callable

import pytest
import redis
from django.test import Client
from django.urls import reverse

from north.documents.models import Document
from north.threads import actions
from north.threads.models import Agent, Run, Thread
from north.workspaces.models import Membership, Workspace
from tests.cards.test_cards import card_after
from tests.threads.conftest import Actor, finish

pytestmark = pytest.mark.django_db(transaction=True)
HTMX = {"HX-Request": "true"}


@pytest.fixture(autouse=True)
def reached(broker: redis.Redis) -> redis.Redis:
    return broker


@pytest.fixture
def asked(reader: Membership) -> Run:
    return actions.start("How long is the notice period?", actor=reader)


def page(client: Client, run: Run) -> str:
    return client.get(f"/w/acme/threads/{run.thread_id}").content.decode()


def test_the_first_page_offers_a_question_and_examples(as_rita: Client, workspace: Workspace) -> None:
    Agent.objects.create(workspace=workspace, name="North", questions=["How long is the notice period?"])
    text = as_rita.get("/w/acme/").content.decode()
    assert 'data-question="How long is the notice period?"' in text
    assert 'action="/w/acme/ask"' in text


def test_a_question_leads_to_its_thread(as_rita: Client) -> None:
    response = as_rita.post("/w/acme/ask", {"question": "How long is the notice period?"})
    assert response.status_code == 302
    assert response.url == f"/w/acme/threads/{Thread.objects.get().pk}"


def test_what_the_model_is_bad_at_stands_under_its_answer(as_rita: Client, model: Actor, notice: Document, asked: Run) -> None:
    card_after("language-en")
    assert '<p class="meta">The chat model failed its test in English' in page(as_rita, finish(asked))


def test_a_thread_that_is_being_answered_opens_the_stream(as_rita: Client, asked: Run) -> None:
    text = page(as_rita, asked)
    assert f'sse-connect="/w/acme/runs/{asked.pk}/events"' in text
    assert 'sse-close="end"' in text
    assert 'id="stop"' in text
    assert "Reload the page" in text


def test_an_answered_one_shows_question_steps_answer_citations_and_sources(as_rita: Client, answered: Run, notice: Document) -> None:
    text = page(as_rita, answered)
    link = rf"/w/acme/documents/{notice.pk}\?start=\d+&amp;end=\d+&amp;of=\w+"
    assert answered.question in text
    assert re.search(rf'<a class="cite" data-pane="" data-sources="1" href="{link}" title="handbook.txt: “[^"]+”"', text)
    assert re.search(rf'<li class="source" data-sources="1"><a data-pane href="{link}">', text)
    assert "Searched" in text
    assert "sse-connect" not in text
    assert "Ask again" in text


def test_a_follow_up_comes_as_a_fragment_that_opens_its_stream(as_rita: Client, answered: Run) -> None:
    response = as_rita.post(f"/w/acme/threads/{answered.thread_id}/ask", {"question": "And for managers?"}, headers=HTMX)
    text = response.content.decode()
    assert response.status_code == 200
    assert text.lstrip().startswith('<article class="run"')
    assert f'sse-connect="/w/acme/runs/{answered.thread.runs.last().pk}/events"' in text


def test_what_is_not_taken_is_said_in_words(as_rita: Client, asked: Run) -> None:
    address = f"/w/acme/runs/{asked.pk}/again"
    response = as_rita.post(address, headers=HTMX)
    assert (response.status_code, response.headers["content-type"]) == (409, "text/plain; charset=utf-8")
    assert "still answering" in response.content.decode()
    assert "still answering" in as_rita.post(address, follow=True).content.decode()


def test_it_is_stopped_and_asked_again(as_rita: Client, asked: Run) -> None:
    assert as_rita.post(f"/w/acme/runs/{asked.pk}/cancel", headers=HTMX).status_code == 204
    assert "Stopped." in page(as_rita, asked)
    assert as_rita.post(f"/w/acme/runs/{asked.pk}/again", headers=HTMX).status_code == 200
    assert asked.thread.runs.count() == 2


def test_a_failed_one_says_why_and_offers_another_try(as_rita: Client, asked: Run) -> None:
    Run.objects.update(status="failed", error="The chat model does not answer <b>.")
    text = page(as_rita, asked)
    assert "The chat model does not answer &lt;b&gt;." in text
    assert f"/w/acme/runs/{asked.pk}/again" in text


def test_a_refusal_says_what_was_searched_for(as_rita: Client, model: Actor, vectors: str, asked: Run) -> None:
    run = finish(asked)
    assert run.refused
    text = page(as_rita, asked)
    assert "do not hold the answer" in text
    assert "<q>How long is the notice period?</q>" in text


def test_a_source_that_was_taken_away_is_shown_without_name_and_words(as_rita: Client, answered: Run, notice: Document) -> None:
    notice.restrict([])
    text = page(as_rita, answered)
    assert "A source you may no longer open" in text
    assert "handbook" not in text
    assert "thirty days for all staff. It begins" not in text
    assert str(notice.pk) not in text


def test_a_source_that_changed_since_says_so(as_rita: Client, answered: Run, notice: Document) -> None:
    Document.objects.filter(pk=notice.pk).update(ready_at=answered.ended_at.replace(year=answered.ended_at.year + 1))
    assert "changed since" in page(as_rita, answered)


def test_own_threads_are_listed_searched_renamed_and_deleted(as_rita: Client, asked: Run) -> None:
    assert asked.thread.title in as_rita.get("/w/acme/").content.decode()
    assert asked.thread.title in as_rita.get("/w/acme/?q=NOTICE").content.decode()
    assert "Nothing in your threads holds “&lt;b&gt;”" in as_rita.get("/w/acme/?q=<b>").content.decode()
    as_rita.post(f"/w/acme/threads/{asked.thread_id}/rename", {"title": "Leaving"})
    assert "Leaving" in page(as_rita, asked)
    as_rita.post(f"/w/acme/threads/{asked.thread_id}/delete")
    assert as_rita.get(f"/w/acme/threads/{asked.thread_id}").status_code == 404
    assert "Leaving" not in as_rita.get("/w/acme/").content.decode()


ROUTES = ["thread", "ask", "rename", "delete", "events", "cancel", "again"]


@pytest.mark.parametrize("route", ROUTES)
def test_neither_the_owner_of_the_workspace_nor_a_stranger_finds_somebodys_thread(
    as_alice: Client, as_charlie: Client, asked: Run, route: str
) -> None:
    id = asked.pk if route in {"events", "cancel", "again"} else asked.thread_id
    for client, slug in ((as_alice, "acme"), (as_charlie, "acme"), (as_charlie, "elsewhere")):
        for known in (id, uuid.uuid4()):
            address = reverse(f"threads:{route}", args=[slug, known])
            response = client.get(address) if route in {"thread", "events"} else client.post(address, {"question": "x", "title": "x"})
            assert response.status_code == 404
    asked.refresh_from_db()
    assert (asked.status, asked.cancel_requested, asked.thread.runs.count()) == ("pending", False, 1)


@pytest.mark.parametrize("route", ["ask", "rename", "delete", "cancel", "again"])
def test_nothing_changes_by_a_get(as_rita: Client, asked: Run, route: str) -> None:
    id = asked.pk if route in {"cancel", "again"} else asked.thread_id
    assert as_rita.get(reverse(f"threads:{route}", args=["acme", id])).status_code == 405


def test_a_long_thread_asks_the_database_no_more_than_a_short_one(
    as_rita: Client, answered: Run, django_assert_max_num_queries: Callable
) -> None:
    for _ in range(5):
        run = Run.objects.create(thread=answered.thread, question="Well?", status="done", answer="Well.")
        for citation in answered.citations.all():
            run.citations.create(start=0, end=4, text="Well", sources=citation.sources)
    as_rita.get("/w/acme/")  # once a minute it is written down who was here
    with django_assert_max_num_queries(12):
        as_rita.get(f"/w/acme/threads/{answered.thread_id}")
    with django_assert_max_num_queries(12):
        as_rita.get("/w/acme/?q=well")


@pytest.mark.parametrize("payload", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "<b hx-get=/x hx-trigger=load>"])
def test_no_word_of_anybody_becomes_markup(as_rita: Client, answered: Run, notice: Document, payload: str) -> None:
    Thread.objects.update(title=payload)
    Run.objects.update(question=payload, answer=payload, searched=[payload])
    Document.objects.update(name=payload)
    answered.steps.update(error=payload)
    for step in answered.steps.filter(kind="search"):
        step.detail = {**step.detail, "query": payload, "note": payload}
        step.save()
    citation = answered.citations.get()
    citation.sources[0]["text"] = payload
    citation.save()
    for text in (page(as_rita, answered), as_rita.get("/w/acme/").content.decode()):
        assert payload not in text
        assert "<img" not in text
