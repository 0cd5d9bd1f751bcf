"""Webhooks with a real receiver on this machine: what is sent, how it is signed, what becomes of what is not taken."""

from __future__ import annotations

import json
import re
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from north.checks import webhooks_go_where_they_may
from north.documents import ending
from north.documents.models import Source, SyncRun
from north.leases import LeaseLost
from north.programs.examples import WEBHOOK
from north.sealing import Unreadable, seal, unseal
from north.threads.models import Run, Thread
from north.threads.tasks import give_up
from north.webhooks import actions, tasks
from north.webhooks.announcing import announce
from north.webhooks.models import Delivery, Event, Webhook
from north.webhooks.sending import signature
from north.workspaces.errors import Refused
from north.workspaces.models import AuditEvent, Membership, User, Workspace
from tests.webhooks.conftest import Receiver

pytestmark = pytest.mark.django_db
Status = Delivery.Status


@pytest.fixture
def made(owner: Membership, receiver: Receiver) -> tuple[Webhook, str]:
    return actions.create(receiver.url, Event.values, actor=owner)


@pytest.fixture
def hook(made: tuple[Webhook, str]) -> Webhook:
    return made[0]


def told(hook: Webhook) -> Delivery:
    """A message, tried once."""
    announce(Event.RUN_FINISHED, workspace=hook.workspace_id, run=uuid.uuid4(), status="done")
    delivery = Delivery.objects.filter(webhook=hook).first()
    assert delivery
    return tried(delivery)


def tried(delivery: Delivery) -> Delivery:
    """Tried now, however long it should wait."""
    Delivery.objects.filter(pk=delivery.pk).update(try_at=None)
    tasks.deliver(delivery.pk)
    delivery.refresh_from_db()
    return delivery


# --- what is sent -------------------------------------------------------------------------------------------------------------------------
def test_the_signature_is_that_of_the_standard_webhooks() -> None:
    """The example of https://github.com/standard-webhooks/standard-webhooks, spec, and of its libraries' own tests."""
    secret, message = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    found = signature(secret, message, 1_614_265_330, '{"test": 2432232314}')
    assert found == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_message_arrives_signed_and_the_example_of_the_guide_takes_it(made: tuple[Webhook, str], receiver: Receiver) -> None:
    hook, secret = made
    delivery = told(hook)
    assert delivery.status == Status.DONE and delivery.answered == 204 and delivery.attempts == 1
    headers, body = receiver.came[0]
    sent = json.loads(body)
    assert (
        sent["type"] == "run.finished"
        and sent["data"]["workspace"] == str(hook.workspace_id)
        and headers["webhook-id"] == delivery.message_id
    )
    example: dict[str, Any] = {}
    exec(compile(WEBHOOK.filled("http://x"), "example", "exec"), example)  # the very text that readers copy
    assert example["is_from_north"](headers, body, secret)
    assert not example["is_from_north"](headers, body + b" ", secret)
    assert not example["is_from_north"]({**headers, "webhook-timestamp": "1"}, body, secret)


def test_both_secrets_sign_for_a_day_after_a_new_one(made: tuple[Webhook, str], owner: Membership, receiver: Receiver) -> None:
    hook, first = made
    second = actions.new_secret(hook, actor=owner)
    told(hook)
    headers, body = receiver.came[0]
    signed = [signature(one, headers["webhook-id"], int(headers["webhook-timestamp"]), body.decode()) for one in (second, first)]
    assert headers["webhook-signature"].split() == signed
    Webhook.objects.update(old_until=timezone.now())
    told(hook)
    assert len(receiver.came[1][0]["webhook-signature"].split()) == 1


def test_the_secret_lies_encrypted_and_in_no_log(made: tuple[Webhook, str], settings: Any) -> None:
    hook, secret = made
    row = str(Webhook.objects.filter(pk=hook.pk).values().get())
    assert secret not in row and secret.removeprefix("whsec_") not in row and unseal(hook.sealed) == secret
    assert secret not in str(list(AuditEvent.objects.values()))
    assert seal("x") != seal("x")
    settings.SECRET_KEY = "another" * 10
    with pytest.raises(Unreadable):
        unseal(hook.sealed)
    assert "secret cannot be read" in told(hook).error and Delivery.objects.get().status == Status.FAILED


# --- what is not taken --------------------------------------------------------------------------------------------------------------------
def test_what_is_not_taken_is_tried_again_ever_later_with_the_same_body_and_id(hook: Webhook, receiver: Receiver) -> None:
    receiver.status, receiver.answer = 500, b"<b>no</b>\0\xff"
    delivery = told(hook)
    waits = []
    for _attempt in tasks.BACKOFF:
        assert delivery.status == Status.PENDING and delivery.try_at and "answered 500" in delivery.error
        waits.append((delivery.try_at - timezone.now()).total_seconds())
        tried(delivery)
    assert delivery.status == Status.FAILED and delivery.answer.startswith("<b>no</b>") and "\0" not in delivery.answer
    assert all(0.7 * base <= wait <= 1.2 * base for wait, base in zip(waits, tasks.BACKOFF, strict=True))
    assert len({(headers["webhook-id"], body) for headers, body in receiver.came}) == 1 and len(receiver.came) == len(tasks.BACKOFF) + 1


