"""POST /v1/chat/completions. Citations come along twice: as annotations of the message, as OpenAI's own search models give them, and whole
in the field `citations`, which has Cohere's shape. Cohere's grounding may be asked for by extra fields: `documents`, `citation_options`."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase

from north.api import conversing, faults, named
from north.api.cohere import reading
from north.api.cohere.chat import citation, tool_call
from north.api.conversing import Answer, Chat
from north.api.door import Caller, answer, door
from north.api.faults import Fault
from north.api.given import Given
from north.serving.calls import Event
from north.serving.errors import CallFailed

FINISH = {"complete": "stop", "stop": "stop", "length": "length", "tools": "tool_calls"}
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool"}
MOST_STOPS = 16


@door("POST")
async def completions(call: Caller) -> HttpResponseBase:
    chat, render = await chat_of(call), Stream(call.given)
    if call.given.flag("stream"):
        return await conversing.stream(chat, call, render, "text/event-stream; charset=utf-8")
    found = await conversing.whole(chat, call)
    choice = {"index": 0, "message": message(found), "logprobs": None, "finish_reason": FINISH[found.done["finish"]]}
    return answer({**render.head("chat.completion"), "choices": [choice], "usage": usage(found.done)})


async def chat_of(call: Caller) -> Chat:
    """Raises Fault."""
    given = call.given
    name = given.text("model", "")
    if not name.strip():
        raise Fault(400, "a model parameter is required for this endpoint.", param="model")
    chat = Chat(await sync_to_async(named.chatting)(name, call.actor))
    add_messages(chat, given)
    reading.add_documents(chat, reading.documents_of(given), "doc:")
    add_tools(chat, given)
    add_sampling(chat, given)
    mode = given.part("citation_options").one_of("mode", ["ENABLED", "DISABLED", "FAST", "ACCURATE", "OFF"], "ENABLED")
    reading.finish(chat, cited=mode not in {"OFF", "DISABLED"})
    return chat


def add_messages(chat: Chat, given: Given) -> None:
    messages = given.parts("messages")
    if not messages:
        raise Fault(400, "invalid request: messages must not be empty", param="messages")
    known: set[str] = set()
    for one in messages:
        role = ROLES[one.one_of("role", list(ROLES))]
        if role == "tool":
            reading.add_result(chat, one, known)
        elif role == "assistant":
            calls = reading.calls_of(one)
            known |= {call["id"] for call in calls}
            chat.said(role, reading.text_of(one), calls=calls)
        else:
            text = reading.text_of(one)
            if not text.strip() and role == "user":
                raise Fault(400, "invalid request: message must not be empty in a turn", param=one.place("content"))
            chat.said(role, text)


def add_tools(chat: Chat, given: Given) -> None:
    for one in given.parts("tools"):
        function = one.part("function")
        if one.text("type", "function") != "function":
            raise one.wrong("type", "must be function: this installation has no tools of its own for a chat model")
        reading.add_tool(chat, function, function.mapping("parameters") or {})
        chat.asked["strict"] |= function.flag("strict")
    names = [tool["name"] for tool in chat.asked["tools"]]
    choice = given.body.get("tool_choice")
    if isinstance(choice, dict):
        chat.asked["choice"] = given.part("tool_choice").part("function").one_of("name", names)
    elif choice is not None:
        chat.asked["choice"] = given.one_of("tool_choice", ["auto", "none", "required"])
    if chat.asked["choice"] == "required" and not names:
        raise given.wrong("tool_choice", "is required, but there are no tools")


def add_sampling(chat: Chat, given: Given) -> None:
    if (given.whole("n") or 1) != 1:
        raise given.wrong("n", "must be 1: ask again for another answer")
    if given.flag("logprobs"):
        raise given.wrong("logprobs", "are not given by this installation's models")
    stops = [given.text("stop")] if isinstance(given.body.get("stop"), str) else given.texts("stop")
    if len(stops) > MOST_STOPS:
        raise given.wrong("stop", f"must be at most {MOST_STOPS}")
    wanted = given.part("response_format")
    kind = wanted.one_of("type", ["text", "json_object", "json_schema"], "text")
    schema = wanted.part("json_schema").mapping("schema")
    if kind == "json_schema" and not schema:
        raise wanted.wrong("json_schema.schema", "is required")
    chat.asked |= {
        "json": None if kind == "text" else schema if kind == "json_schema" else {},
        "stop": stops,
        "max_tokens": given.whole("max_completion_tokens") or given.whole("max_tokens"),
        "seed": given.whole("seed", 0, 2**63),
        "temperature": given.number("temperature", 0, 2),
        "p": given.number("top_p", 0, 1) or None,
        "frequency_penalty": given.number("frequency_penalty", -2, 2),
        "presence_penalty": given.number("presence_penalty", -2, 2),
    }


def message(found: Answer) -> dict[str, Any]:
    told: dict[str, Any] = {"role": "assistant", "content": found.text or (None if found.calls else ""), "refusal": None}
    if found.calls:
        told["tool_calls"] = [tool_call(call) for call in found.calls]
    return told | cited(found.citations)


def cited(citations: list[dict[str, Any]]) -> dict[str, Any]:
    """Annotations know only sources with an address, those of North's own documents; the field `citations` knows all."""
    if not citations:
        return {}
    annotations = [
        {
            "type": "url_citation",
            "url_citation": {
                "start_index": one["start"],
                "end_index": one["end"],
                "title": str(source["shown"].get("title") or source["document"]),
                "url": str(source["shown"].get("url") or ""),
            },
        }
        for one in citations
        for source in one["sources"]
    ]
    return {"annotations": annotations, "citations": [citation(one) for one in citations]}


def usage(done: Event) -> dict[str, Any]:
    read, written = done["tokens_in"], done["tokens_out"]
    cached = {"cached_tokens": done["tokens_cached"]}
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written, "prompt_tokens_details": cached}


class Stream:
    """One answer as it is written."""

    def __init__(self, given: Given) -> None:
        self.model = given.text("model", "")
        self.with_usage = given.part("stream_options").flag("include_usage")
        self.id, self.created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())

    def head(self, kind: str) -> dict[str, Any]:
        return {"id": self.id, "object": kind, "created": self.created, "model": self.model}

    def chunk(self, delta: dict[str, Any], finish: str | None = None) -> str:
        choices = [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]
        return data({**self.head("chat.completion.chunk"), "choices": choices, **({"usage": None} if self.with_usage else {})})

    def begin(self) -> Iterator[str]:
        yield self.chunk({"role": "assistant", "content": ""})

    def event(self, event: Event) -> Iterator[str]:
        match event["kind"]:
            case "ping":
                yield ": ping\n\n"
            case "text":
                yield self.chunk({"content": event["text"]})
            case "call":
                call = tool_call({"id": event["id"], "name": event["name"], "arguments": ""})
                yield self.chunk({"tool_calls": [{"index": event["index"], **call}]})
            case "arguments":
                yield self.chunk({"tool_calls": [{"index": event["index"], "function": {"arguments": event["text"]}}]})
            case "citations":
                yield self.chunk(cited(event["citations"]))
            case "done":
                yield self.chunk({}, FINISH[event["finish"]])
                if self.with_usage:
                    yield data({**self.head("chat.completion.chunk"), "choices": [], "usage": usage(event)})
                yield "data: [DONE]\n\n"

    def failed(self, error: CallFailed) -> Iterator[str]:
        yield data(faults.body(faults.of(error)))


def data(found: dict[str, Any]) -> str:
    return f"data: {json.dumps(found)}\n\n"
