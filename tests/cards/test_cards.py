"""The capability card: found by the worker as work that a row stands for, read by runs, shown to administrators and to people who ask."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import redis
from celery.contrib.testing.worker import start_worker
from django.conf import LazySettings
from django.conf import settings as current
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from agents.card import Card as Facts
from north import wiring
from north.cards import actions, tasks, words
from north.cards.examination import machine_of
from north.cards.models import Card, identity, plain_of
from north.celery import app
from north.inference.errors import ModelUnavailable
from north.inference.outcomes import LANGUAGE, PROBES, Outcome
from north.workspaces.errors import Refused
from north.workspaces.models import AuditEvent, User
from tests.conftest import browser_of
from tests.inference.test_conformance import Able
from tests.installation import wait_until
from tests.scripted import Call
from tests.threads.conftest import ACTOR, Actor

pytestmark = pytest.mark.django_db(transaction=True)
ENGINE = "tests.threads.conftest.engine"


@pytest.fixture
def model(settings: LazySettings) -> Iterator[Actor]:
    """The chat model of this process, which plays one that can do everything; `asked` is called with each question."""
    settings.MODELS = {**settings.MODELS, "chat": {"engine": ENGINE, "model": "toy"}}
    assert wiring.chat_model() is ACTOR, "another test has put its own model into this process"
    ACTOR.as_before()
    ACTOR.plays = Able().answer
    yield ACTOR
    ACTOR.as_before()


@pytest.fixture
def as_admin(admin: User) -> Client:
    return browser_of(admin)


@pytest.fixture
def asked(model: Actor, admin: User, broker: redis.Redis) -> Card:
    return actions.test(full=False, actor=admin)


def card() -> Card:
    return Card.objects.get()


def card_after(*failed: str, **more: Any) -> Card:
    """The card of the model in use after a test that all but these probes passed."""
    figures = {"context": {"tokens": 9000, "accepted": 9000, "ends": 1.0}, "speed": {
        "prompt_tokens_per_second": 1000.0, "tokens_per_second": 40.0, "first_word_seconds": 0.3, "prompt_tokens": 310}}  # fmt: skip
    outcomes = [
        plain_of(Outcome(p, int(p not in failed), 1, 1.0, figures.get(p, {}), ("<b>no</b>",) if p in failed else ())) for p in PROBES
    ]
    values = {"outcomes": outcomes, "tested_at": timezone.now(), "status": Card.Status.DONE, "machine": "2 × Toy", **more}
    return Card.objects.update_or_create(**identity(current.MODELS["chat"]), defaults=values)[0]


# --- work -----------------------------------------------------------------------------------------------------------------------------
def test_a_test_fills_the_card(asked: Card) -> None:
    tasks.examine(asked.pk)
    found = card()
    assert (found.status, found.error, found.doing, found.lease_token) == ("done", "", "", None)
    assert [plain["probe"] for plain in found.outcomes] == list(PROBES)
    assert found.tested_at and found.seconds >= 0 and found.machine and not found.full
    facts = found.facts()
    assert (facts.replies, facts.rewrites, facts.judges) == ("schema", True, True)
    assert facts.languages and all(facts.languages.values()) and len(facts.languages) == 10
    assert facts.context > 1000 and facts.context_ends and facts.reading_rate > 1000


def test_the_worker_takes_it_from_its_queue(asked: Card) -> None:
    with start_worker(app, pool="threads", concurrency=2, queues=["index"], perform_ping_check=False, loglevel="ERROR"):
        wait_until(lambda: card().status == "done", 30)
    assert len(card().outcomes) == len(PROBES)


def test_a_second_test_of_the_same_model_is_refused_meanwhile(asked: Card, admin: User) -> None:
    with pytest.raises(Refused, match="under way"):
        actions.test(full=True, actor=admin)
    tasks.examine(asked.pk)
    actions.test(full=True, actor=admin)
    assert card().wants_full and card().outcomes, "what the last test found stays until the next one's end"
    assert list(AuditEvent.objects.values_list("action", flat=True)).count("model.test") == 2


def test_stopping_ends_it_and_keeps_the_card_of_before(asked: Card, model: Actor, admin: User) -> None:
    tasks.examine(asked.pk)
    before = card().outcomes
    again = actions.test(full=False, actor=admin)

    def stop(call: Call) -> None:
        Card.objects.filter(pk=again.pk).update(cancel_requested=True)
        model.asked = None

    model.asked, model.delay = stop, 0.3
    try:
        tasks.examine(again.pk)
    finally:
        model.delay = 0.0
    found = card()
    assert (found.status, found.lease_token, found.outcomes) == ("cancelled", None, before)
    assert len(found.told) < len(PROBES)


def test_a_waiting_test_is_stopped_at_once(asked: Card, admin: User) -> None:
    actions.stop(asked, actor=admin)
    tasks.examine(asked.pk)
    assert (card().status, card().outcomes) == ("cancelled", [])


def test_a_model_that_does_not_answer_fails_the_test_in_words(asked: Card, model: Actor) -> None:
    def gone(call: Call) -> None:
        raise ModelUnavailable("The model toy does not answer.")

    model.asked = gone
    tasks.examine(asked.pk)
    assert (card().status, card().error) == ("failed", "The model toy does not answer.")
    assert card().facts() == Facts()


def test_what_nobody_foresaw_ends_in_words_and_is_raised_for_the_log(asked: Card, model: Actor) -> None:
    def broken(call: Call) -> None:
        raise ZeroDivisionError("secret")

    model.asked = broken
    with pytest.raises(ZeroDivisionError):
        tasks.examine(asked.pk)
    assert card().status == "failed" and "logs" in card().error and "secret" not in card().error


def test_one_that_was_interrupted_too_often_is_given_up(asked: Card, settings: LazySettings) -> None:
    Card.objects.update(attempts=settings.ATTEMPTS)
    tasks.examine(asked.pk)
    assert card().status == "failed" and "interrupted 3 times" in card().error


def test_a_worker_that_lost_its_lease_writes_nothing_more(asked: Card, model: Actor) -> None:
    def taken_over(call: Call) -> None:
        Card.objects.update(lease_token="00000000-0000-0000-0000-000000000001")

    model.asked = taken_over
    tasks.examine(asked.pk)
    assert card().status == "running" and len(card().told) == 0


def test_a_lost_message_is_given_again_and_only_for_the_model_in_use(asked: Card, broker: redis.Redis) -> None:
    broker.flushall()
    tasks.sweep()
    assert broker.llen("index") == 1
    other = {"model": "other", "engine": "x", "status": "running"}
    gone = Card.objects.create(**other, lease_until=timezone.now() - timedelta(seconds=1))
    tasks.sweep()
    gone.refresh_from_db()
    assert (gone.status, broker.llen("index")) == ("failed", 2)


# --- what is made of it -----------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("failed", "replies"), [((), "schema"), (("json",), "tools"), (("json", "tools_native"), "words"), (("tools_native",), "schema")]
)
def test_how_json_is_asked_for(failed: tuple[str, ...], replies: str) -> None:
    assert card_after(*failed).facts().replies == replies


def test_what_failed_is_done_without() -> None:
    facts = card_after("follow_up", "refusal", f"{LANGUAGE}ja").facts()
    assert (facts.rewrites, facts.judges, facts.languages and facts.languages["ja"]) == (False, False, False)


def test_a_language_that_was_not_reached_is_untested_and_not_failed() -> None:
    row = card_after()
    row.outcomes = [{**plain, "tried": 0} if plain["probe"] == f"{LANGUAGE}ja" else plain for plain in row.outcomes]
    assert "ja" not in (row.facts().languages or {})
    assert any("not tested in Japanese" in sentence for sentence in words.short(row))


def test_another_server_with_a_model_of_the_same_name_has_a_card_of_its_own() -> None:
    one, other = ({"engine": "e", "model": "m", "base_url": f"http://user:secret@{host}:80/v1"} for host in ("a", "b"))
    assert identity(one) != identity(other) and "secret" not in str(identity(one))
    assert machine_of(one) == "a:80"


# --- pages ------------------------------------------------------------------------------------------------------------------------------
def test_an_administrator_tests_the_model_and_sees_the_card(
    as_admin: Client, model: Actor, broker: redis.Redis, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    assert "Not tested yet" in as_admin.get("/admin/models").content.decode()
    page = as_admin.post("/admin/models/card/test", follow=True).content.decode()
    assert "Waiting for the model worker" in page and 'hx-trigger="every 2s"' in page
    tasks.examine(card().pk)
    with django_assert_max_num_queries(12):
        page = as_admin.get("/admin/models/card").content.decode()
    assert "Answers in Japanese" in page and "Tells what the passages do not hold" in page and "hx-trigger" not in page
    assert "tokens of passages for an answer" in page
    with django_assert_max_num_queries(12):
        assert "Tested" in as_admin.get("/admin/models").content.decode()


def test_the_page_shows_how_far_the_test_is(as_admin: Client, asked: Card) -> None:
    told = [plain_of(Outcome("speed", 1, 1, 2.0, card_after().outcomes and card_after().outcomes[0]["figures"]))]
    Card.objects.update(status="running", told=told, doing="json", outcomes=[], tested_at=None)
    fragment = as_admin.get("/admin/models/card", headers={"HX-Request": "true"}).content.decode()
    assert fragment.strip().startswith("<div") and f"1 of {len(PROBES)} done. Now: Keeps a JSON schema" in fragment
    assert "Reads 1,000 tokens a second" in fragment
    as_admin.post("/admin/models/card/stop")
    assert card().cancel_requested


def test_a_second_click_is_told_that_a_test_is_under_way(as_admin: Client, asked: Card) -> None:
    assert "under way already" in as_admin.post("/admin/models/card/test", {"full": "1"}, follow=True).content.decode()
    assert not card().wants_full


def test_what_a_model_said_is_shown_as_data(as_admin: Client, model: Actor) -> None:
    card_after("grounded")
    page = as_admin.get("/admin/models/card").content.decode()
    assert "<b>no</b>" not in page and "&lt;b&gt;no&lt;/b&gt;" in page


def test_a_failed_test_is_said(as_admin: Client, model: Actor) -> None:
    card_after(status="failed", error="The model toy does not answer.")
    page = as_admin.get("/admin/models/card").content.decode()
    assert "The last test failed: The model toy does not answer." in page and "What was found" in page


def test_people_who_ask_see_what_the_model_is_good_at(as_rita: Client, model: Actor, django_assert_max_num_queries: Any) -> None:
    assert "was not tested yet" in as_rita.get("/w/acme/").content.decode()
    card_after("refusal", f"{LANGUAGE}ar")
    with django_assert_max_num_queries(12):
        page = as_rita.get("/w/acme/").content.decode()
    assert "Answers are written by toy" in page and "It failed its test in Arabic." in page
    assert "cannot tell when the documents do not hold an answer" in page


# --- the command ------------------------------------------------------------------------------------------------------------------------
def test_the_command_prints_a_table_and_keeps_the_card(model: Actor) -> None:
    out = StringIO()
    call_command("models", "test", stdout=out)
    said = out.getvalue()
    assert f"  1 of {len(PROBES)}  Speed ..." in said
    assert "Answers in Arabic" in said and "Its JSON is constrained by a schema." in said
    assert card().status == "done" and len(card().outcomes) == len(PROBES)


def test_the_command_ends_with_a_sentence_where_the_model_cannot_be_reached(settings: LazySettings) -> None:
    remote = {"engine": "north.inference.chat.remote", "base_url": "http://127.0.0.1:9/v1", "model": "toy"}
    settings.MODELS = {**settings.MODELS, "chat": remote}
    with pytest.raises(CommandError, match="does not answer"):
        call_command("models", "test", "other", stdout=StringIO())
    assert (card().model, card().status) == ("other", "failed")


def test_the_command_knows_no_model_that_is_not_here(settings: LazySettings, tmp_path: Any) -> None:
    local = {"engine": "north.inference.llama.local", "model": "x", "models_dir": tmp_path, "threads": 1}
    settings.MODELS = {**settings.MODELS, "chat": local}
    with pytest.raises(CommandError, match="no model 'nonsense'"):
        call_command("models", "test", "nonsense", stdout=StringIO(), stderr=StringIO())
    with pytest.raises(CommandError, match="models pull"):
        call_command("models", "test", "smollm2-135m-instruct-q4_1", stdout=StringIO(), stderr=StringIO())


def test_the_command_does_not_begin_beside_another_test(asked: Card) -> None:
    asked.__class__.objects.take(asked.pk)
    with pytest.raises(CommandError, match="being tested just now"):
        call_command("models", "test", stdout=StringIO())


def test_ctrl_c_ends_the_command_and_keeps_the_card_of_before(model: Actor) -> None:
    def interrupted(call: Call) -> None:
        raise KeyboardInterrupt

    before = card_after().outcomes
    model.asked = interrupted
    with pytest.raises(CommandError, match="Stopped") as stopped:
        call_command("models", "test", stdout=StringIO())
    assert stopped.value.returncode == 130
    assert (card().status, card().outcomes) == ("cancelled", before)