def test_a_receiver_may_say_how_long_to_wait(hook: Webhook, receiver: Receiver) -> None:
    receiver.status, receiver.headers = 503, {"Retry-After": "1000"}
    delivery = told(hook)
    assert delivery.try_at and delivery.try_at > timezone.now() + timedelta(seconds=900)


def test_a_redirect_is_not_followed(hook: Webhook, receiver: Receiver) -> None:
    receiver.status, receiver.headers = 307, {"Location": receiver.url}
    assert "answered 307" in told(hook).error and len(receiver.came) == 1


def test_nobody_there_is_said_in_words_and_tried_again(hook: Webhook) -> None:
    Webhook.objects.update(url="http://127.0.0.1:9/")
    delivery = told(hook)
    assert delivery.status == Status.PENDING and "cannot be reached" in delivery.error and delivery.answered is None


def test_one_that_fails_holds_up_only_its_own_messages(hook: Webhook, receiver: Receiver) -> None:
    receiver.status = 500
    first = told(hook)
    for _more in range(3):
        announce(Event.RUN_FINISHED, workspace=hook.workspace_id, run=uuid.uuid4())
    assert list(Delivery.objects.sendable()) == []
    Webhook.objects.update(try_at=None)
    Delivery.objects.filter(pk=first.pk).update(try_at=None)
    assert [one.pk for one in Delivery.objects.sendable()] == [first.pk], "one at a time, the oldest"
    receiver.status = 200
    assert tried(first).status == Status.DONE and Webhook.objects.get().failing_since is None
    assert Delivery.objects.sendable().count() == 3


def test_one_that_fails_for_days_is_switched_off_and_its_owners_are_told(hook: Webhook, receiver: Receiver, as_alice: Client) -> None:
    receiver.status = 500
    told(hook)
    assert Webhook.objects.get().disabled_at is None
    Webhook.objects.update(failing_since=timezone.now() - tasks.PATIENCE - timedelta(hours=1))
    told(hook)
    off = Webhook.objects.get()
    assert off.disabled_at and "took no message for 5 days" in off.disabled_why
    assert AuditEvent.objects.filter(action="webhook.disable", actor="").exists()
    assert "was switched off" in as_alice.get("/w/acme/settings").content.decode()
    announce(Event.RUN_FINISHED, workspace=hook.workspace_id)
    assert Delivery.objects.count() == 2 and not Delivery.objects.sendable().exists()
    assert "Switch on" in (page := as_alice.get(f"/w/acme/webhooks/{hook.pk}").content.decode()) and "5 days" in page
    as_alice.post(f"/w/acme/webhooks/{hook.pk}/switch", {"on": "1"})
    receiver.status = 200
    assert Delivery.objects.sendable().count() == 2 and tried(Delivery.objects.sendable()[0]).status == Status.DONE


def test_gone_is_gone(hook: Webhook, receiver: Receiver) -> None:
    receiver.status = 410
    assert told(hook).status == Status.FAILED and "410" in Webhook.objects.get().disabled_why


def test_a_worker_that_lost_its_message_writes_nothing(hook: Webhook, receiver: Receiver) -> None:
    announce(Event.RUN_FINISHED, workspace=hook.workspace_id)
    held = Delivery.objects.take(Delivery.objects.get().pk)
    tasks.deliver(held.pk)
    assert receiver.came == [], "somebody else holds it"
    Delivery.objects.update(lease_until=timezone.now() - timedelta(seconds=1))
    tasks.deliver(held.pk)
    assert Delivery.objects.get().status == Status.DONE and len(receiver.came) == 1, "a dead worker's message is another's"
    with pytest.raises(LeaseLost):
        tasks.settle(held, tasks.Outcome("late"))
    assert Delivery.objects.get().status == Status.DONE


def test_a_message_that_kills_its_worker_is_put_aside_at_last(hook: Webhook, receiver: Receiver) -> None:
    announce(Event.RUN_FINISHED, workspace=hook.workspace_id)
    Delivery.objects.update(attempts=len(tasks.BACKOFF) + 1)
    delivery = tried(Delivery.objects.get())
    assert delivery.status == Status.FAILED and "stopped several times" in delivery.error and receiver.came == []


@pytest.mark.parametrize(("entry", "right"), [
    ("hooks.internal", True), ("10.1.0.0/16", True), ("127.0.0.1", True), ("::1", True), ("my-host", True), ("10.1.0.0/99", False),
    ("https://hooks.internal", False), ("10.1.0", False), ("hooks.internal:8080", False), ("*.internal", False),
])  # fmt: skip
def test_a_list_of_allowed_hosts_that_allows_nothing_is_an_error(entry: str, right: bool, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = [entry]
    assert [problem.id for problem in webhooks_go_where_they_may(None)] == ([] if right else ["north.E014"])


# --- where it may go ----------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("url", [
    "", "x", "ftp://example.com/", "https://", "javascript:alert(1)", "https://user:pass@192.0.2.1/", "http://127.0.0.1:1/", "http://10.0.0.1/",
    "http://[::1]/", "http://169.254.169.254/latest", "http://0x7f000001/", "http://[::ffff:127.0.0.1]/", "https://exa mple.com/", "//x/y",
    "http://localhost/", "https://x" + "y" * 3000,
])  # fmt: skip
def test_an_address_that_north_may_not_ask_is_refused_in_words(url: str, as_alice: Client, workspace: Workspace) -> None:
    answer = as_alice.post("/w/acme/webhooks/new", {"url": url, "events": ["sync.failed"]})
    assert answer.status_code == 422 and 'class="errorlist' in answer.content.decode() and not Webhook.objects.exists()


