"""The nodes that make a plan, show it to a person, and compare what came of it with what it was for. Most questions have no plan: what is
made here for them is the one query.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from agents import choosing, difficulty, errands, planning, plans, prompts, tracing
from agents.consent import Proposal
from agents.context import Context
from agents.errors import PlanUnusable
from agents.finding import distinct, is_stale, queries_in
from agents.matching import words_of
from agents.state import Plain, State
from agents.steps import Step, ask, check, spent
from agents.tool import Outcome
from agents.verification import JUDGED

PLAN_TOKENS = 360
NO_PLAN = "The model's plan could not be used; the question itself is searched for."
UNWANTED = "The plan was not wanted, so the question itself is searched for."
CHOOSES = "Choose what to do next"
NOTHING_LEFT = "nothing more"
DONE_ALREADY = "The same was done already."
MOST_USES = 8
"""Of tools of others in one run."""
SOME_LEFT = "Some steps of the model's plan could not be used."
AGAIN = 2
"""Steps that may take the place of those which brought nothing, once."""
SPOKEN = 0.5
"""The share of a step's words that a passage holds which speaks of it."""


def plan(state: State, runtime: Runtime[Context]) -> State:
    """What is searched for the question itself, and the steps beside it: its parts, told by rules or by the model, and its tools."""
    context, question, standalone = runtime.context, state["question"], state["standalone"]
    check(context)
    with Step(runtime, "plan", "plan") as step:
        topic = planning.topic_of(standalone) or standalone
        tools, offered, errand = _tools(question, context, step)
        parts = [] if errand else _parts(topic, standalone, tools, context, step)
        first = [topic]
        if state["history"]:  # A bad rewording must not lose what was asked.
            first.append(question if standalone != question else f"{state['history'][-1][0]} {question}")
        searches = distinct(first)[: max(1, context.limits.searches)]
        found = [plans.task(f"Look up: {part}", "search", part) for part in distinct([*searches, *parts])[len(searches) :]]
        late = {name for name, tool in context.tools.items() if tool.is_late}
        tasks = planning.ordered([*found, *tools], context.limits.searches - len(searches), late)
        step.detail["queries"] = [*searches, *(one["input"] for one in tasks if one["tool"] == "search")]
        if tasks:
            step.detail["steps"] = plans.with_keys(tasks)
        step.decisions += tracing.planned(tasks, context.tools, by_model=bool(step.calls))
    describes = not parts and difficulty.describes(standalone) and not difficulty.compares(standalone)
    confirming = bool(tasks) and wants(context, tasks)
    changes: State = {
        "pending": searches, "describes": describes, "tasks": tasks, "offered": offered, "confirming": confirming, **step.changes(),
    }  # fmt: skip
    return {**changes, "errand": []} if errand else changes


def _parts(topic: str, standalone: str, tools: Sequence[Plain], context: Context, step: Step) -> list[str]:
    parts = difficulty.clauses(topic)
    if parts or not difficulty.compares(standalone) or any(task["tool"] in {"compare_documents", "search"} for task in tools):
        return parts
    parts = queries_in(ask(prompts.plan(context.instructions, standalone), prompts.QUERIES, context, step))
    if not parts:
        step.detail["note"] = NO_PLAN
    return parts


def _tools(question: str, context: Context, step: Step) -> tuple[list[Plain], list[str], bool]:
    """The tools that a question needs: by rules, or for a request of several parts by the model's plan, which may search, too. Those of
    others among which it is chosen while the run goes on; and whether it is an errand."""
    if not context.tools:
        return [], [], False
    shelf = context.shelf
    sheets, named = (shelf.sheets, shelf.named) if shelf else (planning.holds_nothing, planning.names_nothing)
    tasks = planning.tasks_of(question, sheets, context.tools, named)
    errand = not tasks and errands.due(question, context)
    if errand:  # which may need any of them
        return [], [tool.name for tool in choosing.lent(context.tools)], True
    offered = [] if tasks else choosing.offered(question, context)
    if tasks or offered or not planning.MANY_PARTS.search(question):
        return tasks, offered, False
    tasks, left_out = planning.planned(_asked(question, context, step), context.tools)
    if left_out or not tasks:
        step.detail["note"] = SOME_LEFT if tasks else NO_PLAN
    return tasks, [], False


