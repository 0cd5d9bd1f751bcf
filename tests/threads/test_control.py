"""Runs that go on after they were stopped, are done again from a step, and questions that wait behind one that works."""

from __future__ import annotations

from datetime import timedelta

import pytest
import redis
from django.http import Http404
from django.utils import timezone

from agents.errors import ModelFailed
from north.documents.models import Document
from north.threads import actions, configuring, control, tasks
from north.threads.checkpoints import checkpointer
from north.threads.errors import StillWorking, Unaskable
from north.threads.models import Queued, Run, ToolRule
from north.workspaces.models import Membership, User, Workspace
from tests.conftest import browser_of, membership_of
from tests.threads.conftest import NOTICE, Actor, finish
from tests.threads.test_consent_killed import lives
from tests.threads.test_execution import raises

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "How long is the notice period?"


@pytest.fixture
def asked(broker: redis.Redis, model: Actor, notice: Document, reader: Membership) -> Run:
    return actions.start(QUESTION, actor=reader)


@pytest.fixture
def stopped(asked: Run, model: Actor, reader: Membership) -> Run:
    """Rita stopped it while it wrote its answer."""
    model.says, model.delay = "word " * 100, 0.05
    model.meanwhile = lambda: actions.cancel(Run.objects.get(pk=asked.pk), actor=reader)
    run = finish(asked)
    model.as_before()
    assert run.status == "cancelled"
    return run


def kept(run: Run) -> bool:
    return checkpointer().get({"configurable": {"thread_id": str(run.pk)}}) is not None


# --- going on -----------------------------------------------------------------------------------------------------------------------


def test_what_was_stopped_goes_on_where_it_was(stopped: Run, model: Actor, reader: Membership) -> None:
    assert kept(stopped)
    model.calls.clear()
    control.resume(stopped, actor=reader)
    run = finish(stopped)
    assert (run.status, run.answer, run.error) == ("done", "The notice period is thirty days for all staff.", "")
    assert len(model.calls) == 1, "only the answer is written"
    assert [step.key for step in run.steps.all()] == ["plan", "search:1", "read:1", "answer", "cite"]
    assert not kept(run)


def test_what_failed_goes_on_and_the_sweeper_leaves_it_alone(asked: Run, model: Actor, reader: Membership) -> None:
    model.asked = raises(ModelFailed("does not answer"))
    Run.objects.update(attempts=2)
    assert finish(asked).status == "failed"
    model.asked = None
    Run.objects.update(created_at=timezone.now() - timedelta(hours=5))
    control.resume(Run.objects.get(), actor=reader)
    tasks.give_up()
    assert finish(asked).status == "done"


def test_only_the_last_and_only_what_was_broken_off_goes_on(stopped: Run, reader: Membership, alice: User, workspace: Workspace) -> None:
    with pytest.raises(Http404):
        control.resume(stopped, actor=membership_of(alice, workspace))
    later = finish(actions.ask(stopped.thread, QUESTION, actor=reader))
    with pytest.raises(Unaskable, match="Only the last"):
        control.resume(stopped, actor=reader)
    with pytest.raises(Unaskable, match="stopped or failed"):
        control.resume(later, actor=reader)


def test_it_begins_anew_without_what_was_taken_away_meanwhile(stopped: Run, model: Actor, reader: Membership, notice: Document) -> None:
    notice.restrict([])
    model.calls.clear()
    control.resume(stopped, actor=reader)
    run = finish(stopped)
    assert (run.status, run.refused) == ("done", True)
    assert not any(NOTICE[:30] in message.text for call in model.calls for message in call.messages)


def test_after_a_day_nothing_of_it_is_kept_and_it_begins_anew(stopped: Run, reader: Membership) -> None:
    tasks.sweep()
    assert kept(stopped)
    Run.objects.update(ended_at=timezone.now() - control.KEPT - timedelta(minutes=2))
    tasks.sweep()
    assert not kept(stopped)
    control.resume(Run.objects.get(), actor=reader)
    assert finish(stopped).status == "done"


# --- from a step --------------------------------------------------------------------------------------------------------------------


@pytest.fixture
def faulty(broker: redis.Redis, model: Actor, notice: Document, workspace: Workspace, reader: Membership) -> Run:
    """A step of it failed: the workspace forbade the tool."""
    ToolRule.objects.create(workspace=workspace, tool="calculate", rule="deny")
    run = finish(actions.start("What is the notice period, and what is 2 * 3?", actor=reader))
    assert run.status == "done" and run.steps.get(key="act:1").error and kept(run)
    ToolRule.objects.all().delete()
    return run


def test_a_step_that_failed_is_done_again_and_what_follows_it(faulty: Run, model: Actor, reader: Membership) -> None:
    before = {step.key: step.started_at for step in faulty.steps.all()}
    control.retry(faulty, "act:1", actor=reader)
    run = finish(faulty)
    assert (run.status, run.steps.get(key="act:1").error) == ("done", "")
    assert run.steps.get(key="search:1").started_at == before["search:1"], "what came before it is not done again"
    assert run.steps.get(key="answer").started_at > before["answer"]
    assert [step.ordinal for step in run.steps.all()] == list(range(1, run.steps.count() + 1))
    assert not run.retry_from and not kept(run)


def test_there_is_nothing_to_try_again_where_there_is_no_such_step(faulty: Run, stopped: Run, reader: Membership) -> None:
    with pytest.raises(Unaskable, match="no such step"):
        control.retry(faulty, "act:9", actor=reader)
    control.resume(stopped, actor=reader)
    with pytest.raises(StillWorking):
        control.retry(Run.objects.get(pk=stopped.pk), "plan", actor=reader)


