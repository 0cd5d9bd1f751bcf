"""What an agent may do: nothing without a person's word, exactly what they saw, once."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
import redis
from django.http import Http404
from django.test import Client
from django.utils import timezone

from agents.consent import Proposal
from agents.tool import Outcome
from agents.tools import TOOLS
from north.documents.models import Document
from north.threads import actions, approving, tasks
from north.threads.consent import Approvals
from north.threads.errors import Undecidable
from north.threads.execution import member
from north.threads.models import Approval, Artifact, ArtifactVersion, Run, ToolRule
from north.webhooks.models import Delivery, Webhook
from north.workspaces.models import AuditEvent, Membership, User, Workspace
from tests.conftest import browser_of, membership_of
from tests.threads.conftest import Actor, finish

pytestmark = pytest.mark.django_db(transaction=True)
ORDER = "Please write a report about the notice period."
SENTENCE = "The notice period is thirty days for all staff."


@pytest.fixture
def asked(broker: redis.Redis, model: Actor, notice: Document, reader: Membership) -> Approval:
    """Rita's order, which now waits for her word."""
    return waiting(finish(actions.start(ORDER, actor=reader)))


def waiting(run: Run) -> Approval:
    assert run.status == "pending" and run.try_at is not None and run.lease_token is None
    return run.approvals.get(standing="waiting")


def yes(approval: Approval, actor: Membership, **changes: str) -> Run:
    approving.approve(approval, seen=approval.proposed, actor=actor, changes=changes)
    return finish(approval.run)


def audited() -> list[str]:
    return list(AuditEvent.objects.filter(action__startswith="approval").order_by("number").values_list("action", flat=True))


def test_what_is_to_be_kept_waits_and_nothing_is_written(asked: Approval) -> None:
    assert (asked.tool, asked.effect, asked.arguments["title"], asked.arguments["text"]) == (
        "write_document", "writes", "The notice period", SENTENCE,
    )  # fmt: skip
    assert asked.derived == ["text", "citations"]
    assert "Only you can open it" in asked.preview
    assert not Artifact.objects.exists()
    assert asked.run.attempts == 0


def test_a_waiting_run_is_left_alone_until_somebody_decides(asked: Approval) -> None:
    Run.objects.update(created_at=timezone.now() - timedelta(hours=5))
    tasks.sweep()
    tasks.execute(str(asked.run_id))
    assert Run.objects.get(pk=asked.run_id).status == "pending"
    assert not Artifact.objects.exists()


def test_yes_does_it_once_with_its_citations_and_the_run_ends(asked: Approval, reader: Membership, model: Actor) -> None:
    calls = len(model.calls)
    run = yes(asked, reader)
    assert (run.status, run.answer) == ("done", SENTENCE)
    version = ArtifactVersion.objects.get()
    assert (version.number, version.text, version.citations[0]["text"]) == (1, SENTENCE, SENTENCE)
    assert len(model.calls) == calls, "the answer was written anew after the decision"
    assert run.approvals.get().standing == "done"
    assert audited() == ["approval.propose", "approval.approved", "approval.done"]
    with pytest.raises(Undecidable, match="decided before: done"):
        approving.approve(asked, seen=asked.proposed, actor=reader)
    finish(run)
    assert ArtifactVersion.objects.count() == 1


def test_no_does_nothing_and_the_answer_stands(asked: Approval, reader: Membership) -> None:
    approving.reject(asked, seen=asked.proposed, actor=reader, words="Not now")
    run = finish(asked.run)
    assert (run.status, run.answer) == ("done", SENTENCE)
    assert "Not now" in run.steps.get(key="act:1").error
    assert not Artifact.objects.exists()


def test_a_person_may_change_what_is_kept(asked: Approval, reader: Membership) -> None:
    yes(asked, reader, title="Notice", text=f"{SENTENCE} Mind the holidays.")
    assert Artifact.objects.get().title == "Notice"
    version = ArtifactVersion.objects.get()
    assert version.text.endswith("holidays.")
    assert [citation["text"] for citation in version.citations] == [SENTENCE]


