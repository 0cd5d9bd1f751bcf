"""Thorough questions in a workspace: the report with the table of its sources, kept as an artifact, whole after a kill, exported."""

from __future__ import annotations

import re
from typing import Any

import pytest
import redis
from django.test import Client
from django.urls import reverse

from north.documents.models import Document
from north.threads import actions, control, reports
from north.threads.models import Artifact, Queued, Run, ToolRule
from north.threads.tracing import trace_of
from north.workspaces.models import Membership, Workspace
from tests.agents.test_research import scholar
from tests.api.calling import Caller
from tests.scripted import Call
from tests.threads.conftest import TRAVEL, Actor, Shelve, finish
from tests.threads.test_consent_killed import lives

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "What are the rules of notice and journeys?"
ASKED = ["How long is the notice period for all staff?", "In which class are train journeys booked?"]


def play(call: Call) -> Any:
    last = call.messages[-1].text
    if "thorough report" in last:
        return {"queries": ASKED}
    if "Sum up the results" in last:
        return "The notice period is thirty days for all staff. Train journeys are booked in second class."
    return scholar(list(call.messages))


@pytest.fixture
def library(broker: redis.Redis, model: Actor, notice: Document, shelve: Shelve, workspace: Workspace) -> Actor:
    source = workspace.sources.create(connector="folder", name="Intranet", config={"path": "/x"}, principals=[])
    travel = shelve("travel.txt", TRAVEL)
    Document.objects.filter(pk=travel.pk).update(author="Ann Lee", source=source)
    model.plays = play
    return model


@pytest.fixture
def report(library: Actor, reader: Membership) -> Run:
    return finish(actions.start(QUESTION, actor=reader, thorough=True))


def test_the_report_is_an_answer_and_an_artifact_with_its_sources(report: Run, reader: Membership, as_rita: Client) -> None:
    assert (report.status, report.refused, report.error) == ("done", False, "")
    assert re.search(r"\| travel\.txt \| \d{4}-\d\d-\d\d \| Ann Lee, Intranet \| \d times \|", report.answer)
    version = Artifact.objects.of(reader).get().versions.get()
    assert (version.text, version.run) == (report.answer, report)
    for one in version.citations:
        assert version.text[one["start"] : one["end"]] == one["text"]
    page = as_rita.get(reverse("threads:artifact", args=["acme", version.artifact_id])).content.decode()
    assert "<table>" in page and "second class" in page
    for kind in ("md", "docx"):
        assert as_rita.get(reverse("threads:export_artifact", args=["acme", version.artifact_id, kind])).status_code == 200
    thread = as_rita.get(reverse("threads:thread", args=["acme", report.thread_id])).content.decode()
    assert "Noted what the documents say" in thread and "Kept:" in thread


def test_all_that_was_behind_it_can_be_looked_at(report: Run, reader: Membership, notice: Document) -> None:
    row = Run.objects.prefetch_related("steps", "traces", "approvals").get()
    steps = {one.step.key: one for one in trace_of(row, reader).steps}
    assert "second class" in str(steps["note:2"].calls) and "thirty days" in str(steps["answer"].calls)
    notice.restrict([])
    row = Run.objects.prefetch_related("steps", "traces", "approvals").get()
    assert "thirty days" not in str([(one.calls, one.passages, one.decisions, one.detail) for one in trace_of(row, reader).steps])


def test_it_is_kept_once_and_not_where_writing_is_forbidden(report: Run, reader: Membership, workspace: Workspace, library: Actor) -> None:
    ToolRule.objects.create(workspace=workspace, tool=reports.TOOL, rule="deny")
    run = finish(actions.again(report, actor=reader))
    assert run.thorough and run.status == "done" and not run.written.exists()
    ToolRule.objects.all().delete()
    finish(actions.again(report, actor=reader))
    assert [one.number for one in Artifact.objects.get().versions.all()] == [2, 1]


def test_killed_it_goes_on_and_keeps_one_report(library: Actor, reader: Membership) -> None:
    run = actions.start(QUESTION, actor=reader, thorough=True)
    lives(run, "work/generate/1", "work/kept/1")
    assert not Run.objects.get().over and Artifact.objects.get().versions.count() == 1
    done = finish(run)
    assert done.status == "done" and "## Sources" in done.answer
    assert [one.text for one in Artifact.objects.get().versions.all()] == [done.answer]


def test_who_may_read_nothing_gets_a_refusal_and_no_document(library: Actor, reader: Membership) -> None:
    for document in Document.objects.all():
        document.restrict([])
    run = finish(actions.start(QUESTION, actor=reader, thorough=True))
    assert run.refused and not Artifact.objects.exists()


def test_it_is_asked_by_page_by_rest_and_behind_another_question(
    library: Actor, reader: Membership, as_rita: Client, workspace: Workspace
) -> None:
    as_rita.post(reverse("threads:start", args=["acme"]), {"question": QUESTION, "thorough": "1"})
    run = Run.objects.get()
    assert run.thorough and "Research thoroughly" in as_rita.get(reverse("threads:index", args=["acme"])).content.decode()
    queued = control.queue(run.thread, "And then?", actor=reader, thorough=True)
    assert Queued.objects.get(pk=queued.pk).thorough
    finish(run)
    assert Run.objects.get(pk=queued.pk).thorough
    thread = Caller(reader).post("/threads", {}).json()["id"]
    assert Caller(reader).post(f"/threads/{thread}/runs", {"question": QUESTION, "thorough": True}).json()["thorough"] is True
