from __future__ import annotations

import threading
import uuid
from collections.abc import Callable
from datetime import timedelta

import pytest
import redis
from django.conf import LazySettings
from django.utils import timezone
from langchain_core.messages import AIMessage

from agents.errors import ModelFailed
from agents.events import Answered
from north.documents.models import Document
from north.inference.batching import Batcher
from north.inference.errors import Overloaded
from north.threads import actions, tasks
from north.threads.checkpoints import checkpointer
from north.threads.journal import entry, key, pen
from north.threads.models import Run
from north.threads.recording import Recorder
from north.workspaces.models import Membership, User
from tests.cards.test_cards import card_after
from tests.conftest import browser_of
from tests.scripted import Call, Reply
from tests.threads.conftest import NOTICE, Actor, Shelve, finish

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "How long is the notice period?"


@pytest.fixture
def asked(transactional_db: None, broker: redis.Redis, model: Actor, notice: Document, reader: Membership) -> Run:
    """A question of rita's that waits for its worker."""
    return actions.start(QUESTION, actor=reader)


def taken_over() -> None:
    """Another worker holds all runs from now on."""
    Run.objects.update(lease_token=uuid.uuid4())


def raises(error: Exception) -> Callable[[object], None]:
    def asked(call: object) -> None:
        raise error

    return asked


def kinds(run: Run) -> list[str]:
    return [entry(id, fields).kind for id, fields in pen().xrange(key(run.pk))]


def test_it_answers_from_the_documents_with_citations_that_rest_on_them(answered: Run, notice: Document) -> None:
    assert (answered.status, answered.error) == ("done", "")
    assert answered.answer == "The notice period is thirty days for all staff."
    citation = answered.citations.get()
    assert answered.answer[citation.start : citation.end] == citation.text
    source = citation.sources[0]
    assert source["document"] == str(notice.pk)
    assert notice.text[source["start"] : source["end"]] == source["text"]


def test_it_keeps_what_was_done_when_and_with_how_many_tokens(answered: Run) -> None:
    assert [step.kind for step in answered.steps.all()] == ["plan", "search", "read", "answer", "cite"]
    assert all(step.ended_at >= step.started_at for step in answered.steps.all())
    assert answered.searched == [QUESTION]
    assert answered.created_at <= answered.started_at <= answered.first_token_at <= answered.ended_at
    assert answered.tokens_out > 0


def test_the_first_thing_is_shown_before_any_model_is_asked(asked: Run, model: Actor) -> None:
    seen: list[list[str]] = []
    model.asked = lambda call: seen.append(kinds(asked))
    finish(asked)
    assert seen[0][:2] == ["restart", "step"]


def test_nothing_of_a_finished_run_stays_in_the_checkpoints(answered: Run) -> None:
    assert checkpointer().get({"configurable": {"thread_id": str(answered.pk)}}) is None
    assert not answered.checkpointed


def test_a_follow_up_knows_what_was_said_before(answered: Run, model: Actor, reader: Membership) -> None:
    model.calls.clear()
    finish(actions.ask(answered.thread, "And for managers?", actor=reader))
    assert any(answered.answer in message.text for message in model.calls[0].messages)


def test_a_follow_up_is_not_told_an_answer_from_what_was_taken_away(
    answered: Run, model: Actor, reader: Membership, notice: Document, shelve: Shelve
) -> None:
    shelve("travel.txt", "Managers travel in first class.")
    notice.restrict([])
    model.calls.clear()
    finish(actions.ask(answered.thread, "And for managers?", actor=reader))
    assert not any(answered.answer in message.text for call in model.calls for message in call.messages)


def test_it_is_told_nothing_that_the_asker_may_not_read(
    transactional_db: None, broker: redis.Redis, model: Actor, shelve: Shelve, reader: Membership
) -> None:
    shelve("secret.txt", "The notice period of the board is one day, says the secret memo.", principals=[])
    run = finish(actions.start(QUESTION, actor=reader))
    assert run.refused
    assert not any("secret memo" in message.text for call in model.calls for message in call.messages)
    assert "secret" not in "".join(str(step.detail) for step in run.steps.all())


