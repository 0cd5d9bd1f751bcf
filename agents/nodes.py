"""What happens at each point of the graph. A node takes the state and gives what changes; what people should see it writes to the stream.

Every step has a key that stays the same when the run is resumed. Knows the world through its Context only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from langgraph.runtime import Runtime

from agents import difficulty, planning, prompts, tracing
from agents.citations import SUPPORTED, SURE
from agents.citations import cite as align
from agents.conflicts import conflicts
from agents.context import Context, Turn
from agents.events import AnswerDelta, AnswerReset
from agents.evidence import suffices
from agents.finding import chunk_of, distinct, queries_in, shown_of
from agents.grid import Grid, grid_of
from agents.grid import written as table
from agents.languages import refusal
from agents.matching import words_of
from agents.mending import Checked, mended
from agents.reading import choose
from agents.state import State, fields, passage_from_plain, passage_to_plain
from agents.steps import Step, ask, check, spent
from agents.tools.search import search as find
from agents.verification import by_results, counts, verify
from agents.writing import language_note, quoted, write
from retrieval.types import Passage

READS = 2
"""How often passages are judged: the first time, and once more after another search."""
AGAIN_SHARE = 2
"""The second time half as many tokens are read: the likeliest was read first, and somebody has waited for that already."""
NOTHING = "The documents do not hold it, so there was nothing to do it with."
CANNOT_REWRITE = "The chat model failed its test in rewording follow-up questions: it is searched for as it was asked."
FURTHER = "The question describes what it asks about, so it is searched once more with the words of what was found first."
CANNOT_JUDGE = "The chat model failed its test in telling whether passages hold an answer: compare the answer with its sources."

THRESHOLDS = f"At least {SUPPORTED:g} of 1 is needed; from {SURE:g} of the words on, words alone decide."

FURTHER_CHARACTERS = 300
"""Of the best passage so far, that a question which describes what it asks about is searched with once more."""
MORE_PASSAGES = 2
"""So many more are chosen from then, of the same tokens. On multihop-mini, where 138 of 200 questions describe, all that is needed is among
8 passages for 61.5 % of the questions instead of 57 % (95 %: +0.5 to +8.5), and where a plain question is taken for one nothing is lost
(xquad -0.3 to 0, cranfield 0). Searching by a question's clauses or names brought nothing there (+0.0, -5.0)."""


def understand(state: State, runtime: Runtime[Context]) -> State:
    """A follow-up becomes a question of its own; where it is one, or no thread is before it, there is nothing to do and nothing to show."""
    check(runtime.context)
    question = state["question"]
    if not state["history"] or difficulty.stands_alone(question):
        return {"standalone": question}
    if not runtime.context.card.rewrites:
        with Step(runtime, "understand", "understand", question=question, note=CANNOT_REWRITE) as step:
            return {"standalone": question, **step.changes()}
    with Step(runtime, "understand", "understand", question=question) as step:
        history = [Turn(asked, answered) for asked, answered in state["history"]]
        said = ask(prompts.understand(runtime.context.instructions, history, question), prompts.STANDALONE, runtime.context, step)
        standalone = _rewritten(said, question)
        step.detail["standalone"] = standalone or question
        if not standalone:
            step.detail["note"] = "The model's rewording could not be used; the question is searched for as it was asked."
    return {"standalone": standalone or question, **step.changes()}


def search(state: State, runtime: Runtime[Context]) -> State:
    """One query. The graph comes back here while there are more. A question that describes what it asks about is searched once more, with
    the words of the best passage that it found itself: they often name what it describes (pseudo-relevance feedback: Rocchio 1971)."""
    context = runtime.context
    check(context)
    if state.get("searched") and (reason := spent(state, context)):
        return {"pending": [], "cut_short": reason}
    query, *pending = state["pending"]
    with Step(runtime, f"search:{len(state.get('searched', [])) + 1}", "search", query=query) as step:
        onward = query == state.get("further")
        if onward:
            step.detail["note"] = FURTHER
        asked = _onward(state) if onward else query
        passages = find(asked, context)
        step.decisions.append(tracing.searched(asked, [state["found"][0][0]["document"]] if onward else ()))
        step.detail["found"] = [shown_of(passage) for passage in passages]
        step.passages.extend(passages)
        found = [*state.get("found", []), [passage_to_plain(passage) for passage in passages]]
    changes: State = {"pending": pending, "searched": [query], "found": found, **step.changes()}
    searched = len(state.get("searched", [])) + 1
    if state.get("describes") and searched == 1 and passages and searched + len(pending) < context.limits.searches:
        further = f"{query} · {passages[0].name}"
        changes |= {"pending": [further, *pending], "further": further}
    return changes


