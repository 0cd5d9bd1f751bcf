"""The page and the REST of refusals: what is proposed, who may say what of it, and that the threshold which comes of it holds."""

from __future__ import annotations

import html as html_of
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from north.documents.models import Document
from north.evaluation import thresholds
from north.evaluation.errors import Refused
from north.evaluation.models import EvidenceMark, GoldenQuestion, Measurement, Outcome, RefusalThreshold, digest
from north.refusals.proposing import proposals
from north.threads.models import Run, Thread
from north.workspaces.audit import AuditEvent
from north.workspaces.models import ApiKey, Group, Membership, User, Workspace
from tests.documents.conftest import make

pytestmark = pytest.mark.django_db
PAGE = "/w/acme/refusals"
JUDGE = "judge-1"


@pytest.fixture(autouse=True)
def judged(settings: Any) -> None:
    settings.MODELS = {**settings.MODELS, "score": {"engine": "nowhere", "model": JUDGE}}


def read(workspace: Workspace, text: str, *, name: str = "rules.txt", **more: Any) -> Document:
    document = make(workspace, text, name=name, **more)
    Document.objects.filter(pk=document.pk).update(text=text)
    return document


def asked(user: User, workspace: Workspace, question: str, evidence: float, document: Any, judge: str = JUDGE) -> Run:
    thread = Thread.objects.create(workspace=workspace, user=user)
    run = Run.objects.create(thread=thread, question=question, status=Run.Status.DONE)
    shown = [{"document": str(document.pk), "name": document.name, "start": 0, "end": 9, "text": "", "score": 1.0}]
    detail = {"evidence": evidence, "threshold": 0.0, "judge": judge, "asked": question, "passages": shown}
    run.steps.create(key="read:1", ordinal=1, kind="read", detail=detail, started_at=timezone.now())
    return run


def said(workspace: Workspace, user: User, count: int = 40) -> None:
    """Below a half nothing answers, above it all does."""
    for n in range(count):
        EvidenceMark.objects.create(workspace=workspace, marked_by=user, text=f"q{n}", digest=digest(f"q{n}"), evidence=n / count,
                                    score_model=JUDGE, answers=n >= count / 2)  # fmt: skip


def page(client: Client) -> str:
    return html_of.unescape(client.get(PAGE).content.decode())


def test_what_is_nearest_to_the_threshold_is_asked_first_and_marked_by_a_press(
    workspace: Workspace, owner: Membership, alice: User, as_alice: Client
) -> None:
    document = read(workspace, "Thirty days of leave.", name="leave.txt")
    asked(alice, workspace, "How many days?", 0.9, document)
    doubtful = asked(alice, workspace, "How much pay?", 0.45, document)
    html = page(as_alice)
    assert "How much pay?" in html and "How many days?" not in html and "Thirty da" in html and "leave.txt" in html
    as_alice.post(f"{PAGE}/mark", {"id": doubtful.pk, "answers": "no"})
    row = EvidenceMark.objects.get()
    assert (row.text, row.evidence, row.answers, row.score_model) == ("How much pay?", 0.45, False, JUDGE)
    assert "How many days?" in page(as_alice) and "1 of 30 marks" in page(as_alice)
    assert "pay" not in str(AuditEvent.objects.get(action="refusals.mark").detail)
    as_alice.post(f"{PAGE}/marks/{row.pk}/remove")
    assert not EvidenceMark.objects.exists() and [one.evidence for one in proposals(owner, 5)] == [0.45, 0.9]


def test_nobody_is_asked_of_another_persons_thread_nor_shown_what_they_may_not_read(
    workspace: Workspace, hr: Group, owner: Membership, editor: Membership, bob: User, rita: User, as_alice: Client
) -> None:
    secret = read(workspace, "The board has ninety days.", name="board.txt", principals=[hr.principal])
    theirs = asked(rita, workspace, "What of the board?", 0.5, secret)
    asked(bob, workspace, "What of the board, please?", 0.5, secret)
    assert not proposals(owner, 5), "rita's thread is rita's"
    assert not proposals(editor, 5), "bob may not read what was found, now that it is HR's"
    assert as_alice.post(f"{PAGE}/mark", {"id": theirs.pk, "answers": "yes"}).status_code == 404


