"""What POST /v2/chat holds becomes a Chat; and what version 1 shares with it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from asgiref.sync import sync_to_async

from north.api import grounded, named
from north.api.conversing import Chat, Source
from north.api.door import Caller
from north.api.faults import Fault
from north.api.given import Given

ROLES = ["system", "user", "assistant", "tool"]
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]{0,63}")
PYTHON = {"str": "string", "int": "integer", "float": "number", "bool": "boolean", "list": "array", "dict": "object"}
TITLES, TEXTS = ("title", "name"), ("text", "snippet", "content", "contents")
NO_IMAGES = "this installation's chat model reads no images: send text"
TEMPERATURE, PENALTY, MOST_K, MOST_STOPS = 1.0, 1.0, 500, 5


async def chat_of(call: Caller) -> Chat:
    """Raises Fault."""
    given = call.given
    name = given.text("model", "")
    if not name.strip():
        raise Fault(400, "a model parameter is required for this endpoint.", param="model")
    chat = Chat(await sync_to_async(named.chatting)(name, call.actor))
    add_messages(chat, given)
    add_documents(chat, documents_of(given), "doc:")
    add_tools(chat, given)
    add_sampling(chat, given)
    chat.asked["json"] = schema_of(given.part("response_format"), "json_schema", "schema")
    chat.asked["safety"] = given.one_of("safety_mode", ["CONTEXTUAL", "STRICT", "OFF", "NONE"], "OFF").lower()
    mode = given.part("citation_options").one_of("mode", ["ENABLED", "DISABLED", "FAST", "ACCURATE", "OFF"], "ENABLED")
    finish(chat, cited=mode not in {"OFF", "DISABLED"})
    return chat


def finish(chat: Chat, *, cited: bool) -> None:
    chat.asked["cite"] = cited and bool(chat.sources) and chat.asked["json"] is None
    if chat.model.role == "agent":
        grounded.checked(chat.asked, bool(chat.sources))
    elif chat.asked["messages"][-1]["role"] not in {"user", "tool"}:
        raise Fault(400, "invalid request: the last message must be the user's or a tool's", param="messages")


# --- messages ---------------------------------------------------------------------------------------------------------------------------
def add_messages(chat: Chat, given: Given) -> None:
    messages = given.parts("messages")
    if not messages:
        raise Fault(400, "invalid request: messages must not be empty", param="messages")
    known: set[str] = set()
    for one in messages:
        role = one.one_of("role", ROLES)
        if role == "tool":
            add_result(chat, one, known)
        elif role == "assistant":
            calls = calls_of(one)
            known |= {call["id"] for call in calls}
            text = text_of(one) or one.text("tool_plan", "")
            chat.said(role, text, calls=calls)
        else:
            text = text_of(one)
            if not text.strip() and role == "user":
                raise Fault(400, "invalid request: message must not be empty in a turn", param=one.place("content"))
            chat.said(role, text)


def text_of(message: Given) -> str:
    """The text of a message: a string, or its parts that are text; what a model thought is left out."""
    content = message.body.get("content")
    if content is None or isinstance(content, str):
        return content or ""
    texts = []
    for part in message.parts("content"):
        match part.text("type"):
            case "text":
                texts.append(part.text("text"))
            case "thinking":
                continue
            case "image_url" | "image":
                raise Fault(400, f"invalid request: {part.within} is an image, and {NO_IMAGES}", param=part.within)
            case other:
                raise part.wrong("type", f"{other!r} is not known here")
    return "\n".join(texts)


def calls_of(message: Given) -> list[dict[str, Any]]:
    calls = []
    for one in message.parts("tool_calls"):
        function = one.part("function")
        calls.append({"id": one.text("id"), "name": function.text("name"), "arguments": json_text(function, "arguments")})
    return calls


def json_text(given: Given, name: str) -> str:
    """An object as JSON, which the caller may have sent as such or as an object."""
    value = given.body.get(name)
    try:
        found = json.loads(value) if isinstance(value, str) and value.strip() else value or {}
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise given.wrong(name, "must be JSON of an object")
    return json.dumps(found, ensure_ascii=False)


def add_result(chat: Chat, message: Given, known: Iterable[str]) -> None:
    """What a tool returned: parts of text or documents, each a source of its own."""
    call = message.text("tool_call_id")
    if call not in known:
        raise Fault(400, f"invalid request: tool call id not found in previous tool calls: {call}", param=message.place("tool_call_id"))
    content = message.body.get("content")
    outputs = [content] if isinstance(content, str) else [output_of(part) for part in message.parts("content")]
    told = []
    for number, output in enumerate(outputs):
        data = parsed(output)
        text = text_in(data)
        told.append(text)
        shown = {name: as_text(value) for name, value in data.items()}
        chat.sources[f"{call}:{number}"] = Source("tool", shown, text)
    chat.said("tool", "\n".join(told), call=call)


def output_of(part: Given) -> Any:
    return part.text("text") if part.text("type") == "text" else part.part("document").body.get("data", "")


def parsed(output: Any) -> dict[str, Any]:
    """A tool's output as an object; a text that is none under the name `content`."""
    if isinstance(output, str):
        try:
            found = json.loads(output)
        except (ValueError, RecursionError):
            found = None
        output = found if isinstance(found, dict) else {"content": output}
    return output if isinstance(output, dict) else {"content": output}


