"""The same question again as it was then, and what came out otherwise."""

from __future__ import annotations

import pytest
import redis
from django.test import Client
from django.urls import reverse

from north.documents.models import Document
from north.threads import actions, replaying, traces
from north.threads.errors import Incomplete
from north.threads.models import Run
from north.threads.reviewing import comparison_of
from north.workspaces.models import Membership
from tests.api.calling import Caller
from tests.threads.conftest import Actor, Shelve, finish

pytestmark = pytest.mark.django_db(transaction=True)


def again(run: Run, actor: Membership, **how: bool) -> Run:
    return finish(replaying.replay(run, actor=actor, **how))


def test_it_says_the_same_from_the_same_passages(answered: Run, model: Actor, reader: Membership, shelve: Shelve) -> None:
    shelve("newer.txt", "The notice period is ninety days for all staff, says the newest notice period rule on the notice period.")
    before = [[message.text for message in call.messages] for call in model.calls]
    model.calls.clear()
    run = again(answered, reader)
    assert [[message.text for message in call.messages] for call in model.calls] == before, "no prompt knows the newer document"
    assert (run.answer, run.seed, run.as_then, run.repeats) == (answered.answer, answered.seed, True, answered)
    found = comparison_of(reader, run.pk)
    assert found.same and {one.change for one in found.steps} == {"same"}


def test_asked_again_today_it_shows_what_became_otherwise(answered: Run, model: Actor, reader: Membership, shelve: Shelve) -> None:
    shelve("newer.txt", "The notice period is ninety days for all staff, says the newest notice period rule on the notice period.")
    model.says = "The notice period is ninety days."
    run = finish(actions.again(answered, actor=reader))
    found = comparison_of(reader, run.pk)
    assert not found.same and {one.key: one.change for one in found.steps}["search:1"] == "changed"
    assert "".join(piece.text for piece in found.old) == answered.answer and "".join(piece.text for piece in found.new) == run.answer
    assert "thirty" in {piece.text for piece in found.old if piece.differs} and "ninety" in {
        piece.text for piece in found.new if piece.differs
    }


def test_what_was_taken_away_is_said_before_and_not_read_again(answered: Run, model: Actor, reader: Membership, notice: Document) -> None:
    notice.restrict([])
    assert replaying.missing(answered, reader).closed == 1
    with pytest.raises(Incomplete, match="1 passage is of a document that is gone or that you may no longer open"):
        replaying.replay(answered, actor=reader)
    model.calls.clear()
    run = again(answered, reader, anyway=True)
    assert (run.status, run.refused) == ("done", True)
    assert not any("thirty" in message.text for call in model.calls for message in call.messages)


def test_a_changed_document_is_named_and_its_old_words_are_not_read(answered: Run, reader: Membership, notice: Document) -> None:
    Document.objects.filter(pk=notice.pk).update(indexed_sha256="0" * 64)
    assert replaying.missing(answered, reader).changed == ("handbook.txt",)
    assert replaying.missing(answered, reader).closed == 0
    assert again(answered, reader, anyway=True).refused


def test_another_model_and_lost_passages_are_said(answered: Run, reader: Membership) -> None:
    Run.objects.update(model="older-7b")
    run = Run.objects.get()
    assert replaying.missing(run, reader).words == ["older-7b answered then; it is not the chat model any more."]
    run.traces.all().delete()
    assert replaying.missing(run, reader).unkept


def test_a_follow_up_is_run_again_after_what_was_before_it_then(answered: Run, model: Actor, reader: Membership) -> None:
    follow_up = finish(actions.ask(answered.thread, "And for managers?", actor=reader))
    finish(actions.ask(answered.thread, "What about the end of the month, does the notice period begin there?", actor=reader))
    model.calls.clear()
    again(follow_up, reader)
    assert "end of the month, does" not in model.calls[0].messages[-1].text
    assert "How long is the notice period?" in model.calls[0].messages[-1].text


def test_it_is_run_again_and_compared_by_page_and_by_rest(answered: Run, reader: Membership, as_rita: Client, broker: redis.Redis) -> None:
    answer = as_rita.post(reverse("threads:replay", args=["acme", answered.pk]))
    run = Run.objects.get(repeats=answered)
    assert answer["Location"] == reverse("threads:comparison", args=["acme", run.pk])
    assert "This page looks by itself" in as_rita.get(answer["Location"]).content.decode()
    finish(run)
    assert "Both answers are the same, word for word." in as_rita.get(answer["Location"]).content.decode()
    api = Caller(reader)
    told = api.get(f"/runs/{run.pk}/comparison").json()
    assert told["same"] and told["then"] == str(answered.pk)
    assert api.get(f"/runs/{answered.pk}/comparison").status_code == 404
    trace = api.get(f"/runs/{run.pk}/trace").json()
    assert (trace["repeats"], trace["as_then"], trace["missing"]) == (str(answered.pk), True, [])
    assert trace["steps"][-2]["calls"][0]["reply"] == answered.answer
    traces.Trace.objects.all().delete()
    refused = api.post(f"/runs/{answered.pk}/replay")
    assert refused.status_code == 409 and "not kept any more" in refused.json()["detail"]
    assert api.post(f"/runs/{answered.pk}/replay", {"anyway": True}).status_code == 202
