"""Agents as things: made, changed, shared and retired by those who may; a run keeps what it was asked of; and no agent gives more."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from django.http import Http404
from django.test import Client

from agents.card import Limits
from north.documents.models import Document, Source
from north.threads import actions, approving, configuring
from north.threads.errors import Unaskable
from north.threads.execution import style_of, within
from north.threads.models import Agent, Artifact, Run
from north.workspaces.keys import issue_key
from north.workspaces.models import AuditEvent, Membership, User, Workspace
from tests.conftest import browser_of, membership_of
from tests.threads.conftest import Actor, Shelve, finish

pytestmark = pytest.mark.django_db


@pytest.fixture
def lawyer(editor: Membership) -> Agent:
    return configuring.make({"name": "Lawyer", "instructions": "Be exact.", "questions": ["Why?"]}, shared=True, actor=editor)


@pytest.fixture
def mine(editor: Membership) -> Agent:
    return configuring.make({"name": "Draft"}, shared=False, actor=editor)


def names(membership: Membership) -> list[str]:
    return [one.name for one in Agent.objects.of(membership)]


def test_each_save_is_a_version_and_none_without_a_change(lawyer: Agent, editor: Membership, owner: Membership) -> None:
    assert (lawyer.number, lawyer.versions.get().values["instructions"]) == (1, "Be exact.")
    saved = configuring.save(lawyer, {"instructions": "Be brief.", "length": "short"}, actor=owner)
    assert (saved.number, saved.name, saved.questions) == (2, "Lawyer", ["Why?"])
    assert configuring.save(saved, {"length": "short"}, actor=owner).number == 2
    again = configuring.restore(saved.versions.get(number=1), actor=editor)
    assert (again.number, again.instructions, again.length) == (3, "Be exact.", "")
    assert list(AuditEvent.objects.filter(action__startswith="agent").values_list("action", flat=True).order_by("number")) == [
        "agent.create", "agent.change", "agent.change",
    ]  # fmt: skip


def test_the_first_change_of_an_agent_that_came_with_the_workspace_keeps_what_it_was(workspace: Workspace, editor: Membership) -> None:
    born = Agent.objects.create(workspace=workspace, name="North", instructions="As born.")
    configuring.save(born, {"instructions": "Changed."}, actor=editor)
    assert [(one.number, one.values["instructions"]) for one in born.versions.all()] == [(2, "Changed."), (1, "As born.")]


def test_one_that_is_not_shared_is_its_makers_alone(
    lawyer: Agent, mine: Agent, reader: Membership, editor: Membership, owner: Membership
) -> None:
    assert names(editor) == ["Lawyer", "Draft"]
    assert names(reader) == names(owner) == ["Lawyer"]
    for verb in (lambda: configuring.save(mine, {"name": "X"}, actor=owner), lambda: configuring.retire(mine, actor=owner),
                 lambda: actions.start("Why?", actor=owner, agent=mine.pk)):  # fmt: skip
        with pytest.raises(Http404):
            verb()
    configuring.share(mine, True, actor=editor)
    assert names(reader) == ["Lawyer", "Draft"]
    with pytest.raises(Unaskable, match="Only who made"):
        configuring.share(mine, False, actor=owner)


def test_readers_change_nothing_and_strangers_find_nothing(
    lawyer: Agent, reader: Membership, charlie: User, other_workspace: Workspace
) -> None:
    elsewhere = membership_of(charlie, other_workspace)
    assert names(elsewhere) == []
    for actor in (reader, elsewhere):
        for verb in (configuring.save, configuring.make):
            with pytest.raises(Http404):
                verb(lawyer, {"name": "X"}, actor=actor) if verb is configuring.save else verb({"name": ""}, shared=True, actor=reader)


def test_the_last_shared_one_stays(lawyer: Agent, mine: Agent, editor: Membership, reader: Membership) -> None:
    for verb in (lambda: configuring.retire(lawyer, actor=editor), lambda: configuring.share(lawyer, False, actor=editor)):
        with pytest.raises(Unaskable, match="only agent that everybody"):
            verb()
    configuring.share(mine, True, actor=editor)
    configuring.retire(lawyer, actor=editor)
    assert names(reader) == ["Draft"]
    with pytest.raises(Http404):
        actions.start("Why?", actor=reader, agent=lawyer.pk)


@pytest.mark.parametrize(
    "values",
    [
        {"name": " "}, {"name": "x" * 81}, {"about": "x" * 201}, {"instructions": "x" * 4001}, {"questions": ["q"] * 9},
        {"questions": ["q" * 301]}, {"sources": ["00000000-0000-0000-0000-000000000000"]}, {"rules": {"shell": "ask"}},
        {"rules": {"calculate": "allow"}}, {"limits": {"searches": 9}}, {"limits": {"seconds": "9"}}, {"limits": {"steps": True}},
        {"limits": {"money": 5}}, {"language": "xx"}, {"length": "endless"}, {"form": "poem"},
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_in_words(editor: Membership, values: dict[str, Any]) -> None:
    with pytest.raises(Unaskable, match=r"\w+ .*\.$"):
        configuring.make({"name": "X", **values}, shared=True, actor=editor)
    assert not Agent.objects.exists()


def test_a_source_of_another_workspace_is_none_of_its_knowledge(editor: Membership, other_workspace: Workspace) -> None:
    foreign = Source.objects.create(workspace=other_workspace, connector="folder", name="S", config={}, principals=[])
    with pytest.raises(Unaskable, match="not in this workspace"):
        configuring.make({"name": "X", "sources": [str(foreign.pk)]}, shared=True, actor=editor)


def test_a_thread_goes_on_with_the_agent_that_answered_last(lawyer: Agent, mine: Agent, editor: Membership) -> None:
    first = actions.start("Why?", actor=editor, agent=mine.pk)
    assert (first.agent, first.version) == (mine, mine.versions.get())
    Run.objects.update(status=Run.Status.DONE)
    assert actions.ask(first.thread, "And why?", actor=editor).agent == mine
    assert actions.start("Why?", actor=editor).agent == lawyer
    with pytest.raises(Http404):
        actions.start("Why?", actor=editor, agent="nonsense")


def test_a_key_for_some_agents_asks_no_other(lawyer: Agent, mine: Agent, editor: Membership) -> None:
    key, _secret = issue_key(editor, agents=[str(mine.pk)], actor=editor)
    editor.key = key
    assert names(editor) == ["Draft"]
    assert actions.start("Why?", actor=editor, agent=mine.pk).agent == mine
    with pytest.raises(Http404):
        actions.start("Why?", actor=editor, agent=lawyer.pk)


def test_limits_and_style_are_those_of_the_version() -> None:
    agent = Agent(limits={"searches": 2, "seconds": 60}, length="long", language="de", form="list")
    found = within(Limits(), agent)
    assert (found.searches, found.seconds, found.steps, found.answer_tokens) == (2, 60, Limits().steps, 2 * Limits().answer_tokens)
    assert (style_of(agent).language, style_of(agent).length, style_of(agent).form) == ("de", "long", "list")


# --- as a run uses it -----------------------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
def test_a_run_answers_as_the_version_that_it_was_asked_of(
    broker: redis.Redis, model: Actor, notice: Document, lawyer: Agent, editor: Membership, reader: Membership
) -> None:
    configuring.save(lawyer, {"instructions": "Speak like a judge.", "language": "de", "length": "short"}, actor=editor)
    run = actions.start("How long is the notice period?", actor=reader)
    configuring.save(lawyer, {"instructions": "Speak like a pirate.", "language": ""}, actor=editor)
    assert finish(run).status == "done"
    said = [message.text for call in model.calls for message in call.messages]
    assert any("Speak like a judge." in text for text in said)
    assert not any("pirate" in text for text in said)
    assert any("in German, in at most two sentences" in text for text in said)


@pytest.mark.django_db(transaction=True)
def test_an_agent_knows_only_its_sources(
    broker: redis.Redis, model: Actor, notice: Document, editor: Membership, reader: Membership, workspace: Workspace
) -> None:
    folder = Source.objects.create(workspace=workspace, connector="folder", name="S", config={}, principals=[])
    narrow = configuring.make({"name": "Narrow", "sources": [str(folder.pk)]}, shared=True, actor=editor)
    uploads = configuring.make({"name": "Uploads", "sources": [""]}, shared=True, actor=editor)
    refused = finish(actions.start("How long is the notice period?", actor=reader, agent=narrow.pk))
    assert (refused.refused, refused.citations.count()) == (True, 0)
    assert "handbook" not in str([step.detail for step in refused.steps.all()])
    assert finish(actions.start("How long is the notice period?", actor=reader, agent=uploads.pk)).citations.count() == 1


@pytest.mark.django_db(transaction=True)
def test_an_agent_makes_rules_stricter_and_never_looser(
    broker: redis.Redis, model: Actor, shelve: Shelve, editor: Membership, owner: Membership, reader: Membership
) -> None:
    shelve("handbook.txt", "The notice period is thirty days for all staff.")
    never = configuring.make({"name": "Reader", "rules": {"write_document": "deny"}}, shared=True, actor=editor)
    careful = configuring.make({"name": "Careful", "rules": {"calculate": "ask"}}, shared=True, actor=editor)
    approving.set_rules({"write_document": "allow"}, actor=owner)
    run = finish(actions.start("Please write a report about the notice period.", actor=reader, agent=never.pk))
    assert (run.status, Artifact.objects.count()) == ("done", 0)
    waits = finish(actions.start("What is 17 * 3?", actor=reader, agent=careful.pk))
    assert [(one.tool, one.standing) for one in waits.approvals.all()] == [("calculate", "waiting")]


# --- pages ----------------------------------------------------------------------------------------------------------------------------
def test_the_form_loses_nothing_of_what_was_wrong(as_bob: Client, workspace: Workspace) -> None:
    answer = as_bob.post(
        "/w/acme/agents/new", {"name": "Lawyer", "instructions": "Mind <b>the law</b>.", "limit-seconds": "5", "shared": "on"}
    )
    said = answer.content.decode()
    assert answer.status_code == 422
    assert "Mind &lt;b&gt;the law&lt;/b&gt;." in said
    assert "greater than or equal to 30" in said
    assert not Agent.objects.exists()


def test_an_agent_is_made_changed_and_chosen_in_the_browser(as_bob: Client, as_rita: Client, lawyer: Agent, rita: User) -> None:
    chosen = {"sources": ["uploads"], "tool-calculate": "deny", "limit-steps": "3", "form": "list", "shared": "on"}
    made = as_bob.post("/w/acme/agents/new", {"name": "Judge", "questions": "Who?\n\nWhat?", **chosen})
    judge = Agent.objects.get(name="Judge")
    assert made.headers["Location"] == f"/w/acme/agents/{judge.pk}"
    assert (judge.questions, judge.sources, judge.rules, judge.limits, judge.form) == (
        ["Who?", "What?"], [""], {"calculate": "deny"}, {"steps": 3}, "list",
    )  # fmt: skip
    page = as_bob.get(f"/w/acme/agents/{judge.pk}").content.decode()
    assert "Who?\nWhat?</textarea>" in page
    assert 'value="3"' in page
    first = as_rita.get(f"/w/acme/?agent={judge.pk}").content.decode()
    assert f'<option value="{judge.pk}" selected>Judge</option>' in first
    assert "What?" in first
    assert "Be exact" not in browser_of(rita).get(f"/w/acme/agents/{lawyer.pk}").content.decode(), "readers are shown the instructions"


def test_trying_it_out_is_a_question_to_it(as_bob: Client, broker: redis.Redis, mine: Agent, bob: User) -> None:
    answer = as_bob.post(f"/w/acme/agents/{mine.pk}/try", {"question": "Why?"}, headers={"HX-Request": "true"})
    run = Run.objects.get()
    assert (run.agent, run.thread.user) == (mine, bob)
    assert f'id="run-{run.pk}"' in answer.content.decode()
