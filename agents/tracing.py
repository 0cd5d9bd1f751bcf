"""What is kept of a step for whoever looks back: each prompt as it was sent, each reply, and why things were decided as they were.

Which documents the words of a prompt come from is kept beside it, so that it can be shown without those that a reader may no longer open.
Knows no graph and no store.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from langchain_core.messages import BaseMessage, HumanMessage

from agents.card import Limits
from agents.events import Citation, ClaimCheck, Span
from agents.tool import Outcome, Tool
from retrieval.types import Passage

Plain = dict[str, Any]

TOOLS: Mapping[str, str] = {
    "ask_user": "The request says that something is to be written, but not about what.",
    "fetch_page": "The question names the address of a page.",
    "compare_documents": "The question compares, and names two documents or more.",
    "read_document": "The question names a document.",
    "calculate": "The question holds or asks for arithmetic.",
    "query_table": "The question counts or adds up, and names what stands in a table.",
    "create_chart": "The question asks for a chart.",
    "write_document": "The question asks for something to be written and kept.",
    "search": "The question has several parts: each is looked up by itself.",
}
"""Why a rule chooses a tool."""
ARGUMENT_CHARACTERS = 4000
BY_MODEL = "The model planned it: the request has several parts."


class Material(HumanMessage):
    """Words for the model, and the documents that they come from."""

    passages: tuple[str, ...] = ()
    """Of each passage that is fenced in it its document, in order."""
    beside: tuple[str, ...] = ()
    """Documents whose words stand elsewhere in it."""


def material(text: str, passages: Sequence[Passage] = (), beside: Iterable[str] = ()) -> Material:
    return Material(content=text, passages=tuple(one.document for one in passages), beside=tuple(sorted(set(beside))))


def sources_of(results: Sequence[Mapping[str, Any]]) -> set[str]:
    return {source["document"] for result in results for source in result.get("sources", [])}


def call(messages: Sequence[BaseMessage], bound: Mapping[str, Any], reply: str, **figures: float) -> Plain:
    """One call of the model. `settings`: all that it was given beside the words; `figures`: tokens and seconds."""
    said = [one for one in messages if isinstance(one, Material)]
    return {
        "messages": [{"role": "system" if one.type == "system" else "user", "text": str(one.text)} for one in messages],
        "settings": dict(bound),
        "reply": reply,
        "passages": [document for one in said for document in one.passages],
        "beside": sorted({document for one in said for document in one.beside}),
        **figures,
    }


def decision(what: str, why: str, documents: Iterable[str] = ()) -> Plain:
    """`documents`: those whose words it holds."""
    return {"what": what, "why": why, "documents": sorted(set(documents))}


def planned(tasks: Sequence[Mapping[str, Any]], tools: Collection[str], *, by_model: bool) -> list[Plain]:
    """Why these tools, or none."""
    if not tasks:
        return [decision("No tool", f"Nothing in the question speaks for one of the {len(tools)} that this agent has." if tools else
                         "This agent has none.")]  # fmt: skip
    return [decision(f"{one['tool']}: {one['input']}", BY_MODEL if by_model else TOOLS.get(one["tool"], BY_MODEL)) for one in tasks]


def searched(asked: str, documents: Iterable[str] = ()) -> Plain:
    """What the index was asked, in whole."""
    return decision(asked, "Searched for", documents)


def read(verdict: str, reason: str, limits: Limits, *, answerable: bool, judged: bool, chosen: int, found: int) -> list[Plain]:
    """How much was read of what was found, and why it was answered, searched for once more or refused."""
    room = f"At most {limits.passages} passages, {limits.reading_tokens} tokens together and {limits.passage_characters} characters each."
    if not chosen:
        why = "No search found anything." if not answerable else "A tool brought a result."
    elif not judged:
        why = reason or ("A tool brought a result." if answerable else "They are not evidence enough: the step's notes say how much.")
    else:
        why = "The model was asked whether the answer is in them, and said " + ("yes." if answerable else "no.")
    said = {"answer": "Answer", "search": "Search once more, in other words", "refuse": "Refuse"}[verdict]
    return [decision(f"{chosen} of {found} passages read", room), decision(said, why)]


def aligned(
    citations: Sequence[Citation], unsupported: Sequence[Span], claims: Sequence[ClaimCheck], thresholds: str, documents: Collection[str]
) -> list[Plain]:
    """What each sentence of the answer rests on and how well, and what the second look said of it."""
    cited = [
        decision(one.text, f"Cited: {', '.join(f'{source.score:.2f} by {source.name}' for source in one.sources)}",
                 {source.document for source in one.sources})
        for one in citations
    ]  # fmt: skip
    bare = [decision(one.text, "Not cited: no sentence that was read came near enough.", documents) for one in unsupported]
    checked = [decision(one.text, f"Second look: {one.support}. {' '.join(one.reasons)}".strip(), documents) for one in claims]
    return [decision("Threshold", thresholds), *cited, *bare, *checked] if cited or bare or checked else []


def used(tool: Tool, arguments: Mapping[str, Any], made_of: Collection[str], *, free: bool, documents: Collection[str]) -> Plain:
    """A tool with its arguments, and by whose leave."""
    said = json.dumps(arguments, ensure_ascii=False, default=str)[:ARGUMENT_CHARACTERS]
    leave = "It only reads, and the rules allow it." if free else f"It {tool.effect}: it needs somebody's word, or a rule that allows it."
    taint = f" Made from what was read: {', '.join(made_of)}." if made_of else ""
    return decision(f"{tool.name} {said}", leave + taint, documents if made_of else ())


def brought(outcome: Outcome) -> list[Plain]:
    """What a tool gave."""
    read = {one.document for one in outcome.passages} | {one.document for one in outcome.sources}
    return [decision("Result", outcome.text, read)] if outcome.text else []
