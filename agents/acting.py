"""The node that does the tasks of a plan, each with its own step, its own failure and its own place in the checkpoints: what may have to
ask somebody by itself, what only reads at the same time.

What reads is done before the answer is written, what writes after it was verified. Whatever needs a person's word waits on an interrupt;
the word itself is never taken from the graph, only from whoever keeps the approvals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, field
from typing import Any, cast

from langgraph.runtime import Runtime
from langgraph.types import interrupt

from agents import charting, choosing, plans, prompts, tracing
from agents.calling import act as do
from agents.calling import call
from agents.consent import Proposal
from agents.context import Context, Sheets
from agents.errors import ToolFailed
from agents.finding import shown_of
from agents.matching import digits_of, holds
from agents.planning import expression_in
from agents.reading import choose
from agents.state import Plain, State, fields, open_tasks, passage_from_plain, passage_to_plain
from agents.steps import Step, ask, check, spent
from agents.tool import Outcome, Tool
from agents.tools.query_table import described
from agents.tools.search import search as find

DERIVED: Mapping[str, tuple[str, ...]] = {
    "write_document": ("text", "citations"),
    "query_table": ("sql",),
    "calculate": ("expression",),
    "compare_documents": (),
}
"""The arguments that a model made which had read documents or tables."""
MODEL_MADE = {"calculate": "expression", "query_table": "sql", "compare_documents": "questions", "create_chart": "labels"}
EVERYDAY = digits_of("1; 2; 4; 7; 10; 12; 24; 52; 60; 100; 365; 1000")
"""Numbers that an expression may hold though nobody named them: a week has seven days."""
STATEMENT_TOKENS = 240
AT_ONCE = 3
MOST_TURNS = 5
"""Of one task: its arguments, its tool, and both once more with the fault before the model's eyes."""


def act(state: State, runtime: Runtime[Context]) -> State:
    """The next open task: finds its arguments, or uses its tool; those that only read and wait for nothing are done at the same time. A
    task that fails says why, and the run goes on without it."""
    check(runtime.context)
    places = together(state, runtime.context)
    if len(places) == 1:
        return applied(state, [_done(state, places[0], runtime)])
    with ThreadPoolExecutor(len(places), thread_name_prefix="task") as pool:
        doing = [pool.submit(copy_context().run, _whole, state, place, runtime) for place in places]
        return applied(state, [change for one in doing for change in one.result()])


def together(state: State, context: Context) -> list[int]:
    """The places of the tasks to be done now: one that may have to ask a person is alone."""
    places = open_tasks(state)
    room = max(1, context.limits.steps - state.get("used", 0))
    free = [place for place in places if _is_free(state["tasks"][place], context)]
    return free[: min(AT_ONCE, room)] if places[0] in free else places[:1]


def _is_free(task: Plain, context: Context) -> bool:
    if task["tool"] == "search":
        return True
    tool = context.tools.get(task["tool"])
    return tool is not None and tool.effect == "reads" and (context.consent is None or context.consent.free(tool.name))


def _whole(state: State, place: int, runtime: Runtime[Context]) -> list[Change]:
    """A task from its arguments to its end. Only for what reads: after a crash it begins anew."""
    changes = [_done(state, place, runtime)]
    while not changes[-1].task.get("status") and len(changes) < MOST_TURNS:
        changes.append(_done(applied(state, changes, whole=True), place, runtime))
    return changes


@dataclass(slots=True)
class Change:
    """What came of one turn of one task."""

    place: int
    task: Plain
    opened: list[list[Plain]] = field(default_factory=list)
    found: list[list[Plain]] = field(default_factory=list)
    searched: list[str] = field(default_factory=list)
    results: list[Plain] = field(default_factory=list)
    also: State = field(default_factory=State)


def applied(state: State, changes: Sequence[Change], *, whole: bool = False) -> State:
    """What changes of the state, in the order of the tasks; `whole`: the state itself as it is then."""
    after: State = {"tasks": list(state["tasks"])}
    total: dict[str, Any] = {"searched": [], "steps": [], "used": 0, "tokens_in": 0, "tokens_out": 0}
    for change in changes:
        tasks = change.also.get("tasks", after["tasks"])
        after["tasks"] = [{**task, **change.task} if place == change.place else task for place, task in enumerate(tasks)]
        after |= {name: value for name, value in change.also.items() if name not in {*total, "tasks"}}  # type: ignore[typeddict-item]
        total = {name: value + change.also.get(name, type(value)()) for name, value in total.items()}
        total["searched"] += change.searched
    opened = [found for change in changes for found in change.opened]
    after["found"] = [*opened, *state.get("found", []), *(found for change in changes for found in change.found)]
    after["results"] = [*state.get("results", []), *(result for change in changes for result in change.results)]
    return cast(State, {**state, **after} if whole else {**after, **total})


