"""In the model worker: one answer of the chat model for a program, told as it is written.

| event     | fields |
|-----------|--------|
| text      | `text`: goes to the end of the answer |
| call      | `index`, `id`, `name`: the model calls a tool |
| arguments | `index`, `text`: goes to the end of this call's arguments, JSON |
| citations | `citations`: [{"start", "end", "text", "sources": [{"document", "start", "end", "text", "score"}]}], of the whole answer |
| done      | `finish`: complete, stop, length or tools; `tokens_in`, `tokens_out`, `tokens_cached` |
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from typing import Any

from django.conf import settings
from langchain_core.messages import BaseMessage

from agents.card import Card as Facts
from agents.card import limits_for
from agents.citations import cite
from agents.reading import choose, tokens_in
from north import wiring
from north.cards.models import Card
from north.inference.errors import Overloaded
from north.inference.metering import Used
from north.serving import calling_tools, prompting
from north.serving.composing import Text
from north.serving.job import Job
from north.serving.replying import Reply
from retrieval.types import Embed, Passage

SLOTS = threading.BoundedSemaphore(settings.CHATS_AT_ONCE)
FULL_SECONDS = 5.0
BESIDE = 1200
"""Tokens of a prompt that are no documents, and the answer."""
READ = 2800
"""Tokens of documents that a model reads whose context was not measured."""
FENCE = ["<passage", "</passage"]
ROLES = {"temperature": "temperature", "p": "top_p", "seed": "seed", "max_tokens": "max_tokens"}
UNLESS_ZERO = {"k": "top_k", "frequency_penalty": "frequency_penalty", "presence_penalty": "presence_penalty"}


def chat(job: Job) -> dict[str, Any]:
    """Raises Overloaded where too many answers are written already, and what the model raises."""
    if not SLOTS.acquire(blocking=False):
        raise Overloaded(FULL_SECONDS)
    try:
        return written(job)
    finally:
        SLOTS.release()


def written(job: Job) -> dict[str, Any]:
    card, asked = Card.objects.in_use(), job.asked
    job = replace(job, facts=card.facts() if card else Facts())
    passages = [passage(one) for one in asked["documents"]]
    shown = fitting([one for one in passages if one.sha256 != "tool"], asked, job.facts)
    tools = asked["tools"] if asked["choice"] != "none" else []
    native = bool(asked["tools"]) and calling_tools.natively(card)
    said = prompting.messages({**asked, "tools": tools}, shown, native=native)
    if tools and not native:
        name = calling_tools.chosen(said, job)
        if name:
            calling_tools.call(said, name, job)
            return finished("tools", job.used)
        said = prompting.messages({**asked, "tools": []}, shown, native=False)
    cited = [*shown, *(one for one in passages if one.sha256 == "tool")] if asked["cite"] else []
    text, finish = streamed(said, bound(asked, native=native and bool(tools), shown=bool(shown)), job, marked=bool(cited))
    if cited and text and finish != "tools":
        tell_citations(text, cited, wiring.embedder().embed_queries, job.reply)
    return finished(finish, job.used)


def passage(one: Mapping[str, Any]) -> Passage:
    """`sha256` is no checksum here but says where it comes from: what a tool returned stands in its message and is not shown again."""
    return Passage(one["id"], one["title"], 0, 0, len(one["text"]), one["text"], 1.0, sha256=one["of"])


def fitting(documents: Sequence[Passage], asked: Mapping[str, Any], facts: Facts) -> list[Passage]:
    """All of them, or, where the model cannot read so much, their sentences that are nearest to the question."""
    room = max(facts.context - BESIDE, 300) if facts.context else READ
    if sum(tokens_in(one.text) for one in documents) <= room:
        return list(documents)
    question = next((one["text"] for one in reversed(asked["messages"]) if one["role"] == "user"), "")
    limits = replace(limits_for(facts), reading_tokens=room, passages=len(documents), passage_characters=room * 4)
    return choose([question], [documents], wiring.embedder().embed_queries, limits)


def bound(asked: Mapping[str, Any], *, native: bool, shown: bool) -> dict[str, Any]:
    wanted = {theirs: asked[ours] for ours, theirs in ROLES.items() if asked.get(ours) is not None}
    wanted |= {theirs: asked[ours] for ours, theirs in UNLESS_ZERO.items() if asked.get(ours)}
    if shown:
        wanted["stop"] = FENCE
    if asked["json"] is not None:
        wanted["response_format"] = json_format(asked["json"])
    if native:
        wanted |= calling_tools.offered(asked)
    return wanted


def json_format(schema: Mapping[str, Any]) -> dict[str, Any]:
    """An empty schema: any object."""
    if not schema:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": schema}}


def streamed(said: Sequence[BaseMessage], wanted: Mapping[str, Any], job: Job, *, marked: bool) -> tuple[str, str]:
    """The whole text and why it ended. `marked`: the model's own [n] are taken out."""
    text = Text(job.reply, job.asked["stop"], marked=marked)
    calls = calling_tools.Calls(job.reply)
    finish, counted, pieces = "complete", Used(), 0
    with closing(wiring.chat_model().stream(list(said), **wanted)) as chunks:
        for chunk in chunks:
            job.reply.check()
            spend(counted, chunk)
            pieces += bool(chunk.text)
            finish = "length" if chunk.response_metadata.get("finish_reason") == "length" else finish
            if text.add(chunk.text):
                finish = "stop"
                break
            if chunk.tool_call_chunks:
                text.tell()
                calls.add(chunk)
    text.end()
    if not counted.tokens_out:  # it was stopped before its server could say
        counted.tokens_in, counted.tokens_out = sum(tokens_in(one.text) for one in said), pieces
    add(job.used, counted)
    return text.told, "tools" if calls.made else finish


def spend(used: Used, chunk: Any) -> None:
    usage = chunk.usage_metadata or {}
    used.tokens_in += usage.get("input_tokens", 0)
    used.tokens_out += usage.get("output_tokens", 0)
    used.tokens_cached += (usage.get("input_token_details") or {}).get("cache_read", 0)
    used.seconds += chunk.response_metadata.get("seconds", 0.0)


def add(used: Used, more: Used) -> None:
    for name, figure in asdict(more).items():
        setattr(used, name, getattr(used, name) + figure)


def tell_citations(text: str, passages: Sequence[Passage], embed: Embed, reply: Reply) -> None:
    citations, _unsupported = cite(text, passages, embed)
    if citations:
        reply("citations", citations=[asdict(one) for one in citations])


def finished(finish: str, used: Used) -> dict[str, Any]:
    return {"finish": finish, "tokens_in": used.tokens_in, "tokens_out": used.tokens_out, "tokens_cached": used.tokens_cached}