def test_a_decision_given_twice_or_late_or_for_something_else_changes_nothing(asked: Approval, reader: Membership) -> None:
    with pytest.raises(Undecidable, match="not what is proposed now"):
        approving.approve(asked, seen="0" * 64, actor=reader)
    with pytest.raises(Undecidable, match="cannot be changed here: citations"):
        approving.approve(asked, seen=asked.proposed, actor=reader, changes={"citations": "[]"})
    Approval.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    with pytest.raises(Undecidable, match="expired"):
        approving.approve(asked, seen=asked.proposed, actor=reader)
    Approval.objects.update(expires_at=timezone.now() + timedelta(hours=1))
    approving.reject(asked, seen=asked.proposed, actor=reader)
    with pytest.raises(Undecidable, match="decided before"):
        approving.approve(asked, seen=asked.proposed, actor=reader)
    assert finish(asked.run).status == "done"
    assert not Artifact.objects.exists()


def test_nobody_else_can_decide_not_even_an_owner(asked: Approval, workspace: Workspace, alice: User, charlie: User) -> None:
    for user in (alice,):
        with pytest.raises(Http404):
            approving.approve(asked, seen=asked.proposed, actor=membership_of(user, workspace))
    address = f"/w/acme/approvals/{asked.pk}"
    form = {"verdict": "approve", "seen": asked.proposed}
    assert [browser_of(user).post(address, form).status_code for user in (alice, charlie)] == [404, 404]
    assert Client().post(address, form).status_code == 302
    assert Approval.objects.get().standing == "waiting"


def test_what_nobody_decides_on_ends_in_words(asked: Approval) -> None:
    past = timezone.now() - timedelta(seconds=1)
    Approval.objects.update(expires_at=past)
    Run.objects.update(try_at=past)
    run = finish(asked.run)
    assert (run.status, run.answer) == ("done", SENTENCE)
    assert "Nobody decided on it in time" in run.steps.get(key="act:1").error
    assert not Artifact.objects.exists()


def test_a_stopped_run_has_nothing_to_decide(asked: Approval, reader: Membership) -> None:
    actions.cancel(asked.run, actor=reader)
    assert Run.objects.get().status == "cancelled"
    with pytest.raises(Undecidable, match="stopped"):
        approving.approve(asked, seen=asked.proposed, actor=reader)


def test_arguments_that_were_changed_in_the_database_after_the_yes_are_not_used(asked: Approval, reader: Membership) -> None:
    approving.approve(asked, seen=asked.proposed, actor=reader)
    Approval.objects.update(arguments={**asked.arguments, "text": "Send everything to Mallory."})
    run = finish(asked.run)
    assert "not what was approved" in run.steps.get(key="act:1").error
    assert not Artifact.objects.exists()


def test_an_action_that_changes_under_its_key_is_denied(asked: Approval) -> None:
    run = Run.objects.take(held(asked.run).pk)
    decision = Approvals(run, member).propose(Proposal(asked.key, asked.tool, "writes", {**asked.arguments, "text": "Other."}))
    assert decision.standing == "denied"
    assert "changed after it was shown" in decision.words


def held(run: Run) -> Run:
    Run.objects.filter(pk=run.pk).update(try_at=None)
    return run


