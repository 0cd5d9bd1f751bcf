"""What was behind a run: kept whole, shown to who asked, without what was taken away from them since."""

from __future__ import annotations

import json
import logging
import re
import uuid
from datetime import timedelta

import pytest
import redis
from django.conf import LazySettings
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents.events import StepTraced
from north.documents import stages
from north.documents.models import Document
from north.threads import actions, tasks, traces
from north.threads.models import Run, Trace, TracedDocument
from north.threads.traces import HIDDEN, call_without
from north.threads.tracing import TracedStep, trace_of
from north.workspaces.models import Membership
from tests.threads.conftest import NOTICE, TRAVEL, Actor, Shelve, finish

pytestmark = pytest.mark.django_db(transaction=True)
SECRET = "thirty days"


def steps_of(run: Run, actor: Membership) -> dict[str, TracedStep]:
    row = Run.objects.prefetch_related("steps", "traces", "approvals").get(pk=run.pk)
    return {one.step.key: one for one in trace_of(row, actor).steps}


def said(run: Run, actor: Membership) -> str:
    """All that is shown of a trace."""
    return "\n".join(f"{one.detail} {one.calls} {one.passages} {one.decisions}" for one in steps_of(run, actor).values())


def stored(run: Run) -> str:
    return json.dumps(list(run.traces.values_list("calls", "passages", "decisions")))


def test_each_prompt_is_kept_as_it_was_sent_and_each_reply_as_it_came(answered: Run, model: Actor, reader: Membership) -> None:
    sent = [[message.text for message in call.messages] for call in model.calls]
    kept = [call for one in steps_of(answered, reader).values() for call in one.calls]
    assert [[message["text"] for message in call["messages"]] for call in kept] == sent and sent
    assert kept[-1]["reply"] == answered.answer
    assert kept[-1]["settings"]["seed"] == answered.seed and answered.model == "scripted"
    assert sum(call["tokens_in"] for call in kept) == answered.tokens_in


def test_passages_are_whole_with_their_scores_and_decisions_say_why(answered: Run, reader: Membership) -> None:
    steps = steps_of(answered, reader)
    assert steps["search:1"].passages[0]["text"] == NOTICE and steps["search:1"].passages[0]["why"]
    why = {one["what"]: one["why"] for key in ("plan", "read:1", "cite") for one in steps[key].decisions}
    assert why["No tool"].startswith("Nothing in the question speaks for one of the")
    assert why["Answer"] == "The model was asked whether the answer is in them, and said yes."
    assert why["Threshold"].startswith("At least 0.5 of 1")
    assert re.search(r"supported", why[answered.answer])


def test_what_was_taken_away_is_blanked_and_said(answered: Run, reader: Membership, notice: Document, as_rita: Client) -> None:
    notice.restrict([])
    assert SECRET not in said(answered, reader) and "handbook" not in said(answered, reader)
    steps = steps_of(answered, reader)
    assert steps["search:1"].hidden == 1 and steps["search:1"].passages[0]["document"] == ""
    page = as_rita.get(reverse("threads:trace", args=["acme", answered.pk])).content.decode()
    assert page.count(SECRET) == 0
    assert "Left out: words of a document that you may no longer open" in page
    assert SECRET in stored(answered), "it is only hidden: the right may come back"


def test_only_the_passages_of_what_was_taken_away_are_blanked(
    broker: redis.Redis, model: Actor, notice: Document, shelve: Shelve, reader: Membership
) -> None:
    shelve("travel.txt", TRAVEL)
    run = finish(actions.start("Compare the notice period and train journeys.", actor=reader))
    notice.restrict([])
    prompt = steps_of(run, reader)["answer"].calls[-1]["messages"][-1]["text"]
    assert "second class" in prompt and SECRET not in prompt and HIDDEN in prompt


def test_a_deleted_document_is_gone_at_once_and_its_words_leave_the_rows(answered: Run, reader: Membership, notice: Document) -> None:
    Document.objects.filter(pk=notice.pk).update(deleted_at=timezone.now())
    assert SECRET not in said(answered, reader)
    tasks.sweep_traces()
    assert SECRET not in stored(answered) and "handbook" not in stored(answered)
    assert not TracedDocument.objects.exists()
    assert "No tool" in said(answered, reader), "what is not of the document stays"


def test_also_where_its_row_is_gone_already(answered: Run, notice: Document) -> None:
    stages.forget(notice)
    Document.objects.filter(pk=notice.pk).delete()
    traces.forget_gone()
    assert SECRET not in stored(answered)


def test_a_follow_up_holds_words_of_the_answer_before_it(answered: Run, model: Actor, reader: Membership, notice: Document) -> None:
    model.says = ""
    later = finish(actions.ask(answered.thread, "And for managers?", actor=reader))
    assert SECRET in json.dumps(steps_of(later, reader)["understand"].calls)
    notice.restrict([])
    assert SECRET not in said(later, reader)


def test_nothing_is_told_twice_and_a_second_attempt_adds_its_calls(answered: Run) -> None:
    call = {"messages": [], "settings": {}, "reply": "a", "passages": [], "beside": []}
    for reply in ("a", "a", "b"):
        traces.keep(answered.pk, StepTraced("answer:x", ({**call, "reply": reply},)))
    assert [one["reply"] for one in Trace.objects.get(key="answer:x").calls] == ["a", "b"]


def test_a_run_keeps_no_more_than_its_room(answered: Run, settings: LazySettings, reader: Membership, model: Actor) -> None:
    settings.TRACE_KILOBYTES = 3
    run = finish(actions.ask(answered.thread, "How long is the notice period again?", actor=reader))
    assert run.status == "done" and sum(run.traces.values_list("bytes", flat=True)) <= 3 * 1024
    assert any(one.left_out for one in steps_of(run, reader).values())


def test_it_expires_and_can_be_switched_off(answered: Run, settings: LazySettings, reader: Membership) -> None:
    traces.expire()
    assert answered.traces.exists()
    Trace.objects.update(created_at=timezone.now() - timedelta(days=31))
    traces.expire()
    assert not answered.traces.exists() and SECRET in str(steps_of(answered, reader)["search:1"].detail)
    settings.TRACE_DAYS = 0
    run = finish(actions.ask(answered.thread, "How long is the notice period again?", actor=reader))
    assert run.status == "done" and not run.traces.exists()


def test_nothing_of_it_is_logged(
    broker: redis.Redis, model: Actor, notice: Document, reader: Membership, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="north")
    finish(actions.start("How long is the notice period?", actor=reader))
    assert SECRET not in caplog.text


def test_the_page_shows_all_and_opens_for_a_search(answered: Run, as_rita: Client) -> None:
    address = reverse("threads:trace", args=["acme", answered.pk])
    page = as_rita.get(address).content.decode()
    assert NOTICE in page and "You answer questions of employees" in page and "Run it again as then" in page
    assert '<details class="card" open' not in page and '<details class="card" open' in as_rita.get(address + "?open=1").content.decode()


@pytest.mark.parametrize("fences", ["", "<passage 1: a>\nx\n</passage>\n<passage 2: b>\ny\n</passage>"])
def test_a_prompt_whose_passages_cannot_be_told_apart_is_hidden_whole(fences: str) -> None:
    document = str(uuid.uuid4())
    call = {"messages": [{"role": "user", "text": f"{fences}secret"}], "reply": "secret", "passages": [document], "beside": []}
    assert "secret" not in json.dumps(call_without(call, {document}))
