"""North's own REST API: what it takes, what it gives, and what it says to wrong input. Who may call is tests/test_matrix.py's matter."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from django.test import Client

from north.documents.models import Document, Status
from north.threads.models import Citation, Run, Thread
from north.workspaces.models import Group, Membership, User, Workspace
from tests.api.calling import Caller

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("stored")]


def test_an_upload_is_for_everyone_unless_groups_are_named(alice_calls: Caller, hr: Group) -> None:
    everyone = alice_calls.upload("rules.txt", b"No smoking.").json()
    assert everyone["status"] == "queued" and everyone["access"] == ["everyone"] and everyone["bytes"] == 11
    by_name, by_id = alice_calls.upload("a.txt", b"Pay.", groups="HR"), alice_calls.upload("b.txt", b"Pay.", groups=str(hr.pk))
    assert by_name.status_code == by_id.status_code == 201
    assert by_name.json()["access"] == by_id.json()["access"] == ["HR"]
    assert alice_calls.upload("c.txt", b"Secret.", groups="").json()["access"] == []


def test_a_group_of_nowhere_is_not_found_and_nothing_is_stored(alice_calls: Caller, other_workspace: Workspace) -> None:
    foreign = Group.objects.create(workspace=other_workspace, name="Theirs")
    for name in ("Nobody knows", str(foreign.pk), "Theirs"):
        assert alice_calls.upload("a.txt", b"x", groups=name).status_code == 404
    assert not Document.objects.exists()


@pytest.mark.parametrize(("name", "data", "status", "code"), [
    ("empty.txt", b"", 422, "invalid"), ("tool.exe", b"MZ\x90\0" * 40, 415, "unknown_type"),
    ("drawing.svg", b"<svg/>" * 20, 415, "unknown_type"),
])  # fmt: skip
def test_what_cannot_be_read_is_refused_in_words(alice_calls: Caller, name: str, data: bytes, status: int, code: str) -> None:
    answer = alice_calls.upload(name, data)
    assert answer.status_code == status and answer.json()["code"] == code
    assert answer.json()["detail"].endswith(".") and not Document.objects.exists()


def test_a_file_over_the_limit_is_refused(alice_calls: Caller, settings: Any) -> None:
    settings.UPLOAD_MEGABYTES = 1
    answer = alice_calls.upload("big.txt", b"x" * 1_200_000)
    assert answer.status_code == 413 and answer.json()["code"] == "too_large"


def test_a_list_counts_by_status_and_pages(alice_calls: Caller, workspace: Workspace, owner: Membership) -> None:
    for number in range(103):
        document = Document.objects.create(workspace=workspace, name=f"{number}.txt", sha256="0" * 64, uploaded_by=owner.user)
        document.principals.create(value=workspace.everyone)
    Document.objects.filter(name="0.txt").update(status=Status.FAILED, error="Broken.")
    first = alice_calls.get("/documents", limit=100).json()
    assert first["counts"]["queued"] == 102 and first["counts"]["failed"] == 1 and len(first["items"]) == 100
    assert len(alice_calls.get("/documents", cursor=first["next"]).json()["items"]) == 3
    failed = alice_calls.get("/documents", status="failed").json()["items"]
    assert [one["error"] for one in failed] == ["Broken."]


def test_a_deleted_document_is_gone_at_once(alice_calls: Caller) -> None:
    made = alice_calls.upload("rules.txt", b"No smoking.").json()
    assert alice_calls.delete(f"/documents/{made['id']}").status_code == 204
    assert alice_calls.get(f"/documents/{made['id']}").status_code == 404
    assert alice_calls.get("/documents").json()["items"] == []
    assert alice_calls.delete(f"/documents/{made['id']}").status_code == 404


def test_a_question_is_a_pending_run_and_waits_for_its_turn(rita_calls: Caller) -> None:
    thread = rita_calls.post("/threads").json()
    run = rita_calls.post(f"/threads/{thread['id']}/runs", {"question": "How long is the notice period?"})
    assert run.status_code == 202 and run.json()["status"] == "pending" and run.json()["citations"] == []
    again = rita_calls.post(f"/threads/{thread['id']}/runs", {"question": "And then?"})
    assert again.status_code == 409 and again.json()["code"] == "conflict"
    assert rita_calls.post(f"/runs/{run.json()['id']}/cancel").json()["status"] == "cancelled"


def test_a_run_shows_no_citation_that_may_not_be_read_any_more(rita_calls: Caller, workspace: Workspace, rita: User, hr: Group) -> None:
    document = Document.objects.create(workspace=workspace, name="pay.txt", sha256="1" * 64, text="Pay is good.", status=Status.READY)
    document.principals.create(value=hr.principal)
    thread = Thread.objects.create(workspace=workspace, user=rita)
    run = Run.objects.create(thread=thread, question="Pay?", status=Run.Status.DONE, answer="Pay is good.")
    source = {"document": str(document.pk), "name": "pay.txt", "start": 0, "end": 12, "text": "Pay is good.", "score": 0.9}
    Citation.objects.create(run=run, start=0, end=12, text="Pay is good.", sources=[source])
    cited = rita_calls.get(f"/runs/{run.pk}").json()["citations"]
    assert cited[0]["sources"][0]["document"] == str(document.pk) and (cited[0]["start"], cited[0]["end"]) == (0, 12)
    hr.users.clear()
    closed = rita_calls.get(f"/runs/{run.pk}").json()["citations"]
    assert closed[0]["sources"] == [] and "pay.txt" not in json.dumps(closed)


@pytest.mark.parametrize(("path", "body"), [
    ("/search", {}), ("/search", {"query": 5}), ("/search", {"query": "x", "top_k": 0}), ("/search", {"query": "x", "top_k": "many"}),
    ("/search", []), ("/search", "text"), ("/search", None), ("/threads", {"title": "x" * 500}),
])  # fmt: skip
def test_wrong_bodies_are_named(alice_calls: Caller, path: str, body: Any) -> None:
    answer = alice_calls.post(path, body)
    assert answer.status_code in {400, 422} and answer.json()["code"] in {"invalid", "bad_request"} and answer.json()["detail"]


@pytest.mark.parametrize("raw", [b"{", b"\xff\xfe", b'{"query": NaN}', b"[" * 100_000, b""])
def test_broken_json_is_no_server_error(alice_calls: Caller, raw: bytes) -> None:
    answer = alice_calls.client.post("/api/v1/search", raw, content_type="application/json", headers=alice_calls.headers)
    assert 400 <= answer.status_code < 500 and answer.json()["detail"]


@pytest.mark.parametrize("question", ["", "   \n ", "x" * 8001, "\0"])
def test_questions_that_are_none_are_refused(rita_calls: Caller, question: str) -> None:
    thread = rita_calls.post("/threads").json()["id"]
    answer = rita_calls.post(f"/threads/{thread}/runs", {"question": question})
    assert answer.status_code in {400, 422} and answer.json()["detail"] and not Run.objects.exists()


@pytest.mark.usefixtures("vectors", "no_worker")
def test_search_without_its_worker_goes_by_words_and_says_so(alice_calls: Caller) -> None:
    answer = alice_calls.post("/search", {"query": "x"})
    assert answer.status_code == 200 and answer.json()["results"] == []
    assert "the model worker does not answer" in answer.json()["notice"]


def test_a_wrong_id_is_a_404_in_json(alice_calls: Caller) -> None:
    for path in (f"/documents/{uuid.uuid4()}", f"/runs/{uuid.uuid4()}"):
        assert alice_calls.get(path).json()["code"] == "not_found"


def test_the_probes_name_each_part(client: Client, db: None) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    parts = client.get("/readyz").json()["parts"]
    assert set(parts) == {"database", "broker", "vectors", "gpu", "cpu"} and parts["database"] is True