def test_the_golden_set_is_proposed_to_owners_whole_and_to_others_their_own(
    workspace: Workspace, owner: Membership, editor: Membership, reader: Membership
) -> None:
    document = read(workspace, "Thirty days of leave.", name="leave.txt")
    question = GoldenQuestion.objects.create(workspace=workspace, asker=reader.user, text="Leave?", digest=digest("Leave?"))
    measured = Measurement.objects.create(workspace=workspace, kind="measure", status="done", score_model=JUDGE)
    Outcome.objects.create(measurement=measured, question=question, judged={}, values={}, evidence=0.3,
                           shown=[{"document": str(document.pk), "start": 0, "end": 6}])  # fmt: skip
    (found,) = proposals(owner, 5)
    assert (found.question, found.evidence, found.quotes[0].text) == ("Leave?", 0.3, "Thirty") and not proposals(editor, 5)


def test_what_another_model_judged_is_neither_proposed_nor_counted(workspace: Workspace, owner: Membership, alice: User) -> None:
    asked(alice, workspace, "Old?", 0.5, read(workspace, "Old words."), judge="judge-0")
    said(workspace, alice)
    EvidenceMark.objects.update(score_model="judge-0")
    assert not proposals(owner, 5) and not thresholds.marks_of(workspace.pk)


def test_few_marks_say_how_many_are_missing_and_set_nothing(workspace: Workspace, alice: User, as_alice: Client, owner: Membership) -> None:
    said(workspace, alice, 12)
    assert "Not enough marks yet: 12 of 30." in page(as_alice)
    with pytest.raises(Refused, match="mark more"):
        thresholds.use(0.05, actor=owner)
    assert "mark more" in html_of.unescape(as_alice.post(f"{PAGE}/use", {"risk": "0.05"}, follow=True).content.decode())


def test_an_owner_takes_the_fitted_threshold_over_and_gives_it_back(workspace: Workspace, alice: User, as_alice: Client) -> None:
    said(workspace, alice)
    html = page(as_alice)
    assert '<path class="line"' in html and "Use the fitted threshold" in html and "Fitted" in html
    as_alice.post(f"{PAGE}/use", {"risk": "0.05"})
    row = RefusalThreshold.objects.get()
    assert row.value == pytest.approx(0.48, abs=0.03) and thresholds.refuses_below(workspace.pk) == row.value
    RefusalThreshold.objects.update(score_model="judge-0")
    assert thresholds.refuses_below(workspace.pk) == 0 and "fitted for another model (judge-0)" in page(as_alice)
    as_alice.post(f"{PAGE}/reset")
    assert not RefusalThreshold.objects.exists() and "no threshold yet" in page(as_alice)


def test_editors_mark_and_only_owners_set(workspace: Workspace, bob: User, as_bob: Client, as_rita: Client) -> None:
    said(workspace, bob)
    html = page(as_bob)
    assert "Use the fitted threshold" not in html and "What a threshold does" in html
    assert as_bob.post(f"{PAGE}/use", {"risk": "0.05"}).status_code == 404 == as_rita.get(PAGE).status_code


def test_the_same_by_rest(workspace: Workspace, alice: User, owner: Membership) -> None:
    secret = ApiKey.issue(workspace=workspace, user=alice, scopes=["read", "write", "admin"])[1]
    client = Client(headers={"Authorization": f"Bearer {secret}"})
    run = asked(alice, workspace, "How many days?", 0.4, read(workspace, "Thirty days of leave.", name="leave.txt"))
    (proposal,) = client.get("/api/v1/refusals/proposals").json()
    assert (proposal["id"], proposal["quotes"][0]["text"]) == (str(run.pk), "Thirty da")
    marked = client.post("/api/v1/refusals/marks", {"id": proposal["id"], "answers": True}, content_type="application/json")
    assert marked.status_code == 201 and client.get("/api/v1/refusals/proposals").json() == []
    told = client.get("/api/v1/refusals").json()
    assert (told["marks"], told["needed"], told["threshold"], told["curve"], told["fitted"]) == (1, 30, 0.0, [], None)
    early = client.put("/api/v1/refusals/threshold", {"risk": 0.05}, content_type="application/json")
    assert early.status_code == 409 and "mark more" in early.json()["detail"]
    assert client.delete(f"/api/v1/refusals/marks/{marked.json()['id']}").status_code == 204
    said(workspace, alice)
    told = client.put("/api/v1/refusals/threshold", {"risk": 0.05}, content_type="application/json").json()
    assert told["threshold"] == told["fitted"]["chosen"]["threshold"] > 0 and len(told["curve"]) == 40
    assert client.delete("/api/v1/refusals/threshold").status_code == 204 and not RefusalThreshold.objects.exists()


