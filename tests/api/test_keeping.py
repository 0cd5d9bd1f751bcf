"""`Idempotency-Key`: the same request is done once, however often and by how many at once it is sent."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from north.api.keeping import digest_of
from north.api.models import KeptAnswer
from north.documents.models import Document
from north.threads.models import Queued, Run, Thread
from north.workspaces.models import AuditEvent, Group, Invitation, Membership, Workspace
from tests.api.calling import Caller

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored")]


def test_the_same_request_is_done_once_and_answered_again(alice_calls: Caller) -> None:
    first = alice_calls.post("/groups", {"name": "Finance"}, idempotency_key="a")
    events = AuditEvent.objects.count()
    again = alice_calls.post("/groups", {"name": "Finance"}, idempotency_key="a")
    assert first.status_code == again.status_code == 201 and first.content == again.content
    assert "Idempotent-Replayed" not in first and again["Idempotent-Replayed"] == "true"
    assert Group.objects.count() == 1 and AuditEvent.objects.count() == events
    assert alice_calls.post("/groups", {"name": "Finance"}).status_code == 409, "without the key it is another request"


def test_a_key_that_was_used_for_another_request_is_refused(alice_calls: Caller) -> None:
    alice_calls.post("/groups", {"name": "Finance"}, idempotency_key="a")
    for path, body in (("/groups", {"name": "Legal"}), ("/threads", {"title": "Finance"})):
        other = alice_calls.post(path, body, idempotency_key="a")
        assert other.status_code == 422 and other.json()["type"] == "/api/problems/repeat_differs"
    assert Group.objects.count() == 1 and not Thread.objects.exists()


def test_everybody_has_keys_of_their_own(alice_calls: Caller, rita_calls: Caller) -> None:
    assert alice_calls.post("/threads", {}, idempotency_key="a").json() != rita_calls.post("/threads", {}, idempotency_key="a").json()
    assert Thread.objects.count() == 2


def test_what_was_refused_may_be_sent_again(alice_calls: Caller) -> None:
    taken = Group.objects.create(workspace=Workspace.objects.get(slug="acme"), name="Finance")
    assert alice_calls.post("/groups", {"name": "Finance"}, idempotency_key="a").status_code == 409
    taken.delete()
    assert alice_calls.post("/groups", {"name": "Finance"}, idempotency_key="a").status_code == 201
    assert KeptAnswer.objects.count() == 1


def test_a_question_waits_once(alice_calls: Caller) -> None:
    """A fuzzer found that it could not be kept."""
    thread = alice_calls.post("/threads", {}).json()["id"]
    first, again = (alice_calls.post(f"/threads/{thread}/queue", {"question": "Why?"}, idempotency_key="a") for _ in range(2))
    assert first.status_code == again.status_code == 202 and first.json() == again.json() and first.json()["thread"] == thread
    assert Run.objects.count() + Queued.objects.count() == 1


def test_an_upload_is_known_again_by_its_file_whatever_its_boundary(alice_calls: Caller) -> None:
    first, again = (alice_calls.upload("rules.txt", b"No smoking.", key="a") for _ in range(2))
    assert first.json() == again.json() and Document.objects.count() == 1
    assert alice_calls.upload("rules.txt", b"No smoking!", key="a").status_code == 422
    assert alice_calls.upload("other.txt", b"No smoking.", key="a").status_code == 422


def test_an_answer_without_a_body_comes_again(alice_calls: Caller) -> None:
    id = alice_calls.upload("rules.txt", b"No smoking.").json()["id"]
    assert alice_calls.delete(f"/documents/{id}", idempotency_key="d").status_code == 204
    again = alice_calls.delete(f"/documents/{id}", idempotency_key="d")
    assert again.status_code == 204 and again.content == b"" and again["Idempotent-Replayed"] == "true"


def test_a_link_is_shown_once_and_not_kept(alice_calls: Caller) -> None:
    first, again = (alice_calls.post("/invitations", {"email": "new@acme.example"}, idempotency_key="i") for _ in range(2))
    link = first.json()["link"]
    assert "/invitation/" in link and again.json() == {**first.json(), "link": None}
    assert link.rsplit("/", 1)[1] not in KeptAnswer.objects.get().body and Invitation.objects.count() == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "clé", "a\tb"])
def test_keys_that_are_none_are_refused_and_nothing_is_done(alice_calls: Caller, key: str) -> None:
    answer = alice_calls.post("/groups", {"name": "Finance"}, idempotency_key=key)
    assert answer.status_code == 422 and not Group.objects.exists()


def test_an_answer_is_kept_for_a_day(alice_calls: Caller) -> None:
    alice_calls.post("/threads", {}, idempotency_key="a")
    KeptAnswer.objects.update(created_at=timezone.now() - timedelta(hours=23))
    assert alice_calls.post("/threads", {}, idempotency_key="a")["Idempotent-Replayed"]
    KeptAnswer.objects.update(created_at=timezone.now() - timedelta(hours=25))
    assert "Idempotent-Replayed" not in alice_calls.post("/threads", {}, idempotency_key="a")
    assert Thread.objects.count() == 2 and KeptAnswer.objects.count() == 1


def test_a_request_whose_process_died_is_taken_up_when_its_time_is_over(alice_calls: Caller, owner: Membership, rf: Any) -> None:
    """The row of a request that was begun and never ended; what it changed went back with its transaction."""
    request = rf.post("/api/v1/threads", "{}", content_type="application/json")
    values = {"workspace": owner.workspace, "user": owner.user, "request": digest_of(request)}
    row = KeptAnswer.objects.create(**values, key="a", until=timezone.now() + timedelta(seconds=60))
    waits = alice_calls.post("/threads", {}, idempotency_key="a")
    assert waits.status_code == 409 and waits.json()["code"] == "repeat_under_way" and not Thread.objects.exists()
    KeptAnswer.objects.filter(pk=row.pk).update(until=timezone.now() - timedelta(seconds=1))
    assert alice_calls.post("/threads", {}, idempotency_key="a").status_code == 201 and Thread.objects.count() == 1


def test_reading_takes_no_notice_of_a_key(alice_calls: Caller) -> None:
    assert alice_calls.send("GET", "/groups", idempotency_key="a").status_code == 200
    assert alice_calls.post("/search/facets", {}, idempotency_key="a").status_code == 200 and not KeptAnswer.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_of_many_at_once_one_is_done(alice_calls: Caller, rita_calls: Caller) -> None:
    """Each gets its answer, or hears that it is under way; nothing is done twice."""
    thread = rita_calls.post("/threads", {}).json()["id"]
    together, statuses = threading.Barrier(6), []

    def send() -> None:
        together.wait(10)
        answer = rita_calls.post(f"/threads/{thread}/runs", {"question": "Why?"}, idempotency_key="a")
        statuses.append((answer.status_code, answer.json().get("code", answer.json().get("id"))))
        connections.close_all()

    at_once = [threading.Thread(target=send) for _ in range(6)]
    for one in at_once:
        one.start()
    for one in at_once:
        one.join(30)
    run = Run.objects.get()
    assert len(statuses) == 6 and (202, str(run.pk)) in statuses
    assert set(statuses) <= {(202, str(run.pk)), (409, "repeat_under_way")}
