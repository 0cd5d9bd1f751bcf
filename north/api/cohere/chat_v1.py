"""POST /v1/chat: what it holds as a Chat, the answer as one object, or as lines of JSON (never server-sent events: its clients would read
nothing of them)."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase

from north.api import conversing, named
from north.api.cohere import reading
from north.api.conversing import Answer, Chat, Source
from north.api.door import Caller, answer, door
from north.api.faults import Fault
from north.api.given import Given
from north.serving.calls import Event
from north.serving.errors import CallFailed

FINISH = {"complete": "COMPLETE", "stop": "STOP_SEQUENCE", "length": "MAX_TOKENS", "tools": "COMPLETE"}
ROLES = {"USER": "user", "CHATBOT": "assistant", "SYSTEM": "system", "TOOL": "tool"}
TYPES = {**reading.PYTHON, **{kind: kind for kind in reading.PYTHON.values()}}
NOT_SERVED = {
    "connectors": "Connectors are not served. Name the workspace's assistant as the model: it searches by itself.",
    "search_queries_only": "Search queries alone are not written. Name the workspace's assistant as the model: it searches by itself.",
    "raw_prompting": "Raw prompts are not taken. Leave raw_prompting out.",
    "conversation_id": "Conversations are not kept. Send their messages as chat_history.",
}


@door("POST")
async def v1(call: Caller) -> HttpResponseBase:
    chat = await chat_of(call)
    render = Stream(chat, call.given)
    if call.given.flag("stream"):
        return await conversing.stream(chat, call, render, "application/stream+json")
    return answer(render.response(await conversing.whole(chat, call)))


async def chat_of(call: Caller) -> Chat:
    """Raises Fault."""
    given = call.given
    for name, words in NOT_SERVED.items():
        if given.body.get(name):
            raise Fault(400, f"invalid request: {words}", param=name)
    chat = Chat(await sync_to_async(named.chatting)(given.text("model", ""), call.actor))
    if preamble := given.text("preamble", ""):
        chat.said("system", preamble)
    for turn in given.parts("chat_history"):
        add_turn(chat, turn)
    message = given.text("message", "")
    if not message.strip() and not given.listed("tool_results"):
        raise Fault(400, "invalid request: message must not be empty in a turn", param="message")
    if message.strip():
        chat.said("user", message)
    add_results(chat, given)
    reading.add_documents(chat, documents_of(given), "doc_", "_excludes")
    for tool in given.parts("tools"):
        reading.add_tool(chat, tool, parameters_of(tool))
    reading.add_sampling(chat, given)
    chat.asked["json"] = reading.schema_of(given.part("response_format"), "schema", "json_schema")
    chat.asked["safety"] = given.one_of("safety_mode", ["CONTEXTUAL", "STRICT", "NONE", "OFF"], "NONE").lower()
    quality = given.one_of("citation_quality", ["accurate", "fast", "off", "enabled", "disabled"], "accurate")
    reading.finish(chat, cited=quality not in {"off", "disabled"})
    return chat


def add_turn(chat: Chat, turn: Given) -> None:
    role = ROLES[turn.one_of("role", list(ROLES))]
    if role == "tool":
        add_results(chat, turn)
    else:
        calls = [call_of(one, place) for place, one in enumerate(turn.parts("tool_calls"))]
        chat.said(role, turn.text("message", ""), calls=calls)


def call_of(one: Given, place: int) -> dict[str, Any]:
    name = one.text("name")
    return {"id": f"{name}:{place}", "name": name, "arguments": json.dumps(one.mapping("parameters") or {}, ensure_ascii=False)}


def add_results(chat: Chat, given: Given) -> None:
    """The calls as the model's own, where the history does not hold them, then what each returned."""
    results = given.parts("tool_results")
    calls = [call_of(one.part("call"), place) for place, one in enumerate(results)]
    if calls and not (chat.asked["messages"] and chat.asked["messages"][-1]["calls"]):
        chat.said("assistant", "", calls=calls)
    for call, result in zip(calls, results, strict=True):
        told = []
        for number, output in enumerate(result.listed("outputs")):
            data = reading.parsed(output)
            told.append(reading.text_in(data))
            shown = {name: reading.as_text(value) for name, value in data.items()}
            chat.sources[f"{call['id']}:{number}"] = Source("tool", shown, told[-1])
        chat.said("tool", "\n".join(told), call=call["id"])


def documents_of(given: Given) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for place, one in enumerate(given.listed("documents")):
        if not isinstance(one, dict):
            raise given.wrong(f"documents[{place}]", "must be an object of texts")
        found.append((Given(one).text("id", ""), {name: value for name, value in one.items() if name != "id"}))
    return found