def _done(state: State, place: int, runtime: Runtime[Context]) -> Change:
    context, task = runtime.context, state["tasks"][place]
    if task["tool"] == "search":
        return _searched(state, place, runtime)
    key = plans.key_of(task, place)
    with Step(runtime, key, "act", name=task["name"], tool=task["tool"], input=task["input"]) as step:
        try:
            tool = _tool(state, task, context)
            if (missing := "arguments" if tool.schema else MODEL_MADE.get(task["tool"])) and missing not in task["arguments"]:
                # Kept before it is used: after a crash the same arguments are proposed, never others that the model makes anew.
                made = _made(state, task, context, step) if not tool.schema else _filled(tool, state, context, step)
                used: State = {"tokens_in": step.tokens_in, "tokens_out": step.tokens_out}
                return Change(place, {"arguments": {**task["arguments"], **made}}, also=used)
            arguments = _arguments(state, task)
            made_of = derived(state, tool, str(arguments.get("url", "\0")))
            read = {plain["document"] for found in state.get("found", []) for plain in found} if made_of else ()
            step.decisions.append(tracing.used(tool, arguments, made_of, free=_is_free(task, context), documents=read))
            outcome = _used(tool, arguments, key, made_of, context)
            status, words = "done", outcome.text
            step.decisions += tracing.brought(outcome)
            step.passages.extend(outcome.passages)
            if outcome.tally:
                step.add(outcome.tally)
        except ToolFailed as error:
            if again := _mended(task, str(error)):
                return Change(place, {"arguments": again}, also={"used": 1})
            status, words, outcome = "failed", str(error), Outcome("")
            step.failed = words
        if status == "done":
            step.detail["result"] = words[:500]
    change = Change(place, {"status": status, "words": words}, also={"used": 1, **step.changes()})
    if short := words if words == used_up(state, task, context) else outcome.grid.shortfall if outcome.grid else "":
        change.also["cut_short"] = short
    if status == "done":
        _gain(change, state, task, key, outcome)
    return change


def _searched(state: State, place: int, runtime: Runtime[Context]) -> Change:
    """One of the plan's searches."""
    task, context = state["tasks"][place], runtime.context
    key = plans.key_of(task, place)
    if reason := spent(state, context):
        return Change(place, {"status": "failed", "words": reason}, also={"cut_short": reason})
    with Step(runtime, key, "search", name=task["name"], query=task["input"]) as step:
        passages = find(task["input"], context)
        step.decisions.append(tracing.searched(task["input"]))
        step.detail["found"] = [shown_of(passage) for passage in passages]
        step.passages.extend(passages)
    found = [[passage_to_plain(passage) for passage in passages]]
    words = f"{len(passages)} passages"
    return Change(place, {"status": "done", "words": words}, found=found, searched=[task["input"]], also=step.changes())


def used_up(state: State, task: Plain, context: Context) -> str:
    """Why no further tool may be used; nothing while there is room. What is done with a whole answer takes no time of the model."""
    if state.get("used", 0) >= context.limits.steps:
        return f"The {context.limits.steps} uses of tools that this agent has for one question are used up."
    return "" if task["late"] else spent(state, context)


def _tool(state: State, task: Plain, context: Context) -> Tool:
    if reason := used_up(state, task, context):
        raise ToolFailed(reason)
    tool = context.tools.get(task["tool"])
    if tool is None:
        raise ToolFailed(f"This agent may not use “{task['tool']}”.")
    same = [one for one in state["tasks"] if (one["tool"], one["input"]) == (task["tool"], task["input"]) and one["status"]]
    if same:
        raise ToolFailed("The same was done already; doing it again would bring nothing new.")
    return tool


def derived(state: State, tool: Tool, address: str = "") -> tuple[str, ...]:
    """The arguments that come from what was read; of a tool that is not known better, all of them. None where nothing was read,
    nor of a page whose address the person wrote."""
    if tool.name == "fetch_page" and address in state["question"]:
        return ()
    read = any(state.get("found", [])) or state.get("results") or state.get("history")
    return DERIVED.get(tool.name, tuple(tool.arguments)) if read else ()


def _used(tool: Tool, arguments: Mapping[str, Any], key: str, made_of: tuple[str, ...], context: Context) -> Outcome:
    if tool.effect == "reads" and (context.consent is None or context.consent.free(tool.name)):
        return call(tool, arguments, context)
    if context.consent is None:
        raise ToolFailed("Nobody can be asked for consent here, so nothing was done.")
    proposal = Proposal(key, tool.name, tool.effect, arguments, made_of, tool.preview(arguments))
    decision = context.consent.propose(proposal)
    if decision.standing == "waiting":
        interrupt(key)
        decision = context.consent.propose(proposal)
    if decision.standing == "approved":
        decision = context.consent.perform(key, lambda given: (call if tool.effect == "leaves" else do)(tool, given, context))
    if decision.standing != "done":
        raise ToolFailed(decision.words or "Nobody decided on it, so nothing was done.")
    return tool.kept(decision.arguments, context) if tool.kept else Outcome(decision.words)


