"""What happens at each point of the graph. A node takes the state and gives what changes; what people should see it writes to the stream.

Every step has a key that stays the same when the run is resumed. Knows the world through its Context only.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, cast

from langchain_core.messages import AIMessageChunk, BaseMessage
from langgraph.runtime import Runtime

from agents import prompts
from agents.card import Card
from agents.citations import cite as align
from agents.citations import unmarked
from agents.context import Context, Turn
from agents.errors import Cancelled, ModelFailed, OutOfTime
from agents.events import AnswerDelta, AnswerReset, StepFinished, StepKind, StepStarted
from agents.languages import NAMES, language_of, refusal
from agents.matching import words_of
from agents.reading import choose
from agents.state import Plain, State, passage_from_plain, passage_to_plain, step_to_plain
from agents.tools import TOOLS
from retrieval.types import Passage

JSON_TOKENS = 160
READS = 2
"""How often passages are judged: the first time, and once more after another search."""
SHOWN_CHARACTERS = 300
STOP = ["<passage", "</passage"]
CANNOT_REWRITE = "The chat model failed its test in rewording follow-up questions: it is searched for as it was asked."
CANNOT_JUDGE = "The chat model failed its test in telling whether passages hold an answer: compare the answer with its sources."

# Words that compare: what must be looked up for each side, the model plans. Any other question is searched for without a model call.
_COMPARES = re.compile(
    r"\b(?:compare[ds]?|comparison|versus|vs|differ(?:s|ence|ences|ent)?|both|each of|respectively"
    r"|vergleich\w*|unterschied\w*|unterscheide\w*|sowohl|beide[nrs]?|jeweils"
    r"|compare[rz]?|comparaison|différences?|diffèrent|à la fois|respectivement"
    r"|comparar?|comparación|diferencias?|ambos|ambas|respectivamente)\b|比較|違い|それぞれ|両方",
    re.IGNORECASE,
)
_BETWEEN_QUESTIONS = re.compile(
    r"(?<=[?？])\s*(?=\S)|,?\s+(?:and|und|et|y)\s+(?=(?:how|what|when|where|who|which|why|wie|was|wann|wo|wer|welche\w*|warum"
    r"|combien|quand|où|qui|quel\w*|cuánt\w*|cuándo|quién|cuál)\b)",
    re.IGNORECASE,
)


class Step:
    """One move that people see: begins with `with`, ends with what it found or with the error that broke it off."""

    def __init__(self, runtime: Runtime[Context], key: str, kind: StepKind, **detail: object) -> None:
        self.key, self.kind, self.detail = key, kind, detail
        self.tokens_in = self.tokens_out = self.tokens_cached = 0
        self.seconds = 0.0
        self._tell: Callable[[Any], None] = runtime.stream_writer

    def __enter__(self) -> Step:
        self._tell(StepStarted(self.key, self.kind, dict(self.detail)))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._tell(self._finished(str(error) if error else ""))

    def changes(self) -> State:
        """What every node adds to the state for its step."""
        return {"steps": [step_to_plain(self._finished(""))], "tokens_in": self.tokens_in, "tokens_out": self.tokens_out}

    def _finished(self, error: str) -> StepFinished:
        return StepFinished(
            self.key, self.kind, dict(self.detail), error, self.tokens_in, self.tokens_out, self.tokens_cached, round(self.seconds, 3)
        )


def check(context: Context) -> None:
    """Raises Cancelled or OutOfTime if the run may not go on. Asked before every node and at every token."""
    if context.cancelled():
        raise Cancelled
    if time.monotonic() > context.deadline:
        raise OutOfTime(context.limits.seconds)


def understand(state: State, runtime: Runtime[Context]) -> State:
    """A follow-up becomes a question of its own; without a thread before it there is nothing to do and nothing to show."""
    check(runtime.context)
    question = state["question"]
    if not state["history"]:
        return {"standalone": question}
    if not runtime.context.card.rewrites:
        with Step(runtime, "understand", "understand", question=question, note=CANNOT_REWRITE) as step:
            return {"standalone": question, **step.changes()}
    with Step(runtime, "understand", "understand", question=question) as step:
        history = [Turn(asked, answered) for asked, answered in state["history"]]
        said = _ask(prompts.understand(runtime.context.instructions, history, question), prompts.STANDALONE, runtime.context, step)
        standalone = _rewritten(said, question)
        step.detail["standalone"] = standalone or question
        if not standalone:
            step.detail["note"] = "The model's rewording could not be used; the question is searched for as it was asked."
    return {"standalone": standalone or question, **step.changes()}


def plan(state: State, runtime: Runtime[Context]) -> State:
    """Which searches: the question itself, and one for each of its parts: its clauses, or what the model says must be compared."""
    context, question, standalone = runtime.context, state["question"], state["standalone"]
    check(context)
    with Step(runtime, "plan", "plan") as step:
        queries = [standalone, *_clauses(standalone)]
        if len(queries) == 1 and _COMPARES.search(standalone):
            parts = _queries(_ask(prompts.plan(context.instructions, standalone), prompts.QUERIES, context, step))
            queries += parts
            if not parts:
                step.detail["note"] = "The model's plan could not be used; the question itself is searched for."
        if state["history"]:  # A bad rewording must not lose what was asked.
            queries.insert(1, question if standalone != question else f"{state['history'][-1][0]} {question}")
        pending = _distinct(queries)[: max(1, context.limits.searches)]
        step.detail["queries"] = pending
    return {"pending": pending, **step.changes()}


def search(state: State, runtime: Runtime[Context]) -> State:
    """One query. The graph comes back here while there are more."""
    context = runtime.context
    check(context)
    query, *pending = state["pending"]
    with Step(runtime, f"search:{len(state.get('searched', [])) + 1}", "search", query=query) as step:
        function, _ = TOOLS["search"]
        passages: list[Passage] = function(query, context)
        step.detail["found"] = [_shown(passage) for passage in passages]
    found = [*state.get("found", []), [passage_to_plain(passage) for passage in passages]]
    return {"pending": pending, "searched": [query], "found": found, **step.changes()}


def read(state: State, runtime: Runtime[Context]) -> State:
    """Chooses what the model reads and decides whether the answer is in it; if not, one more search in other words, of
    which only what is new is read, then a refusal."""
    context, question, standalone = runtime.context, state["question"], state["standalone"]
    check(context)
    reads = state.get("reads", 0) + 1
    with Step(runtime, f"read:{reads}", "read") as step:
        seen = {_chunk(plain) for plain in state.get("shown", [])}
        found = [[passage_from_plain(plain) for plain in results if _chunk(plain) not in seen] for results in state["found"]]
        queries = _distinct([standalone, *state["searched"]])
        passages = choose(queries, found[::-1] if reads > 1 else found, context.embed, context.limits)
        step.detail["passages"] = [_shown(passage) for passage in passages]
        changes: State = {"reads": reads, "shown": [passage_to_plain(passage) for passage in passages]}
        judged = prompts.judge(context.instructions, passages, question, standalone)
        answerable = bool(passages) and _is_found(_ask(judged, prompts.FOUND, context, step), step)
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
    return {**changes, **step.changes()}


def answer(state: State, runtime: Runtime[Context]) -> State:
    """Writes the answer as it comes, without the markers that a model invents."""
    context, question, standalone = runtime.context, state["question"], state["standalone"]
    check(context)
    with Step(runtime, "answer", "answer") as step:
        shown = [passage_from_plain(plain) for plain in state["shown"]]
        if state["verdict"] == "answer":
            messages = prompts.answer(context.instructions, shown, question, standalone)
        else:
            shown, messages = [], prompts.answer_freely(context.instructions, question, standalone)
        if note := language_note(question, context.card):
            step.detail["note"] = note
        text = _write(messages, runtime, step)
    return {"text": text, "refused": False, "shown": [passage_to_plain(passage) for passage in shown], **step.changes()}


def refuse(state: State, runtime: Runtime[Context]) -> State:
    """Says that the documents do not hold it and what was searched. No model is asked."""
    check(runtime.context)
    with Step(runtime, "answer", "answer", refused=True) as step:
        text = refusal(state["question"], state["searched"])
        runtime.stream_writer(AnswerDelta(0, text))
    return {"text": text, "refused": True, "citations": [], "unsupported": [], **step.changes()}


def cite(state: State, runtime: Runtime[Context]) -> State:
    """Which words of the answer rest on which words of what was read."""
    check(runtime.context)
    with Step(runtime, "cite", "cite") as step:
        shown = [passage_from_plain(plain) for plain in state["shown"]]
        citations, unsupported = align(state["text"], shown, runtime.context.embed)
        step.detail |= {"citations": len(citations), "unsupported": len(unsupported)}
    plain = [{"start": c.start, "end": c.end, "text": c.text, "sources": [_fields(source) for source in c.sources]} for c in citations]
    return {"citations": plain, "unsupported": [_fields(span) for span in unsupported], **step.changes()}


def language_note(question: str, card: Card) -> str:
    """What whoever asked should know of the model in the language of the question; nothing where it passed, or was never tested."""
    language = language_of(question)
    if card.languages is None or language is None or card.languages.get(language):
        return ""
    said = "failed its test in" if language in card.languages else "was not tested in"
    return f"The chat model {said} {NAMES[language]}: compare the answer with its sources."


def _write(messages: Sequence[BaseMessage], runtime: Runtime[Context], step: Step) -> str:
    written, told = "", ""
    for piece in _stream(messages, runtime.context, step, max_tokens=runtime.context.limits.answer_tokens, stop=STOP):
        written += piece
        told = _tell(unmarked(written, complete=False), told, runtime)
    text = _tell(unmarked(written, complete=True), told, runtime)
    if not text:
        raise ModelFailed("wrote an empty answer")
    return text


def _tell(text: str, told: str, runtime: Runtime[Context]) -> str:
    if not text.startswith(told):
        runtime.stream_writer(AnswerReset())
        told = ""
    if len(text) > len(told):
        runtime.stream_writer(AnswerDelta(len(told), text[len(told) :]))
    return text


def _stream(messages: Sequence[BaseMessage], context: Context, step: Step, **bound: Any) -> Iterator[str]:
    """The model's words as they come; counts its tokens and seconds; stops it when the run may not go on."""
    pieces, counted, held, began = 0, False, 0.0, time.monotonic()
    try:
        with closing(cast(Any, context.model.stream(list(messages), temperature=0, **bound))) as chunks:
            chunk: AIMessageChunk
            for chunk in chunks:
                check(context)
                if chunk.usage_metadata:
                    counted = True
                    step.tokens_in += chunk.usage_metadata["input_tokens"]
                    step.tokens_out += chunk.usage_metadata["output_tokens"]
                    step.tokens_cached += (chunk.usage_metadata.get("input_token_details") or {}).get("cache_read") or 0
                held += chunk.response_metadata.get("seconds", 0.0)
                if chunk.response_metadata.get("finish_reason") == "length":
                    step.detail["note"] = "The model's words were cut off at the longest length allowed."
                if chunk.text:
                    pieces += 1
                    yield str(chunk.text)
                for call in chunk.tool_call_chunks:
                    yield call["args"] or ""
    finally:
        step.seconds += held or time.monotonic() - began
        if not counted:  # it was stopped, or its server counts nothing: a piece is about a token
            step.tokens_out += pieces


