"""In the model worker: a program's tools, called natively by a model that was found to do so (its card), else chosen and filled in by
replies that a JSON schema constrains, one call at a time."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

from langchain_core.messages import AIMessageChunk, BaseMessage, HumanMessage

from agents.prompts import bound_for
from north import wiring
from north.cards.models import Card, outcome_of
from north.inference.errors import ModelUnavailable
from north.serving import prompting
from north.serving.job import Job
from north.serving.replying import Reply

CHOICE_TOKENS, ARGUMENT_TOKENS = 60, 800


def natively(card: Card | None) -> bool:
    outcomes = map(outcome_of, card.outcomes if card else [])
    return any(one.probe == "tools_native" and one.verdict in {"well", "partly"} for one in outcomes)


def offered(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The tools as they are bound to a model that calls them by itself."""
    more = {"strict": True} if asked["strict"] else {}
    tools = [{"type": "function", "function": {**tool, **more}} for tool in asked["tools"]]
    choice = asked["choice"]
    named = choice if choice in {"auto", "required"} else {"type": "function", "function": {"name": choice}}
    return {"tools": tools, **({} if choice == "auto" else {"tool_choice": named})}


def chosen(said: Sequence[BaseMessage], job: Job) -> str:
    """The name of the tool that comes next; empty where the answer does."""
    asked = job.asked
    names = [tool["name"] for tool in asked["tools"]]
    if asked["choice"] in names:
        return str(asked["choice"])
    if asked["choice"] == "required" and len(names) == 1:
        return str(names[0])
    words, schema = prompting.choice(names, required=asked["choice"] == "required")
    name = replied(said, words, schema_of("choice", schema), CHOICE_TOKENS, job).get("tool")
    return str(name) if name in names else ""


def call(said: Sequence[BaseMessage], name: str, job: Job) -> None:
    tool = next(tool for tool in job.asked["tools"] if tool["name"] == name)
    words, schema = prompting.arguments(tool)
    given = replied(said, words, schema_of(name, schema), ARGUMENT_TOKENS, job)
    job.reply("call", index=0, id=fresh_id(name), name=name)
    job.reply("arguments", index=0, text=json.dumps(given, ensure_ascii=False))


def schema_of(name: str, schema: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": name, "strict": True, "schema": schema}}


def replied(said: Sequence[BaseMessage], words: str, wanted: Mapping[str, Any], most: int, job: Job) -> dict[str, Any]:
    """The model's reply as an object of this schema. Raises ModelUnavailable where it is none."""
    last = said[-1]
    asked = [*said[:-1], HumanMessage(f"{last.text}\n\n{words}")] if isinstance(last, HumanMessage) else [*said, HumanMessage(words)]
    whole = AIMessageChunk(content="")
    with closing(wiring.chat_model().stream(asked, max_tokens=most, temperature=0.0, **bound_for(wanted, job.facts.replies))) as chunks:
        for chunk in chunks:
            job.reply.check()
            whole = whole + chunk  # type: ignore[assignment]
    usage = whole.usage_metadata
    job.used.tokens_in += usage["input_tokens"] if usage else 0
    job.used.tokens_out += usage["output_tokens"] if usage else 0
    if whole.tool_calls:
        return dict(whole.tool_calls[0]["args"])
    try:
        found = json.loads(whole.text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise ModelUnavailable("The chat model did not write valid JSON for a tool. Try again, or use a stronger chat model.")
    return found


def fresh_id(name: str) -> str:
    return f"{name}_{uuid.uuid4().hex[:12]}"


class Calls:
    """The calls that a model makes by itself, told bit by bit."""

    def __init__(self, reply: Reply) -> None:
        self.reply = reply
        self.made: dict[int, str] = {}

    def add(self, chunk: AIMessageChunk) -> None:
        for piece in chunk.tool_call_chunks:
            index = len(self.made) if piece["index"] is None else piece["index"]
            if index not in self.made and piece["name"]:
                self.made[index] = piece["id"] or fresh_id(piece["name"])
                self.reply("call", index=len(self.made) - 1, id=self.made[index], name=piece["name"])
            if index in self.made and piece["args"]:
                self.reply("arguments", index=list(self.made).index(index), text=piece["args"])