# --- documents --------------------------------------------------------------------------------------------------------------------------
def documents_of(given: Given) -> list[tuple[str, dict[str, Any]]]:
    """Ids, empty where none was given, and their data."""
    found = []
    for place, one in enumerate(given.listed("documents")):
        if isinstance(one, str):
            found.append(("", {"text": one}))
            continue
        if not isinstance(one, dict) or not isinstance(one.get("data"), dict | str):
            raise given.wrong(f"documents[{place}]", "must be a string, or an object with data")
        data = one["data"]
        found.append((Given(one).text("id", ""), {"text": data} if isinstance(data, str) else data))
    return found


def add_documents(chat: Chat, documents: list[tuple[str, dict[str, Any]]], prefix: str, excluded: str = "") -> None:
    """`excluded`: the field that names fields which the model is not to read."""
    places: dict[str, int] = {}
    for place, (given_id, data) in enumerate(documents):
        id = given_id or f"{prefix}{place}"
        if id in places:
            raise Fault(400, f"invalid request: duplicate document ID {id} at index {place} and {places[id]}", param="documents")
        places[id] = place
        hidden = {excluded, *(data.get(excluded) or [])} if excluded else set()
        read = {name: value for name, value in data.items() if name not in hidden and name != "id"}
        title = next((as_text(read[name]) for name in TITLES if name in read), id)
        rest = {name: value for name, value in read.items() if name not in TITLES} or read
        chat.sources[id] = Source("document", {**data, "id": id}, text_in(rest), title)


def text_in(data: Mapping[str, Any]) -> str:
    """What a model reads of an object: the text alone where there is nothing else, else each field in a line."""
    if len(data) == 1 and next(iter(data)) in TEXTS:
        return as_text(next(iter(data.values())))
    return "\n".join(f"{name}: {as_text(value)}" for name, value in data.items())


def as_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


# --- the rest ---------------------------------------------------------------------------------------------------------------------------
def add_tools(chat: Chat, given: Given) -> None:
    for one in given.parts("tools"):
        function = one.part("function")
        add_tool(chat, function, parameters_of(function))
    chat.asked["strict"] = given.flag("strict_tools")
    chat.asked["choice"] = given.one_of("tool_choice", ["REQUIRED", "NONE", "AUTO"], "AUTO").lower()
    if chat.asked["choice"] == "required" and not chat.asked["tools"]:
        raise given.wrong("tool_choice", "is REQUIRED, but there are no tools")


def parameters_of(function: Given) -> dict[str, Any]:
    """A JSON schema. Cohere's own examples give types by Python's names, which no grammar is made of."""
    schema = function.mapping("parameters") or {}
    properties = schema.get("properties")
    if not isinstance(properties, dict):
        return schema
    return {**schema, "properties": {name: typed(one) for name, one in properties.items()}}


def typed(one: Any) -> Any:
    kind = one.get("type") if isinstance(one, dict) else None
    return {**one, "type": PYTHON[kind]} if isinstance(kind, str) and kind in PYTHON else one


def add_tool(chat: Chat, given: Given, parameters: dict[str, Any]) -> None:
    name = given.text("name")
    if not NAME.fullmatch(name):
        raise given.wrong("name", "must be made of letters, digits and underscores, and begin with no digit")
    if any(tool["name"] == name for tool in chat.asked["tools"]):
        raise given.wrong("name", f"{name} is given twice")
    chat.asked["tools"].append({"name": name, "description": given.text("description", ""), "parameters": {"type": "object", **parameters}})


def add_sampling(chat: Chat, given: Given) -> None:
    if given.flag("logprobs"):
        raise given.wrong("logprobs", "are not given by this installation's models")
    stops = given.texts("stop_sequences")
    if len(stops) > MOST_STOPS:
        raise given.wrong("stop_sequences", f"must be at most {MOST_STOPS}")
    chat.asked |= {
        "stop": stops,
        "max_tokens": given.whole("max_tokens"),
        "seed": given.whole("seed", 0, 2**63),
        "temperature": given.number("temperature", 0, TEMPERATURE),
        "p": given.number("p", 0, 1) or None,
        "k": given.whole("k", 0, MOST_K),
        "frequency_penalty": given.number("frequency_penalty", 0, PENALTY),
        "presence_penalty": given.number("presence_penalty", 0, PENALTY),
    }


def schema_of(wanted: Given, *keys: str) -> dict[str, Any] | None:
    """The JSON schema of the answer, under the first of the keys that is there: langchain-cohere sends version 1's to version 2. An empty
    one for any object, None for text."""
    if wanted.one_of("type", ["text", "json_object"], "text") == "text":
        return None
    key = next((key for key in keys if wanted.has(key)), keys[0])
    schema = wanted.mapping(key) or {}
    if schema and schema.get("type", "object") != "object":
        raise wanted.wrong(key, "must describe an object at its top")
    return schema
