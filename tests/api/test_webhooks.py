"""Webhooks by REST: the same verbs as the page, with a real receiver."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from north.api.models import KeptAnswer
from north.webhooks import tasks
from north.webhooks.models import Delivery, Webhook
from north.workspaces.models import AuditEvent, User, Workspace
from tests.api.calling import Caller
from tests.conftest import membership_of
from tests.webhooks.conftest import Receiver, receiver  # noqa: F401  (a fixture)

pytestmark = pytest.mark.django_db


@pytest.fixture
def hook(alice_calls: Caller, receiver: Receiver) -> dict[str, Any]:  # noqa: F811
    made: dict[str, Any] = alice_calls.post("/webhooks", {"url": receiver.url, "events": ["sync.failed"]}).json()
    return made


def test_a_webhook_is_made_tested_read_and_deleted(alice_calls: Caller, hook: dict[str, Any], receiver: Receiver) -> None:  # noqa: F811
    place = f"/webhooks/{hook['id']}"
    assert hook["secret"].startswith("whsec_") and hook["secret"] not in alice_calls.get(place).content.decode()
    sent = alice_calls.post(f"{place}/test").json()
    assert (sent["event"], sent["status"]) == ("webhook.test", "pending")
    tasks.deliver(Delivery.objects.get().pk)
    [(headers, body)] = receiver.came
    said = alice_calls.get(f"{place}/deliveries").json()["items"]
    assert (said[0]["status"], said[0]["answered"], said[0]["attempts"]) == ("done", 204, 1)
    assert said[0]["message"] == headers["webhook-id"] and said[0]["body"]["data"]["webhook"] == hook["id"]
    assert alice_calls.get(f"{place}/deliveries/{sent['id']}").json() == said[0]
    assert alice_calls.post(f"{place}/deliveries/{sent['id']}/again").json()["status"] == "pending"
    tasks.deliver(Delivery.objects.get().pk)
    assert receiver.came[1][1] == body
    assert alice_calls.delete(place).status_code == 204 and not Webhook.objects.exists()
    verbs = ["create", "again", "delete"]
    assert [event.action for event in AuditEvent.objects.order_by("number")] == [f"webhook.{verb}" for verb in verbs]


def test_a_secret_is_shown_once_and_not_kept(alice_calls: Caller, hook: dict[str, Any]) -> None:
    first, again = (alice_calls.post(f"/webhooks/{hook['id']}/secret", idempotency_key="s").json() for _ in range(2))
    assert again == {**first, "secret": None} and first["secret"] != hook["secret"]
    assert first["secret"] not in KeptAnswer.objects.get().body and len(Webhook.objects.get().secrets()) == 2


def test_only_what_is_said_changes_and_only_by_the_state_that_was_seen(alice_calls: Caller, hook: dict[str, Any]) -> None:
    place = f"/webhooks/{hook['id']}"
    tag = alice_calls.get(place)["ETag"]
    said = alice_calls.send("PATCH", place, {"events": ["run.finished"], "url": None, "enabled": False}, if_match=tag).json()
    assert (said["events"], said["url"], said["state"], said["why"]) == (["run.finished"], hook["url"], "off", "")
    assert alice_calls.send("PATCH", place, {"enabled": True}, if_match=tag).status_code == 412
    assert alice_calls.post(f"{place}/test").json()["code"] == "conflict" and not Delivery.objects.exists()
    assert alice_calls.send("PATCH", place, {"enabled": True}).json()["state"] == "well"


@pytest.mark.parametrize(("wrong", "field"), [
    ({"url": ""}, "/url"), ({"url": "x"}, "/url"), ({"url": "ftp://192.0.2.1/"}, "/url"), ({"url": "http://10.0.0.1/"}, "/url"),
    ({"url": "https://user:pass@192.0.2.1/"}, "/url"), ({"url": "http://169.254.169.254/"}, "/url"), ({"url": "https://x\0/"}, "/url"),
    ({"url": "https://192.0.2.1/" + "x" * 2000}, "/url"), ({"url": 5}, "/url"), ({"url": "https://[::1/"}, "/url"),
    ({"events": []}, "/events"), ({"events": ["nonsense"]}, "/events/0"), ({"events": None}, "/events"), ({"secret": "x"}, "/secret"),
])  # fmt: skip
def test_a_wrong_value_is_named_and_changes_nothing(alice_calls: Caller, hook: dict[str, Any], wrong: dict[str, Any], field: str) -> None:
    answer = alice_calls.post("/webhooks", {"url": hook["url"], "events": ["sync.failed"], **wrong})
    assert answer.status_code == 422 and answer.json()["errors"][0]["field"] == field and Webhook.objects.count() == 1
    if wrong != {"events": None}:
        assert alice_calls.send("PATCH", f"/webhooks/{hook['id']}", {"enabled": False, **wrong}).status_code == 422
    assert Webhook.objects.get().url == hook["url"] and Webhook.objects.get().disabled_at is None


def test_webhooks_and_messages_of_elsewhere_are_not_found(
    alice_calls: Caller, hook: dict[str, Any], other_workspace: Workspace, charlie: User, receiver: Receiver  # noqa: F811
) -> None:  # fmt: skip
    stranger = Caller(membership_of(charlie, other_workspace))
    theirs = stranger.post("/webhooks", {"url": receiver.url, "events": ["sync.failed"]}).json()
    sent = stranger.post(f"/webhooks/{theirs['id']}/test").json()["id"]
    for hook_id, message in ((theirs["id"], sent), (hook["id"], sent), (hook["id"], uuid.uuid4())):
        place = f"/webhooks/{hook_id}/deliveries/{message}"
        assert alice_calls.get(place).status_code == alice_calls.post(f"{place}/again").status_code == 404
    place = f"/webhooks/{theirs['id']}"
    for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/test"), ("POST", "/secret"), ("GET", "/deliveries")):
        body = {"enabled": False} if method == "PATCH" else None
        assert alice_calls.send(method, f"{place}{path}", body).status_code == 404
    assert Webhook.objects.count() == 2 and [one["id"] for one in alice_calls.get("/webhooks").json()["items"]] == [hook["id"]]


@pytest.mark.django_db(transaction=True)
def test_an_address_is_looked_up_before_anything_is_locked(alice_calls: Caller, hook: dict[str, Any], looked_up: list[bool]) -> None:
    said = alice_calls.send("PATCH", f"/webhooks/{hook['id']}", {"url": "https://hooks.example/new"})
    assert said.json()["url"] == "https://hooks.example/new" and looked_up == [False]
    assert alice_calls.send("PATCH", f"/webhooks/{hook['id']}", {"url": "https://inside.example/"}).status_code == 422
    assert alice_calls.post("/webhooks", {"url": "https://hooks.example/", "events": ["sync.failed"]}).status_code == 201
    assert looked_up == [False, False, False] and Webhook.objects.filter(url__contains="inside").count() == 0