def test_it_is_handed_the_card_of_the_model_in_use(asked: Run, model: Actor) -> None:
    def by_calls(call: Call) -> Reply:
        assert "response_format" not in call.bound, "the card says that it keeps no schema"
        reply = {"name": "found", "args": {"found": "yes"}, "id": "1"}
        return AIMessage(content="", tool_calls=[reply]) if "tools" in call.bound else NOTICE

    model.plays = by_calls
    card_after("json", "language-en")
    run = finish(asked)
    assert run.status == "done" and run.citations.exists() and not run.refused
    assert "failed its test in English" in run.steps.get(kind="answer").detail["note"]


def test_the_best_answer_so_far_is_kept_and_shown_with_the_reason(asked: Run, reader: Membership) -> None:
    words = "The 300 seconds that this agent has for one question are used up."
    run = Run.objects.take(asked.pk)
    Recorder(run, pen()).done(Answered(NOTICE, (), (), (), False, (QUESTION,), (), cut_short=words))
    run = Run.objects.get(pk=run.pk)
    assert (run.status, run.error, run.cut_short) == ("done", "", words)
    page = browser_of(reader.user).get(f"/w/acme/threads/{run.thread_id}").content.decode()
    assert "This is the best answer so far, not the whole one:" in page and words in page


# --- stopping ----------------------------------------------------------------------------------------------------------------------


def test_a_person_stops_it_and_what_was_written_stays(asked: Run, model: Actor, reader: Membership) -> None:
    model.says, model.delay = "word " * 100, 0.05
    model.meanwhile = lambda: actions.cancel(Run.objects.get(pk=asked.pk), actor=reader)
    run = finish(asked)
    assert (run.status, run.error) == ("cancelled", "")
    assert run.answer.startswith("word word")
    assert len(run.answer) < 200
    assert kinds(run)[-1] == "end"


def test_a_waiting_one_is_stopped_at_once(asked: Run, reader: Membership) -> None:
    actions.cancel(asked, actor=reader)
    assert Run.objects.get(pk=asked.pk).status == "cancelled"
    assert kinds(asked) == ["restart", "end"]
    assert finish(asked).status == "cancelled"


@pytest.mark.parametrize("loses", ["membership", "account"])
def test_it_stops_for_who_loses_their_rights_in_the_middle(asked: Run, model: Actor, reader: Membership, rita: User, loses: str) -> None:
    model.says, model.delay = "word " * 100, 0.05
    suspend = User.objects.filter(pk=rita.pk)
    model.meanwhile = reader.delete if loses == "membership" else lambda: suspend.update(is_active=False)
    run = finish(asked)
    assert run.status == "failed"
    assert "no longer use this workspace" in run.error
    assert model.sent < 50


def test_it_begins_anew_without_a_document_that_is_taken_away_while_it_writes(asked: Run, model: Actor, notice: Document) -> None:
    model.meanwhile = lambda: notice.restrict([])
    run = finish(asked)
    assert (run.status, run.answer, run.citations.count()) == ("pending", "", 0)
    Run.objects.update(try_at=None)
    run = finish(asked)
    assert (run.status, run.refused) == ("done", True)
    assert "thirty" not in run.answer
    assert "handbook" not in str([step.detail for step in run.steps.all()])


def test_a_worker_that_lost_its_lease_writes_nothing_more(asked: Run, model: Actor) -> None:
    model.says, model.delay, model.meanwhile = "word " * 100, 0.05, taken_over
    run = finish(asked)
    assert (run.status, run.answer) == ("running", "")
    assert model.sent < 50


# --- faults ------------------------------------------------------------------------------------------------------------------------


def test_a_passing_fault_is_tried_again_and_then_ends_in_words(asked: Run, model: Actor, settings: LazySettings) -> None:
    model.asked = raises(ModelFailed("does not answer"))
    for attempt in range(1, settings.ATTEMPTS + 1):
        run = finish(asked)
        assert run.attempts == attempt
        Run.objects.update(try_at=None)
    assert run.status == "failed"
    assert run.error.startswith("The chat model does not answer.")


def test_a_busy_engine_costs_no_attempt_however_long_it_is_busy(asked: Run, model: Actor, settings: LazySettings) -> None:
    model.asked = raises(Overloaded(7))
    for _time in range(settings.ATTEMPTS + 2):
        run = finish(asked)
        assert (run.status, run.attempts) == ("pending", 0) and "too much to do" in run.error
        assert 5 < (run.try_at - timezone.now()).total_seconds() < 8
        Run.objects.update(try_at=None)
    model.asked = None
    assert finish(asked).status == "done"


