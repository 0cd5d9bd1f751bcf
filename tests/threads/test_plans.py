"""Plans that whoever asked sees, changes or declines before they run."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from north.threads import actions, approving
from north.threads.errors import Undecidable
from north.threads.models import Agent, Approval, Run, ToolRule
from north.workspaces.models import Membership, User, Workspace
from tests.conftest import browser_of
from tests.threads.conftest import Actor, Shelve, finish
from tests.threads.test_consent import ORDER, waiting, yes
from tests.threads.test_consent_killed import lives

pytestmark = pytest.mark.django_db(transaction=True)
QUESTION = "How long is the notice period, and who books the trains?"


@pytest.fixture
def shown(broker: redis.Redis, model: Actor, notice: object, workspace: Workspace, reader: Membership) -> Approval:
    """The plan of rita's question, which waits for her word."""
    Agent.objects.create(workspace=workspace, name="North", confirms="always")
    return waiting(finish(actions.start(QUESTION, actor=reader)))


def step(name: str, tool: str, input: str, after: list[int] | None = None) -> dict[str, Any]:
    return {"name": name, "tool": tool, "input": input, "criterion": "It is said", "after": after or []}


def searched(run: Run) -> list[str]:
    return [step.detail["query"] for step in run.steps.filter(kind="search")]


def test_a_plan_waits_and_nothing_of_it_is_done(shown: Approval, model: Actor) -> None:
    assert (shown.tool, shown.effect) == ("plan", "asks")
    assert [one["input"] for one in shown.arguments["steps"]] == ["How long is the notice period", "who books the trains?"]
    assert [one.kind for one in shown.run.steps.all()] == ["plan", "plan"] and not model.calls


def test_a_plan_that_was_agreed_to_runs_as_it_was_shown(shown: Approval, reader: Membership) -> None:
    run = yes(shown, reader)
    assert (run.status, searched(run)) == ("done", [QUESTION, *(one["input"] for one in shown.arguments["steps"])])


def test_a_plan_that_was_changed_runs_as_it_was_changed(shown: Approval, reader: Membership) -> None:
    changed = [step("Notice", "search", "notice period of staff"), step("Add", "calculate", "2 + 2", [1])]
    approving.approve(shown, seen=shown.proposed, actor=reader, changes={"steps": changed})
    run = finish(shown.run)
    assert (run.status, searched(run)) == ("done", [QUESTION, "notice period of staff"])
    assert [one["name"] for one in run.steps.get(key="confirm").detail["steps"]] == ["Notice", "Add"]
    assert "act:2" in {one.key for one in run.steps.all()}


@pytest.mark.parametrize(
    ("steps", "words"),
    [
        ([], "one step at least"), ("search", "one step"), ([step("A", "rm", "x")], "no tool “rm”"),
        ([step("A", "search", "a", [2]), step("B", "search", "b", [1])], "wait for each other"),
        ([step("A", "search", f"a{number}") for number in range(9)], "at most 8"), ([step("A", "search", "?")], "must say something"),
    ],
)  # fmt: skip
def test_a_change_that_makes_no_sense_is_refused_in_words_and_the_run_still_waits(
    shown: Approval, reader: Membership, steps: Any, words: str
) -> None:
    with pytest.raises(Undecidable, match=words):
        approving.approve(shown, seen=shown.proposed, actor=reader, changes={"steps": steps})
    assert Approval.objects.get().standing == "waiting"


def test_without_the_plan_the_question_itself_is_searched(shown: Approval, reader: Membership) -> None:
    approving.reject(shown, seen=shown.proposed, actor=reader)
    run = finish(shown.run)
    assert (run.status, searched(run)) == ("done", [QUESTION])
    assert "not wanted" in run.steps.get(key="confirm").detail["note"]


def test_the_page_takes_a_changed_plan_and_says_what_is_wrong_with_one(shown: Approval, rita: User) -> None:
    browser, address = browser_of(rita), f"/w/acme/approvals/{shown.pk}"
    page = browser.get(f"/w/acme/threads/{shown.run.thread_id}").content.decode()
    assert "North’s plan" in page and page.count('class="plan-row"') == 3 and "Go on without a plan" in page
    form = {"verdict": "approve", "seen": shown.proposed, "name": ["", "Trains", "Planes", ""], "tool": ["search"] * 4,
            "input": ["", "second class", "flights", ""], "criterion": ["", "It is said", "", ""],
            "after": ["", "9", "1 2", ""]}  # fmt: skip
    answer = browser.post(address, form, headers={"HX-Request": "true"})
    assert (answer.status_code, "Step 1 waits for a step that is not there" in answer.content.decode()) == (409, True)
    assert "approved" in browser.post(address, {**form, "after": ["", "1", "1 2", ""]}, headers={"HX-Request": "true"}).content.decode()
    assert [(one["name"], one["after"]) for one in Approval.objects.get().arguments["steps"]] == [("Trains", []), ("Planes", [1])]
    assert "Planes" in browser.get(f"/w/acme/threads/{finish(shown.run).thread_id}").content.decode()


def test_only_what_writes_is_shown_where_the_agent_is_set_so(
    broker: redis.Redis, model: Actor, notice: object, workspace: Workspace, alice: User, reader: Membership
) -> None:
    north = Agent.objects.create(workspace=workspace, name="North")
    browser, address = browser_of(alice), f"/w/acme/agents/{north.pk}"
    browser.post(address, {"name": "North", "confirms": "writes"})
    assert browser.post(address, {"name": "North", "confirms": "sometimes"}).status_code == 422
    assert Agent.objects.get(workspace=workspace).confirms == "writes"
    assert finish(actions.start(QUESTION, actor=reader)).status == "done"
    plan = waiting(finish(actions.start(ORDER, actor=reader)))
    assert [one["tool"] for one in plan.arguments["steps"]] == ["write_document"]
    assert waiting(yes(plan, reader)).tool == "write_document", "the plan's yes is not the action's"


def test_a_step_that_fails_leaves_what_was_done(
    broker: redis.Redis, model: Actor, notice: object, shelve: Shelve, workspace: Workspace, reader: Membership
) -> None:
    ToolRule.objects.create(workspace=workspace, tool="read_document", rule="deny")
    run = finish(actions.start("What does handbook.txt say of the notice period, and what is 2 * 3?", actor=reader))
    assert (run.status, run.refused) == ("done", False)
    assert {one.key: bool(one.error) for one in run.steps.filter(kind="act")} == {"act:1": True, "act:2": False}


KILLS = ["work/propose/1", "work/rest/1", "work/rested/1", "approve/decide/1"]


@pytest.mark.timeout(300)
def test_kills_around_a_plan_lose_nothing(
    broker: redis.Redis, model: Actor, notice: object, workspace: Workspace, reader: Membership
) -> None:
    Agent.objects.create(workspace=workspace, name="North", confirms="always")
    run = actions.start(QUESTION, actor=reader)
    ends = lives(run, *KILLS, "approve/-/1", "work/propose/1", "work/act/1", "work/acted/1", "work/done/1")
    assert ends == ["9"] * len(KILLS) + ["0"] + ["9"] * 4
    finished = finish(run)
    assert (finished.status, Approval.objects.get().standing) == ("done", "done")
    assert [one.key for one in finished.steps.all()][:2] == ["plan", "confirm"] and len(searched(finished)) == 3