def _ask(messages: Sequence[BaseMessage], wanted: Mapping[str, Any], context: Context, step: Step) -> Mapping[str, Any]:
    """The JSON object that the model replied with; empty if it is none. Its values are still anything at all."""
    replies = context.card.replies
    text = "".join(_stream(messages, context, step, max_tokens=JSON_TOKENS, **prompts.bound_for(wanted, replies)))
    if replies != "schema":  # There may be words around it.
        text = text[text.find("{") : text.rfind("}") + 1]
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


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


def _queries(said: Mapping[str, Any]) -> list[str]:
    queries = said.get("queries")
    if not isinstance(queries, list):
        return []
    return [" ".join(query.split())[:200] for query in queries if isinstance(query, str) and any(map(str.isalnum, query))][:3]


def _other_query(state: State, reads: int, context: Context, step: Step) -> str:
    """A query in other words that was not searched for yet; nothing if there may be no more searches."""
    searched = state["searched"]
    if reads >= READS or len(searched) >= context.limits.searches:
        return ""
    said = _ask(prompts.reword(context.instructions, state["standalone"]), prompts.QUERIES, context, step)
    new = [query for query in _queries(said) if len(_distinct([*searched, query])) > len(_distinct(searched))]
    return new[0] if new else ""


def _chunk(passage: Plain) -> tuple[str, int]:
    return passage["document"], passage["ordinal"]


def _clauses(question: str) -> list[str]:
    """The questions that stand in one, none if it is one only; a bare "and why?" asks for nothing that could be searched for."""
    clauses = [clause for clause in _BETWEEN_QUESTIONS.split(question) if words_of(clause).words]
    return clauses[:3] if len(clauses) > 1 else []


def _distinct(queries: Sequence[str]) -> list[str]:
    return list({" ".join(query.lower().split()): query for query in reversed(queries)}.values())[::-1]


def _shown(passage: Passage) -> Plain:
    text = passage.text if len(passage.text) <= SHOWN_CHARACTERS else passage.text[:SHOWN_CHARACTERS].rstrip() + "…"
    return {
        "document": passage.document, "name": passage.name, "start": passage.start, "end": passage.end, "text": text,
        "score": round(float(passage.score), 4),
    }  # fmt: skip


def _fields(event: Any) -> Plain:
    return {name: getattr(event, name) for name in event.__slots__}