def _arguments(state: State, task: Plain) -> Mapping[str, Any]:
    match task["tool"]:
        case "read_document":
            return {"name": task["input"]}
        case "fetch_page":
            return {"url": task["input"], "about": state["standalone"], **task["arguments"]}
        case "ask_user":
            return {"question": task["input"], "answer": ""}
        case "write_document":
            if state.get("refused") or not state.get("text"):
                raise ToolFailed("There is nothing to write: the documents do not hold it.")
            return {"title": task["input"], "text": state["text"], "citations": state["citations"]}
    return {name: value for name, value in task["arguments"].items() if name not in {"fault", "tried"}} or {"input": task["input"]}


def _made(state: State, task: Plain, context: Context, step: Step) -> Mapping[str, Any]:
    """What the model must write for this tool. Raises ToolFailed where it cannot be used."""
    match task["tool"]:
        case "calculate":
            said = expression_in(task["input"])
            return {"expression": said} if said else _expression(state, context, step)
        case "compare_documents":
            return _questions(state, task, context, step)
        case "create_chart":
            return charting.made(state, task, context, lambda: _statement(task, context, step))
    return _statement(task, context, step)


def _questions(state: State, task: Plain, context: Context, step: Step) -> Mapping[str, Any]:
    """What is put to each document: what the model says, else the whole question."""
    documents = task["arguments"].get("documents") or (list(context.shelf.named(task["input"])) if context.shelf else [])
    said = ask(prompts.aspects(context.instructions, documents, task["input"]), prompts.QUERIES, context, step).get("queries")
    questions = [one for one in said if isinstance(one, str) and one.strip()] if isinstance(said, list) else []
    return {"documents": documents, "questions": questions or [state["standalone"]]}


def _filled(tool: Tool, state: State, context: Context, step: Step) -> Mapping[str, str]:
    """Arguments of a tool that is not ours."""
    said, fault = choosing.filled(tool, [tool], state["standalone"], (), (context, step))
    if fault:
        raise ToolFailed(f"The model could not say what {tool.name} needs: {fault}.")
    return {"arguments": choosing.written(said)}


def _expression(state: State, context: Context, step: Step) -> Mapping[str, str]:
    found = [[passage_from_plain(plain) for plain in results] for results in state.get("found", [])]
    passages = choose([state["standalone"]], found, context.embed, context.limits) if any(found) else []
    said = ask(prompts.expression(context.instructions, passages, state["question"]), prompts.EXPRESSION, context, step)
    expression = said.get("expression")
    if not isinstance(expression, str) or not expression.strip():
        raise ToolFailed("The model could not say what is to be worked out.")
    known = digits_of(" ".join([state["question"], state["standalone"], *(passage.text for passage in passages)])) | EVERYDAY
    if strange := [number for number in digits_of(expression) if not holds(known, number)]:
        raise ToolFailed(
            f"The model used a number that stands nowhere ({', '.join(min(one) for one in strange)}), so it was not worked out."
        )
    return {"expression": expression.strip()[:300]}


def _statement(task: Plain, context: Context, step: Step) -> Mapping[str, str]:
    sheets = _sheets(task, context)
    fault = task["arguments"].get("fault", "")
    messages = prompts.statement(context.instructions, described(sheets), task["input"], fault, sheets.document)
    said = ask(messages, prompts.STATEMENT, context, step, STATEMENT_TOKENS)
    sql = said.get("sql")
    if not isinstance(sql, str) or not sql.strip():
        raise ToolFailed("The model could not say what to ask the table.")
    if sql.strip()[:2000] == task["arguments"].get("tried"):
        raise ToolFailed("The model asked the table the same once more, which had failed before.")
    return {"document": sheets.document, "sql": sql.strip()[:2000]}


def _sheets(task: Plain, context: Context) -> Sheets:
    found = list(context.shelf.sheets(task["arguments"].get("document") or task["input"])) if context.shelf else []
    if not found:
        raise ToolFailed("There is no table that you may read and that fits.")
    return found[0]


def _mended(task: Plain, fault: str) -> Plain | None:
    """One new try of what a model made wrongly: with the fault before its eyes. None where there is none left."""
    if task["tool"] != "query_table" or "sql" not in task["arguments"] or "fault" in task["arguments"]:
        return None
    return {"document": task["arguments"]["document"], "fault": fault[:300], "tried": task["arguments"]["sql"]}


def _gain(change: Change, state: State, task: Plain, key: str, outcome: Outcome) -> None:
    """What the answer may rest on from here, beside what the searches found."""
    if outcome.passages:
        change.opened = [[passage_to_plain(passage) for passage in outcome.passages]]
    elif task["tool"] == "ask_user":
        change.also |= {"standalone": outcome.text, "pending": [outcome.text], "tasks": _retitled(state, outcome.text)}
    elif task["tool"] not in {"write_document", "create_chart"}:
        result = {"key": key, "tool": task["tool"], "input": task["input"], "text": outcome.text,
                  "sources": [fields(source) for source in outcome.sources]}  # fmt: skip
        change.results = [{**result, "grid": outcome.grid.as_plain()} if outcome.grid else result]


def _retitled(state: State, topic: str) -> list[Plain]:
    return [{**task, "input": topic[:100]} if task["tool"] == "write_document" else task for task in state["tasks"]]