def _asked(question: str, context: Context, step: Step, missed: Sequence[str] = ()) -> Mapping[str, Any]:
    about = {"search": "finds passages in the documents", **{tool.name: tool.about for tool in context.tools.values()}}
    messages, wanted = prompts.steps(context.instructions, question, about, missed)
    return ask(messages, wanted, context, step, PLAN_TOKENS)


# --- tools of others ---------------------------------------------------------------------------------------------------------------


def choose(state: State, runtime: Runtime[Context]) -> State:
    """Which of the tools offered is used next, after what came of those before; the graph comes back here until nothing is left to do."""
    context, tasks = runtime.context, [dict(task) for task in state["tasks"]]
    check(context)
    done = [task for task in tasks if task["tool"] in state["offered"]]
    for task in done:
        task["met"] = "yes" if task["status"] == "done" else "no"
    if spent(state, context) or state.get("used", 0) >= context.limits.steps or len(done) >= MOST_USES or _stuck(done):
        return {"tasks": tasks, "offered": []}
    with Step(runtime, f"choose:{len(done) + 1}", "plan", name=CHOOSES) as step:
        said = list(state.get("errand", []))
        if "errand" in state:
            use = errands.next_use(state["standalone"], done, said, (context, step))
        else:
            use = choosing.next_use(state["standalone"], state["offered"], done, context, step)
        step.detail["query"] = use.tool or NOTHING_LEFT
        if use.fault and not use.tool:
            step.detail["note"] = use.fault
        offered = state["offered"] if use.tool else []
        if use.tool:
            tasks.append(_use(use, tasks))
    changes: State = {"tasks": tasks, "offered": offered, **step.changes()}
    return {**changes, "errand": said} if "errand" in state else changes


def _use(use: choosing.Use, tasks: Sequence[Plain]) -> Plain:
    """The task of it; one whose arguments could not be made has failed, and says why to the next choice."""
    arguments = choosing.written(use.arguments or {})
    said = arguments[: plans.INPUT_CHARACTERS]
    again = any((one["tool"], one["arguments"]) == (use.tool, {"arguments": arguments}) for one in tasks)
    fault = use.fault or (DONE_ALREADY if again else "")
    new = plans.task(f"Use {use.tool}", use.tool, said, {"arguments": arguments})
    return {**new, "status": "failed", "words": fault, "met": "no"} if fault else new


def _stuck(done: Sequence[Plain]) -> bool:
    """Two failures one after the other: a third try would be no better."""
    return [task["status"] for task in done[-2:]] == ["failed", "failed"]


# --- a person's word on it ---------------------------------------------------------------------------------------------------------


def wants(context: Context, tasks: Sequence[Plain]) -> bool:
    """Whether a person is shown this plan before it runs."""
    writes = any(task["late"] for task in tasks)
    return context.consent is not None and (context.confirms == "always" or (context.confirms == "writes" and writes))


def confirm(state: State, runtime: Runtime[Context]) -> State:
    """Waits until a person has agreed to the plan, changed it or declined it. Their word is taken from whoever keeps the approvals only."""
    context = runtime.context
    check(context)
    assert context.consent is not None
    with Step(runtime, "confirm", "plan") as step:
        proposal = Proposal("plan", "plan", "asks", {"steps": plans.shown(state["tasks"]), "tools": sorted({*context.tools, "search"})})
        decision = context.consent.propose(proposal)
        if decision.standing == "waiting":
            interrupt("plan")
            decision = context.consent.propose(proposal)
        if decision.standing == "approved":
            decision = context.consent.perform("plan", lambda given: Outcome(json.dumps(given["steps"])))
        tasks = _decided(state, decision.arguments["steps"], context, step) if decision.standing == "done" else []
        if decision.standing != "done":
            step.detail["note"] = f"{decision.words} {UNWANTED}".strip()
        step.detail["steps"] = plans.with_keys(tasks)
    return {"tasks": tasks, "confirming": False, **step.changes()}