def test_the_page_offers_both_in_their_places(faulty: Run, rita: User) -> None:
    browser = browser_of(rita)
    page = browser.get(f"/w/acme/threads/{faulty.thread_id}").content.decode()
    assert page.count("Try again from here") == 1 and "Go on</button>" not in page
    answer = browser.post(f"/w/acme/runs/{faulty.pk}/retry", {"step": "act:1"}, headers={"HX-Request": "true"})
    assert answer.status_code == 200 and "sse-connect" in answer.content.decode()
    assert "Try again from here" not in browser.get(f"/w/acme/threads/{finish(faulty).thread_id}").content.decode()


@pytest.mark.timeout(300)
def test_kills_while_it_is_put_back_lose_and_double_nothing(faulty: Run, reader: Membership) -> None:
    control.retry(faulty, "act:1", actor=reader)
    assert lives(faulty, "work/rewind/1", "work/rewind/1", "work/generate/1") == ["9"] * 3
    run = finish(faulty)
    keys = [step.key for step in run.steps.all()]
    assert run.status == "done" and len(keys) == len(set(keys)) and not run.steps.exclude(error="").exists()


# --- questions that wait ------------------------------------------------------------------------------------------------------------


def test_a_further_question_waits_and_is_asked_when_the_one_before_is_over(asked: Run, reader: Membership) -> None:
    row = control.queue(asked.thread, "Who books trains?", actor=reader)
    assert (Run.objects.count(), Queued.objects.get().question) == (1, "Who books trains?")
    finish(asked)
    run = Run.objects.get(pk=row.pk)
    assert (run.question, run.status, Queued.objects.count()) == ("Who books trains?", "pending", 0)
    assert finish(run).status == "done"


def test_what_waits_keeps_whom_it_is_for_and_says_so_where_that_one_was_retired(
    asked: Run, model: Actor, reader: Membership, editor: Membership
) -> None:
    lawyer, clerk = (configuring.make({"name": name}, shared=True, actor=editor) for name in ("Lawyer", "Clerk"))
    first, second = (control.queue(asked.thread, QUESTION, actor=reader, agent=one.pk) for one in (lawyer, clerk))
    configuring.retire(clerk, actor=editor)
    finish(asked)
    assert finish(Run.objects.get(pk=first.pk)).agent == lawyer
    control.ask_next(asked.thread_id)
    assert "answers nobody any more" in Queued.objects.get(pk=second.pk).words


def test_where_nothing_runs_it_is_asked_at_once(stopped: Run, reader: Membership) -> None:
    row = control.queue(stopped.thread, QUESTION, actor=reader)
    assert Run.objects.get(pk=row.pk).status == "pending"


def test_the_sweeper_asks_what_a_dead_worker_left_waiting(asked: Run, reader: Membership) -> None:
    row = control.queue(asked.thread, QUESTION, actor=reader)
    Run.objects.update(status="done", ended_at=timezone.now())
    tasks.sweep()
    tasks.sweep()
    assert Run.objects.get(pk=row.pk).status == "pending" and Run.objects.count() == 2


def test_one_may_be_taken_out_and_only_so_many_wait(asked: Run, reader: Membership, alice: User, workspace: Workspace) -> None:
    rows = [control.queue(asked.thread, QUESTION, actor=reader) for _ in range(control.QUEUED)]
    with pytest.raises(Unaskable, match="5 questions are waiting"):
        control.queue(asked.thread, QUESTION, actor=reader)
    with pytest.raises(Unaskable, match="Write a question"):
        control.queue(asked.thread, " ", actor=reader)
    with pytest.raises(Http404):
        control.unqueue(rows[0], actor=membership_of(alice, workspace))
    control.unqueue(rows[0], actor=reader)
    assert Queued.objects.count() == control.QUEUED - 1


def test_nothing_is_asked_for_who_lost_their_rights(asked: Run, reader: Membership) -> None:
    control.queue(asked.thread, QUESTION, actor=reader)
    reader.delete()
    Run.objects.update(status="done", ended_at=timezone.now())
    tasks.sweep()
    assert (Run.objects.count(), Queued.objects.count()) == (1, 0)


def test_the_page_shows_what_waits_takes_it_out_and_brings_the_run_it_became(asked: Run, rita: User) -> None:
    browser, thread, htmx = browser_of(rita), f"/w/acme/threads/{asked.thread_id}", {"HX-Request": "true"}
    shown = browser.post(f"{thread}/ask", {"question": "Who books trains?"}, headers=htmx).content.decode()
    assert "Who books trains?" in shown and "Do not ask it" in shown and 'hx-swap-oob="outerHTML"' in shown
    row = Queued.objects.get()
    assert "Who books trains?" in browser.get(thread).content.decode()
    finish(asked)
    after = browser.get(f"{thread}/queue?ids={row.pk},nonsense").content.decode()
    assert f'id="run-{row.pk}"' in after and "Do not ask it" not in after and "every 2s" not in after
    browser.post(f"{thread}/ask", {"question": "And planes?"}, headers=htmx)
    gone = browser.post(f"{thread}/queue/{Queued.objects.get().pk}/delete", headers=htmx).content.decode()
    assert "And planes?" not in gone and not Queued.objects.exists()


@pytest.mark.timeout(300)
def test_a_kill_while_it_is_asked_loses_no_question(asked: Run, reader: Membership) -> None:
    row = control.queue(asked.thread, QUESTION, actor=reader)
    assert lives(asked, "work/dequeue/1") == ["9"]
    assert (Queued.objects.count(), Run.objects.count()) == (1, 1)
    tasks.sweep()
    assert Run.objects.get(pk=row.pk).status == "pending" and not Queued.objects.exists()