def test_a_run_that_is_stopped_leaves_the_queue_of_an_engine(asked: Run, model: Actor, reader: Membership) -> None:
    busy, began = threading.Event(), threading.Event()
    batcher: Batcher[int, int] = Batcher(lambda items: [began.set(), busy.wait(20), items][2], budget=1)
    other = threading.Thread(target=lambda: batcher([1], [1], hurry=True))
    other.start()
    assert began.wait(5)

    def waits(call: object) -> None:
        actions.cancel(asked, actor=reader)
        batcher([2], [1], hurry=True)

    model.asked = waits
    assert finish(asked).status == "cancelled" and batcher.stats().gone == 1
    busy.set()
    other.join(5)
    assert batcher.stats().entries == 1


def test_a_passing_fault_that_passes_is_forgotten(asked: Run, model: Actor) -> None:
    model.asked = raises(ModelFailed("does not answer"))
    assert finish(asked).status == "pending"
    model.asked = None
    Run.objects.update(try_at=None)
    run = finish(asked)
    assert (run.status, run.error) == ("done", "")


def test_what_nobody_foresaw_ends_in_words_and_is_raised_for_the_log(asked: Run, model: Actor) -> None:
    model.asked = raises(ZeroDivisionError("secret words"))
    with pytest.raises(ZeroDivisionError):
        tasks.execute(str(asked.pk))
    run = Run.objects.get(pk=asked.pk)
    assert run.status == "failed"
    assert "secret words" not in run.error
    assert kinds(run)[-1] == "end"


def test_one_that_was_interrupted_too_often_is_given_up(asked: Run, settings: LazySettings) -> None:
    Run.objects.update(attempts=settings.ATTEMPTS)
    run = finish(asked)
    assert run.status == "failed"
    assert "interrupted 3 times" in run.error


def test_without_a_broker_it_answers_all_the_same(asked: Run, settings: LazySettings) -> None:
    settings.REDIS_URL = "unix:///nowhere/broker.sock"
    pen.cache_clear()
    try:
        assert finish(asked).status == "done"
    finally:
        pen.cache_clear()


def test_only_so_many_run_at_once_and_the_next_is_offered_when_one_ends(asked: Run, broker: redis.Redis) -> None:
    taken = 0
    while tasks.SLOTS.acquire(blocking=False):
        taken += 1
    assert finish(asked).status == "pending"
    for _ in range(taken):
        tasks.SLOTS.release()
    assert finish(asked).status == "done"


def test_a_run_that_is_held_is_not_run_twice(asked: Run) -> None:
    held = Run.objects.take(asked.pk)
    assert finish(asked).status == "pending"
    held.give_back()
    assert finish(asked).status == "done"


# --- the checkpoint is trusted as far as its seal ----------------------------------------------------------------------------------


def interrupted(asked: Run, model: Actor) -> None:
    """Leaves the run as a worker does that is killed while it writes the answer."""
    model.says, model.delay, model.meanwhile = "word " * 100, 0.05, taken_over
    finish(asked)
    model.as_before()
    Run.objects.update(lease_until=timezone.now() - timedelta(seconds=1))


def test_an_interrupted_run_goes_on_where_it_was(asked: Run, model: Actor) -> None:
    interrupted(asked, model)
    model.calls.clear()
    run = finish(asked)
    assert (run.status, run.answer) == ("done", "The notice period is thirty days for all staff.")
    assert [step.kind for step in run.steps.all()] == ["plan", "search", "read", "answer", "cite"]
    assert len(model.calls) == 1, "only the answer is written again"


def test_a_tampered_checkpoint_ends_the_run_in_words_and_nothing_of_it_is_used(asked: Run, model: Actor) -> None:
    interrupted(asked, model)
    saver = checkpointer()
    if hasattr(saver, "conn") and hasattr(saver.conn, "execute"):
        saver.conn.execute("UPDATE checkpoints SET checkpoint = CAST(substr(checkpoint, 1, 50) || X'00' || substr(checkpoint, 52) AS BLOB)")
        saver.conn.commit()
    else:
        pytest.skip("PostgreSQL keeps checkpoints as rows of JSON and blobs; the seal is tested on SQLite")
    model.calls.clear()
    run = finish(asked)
    assert run.status == "failed"
    assert "saved state of this run cannot be used" in run.error
    assert not model.calls