def _decided(state: State, steps: object, context: Context, step: Step) -> list[Plain]:
    """What the person left of the plan; the plan itself, where theirs makes no sense all the same."""
    try:
        return plans.checked(steps, context.tools, state["tasks"])
    except PlanUnusable as error:
        step.detail["note"] = str(error)
        return state["tasks"]


# --- what came of it ---------------------------------------------------------------------------------------------------------------


def due(state: State) -> bool:
    """Whether a plan's results are to be compared with its criteria. Parts that are only searched for are judged when they are read."""
    early = [task for task in state.get("tasks", []) if not task["late"] and task["tool"] != "ask_user"]
    said = any(task["tool"] != "search" or task["criterion"] != plans.CRITERIA["search"] for task in early)
    return len(early) > 1 and said and any(not task["met"] for task in early)


def weigh(state: State, runtime: Runtime[Context]) -> State:
    """Compares each result with its step's criterion; where some were not reached, plans other steps in their place, once."""
    context = runtime.context
    check(context)
    weighed = state.get("weighed", 0) + 1
    with Step(runtime, f"weigh:{weighed}", "weigh") as step:
        tasks = [{**task, "met": task["met"] or _met(task, state, context)} for task in state["tasks"]]
        early = [task for task in tasks if not task["late"]]
        step.detail["criteria"] = [{name: task[name] for name in ("name", "criterion", "met")} for task in early]
        missed = [task for task in early if task["met"] == "no"]
        if missed and weighed == 1 and not spent(state, context) and not is_stale(state.get("found", [])):
            tasks += _instead(tasks, missed, state, context, step)
            step.detail["steps"] = plans.with_keys(tasks)
    return {"tasks": tasks, "weighed": weighed, **step.changes()}


def _met(task: Plain, state: State, context: Context) -> str:
    """ "yes" or "no"; nothing for what is done with the answer, which is not there yet."""
    if task["late"]:
        return ""
    if task["status"] != "done":
        return "no"
    if task["tool"] == "search":
        return "yes" if _spoken(task, state, context) else "no"
    if task["tool"] in {"calculate", "query_table"}:
        return "yes" if any(map(str.isdigit, task["words"])) or words_of(task["words"]).words else "no"
    return "yes"


def _spoken(task: Plain, state: State, context: Context) -> bool:
    """Whether a passage that this step found speaks of what it was for: by its words, or as another model says."""
    opened = len(state["found"]) - len(state["searched"])  # What was opened stands before what was searched.
    place = state["searched"].index(task["input"]) + opened if task["input"] in state["searched"] else -1
    texts = [f"{plain['heading']} {plain['text']}" for plain in state["found"][place][:3]] if place >= 0 else []
    wanted = words_of(task["input"]).words
    if any(len(wanted & words_of(text).words) >= SPOKEN * len(wanted) for text in texts):
        return True
    scores = context.judge(task["input"], texts) if context.judge and texts else None
    return scores is not None and max(scores) >= JUDGED


def _instead(tasks: Sequence[Plain], missed: Sequence[Plain], state: State, context: Context, step: Step) -> list[Plain]:
    said, _ = planning.planned(_asked(state["standalone"], context, step, [task["name"] for task in missed]), context.tools)
    tried = {(task["tool"], task["input"].lower()) for task in tasks}
    allowed = {name for name, tool in context.tools.items() if tool.effect == "reads"} | {"search"}
    new = [one for one in said if (one["tool"], one["input"].lower()) not in tried and one["tool"] in allowed]
    room = context.limits.searches - len(state["searched"])
    kept = planning.ordered(new, room, ())[:AGAIN]
    if not kept:
        step.detail["note"] = "No other steps were found in their place."
    return [{**one, "after": []} for one in kept]