def read(state: State, runtime: Runtime[Context]) -> State:
    """Chooses what the model reads and decides whether the answer is in it; if not, one more search in other words, of
    which only what is new is read, then a refusal."""
    context, standalone = runtime.context, state["standalone"]
    check(context)
    reads = state.get("reads", 0) + 1
    with Step(runtime, f"read:{reads}", "read") as step:
        seen = {chunk_of(plain) for plain in state.get("shown", [])}
        found = [[passage_from_plain(plain) for plain in results if chunk_of(plain) not in seen] for results in state["found"]]
        queries = distinct([standalone, *state["searched"]])
        more = MORE_PASSAGES if state.get("further") else 0
        share = AGAIN_SHARE if reads > 1 else 1
        limits = replace(context.limits, passages=context.limits.passages + more, reading_tokens=context.limits.reading_tokens // share)
        passages = choose(queries, found[::-1] if reads > 1 else found, context.embed, limits)
        step.detail["passages"] = [shown_of(passage) for passage in passages]
        step.passages.extend(passages)
        changes: State = {"reads": reads, "shown": [passage_to_plain(passage) for passage in passages]}
        reason = spent(state, context)
        answerable = bool(state.get("results")) or (bool(passages) and (bool(reason) or _judged(passages, state, context, step)))
        if passages and not answerable and not reason and (reason := spent(state, context)):
            answerable = True  # There was no time to say whether it is.
        if reason:
            changes["cut_short"] = step.detail["note"] = state.get("cut_short") or reason
        step.detail["answerable"] = answerable
        if not context.card.judges:
            step.detail.setdefault("note", CANNOT_JUDGE)
        if answerable:
            changes["verdict"] = "answer"
        elif passages and (query := _other_query(state, reads, context, step)):
            changes |= {"verdict": "search", "pending": [query]}
            step.detail["next"] = query
        else:
            changes |= {"verdict": "refuse"}
        counted = {"chosen": len(passages), "found": sum(map(len, found))}
        step.decisions += tracing.read(changes["verdict"], reason, limits, answerable=answerable, judged=bool(step.calls), **counted)
    return {**changes, **step.changes()}


def _judged(passages: Sequence[Passage], state: State, context: Context, step: Step) -> bool:
    question, standalone, writes = state["question"], state["standalone"], planning.writes(state["question"])
    if writes:
        question = standalone = planning.topic_of(standalone) or standalone
    elif not _reads_page(state) and not suffices(standalone, passages, context, step):
        return False
    messages = prompts.judge(context.instructions, passages, question, standalone, writes=writes)
    return _is_found(ask(messages, prompts.FOUND, context, step), step)


def _reads_page(state: State) -> bool:
    """A page that the question names was opened, not found: how near its words are to "Summarise https://..." says nothing."""
    return any(task["tool"] == "fetch_page" and task["status"] == "done" for task in state.get("tasks", []))


def answer(state: State, runtime: Runtime[Context]) -> State:
    """Writes the answer as it comes, without the markers that a model invents."""
    context, question, standalone = runtime.context, state["question"], state["standalone"]
    check(context)
    if grid := _grid(state):
        return _answer_with(grid, state, runtime)
    with Step(runtime, "answer", "answer") as step:
        shown = [passage_from_plain(plain) for plain in state["shown"]]
        if state["verdict"] == "answer":
            results = state.get("results", [])
            messages = prompts.answer(context.instructions, shown, question, standalone, results, writes=planning.writes(question),
                                      style=context.style)  # fmt: skip
        else:
            shown, messages = [], prompts.answer_freely(context.instructions, question, standalone)
        if note := " ".join(filter(None, (context.lacks(), language_note(question, context.card)))):
            step.detail["note"] = note
        instead = quoted(shown, state.get("results", [])) or refusal(question, state["searched"])
        text, reason = write(messages, instead, runtime, step)
    changes: State = {"text": text, "refused": False, "shown": [passage_to_plain(passage) for passage in shown], **step.changes()}
    return {**changes, "cut_short": reason} if reason else changes


def _grid(state: State) -> Grid | None:
    found = [result["grid"] for result in state.get("results", []) if result.get("grid")]
    return grid_of(found[-1]) if found else None


def _answer_with(grid: Grid, state: State, runtime: Runtime[Context]) -> State:
    """A grid is the answer as it stands: no model writes it anew."""
    with Step(runtime, "answer", "answer") as step:
        text, citations, _ = table(grid, state["question"])
        runtime.stream_writer(AnswerDelta(0, text))
    sources = [source for citation in citations for source in citation.sources]
    shown = [Passage(one.document, one.name, 0, one.start, one.end, one.text, one.score) for one in sources]
    return {"text": text, "refused": False, "shown": [passage_to_plain(passage) for passage in shown], **step.changes()}


def refuse(state: State, runtime: Runtime[Context]) -> State:
    """Says that the documents do not hold it and what was searched. No model is asked."""
    check(runtime.context)
    with Step(runtime, "answer", "answer", refused=True) as step:
        text = refusal(state["question"], state["searched"])
        if lack := runtime.context.lacks():
            step.detail["note"] = lack
        runtime.stream_writer(AnswerDelta(0, text))
    left = [{**task, "status": task["status"] or "failed", "words": task["words"] or NOTHING} for task in state.get("tasks", [])]
    return {"text": text, "refused": True, "citations": [], "unsupported": [], "claims": [], "tasks": left, **step.changes()}


def cite(state: State, runtime: Runtime[Context]) -> State:
    """Which words of the answer rest on which words of what was read, and what a second look says of each sentence."""
    context = runtime.context
    check(context)
    with Step(runtime, "cite", "cite") as step:
        text, (citations, unsupported, claims) = mended(state, lambda text: _checked({**state, "text": text}, context), context, step)
        text, refused = _told_anew(text, state, runtime)
        step.detail |= {"citations": len(citations), "unsupported": len(unsupported), "claims": counts(claims)}
        step.decisions += tracing.aligned(citations, unsupported, claims, THRESHOLDS, {plain["document"] for plain in state["shown"]})
        if against := conflicts([passage_from_plain(plain) for plain in state["shown"]], citations):
            step.detail["conflicting"] = against
    plain = [{"start": c.start, "end": c.end, "text": c.text, "sources": [fields(source) for source in c.sources]} for c in citations]
    return {
        "citations": plain,
        "unsupported": [fields(span) for span in unsupported],
        "claims": [{**fields(claim), "reasons": list(claim.reasons)} for claim in claims],
        "text": text,
        "refused": refused,
        **step.changes(),
    }


def _told_anew(text: str, state: State, runtime: Runtime[Context]) -> tuple[str, bool]:
    """The answer as it was mended, told where that changed it; a refusal where nothing of it was left."""
    text, refused = text or refusal(state["question"], state["searched"]), not text
    if text != state["text"]:
        runtime.stream_writer(AnswerReset())
        runtime.stream_writer(AnswerDelta(0, text))
    return text, refused


def _checked(state: State, context: Context) -> Checked:
    if grid := _grid(state):
        _, cited, checks = table(grid, state["question"])
        return cited, (), checks
    shown = [passage_from_plain(plain) for plain in state["shown"]]
    results = state.get("results", [])
    citations, unsupported = by_results(*align(state["text"], shown, context.embed, state["standalone"]), results)
    return citations, unsupported, verify(state["text"], citations, shown, results, context.judge, state["standalone"])


def _is_found(said: Mapping[str, Any], step: Step) -> bool:
    if said.get("found") not in {"yes", "no"}:
        step.detail["note"] = "The model did not say whether the passages hold the answer; taken as no."
    return said.get("found") == "yes"


def _rewritten(said: Mapping[str, Any], question: str) -> str:
    """The model's rewording, if it keeps what was asked: each number, and at least half of the words that tell something."""
    text = said.get("question")
    if not isinstance(text, str) or not 3 <= len(text.strip()) <= max(400, 2 * len(question)):
        return ""
    asked, rewritten = words_of(question), words_of(text)
    kept = len(asked.words & rewritten.words) / len(asked.words) if asked.words else 1.0
    return " ".join(text.split()) if kept >= 0.5 and asked.numbers <= rewritten.numbers else ""


def _other_query(state: State, reads: int, context: Context, step: Step) -> str:
    """A query in other words that was not searched for yet; nothing if there may be no more searches."""
    searched = state["searched"]
    if reads >= READS or len(searched) >= context.limits.searches or spent(state, context):
        return ""
    said = ask(prompts.reword(context.instructions, state["standalone"]), prompts.QUERIES, context, step)
    new = [query for query in queries_in(said) if len(distinct([*searched, query])) > len(distinct(searched))]
    return new[0] if new else ""


def _onward(state: State) -> str:
    """The question with the words of the best passage that it found."""
    return f"{state['standalone']} {state['found'][0][0]['text'][:FURTHER_CHARACTERS]}"