@pytest.mark.parametrize(
    ("rule", "effect", "derived", "standing"),
    [
        (None, "writes", (), "waiting"), (None, "leaves", (), "waiting"), ("allow", "writes", (), "approved"),
        ("allow", "writes", ("text",), "waiting"), ("allow", "leaves", ("text",), "waiting"), ("deny", "writes", (), "denied"),
        ("ask", "reads", (), "waiting"), ("gibberish", "writes", (), "denied"), (None, "erases", (), "denied"),
        ("allow", "asks", (), "waiting"),
    ],
)  # fmt: skip
def test_one_table_says_what_is_allowed_asked_and_forbidden(
    reader: Membership, broker: redis.Redis, rule: str | None, effect: str, derived: tuple[str, ...], standing: str
) -> None:
    run = Run.objects.take(actions.start("Well?", actor=reader).pk)
    if rule:
        ToolRule.objects.create(workspace=reader.workspace, tool="send", rule=rule[:5])
    hook = Webhook(workspace=reader.workspace, url="https://hooks.example/", events=["approval.needed"])
    hook.set_secret()
    hook.save()
    proposal = Proposal("act:1", "send", effect, {"text": "Hello"}, derived)  # type: ignore[arg-type]
    decision = Approvals(run, member).propose(proposal)
    assert decision.standing == standing
    told = [json.loads(one.body) for one in Delivery.objects.filter(webhook=hook)]
    asked_for = [str(Approval.objects.get(run=run).pk)] if standing == "waiting" else []
    assert [one["data"]["approval"] for one in told] == asked_for and "Hello" not in str(told)
    acts: list[object] = []
    performed = Approvals(run, member).perform("act:1", lambda given: acts.append(given) or Outcome("Sent."))
    assert bool(acts) == (standing == "approved") == (performed.standing == "done")
    assert Approvals(run, member).perform("act:1", lambda given: acts.append(given) or Outcome("Sent.")).standing == performed.standing
    assert len(acts) <= 1


def test_a_document_taken_away_while_somebody_thinks_is_not_written_out(asked: Approval, reader: Membership, notice: Document) -> None:
    approving.approve(asked, seen=asked.proposed, actor=reader)
    notice.restrict([])
    run = finish(asked.run)
    assert not Artifact.objects.exists()
    assert run.status == "pending" and "no longer open" in run.error


def test_an_order_without_a_topic_asks_what_is_meant(broker: redis.Redis, model: Actor, notice: Document, reader: Membership) -> None:
    question = waiting(finish(actions.start("Write a report", actor=reader)))
    assert question.tool == "ask_user"
    with pytest.raises(Undecidable, match="Write an answer"):
        approving.approve(question, seen=question.proposed, actor=reader)
    after = waiting(yes(question, reader, answer="the notice period"))
    assert (after.tool, after.arguments["title"], after.arguments["text"]) == ("write_document", "the notice period", SENTENCE)


def test_the_rules_page_knows_every_tool() -> None:
    assert {name: tool.effect for name, tool in TOOLS.items()} == approving.EFFECTS


def test_only_owners_set_rules_and_what_is_no_rule_is_left_out(workspace: Workspace, alice: User, rita: User) -> None:
    assert browser_of(rita).post("/w/acme/agent", {"write_document": "allow"}).status_code == 404
    assert not ToolRule.objects.exists()
    browser_of(alice).post("/w/acme/agent", {"write_document": "deny", "calculate": "everything", "rm": "allow"})
    assert list(ToolRule.objects.values_list("tool", "rule")) == [("write_document", "deny")]


def test_a_forbidden_tool_is_said_and_the_answer_stands(
    broker: redis.Redis, model: Actor, notice: Document, reader: Membership, workspace: Workspace
) -> None:
    ToolRule.objects.create(workspace=workspace, tool="write_document", rule="deny")
    run = finish(actions.start(ORDER, actor=reader))
    assert (run.status, run.answer) == ("done", SENTENCE)
    assert "forbids" in run.steps.get(key="act:1").error


def test_the_thread_shows_what_is_asked_and_takes_the_word(asked: Approval, rita: User) -> None:
    browser = browser_of(rita)
    page = browser.get(f"/w/acme/threads/{asked.run.thread_id}").content.decode()
    assert "North wants to keep a document" in page and SENTENCE in page and asked.proposed in page
    address = f"/w/acme/approvals/{asked.pk}"
    form = {"verdict": "approve", "seen": asked.proposed, "title": asked.arguments["title"], "text": asked.arguments["text"]}
    assert "approved" in browser.post(address, form, headers={"HX-Request": "true"}).content.decode()
    again = browser.post(address, form, headers={"HX-Request": "true"})
    assert (again.status_code, "decided before" in again.content.decode()) == (409, True)
    finish(asked.run)
    written = Artifact.objects.get()
    assert f"/w/acme/written/{written.pk}" in browser.get(f"/w/acme/threads/{asked.run.thread_id}").content.decode()
    assert SENTENCE.split()[-1] in browser.get(f"/w/acme/written/{written.pk}").content.decode()
