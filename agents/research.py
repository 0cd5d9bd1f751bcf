"""The nodes of a thorough question: sub-questions, a note on each from a search of its own, another look where a note is missing, a report.

Each note is small enough for a weak model: one question, a few passages, a few sentences, aligned with their sources and verified at once.
The report is put together from the notes, so that no sentence of it loses its source; only its summary is written anew, and then aligned.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

from langgraph.runtime import Runtime

from agents import difficulty, planning, prompts, reporting, tracing
from agents.citations import cite, unmarked
from agents.context import Context
from agents.errors import OutOfTime
from agents.events import AnswerDelta
from agents.evidence import suffices
from agents.finding import distinct, queries_in, shown_of
from agents.languages import refusal
from agents.reading import choose
from agents.state import Plain, State, fields, passage_to_plain
from agents.steps import Step, ask, check, gathers_until, spent, stream
from agents.tools.search import search as find
from agents.verification import counts, verify
from retrieval.types import Passage

QUESTIONS, MORE = 6, 2
"""Sub-questions of one report, and those that may be added once its first notes are there."""
AT_ONCE = 3
OUTLINE_TOKENS, NOTE_TOKENS, SUMMARY_TOKENS = 240, 200, 240
LOOKS = 2
"""How often a note is tried: the second time with another query."""
DOUBTED = {"unsupported", "contradicted"}
OWN_OUTLINE = "The model's sub-questions could not be used; the headings of what was found first take their place."


def outline(state: State, runtime: Runtime[Context]) -> State:
    """A first look at what there is, and the questions that the report shall answer."""
    context, standalone = runtime.context, state["standalone"]
    check(context)
    topic = planning.topic_of(standalone) or standalone
    with Step(runtime, "search:1", "search", query=topic) as look:
        first = _searched(topic, context, look)
    with Step(runtime, "outline", "plan") as step:
        most = max(1, min(QUESTIONS, context.limits.searches - 1))
        questions = _questions(topic, first, context, step)[:most]
        step.detail["queries"] = questions
        step.decisions += [tracing.decision(one, "A sub-question of the report.") for one in questions]
    notes = [_open(question, question) for question in questions]
    found = [[passage_to_plain(passage) for passage in first]]
    return {"notes": notes, "searched": [topic], "found": found, **_together(look.changes(), step.changes())}


def _questions(topic: str, first: Sequence[Passage], context: Context, step: Step) -> list[str]:
    said = queries_in(ask(prompts.outline(context.instructions, topic, first), prompts.OUTLINE, context, step, OUTLINE_TOKENS), QUESTIONS)
    questions = distinct([*difficulty.clauses(topic), *said])
    if len(questions) < 2:
        step.detail["note"] = OWN_OUTLINE
        headings = [f"{topic}: {passage.heading or passage.name}" for passage in first]
        questions = distinct([topic, *questions, *headings])
    return questions


def explore(state: State, runtime: Runtime[Context]) -> State:
    """The next notes, at the same time: each with a search and passages of its own."""
    context = runtime.context
    check(context)
    if reason := spent(state, context):
        late = [{**note, "status": note["status"] or "late"} for note in state["notes"]]
        return {"notes": late, "cut_short": state.get("cut_short") or reason}
    places = open_notes(state)[:AT_ONCE]
    with ThreadPoolExecutor(len(places), thread_name_prefix="note") as pool:
        doing = [pool.submit(copy_context().run, _noted, state["notes"][place], place, runtime) for place in places]
        done = [one.result() for one in doing]
    return _applied(state, dict(zip(places, done, strict=True)))


def open_notes(state: State) -> list[int]:
    return [place for place, note in enumerate(state["notes"]) if not note["status"]]


def look_again(state: State, runtime: Runtime[Context]) -> State:
    """Once: another query where a note is missing, and questions that the notes leave open."""
    context = runtime.context
    check(context)
    with Step(runtime, "gaps", "weigh") as step:
        notes = list(state["notes"])
        room = max(0, context.limits.searches - len(state["searched"])) if not spent(state, context) else 0
        for place in [place for place, note in enumerate(notes) if note["status"] == "missing"][:room]:
            notes[place] = {**notes[place], "status": "", "query": _reworded(notes[place]["question"], state, context, step)}
            room -= 1
        more = _further(state, context, step)[: min(MORE, room)]
        step.detail["queries"] = [note["query"] for note in notes if not note["status"]] + more
        step.decisions += [tracing.decision(note["question"], f"Its note is {note['status']}.") for note in state["notes"]]
    return {"notes": [*notes, *(_open(question, question) for question in more)], "looked": 1, **step.changes()}


def _reworded(question: str, state: State, context: Context, step: Step) -> str:
    said = queries_in(ask(prompts.reword(context.instructions, question), prompts.QUERIES, context, step))
    new = [query for query in said if len(distinct([*state["searched"], query])) > len(distinct(state["searched"]))]
    return new[0] if new else f"{state['standalone']} {question}"


def _further(state: State, context: Context, step: Step) -> list[str]:
    notes = [note for note in state["notes"] if note["status"] == "found"]
    if not notes:
        return []
    said = queries_in(ask(prompts.gaps(context.instructions, notes, state["standalone"]), prompts.QUERIES, context, step))
    asked = [note["question"] for note in state["notes"]]
    return [question for question in distinct(said) if len(distinct([*asked, question])) > len(distinct(asked))]


def report(state: State, runtime: Runtime[Context]) -> State:
    """The notes as a report with its summary and the table of its sources; where there are none, that the documents do not hold it."""
    context = runtime.context
    check(context)
    with Step(runtime, "answer", "answer") as step:
        notes = [note for note in state["notes"] if note["status"] == "found"]
        if not notes:
            text = refusal(state["question"], state["searched"])
            runtime.stream_writer(AnswerDelta(0, text))
            return {"text": text, "refused": True, "citations": [], "unsupported": [], "claims": [], **step.changes()}
        summary = _summary(notes, state, context, step)
        about = context.shelf.about(sorted({source for note in notes for source in _documents(note)})) if context.shelf else {}
        written = reporting.written(
            notes, summary, [n["question"] for n in state["notes"] if n["status"] != "found"], about, state["question"]
        )
        step.detail |= {"citations": len(written["citations"]), "claims": counts(reporting.checks(written))}
        runtime.stream_writer(AnswerDelta(0, written["text"]))
    shown = [passage for note in notes for passage in note["passages"]]
    return {"refused": False, "shown": shown, **written, **step.changes()}  # type: ignore[typeddict-item]


def _summary(notes: Sequence[Plain], state: State, context: Context, step: Step) -> Plain:
    """What the notes come to, in a few sentences; nothing where there is one only, or no sentence of it has a source."""
    if len(notes) < 2 or spent(state, context):
        return {}
    passages = [Passage(**plain) for note in notes for plain in note["passages"]]
    try:
        text = _said(prompts.summary(context.instructions, notes, state["question"]), SUMMARY_TOKENS, context, step)
    except OutOfTime:
        return {}
    summary = _checked(text, passages, context, step)
    return summary if summary["citations"] else {}


# --- a note ---------------------------------------------------------------------------------------------------------------------------
def _open(question: str, query: str) -> Plain:
    return {"question": question, "query": query, "status": "", "tried": 0, "passages": []}


def _noted(note: Plain, place: int, runtime: Runtime[Context]) -> tuple[Plain, list[Plain], State]:
    """The note, what its search found, and what the state gains by its two steps."""
    context, tried = runtime.context, note["tried"] + 1
    key = f"note:{place + 1}" + (f".{tried}" if tried > 1 else "")
    with Step(runtime, f"search:{key}", "search", query=note["query"]) as look:
        found = _searched(note["query"], context, look)
    with Step(runtime, key, "note", query=note["question"]) as step:
        queries = distinct([note["question"], note["query"]])
        passages = choose(queries, [found], context.embed, context.limits) if found else []
        step.detail["passages"] = [shown_of(passage) for passage in passages]
        step.passages.extend(passages)
        written = _written(note["question"], passages, context, step)
    made = {**note, **written, "tried": tried, "passages": [passage_to_plain(passage) for passage in passages]}
    if made["status"] == "missing" and tried >= LOOKS:
        made["status"] = "none"
    return made, [passage_to_plain(passage) for passage in found], _together(look.changes(), step.changes())


def _written(question: str, passages: Sequence[Passage], context: Context, step: Step) -> Plain:
    """What the passages say of it, each sentence with its source. "missing": nothing; "late": there was no time."""
    if not passages or not _holds(question, passages, context, step):
        step.detail.setdefault("note", "What was found does not answer it.")
        return {"status": "missing"}
    try:
        text = _said(prompts.note(context.instructions, passages, question), NOTE_TOKENS, context, step)
    except OutOfTime as error:
        step.detail["note"] = str(error)
        return {"status": "late"}
    checked = _checked(text, passages, context, step)
    if not checked["citations"]:
        step.detail["note"] = "No sentence that the model wrote rests on what was found."
        return {"status": "missing"}
    step.detail["result"] = checked["text"][:500]
    return {"status": "found", **checked}


def _holds(question: str, passages: Sequence[Passage], context: Context, step: Step) -> bool:
    """Whether there is evidence enough for the workspace, and the chat model finds the answer in it."""
    if not suffices(question, passages, context, step):
        return False
    if not context.card.judges:
        return True
    said = ask(prompts.judge(context.instructions, passages, question, question), prompts.FOUND, context, step)
    return said.get("found") == "yes"


def _said(messages: Sequence[Any], tokens: int, context: Context, step: Step) -> str:
    """Raises OutOfTime."""
    return unmarked("".join(stream(messages, context, step, gathers_until(context), max_tokens=tokens)), complete=True)


def _checked(text: str, passages: Sequence[Passage], context: Context, step: Step) -> Plain:
    """A text with what its sentences rest on. Those that rest on nothing, or that their source speaks against, are taken out where the
    workspace has it so."""
    citations, unsupported = cite(text, passages, context.embed)
    claims = verify(text, citations, passages, (), context.judge)
    doubted = [claim for claim in claims if claim.support in DOUBTED]
    if context.removes and doubted:
        left_out = " ".join(claim.text for claim in doubted)
        step.detail["note"] = f"Taken out, since it rests on nothing that was found: {left_out}"[:500]
        for claim in reversed(doubted):
            text = text[: claim.start].rstrip() + " " + text[claim.end :].lstrip()
        citations, unsupported = cite(text.strip(), passages, context.embed)
        claims = verify(text.strip(), citations, passages, (), context.judge)
    return {
        "text": text.strip(),
        "citations": [{**fields(one), "sources": [fields(source) for source in one.sources]} for one in citations],
        "unsupported": [fields(span) for span in unsupported],
        "claims": [{**fields(claim), "reasons": list(claim.reasons)} for claim in claims],
    }


def _searched(query: str, context: Context, step: Step) -> list[Passage]:
    found = list(find(query, context))
    step.detail["found"] = [shown_of(passage) for passage in found]
    step.passages.extend(found)
    step.decisions.append(tracing.searched(query))
    return found


def _documents(note: Plain) -> set[str]:
    return {source["document"] for citation in note["citations"] for source in citation["sources"]}


def _together(*changes: State) -> State:
    return {
        "steps": [step for one in changes for step in one["steps"]],
        "tokens_in": sum(one["tokens_in"] for one in changes),
        "tokens_out": sum(one["tokens_out"] for one in changes),
    }


def _applied(state: State, done: dict[int, tuple[Plain, list[Plain], State]]) -> State:
    """In the order of the notes."""
    notes = [done[place][0] if place in done else note for place, note in enumerate(state["notes"])]
    found = [*state.get("found", []), *(one[1] for one in done.values())]
    changes: State = {"notes": notes, "found": found, "searched": [one[0]["query"] for one in done.values()]}
    if any(one[0]["status"] == "late" for one in done.values()):
        changes["cut_short"] = state.get("cut_short") or "There was no time for all of its sub-questions."
    return {**changes, **_together(*(one[2] for one in done.values()))}


def after_explore(state: State) -> str:
    if open_notes(state):
        return "explore"
    return "report" if state.get("looked") or state.get("cut_short") else "look_again"
