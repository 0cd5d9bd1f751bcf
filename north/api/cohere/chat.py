"""POST /v2/chat: the answer as one object, or as server-sent events in the order that all of Cohere's clients can read."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

from django.http import HttpResponseBase

from north.api import conversing
from north.api.cohere.reading import chat_of
from north.api.conversing import Answer, cited_once
from north.api.door import Caller, answer, door
from north.serving.calls import Event
from north.serving.errors import CallFailed

FINISH = {"complete": "COMPLETE", "stop": "STOP_SEQUENCE", "length": "MAX_TOKENS", "tools": "TOOL_CALL"}
LONGEST_LINE = 1_000_000
"""Of an event: clients read no longer ones. Sources then go without their content."""


@door("POST")
async def v2(call: Caller) -> HttpResponseBase:
    chat = await chat_of(call)
    if call.given.flag("stream"):
        return await conversing.stream(chat, call, Stream(), "text/event-stream; charset=utf-8")
    found = await conversing.whole(chat, call)
    told = {"id": str(uuid.uuid4()), "finish_reason": FINISH[found.done["finish"]], "message": message(found), "usage": usage(found.done)}
    return answer(told)


def message(found: Answer) -> dict[str, Any]:
    """What a model wrote before its calls of tools is its plan."""
    told: dict[str, Any] = {"role": "assistant"}
    if found.calls:
        told |= {"tool_plan": found.text} if found.text else {}
        return told | {"tool_calls": [tool_call(call) for call in found.calls]}
    told["content"] = [{"type": "text", "text": found.text}]
    if found.citations:
        told["citations"] = [citation(one) for one in found.citations]
    return told


def tool_call(call: dict[str, str]) -> dict[str, Any]:
    return {"id": call["id"], "type": "function", "function": {"name": call["name"], "arguments": call["arguments"]}}


def citation(one: dict[str, Any], *, whole: bool = True) -> dict[str, Any]:
    sources = [source(found, whole=whole) for found in one["sources"]]
    place = {"start": one["start"], "end": one["end"], "text": one["text"], "content_index": 0, "type": "TEXT_CONTENT"}
    return {**place, "sources": cited_once(sources, lambda found: json.dumps(found, sort_keys=True))}


def source(found: dict[str, Any], *, whole: bool) -> dict[str, Any]:
    shown = found["shown"] if whole else {}
    if found["kind"] == "tool":
        return {"type": "tool", "id": found["document"], "tool_output": shown}
    return {"type": "document", "id": found["document"], "document": {**shown, "id": found["document"]}}


def usage(done: Event) -> dict[str, Any]:
    tokens = {"input_tokens": done["tokens_in"], "output_tokens": done["tokens_out"]}
    return {"billed_units": tokens, "tokens": tokens, "cached_tokens": done["tokens_cached"]}


def sent(kind: str, **fields: Any) -> str:
    """ASCII only, one line; `[DONE]` in a text would end the stream of one client."""
    data = json.dumps({"type": kind, **fields}).replace("[DONE]", "\\u005bDONE]")
    return f"event: {kind}\ndata: {data}\n\n"


class Stream:
    """One answer as it is written."""

    def __init__(self) -> None:
        self.content = False
        self.call: int | None = None

    def begin(self) -> Iterator[str]:
        yield sent("message-start", id=str(uuid.uuid4()), delta={"message": {"role": "assistant"}})

    def event(self, event: Event) -> Iterator[str]:
        match event["kind"]:
            case "ping":
                yield ": ping\n\n"
            case "text":
                yield from self.opened()
                yield sent("content-delta", index=0, delta={"message": {"content": {"text": event["text"]}}})
            case "call":
                yield from self.ended()
                self.call = event["index"]
                call = tool_call({"id": event["id"], "name": event["name"], "arguments": ""})
                yield sent("tool-call-start", index=self.call, delta={"message": {"tool_calls": call}})
            case "arguments":
                piece = {"function": {"arguments": event["text"]}}
                yield sent("tool-call-delta", index=event["index"], delta={"message": {"tool_calls": piece}})
            case "citations":
                yield from self.opened()
                for index, one in enumerate(event["citations"]):
                    yield self.cited(index, one)
            case "done":
                yield from self.closed(event)

    def opened(self) -> Iterator[str]:
        if not self.content:
            self.content = True
            yield sent("content-start", index=0, delta={"message": {"content": {"type": "text", "text": ""}}})

    def ended(self) -> Iterator[str]:
        """Whatever is open."""
        if self.content:
            self.content = False
            yield sent("content-end", index=0)
        if self.call is not None:
            yield sent("tool-call-end", index=self.call)
            self.call = None

    def cited(self, index: int, one: dict[str, Any]) -> str:
        for whole in (True, False):
            start = sent("citation-start", index=index, delta={"message": {"citations": citation(one, whole=whole)}})
            if len(start) < LONGEST_LINE:
                break
        return start + sent("citation-end", index=index)

    def closed(self, event: Event) -> Iterator[str]:
        if self.call is None:
            yield from self.opened()
        yield from self.ended()
        yield sent("message-end", delta={"finish_reason": FINISH[event["finish"]], "usage": usage(event)})

    def failed(self, error: CallFailed) -> Iterator[str]:
        yield from self.ended()
        yield sent("message-end", delta={"finish_reason": "ERROR", "error": error.message})
