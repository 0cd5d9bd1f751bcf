"""What agents wrote, by REST: their reader's own, as it was, with what may still be opened."""

from __future__ import annotations

import json
from typing import Any

import pytest

from north.documents.models import Document, Status
from north.threads.models import Artifact, Run, Thread
from north.workspaces.models import ApiKey, Group, Membership, Workspace
from tests.api.calling import Caller

pytestmark = pytest.mark.django_db
TEXT = "# Pay\n\nPay is good. é 猫\n"


@pytest.fixture
def report(reader: Membership, hr: Group) -> Artifact:
    """Of two versions; the second rests on a document that is for HR."""
    document = Document.objects.create(workspace=reader.workspace, name="pay.txt", sha256="1" * 64, text=TEXT, status=Status.READY)
    document.principals.create(value=hr.principal)
    thread = Thread.objects.create(workspace=reader.workspace, user=reader.user)
    run = Run.objects.create(thread=thread, question="Pay?", status=Run.Status.DONE)
    found = Artifact.objects.create(workspace=reader.workspace, user=reader.user, thread=thread, title="Pay / 猫\nreport")
    found.versions.create(number=1, text="Draft.", run=run)
    source = {"document": str(document.pk), "name": "pay.txt", "start": 7, "end": 19, "text": "Pay is good.", "score": 0.9}
    found.versions.create(number=2, text=TEXT, run=run, citations=[{"start": 7, "end": 19, "text": "Pay is good.", "sources": [source]}])
    return found


def test_an_artifact_is_listed_and_each_version_read(rita_calls: Caller, report: Artifact) -> None:
    [listed] = rita_calls.get("/artifacts").json()["items"]
    assert listed == rita_calls.get(f"/artifacts/{report.pk}").json() and (listed["newest"], listed["thread"]) == (2, str(report.thread_id))
    first = rita_calls.get(f"/artifacts/{report.pk}/versions", limit=1).json()
    second = rita_calls.get(f"/artifacts/{report.pk}/versions", cursor=first["next"]).json()
    assert [one["number"] for one in first["items"] + second["items"]] == [2, 1] and second["next"] is None
    said = rita_calls.get(f"/artifacts/{report.pk}/versions/2").json()
    [cited] = said["citations"]
    assert said["text"] == TEXT and said["text"][cited["start"] : cited["end"]] == cited["text"]
    assert cited["sources"][0]["name"] == "pay.txt"


def test_a_version_is_downloaded_as_it_was_stored(rita_calls: Caller, report: Artifact) -> None:
    answer = rita_calls.get(f"/artifacts/{report.pk}/versions/2/file")
    assert answer.content == TEXT.encode() and answer["Content-Type"] == "text/markdown; charset=utf-8"
    assert answer["Content-Disposition"].startswith("attachment") and "-2.md" in answer["Content-Disposition"]
    assert answer["X-Content-Type-Options"] == "nosniff"


def test_what_may_not_be_opened_any_more_is_left_out(rita_calls: Caller, report: Artifact, hr: Group) -> None:
    tag = rita_calls.get(f"/artifacts/{report.pk}/versions/2")["ETag"]
    assert rita_calls.send("GET", f"/artifacts/{report.pk}/versions/2", if_none_match=tag).status_code == 304
    hr.users.clear()
    said = rita_calls.send("GET", f"/artifacts/{report.pk}/versions/2", if_none_match=tag).json()
    assert said["citations"][0]["sources"] == [] and "pay.txt" not in json.dumps(said)


@pytest.mark.parametrize("number", ["0", "3", "9" * 19, "9" * 40, "9" * 5000, "-1", "x"])
def test_a_version_that_is_none_is_not_found(rita_calls: Caller, report: Artifact, number: str) -> None:
    for path in (f"/artifacts/{report.pk}/versions/{number}", f"/artifacts/{report.pk}/versions/{number}/file"):
        assert rita_calls.get(path).json()["code"] == "not_found"


def test_a_key_for_some_sources_or_agents_sees_only_what_its_own_runs_wrote(report: Artifact, reader: Membership) -> None:
    """What was written in the browser may rest on everything that its reader may read."""
    key, secret = ApiKey.issue(workspace=reader.workspace, user=reader.user, sources=[])
    calls = Caller(reader, secret)
    paths = [f"/artifacts/{report.pk}", *(f"/artifacts/{report.pk}/versions{rest}" for rest in ("", "/2", "/2/file"))]
    assert calls.get("/artifacts").json()["items"] == [] and {calls.get(path).status_code for path in paths} == {404}
    Run.objects.update(key=key)
    assert {calls.get(path).status_code for path in paths} == {200}
    report.versions.create(number=3, text="By hand.")
    assert {calls.get(path).status_code for path in paths} == {404}, "one version of another way closes it"


def test_nobody_elses_are_there(alice_calls: Caller, bob_calls: Caller, report: Artifact, other_workspace: Workspace) -> None:
    stranger: Any = Caller(other_workspace.memberships.get())
    for calls in (alice_calls, bob_calls, stranger):
        assert calls.get("/artifacts").json()["items"] == [] and calls.get(f"/artifacts/{report.pk}/versions/1/file").status_code == 404


def test_a_deleted_thread_is_not_named(rita_calls: Caller, report: Artifact) -> None:
    rita_calls.delete(f"/threads/{report.thread_id}")
    assert rita_calls.get(f"/artifacts/{report.pk}").json()["thread"] is None