def test_a_refusal_names_the_nearest_documents_that_may_be_read_and_whom_to_ask(
    workspace: Workspace, hr: Group, alice: User, bob: User, as_alice: Client
) -> None:
    open_one, closed = read(workspace, "Thirty days.", name="leave.txt"), read(workspace, "Pay.", name="pay.txt", principals=[hr.principal])
    Document.objects.update(uploaded_by=bob)
    run = asked(alice, workspace, "How much pay?", 0.1, closed)
    found = {"found": [{"document": str(open_one.pk), "name": "leave.txt", "start": 0, "end": 6, "text": "", "score": 1.0}]}
    run.steps.create(key="search:1", ordinal=2, kind="search", detail=found, started_at=timezone.now())
    Run.objects.filter(pk=run.pk).update(refused=True, ended_at=timezone.now(), searched=["How much pay?"])
    html = html_of.unescape(as_alice.get(f"/w/acme/threads/{run.thread_id}").content.decode())
    assert "whom to ask:" in html and "leave.txt (Bob)" in html and "pay.txt" not in html
    client = Client(headers={"Authorization": f"Bearer {ApiKey.issue(workspace=workspace, user=alice)[1]}"})
    told = client.get(f"/api/v1/runs/{run.pk}").json()
    assert told["nearest"] == [{"document": str(open_one.pk), "name": "leave.txt", "owner": "Bob"}] and "pay.txt" not in str(told)


def test_documents_that_do_not_agree_are_shown_newest_first_and_only_where_both_may_be_read(
    workspace: Workspace, hr: Group, alice: User, as_alice: Client
) -> None:
    old, new = read(workspace, "Leave is 28 days.", name="old.txt"), read(workspace, "Leave is 30 days.", name="new.txt")
    Document.objects.filter(pk=old.pk).update(modified_at=timezone.now() - timedelta(days=400))
    Document.objects.filter(pk=new.pk).update(modified_at=timezone.now())
    run = asked(alice, workspace, "How much leave?", 0.9, old)
    said = [{"document": str(one.pk), "name": one.name, "start": 0, "end": 17, "text": one.text, "group": 0}
            for one in Document.objects.order_by("modified_at")]  # fmt: skip
    run.steps.create(key="cite", ordinal=2, kind="cite", detail={"conflicting": said}, started_at=timezone.now())
    Run.objects.filter(pk=run.pk).update(answer="28 days.", ended_at=timezone.now())
    client = Client(headers={"Authorization": f"Bearer {ApiKey.issue(workspace=workspace, user=alice)[1]}"})
    html = html_of.unescape(as_alice.get(f"/w/acme/threads/{run.thread_id}").content.decode())
    assert "do not agree" in html and html.index("Leave is 30 days.") < html.index("Leave is 28 days.")
    (values,) = client.get(f"/api/v1/runs/{run.pk}").json()["conflicts"]
    assert [value["name"] for value in values] == ["new.txt", "old.txt"] and values[0]["dated"] > values[1]["dated"]
    new.principals.update(value=hr.principal)
    html = html_of.unescape(as_alice.get(f"/w/acme/threads/{run.thread_id}").content.decode())
    assert "do not agree" not in html and "Leave is 30 days." not in html
    told = client.get(f"/api/v1/runs/{run.pk}").json()
    assert told["conflicts"] == [] and "Leave is 30 days." not in str(told)