def parameters_of(tool: Given) -> dict[str, Any]:
    """A JSON schema from definitions whose types have Python's names."""
    properties, required = {}, []
    definitions = tool.part("parameter_definitions")
    for name in definitions.body:
        definition = definitions.part(name)
        properties[name] = {**schema_of(definition.text("type", "str")), "description": definition.text("description", "")}
        if definition.flag("required"):
            required.append(name)
    return {"properties": properties, "required": required, "additionalProperties": False}


def schema_of(named: str) -> dict[str, Any]:
    kind = named.strip().lower()
    if kind.startswith(("list", "array")):
        inner = kind.partition("[")[2].rstrip("]")
        return {"type": "array", "items": schema_of(inner)} if inner else {"type": "array"}
    return {"type": TYPES[kind.partition("[")[0]]} if kind.partition("[")[0] in TYPES else {}


class Stream:
    """One answer as it is written, and as a whole."""

    def __init__(self, chat: Chat, given: Given) -> None:
        self.chat, self.given = chat, given
        self.found = Answer()
        self.id = str(uuid.uuid4())

    def begin(self) -> Iterator[str]:
        yield line("stream-start", generation_id=self.id)

    def event(self, event: Event) -> Iterator[str]:
        self.found.take(event)
        match event["kind"]:
            case "text":
                yield line("text-generation", text=event["text"])
            case "call":
                yield line("tool-calls-chunk", tool_call_delta={"index": event["index"], "name": event["name"]})
            case "arguments":
                yield line("tool-calls-chunk", tool_call_delta={"index": event["index"], "parameters": event["text"]})
            case "citations":
                yield line("citation-generation", citations=citations(self.found))
            case "done":
                if self.found.calls:
                    yield line("tool-calls-generation", text=self.found.text, tool_calls=tool_calls(self.found))
                yield line("stream-end", finish_reason=FINISH[event["finish"]], response=self.response(self.found))

    def failed(self, error: CallFailed) -> Iterator[str]:
        told = {**self.response(self.found), "finish_reason": "ERROR"}
        yield line("stream-end", finish_reason="ERROR", error=error.message, response=told)

    def response(self, found: Answer) -> dict[str, Any]:
        done = {"finish": "complete", "tokens_in": 0, "tokens_out": 0, **found.done}
        tokens = {"input_tokens": done["tokens_in"], "output_tokens": done["tokens_out"]}
        told = {
            "response_id": str(uuid.uuid4()),
            "generation_id": self.id,
            "text": found.text,
            "chat_history": self.history(found),
            "finish_reason": FINISH[done["finish"]],
            "documents": documents(self.chat, found),
            "search_results": [],
            "search_queries": [],
            "is_search_required": False,
            "meta": {"api_version": {"version": "1"}, "billed_units": tokens, "tokens": tokens},
        }
        told |= {"citations": citations(found)} if found.citations else {}
        return told | ({"tool_calls": tool_calls(found)} if found.calls else {})

    def history(self, found: Answer) -> list[dict[str, Any]]:
        """As it was given, with the new message and the answer."""
        given = [{**turn.body, "role": turn.text("role").upper()} for turn in self.given.parts("chat_history")]
        message = self.given.text("message", "")
        asked = [{"role": "USER", "message": message}] if message else []
        calls = {"tool_calls": tool_calls(found)} if found.calls else {}
        return [*given, *asked, {"role": "CHATBOT", "message": found.text, **calls}]


def citations(found: Answer) -> list[dict[str, Any]]:
    return [
        {
            "start": one["start"],
            "end": one["end"],
            "text": one["text"],
            "document_ids": list(dict.fromkeys(source["document"] for source in one["sources"])),
        }
        for one in found.citations
    ]


def tool_calls(found: Answer) -> list[dict[str, Any]]:
    return [{"name": call["name"], "parameters": json.loads(call["arguments"] or "{}")} for call in found.calls]


def documents(chat: Chat, found: Answer) -> list[dict[str, Any]]:
    """The caller's own, or those of the workspace that are cited; every value as a text."""
    own = {id: source.data for id, source in chat.sources.items()}
    cited = {source["document"]: source["shown"] for one in found.citations for source in one["sources"]}
    return [
        {"id": id, **{name: reading.as_text(value) for name, value in data.items() if name != "id"}} for id, data in (own or cited).items()
    ]


def line(kind: str, **fields: Any) -> str:
    """ASCII only: clients cut lines also where Unicode does."""
    return json.dumps({"is_finished": kind == "stream-end", "event_type": kind, **fields}) + "\n"
