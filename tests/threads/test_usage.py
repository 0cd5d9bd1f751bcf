"""What a run used is counted as it goes: with each step, once, also where its worker is killed, it fails or is stopped."""

from __future__ import annotations

import json

import pytest
import redis
from django.test import Client

from north.documents.models import Document
from north.inference.errors import ModelUnavailable
from north.threads import actions
from north.threads.models import Run
from north.usage.models import Usage
from north.workspaces.models import ApiKey, Membership
from tests.scripted import Call
from tests.threads.conftest import Actor, finish
from tests.threads.test_survival import killed

pytestmark = pytest.mark.django_db(transaction=True)


def chat_row() -> Usage:
    return Usage.objects.get(kind="run", model="scripted")


def test_a_run_is_counted_for_whoever_asked_where_they_asked(answered: Run, reader: Membership) -> None:
    row = chat_row()
    assert (row.workspace, row.user, row.key, row.count) == (reader.workspace_id, reader.user_id, None, 1)
    steps = list(answered.steps.all())
    assert row.tokens_in == answered.tokens_in == sum(step.tokens_in for step in steps) > 0
    assert row.tokens_out == answered.tokens_out == sum(step.tokens_out for step in steps) > 0
    assert row.milliseconds == answered.milliseconds == sum(step.milliseconds for step in steps)
    assert Usage.objects.filter(kind="run").exclude(model="scripted").get().tokens_in > 0, "its searches and citations were embedded"


def test_cached_tokens_arrive_in_the_rows_and_in_the_api_with_the_key(
    transactional_db: None, broker: redis.Redis, model: Actor, notice: Document, reader: Membership
) -> None:
    key, secret = ApiKey.issue(workspace=reader.workspace, user=reader.user)
    headers = {"Authorization": f"Bearer {secret}"}
    model.cached = 5
    thread = Client().post("/api/v1/threads", {}, content_type="application/json", headers=headers).json()["id"]
    body = json.dumps({"question": "How long is the notice period?"})
    run = Client().post(f"/api/v1/threads/{thread}/runs", body, content_type="application/json", headers=headers).json()["id"]
    done = finish(Run.objects.get(pk=run))
    calls = len(model.calls)
    row = chat_row()
    assert (row.key, row.tokens_cached, done.tokens_cached) == (key.pk, 5 * calls, 5 * calls)
    said = Client().get(f"/api/v1/runs/{run}", headers=headers).json()["usage"]
    assert said["cached_input_tokens"] == 5 * calls
    assert said["input_tokens"] == row.tokens_in and said["output_tokens"] == row.tokens_out
    assert said["model_milliseconds"] == row.milliseconds


def test_a_killed_worker_loses_and_doubles_nothing_that_was_finished(
    broker: redis.Redis, model: Actor, notice: Document, reader: Membership
) -> None:
    run = actions.start("How long is the notice period?", actor=reader)
    killed(run, "generate:2")
    judged = Run.objects.get(pk=run.pk)
    assert chat_row().tokens_in == judged.tokens_in > 0, "the steps before the answer"
    done = finish(run)
    steps = list(done.steps.all())
    assert done.status == "done"
    assert chat_row().tokens_in == done.tokens_in == sum(step.tokens_in for step in steps)
    assert chat_row().count == 1


def test_what_a_failed_attempt_used_stays_counted(broker: redis.Redis, model: Actor, notice: Document, reader: Membership) -> None:
    def down(call: Call) -> None:
        if call.schema is None:
            raise ModelUnavailable("It is down.")

    model.asked = down
    run = finish(actions.start("How long is the notice period?", actor=reader))
    assert run.status == "pending"
    before = chat_row()
    assert before.tokens_in == run.tokens_in > 0
    assert before.count == 0
    model.asked = None
    Run.objects.update(try_at=None)
    done = finish(run)
    assert (done.status, chat_row().count) == ("done", 1)
    assert chat_row().tokens_in == done.tokens_in > before.tokens_in


def test_the_words_of_a_stopped_answer_count_as_far_as_they_were_written(
    broker: redis.Redis, model: Actor, notice: Document, reader: Membership
) -> None:
    run = actions.start("How long is the notice period?", actor=reader)
    model.says = "word " * 40
    model.delay = 0.05
    model.meanwhile = lambda: actions.cancel(Run.objects.get(pk=run.pk), actor=reader)
    done = finish(run)
    answer = done.steps.get(kind="answer")
    assert done.status == "cancelled"
    assert 3 <= answer.tokens_out < 40
    assert chat_row().count == 1


def test_lack_of_memory_puts_a_run_back_and_at_last_fails_it_in_words(
    broker: redis.Redis, model: Actor, notice: Document, reader: Membership
) -> None:
    def out(call: Call) -> None:
        raise MemoryError

    model.asked = out
    run = actions.start("How long is the notice period?", actor=reader)
    for status in ("pending", "pending", "failed"):
        run = finish(run)
        assert run.status == status
        assert "ran out of memory" in run.error and "smaller model" in run.error
        Run.objects.update(try_at=None)