def test_an_address_that_became_private_is_not_asked(hook: Webhook, receiver: Receiver, settings: Any) -> None:
    settings.OUTBOUND_ALLOWED = []
    delivery = told(hook)
    assert delivery.status == Status.FAILED and "may not contact" in delivery.error and receiver.came == []


@pytest.mark.parametrize("events", [[], ["nonsense"], ["run.finished", "nonsense"]])
def test_events_are_those_that_exist(events: list[str], as_alice: Client, owner: Membership, receiver: Receiver) -> None:
    assert as_alice.post("/w/acme/webhooks/new", {"url": receiver.url, "events": events}).status_code == 422
    with pytest.raises(Refused, match="at least one event"):
        actions.create(receiver.url, events, actor=owner)


# --- what is told -------------------------------------------------------------------------------------------------------------------------
def bodies() -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in Delivery.objects.order_by("number")]


def test_a_finished_run_is_told_without_what_was_asked(hook: Webhook, rita: User) -> None:
    thread = Thread.objects.create(workspace=hook.workspace, user=rita, title="secret title")
    run = Run.objects.create(thread=thread, question="secret question")
    Run.objects.update(created_at=timezone.now() - timedelta(days=1))
    give_up()
    assert bodies()[0]["data"] == {
        "workspace": str(hook.workspace_id), "run": str(run.pk), "thread": str(thread.pk), "status": "failed", "user": str(rita.pk),
        "key": None,
    }  # fmt: skip
    assert "secret" not in Delivery.objects.get().body


def test_a_sync_that_fails_is_told_once_until_it_works_again(hook: Webhook) -> None:
    source = Source.objects.create(workspace=hook.workspace, connector="folder", name="Share", config={"path": "/nowhere"}, principals=[])
    for error, expected in (("Gone.", 1), ("Gone.", 1), ("", 1), ("Gone.", 2)):
        row = SyncRun.objects.take(SyncRun.objects.create(source=source).pk)
        ending.end(row, error=error)
        assert Delivery.objects.count() == expected
    assert bodies()[0]["data"]["name"] == "Share" and bodies()[0]["data"]["error"] == "Gone."


def test_only_who_wants_it_in_its_own_workspace_is_told(hook: Webhook, owner: Membership, other_workspace: Workspace) -> None:
    actions.change(hook, hook.url, ["sync.failed"], actor=owner)
    announce(Event.APPROVAL_NEEDED, workspace=hook.workspace_id, run=uuid.uuid4())
    announce(Event.SYNC_FAILED, workspace=other_workspace.pk, source=uuid.uuid4())
    assert not Delivery.objects.exists()


def test_the_sweeper_lets_go_of_what_is_old(hook: Webhook) -> None:
    told(hook)
    Delivery.objects.update(created_at=timezone.now() - timedelta(days=31))
    told(hook)
    tasks.sweep()
    assert Delivery.objects.count() == 1


# --- pages --------------------------------------------------------------------------------------------------------------------------------
def test_the_secret_is_shown_once_and_the_log_says_what_was_sent(
    as_alice: Client, receiver: Receiver, django_assert_max_num_queries: Any
) -> None:
    page = as_alice.post("/w/acme/webhooks/new", {"url": receiver.url, "events": ["run.finished"]})
    secret = re.search(r"whsec_[A-Za-z0-9+/=]+", page.content.decode())
    assert secret and "no-store" in page["Cache-Control"]
    hook = Webhook.objects.get()
    address = f"/w/acme/webhooks/{hook.pk}"
    receiver.status, receiver.answer = 422, b"<script>alert(1)</script>"
    as_alice.post(f"{address}/test")
    delivery = tried(Delivery.objects.get())
    with django_assert_max_num_queries(12):
        log = as_alice.get(address).content.decode()
    assert (
        secret[0] not in log and "webhook.test" in log and "answered 422" in log and "&lt;script&gt;" in log and "<script>alert" not in log
    )
    receiver.status = 200
    as_alice.post(f"{address}/deliveries/{delivery.id}/again")
    assert tried(delivery).status == Status.DONE
    with django_assert_max_num_queries(12):
        assert receiver.url in as_alice.get("/w/acme/webhooks").content.decode()


def test_there_is_an_end_to_webhooks(owner: Membership, receiver: Receiver) -> None:
    for _number in range(actions.MOST):
        actions.create(receiver.url, ["sync.failed"], actor=owner)
    with pytest.raises(Refused, match="Delete one"):
        actions.create(receiver.url, ["sync.failed"], actor=owner)
