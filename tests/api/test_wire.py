"""What goes over the wire, example by example: those of the API's description, field by field, and those that Cohere's JavaScript client
carries for its own tests, asked by that client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.api.clients.installing import speak
from tests.api.test_dialect_chat import sse
from tests.scripted import Call
from tests.threads.conftest import Actor

ALIASES = {
    **dict.fromkeys(["command-a", "command-a-plus-05-2026", "command-a-vision-07-2025", "command-a-03-2025", "command-r"], "chat"),
    **dict.fromkeys(["command", "embed-v4.0"], "embed"),  # the scripted model has no tokens
    **dict.fromkeys(["rerank-v4.0-pro", "org/rerank"], "rerank"),
}
CITED = "Emperor penguins only live in Antarctica."
BANDS = "Backstreet Boys dominated the business for a few years all over the world."
ASKED = [{"role": "user", "content": "Where do they live?"}]
PARAMETERS = {"type": "object", "properties": {"day": {"type": "str", "description": "x"}}, "required": ["day"]}
TOOLS = [{"type": "function", "function": {"name": "sales", "description": "d", "parameters": PARAMETERS}}]
CALL = {"id": "f_1", "type": "function", "function": {"name": "sales", "arguments": '{"day": "1"}'}}
ROUND = [
    {"role": "system", "content": "s"},
    {"role": "user", "content": [{"type": "text", "text": "What was sold?"}]},
    {"role": "assistant", "tool_plan": "I will look.", "tool_calls": [CALL]},
    {"role": "tool", "tool_call_id": "f_1", "content": [{"type": "document", "document": {"id": "r1", "data": {"told": CITED}}}]},
]
HABITATS = {"id": "home", "data": {"title": "Penguin habitats", "snippet": CITED}}
SAMPLING = {"max_tokens": 100, "stop_sequences": ["x"], "temperature": 0.3, "seed": 1, "frequency_penalty": 0.0, "presence_penalty": 0.0,
            "k": 0, "p": 0.75}  # fmt: skip
SCHEMA = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
TOKENS = {"input_tokens": 18, "output_tokens": 6}
USAGE = {"billed_units": TOKENS, "tokens": TOKENS}
PLACE = {"start": 0, "end": 28, "text": "Antarctica"}
SAID_V2 = {
    "id": "c14c",
    "finish_reason": "COMPLETE",
    "usage": USAGE,
    "message": {"role": "assistant", "content": [{"type": "text", "text": "x"}]},
}
CALLED = {**SAID_V2, "finish_reason": "TOOL_CALL", "message": {"role": "assistant", "tool_calls": [CALL]}}
SAID_V1 = {
    "response_id": "r", "generation_id": "g", "text": "x", "chat_history": [{"role": "USER", "message": "x"}], "finish_reason": "COMPLETE",
    "documents": [], "search_results": [], "search_queries": [], "is_search_required": False,
    "meta": {"api_version": {"version": "1"}, **USAGE},
}  # fmt: skip
META = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": 2}}
EMBED: dict[str, Any] = {"model": "embed-v4.0", "input_type": "search_document"}
UNITS = {"api_version": {"version": "1"}, "billed_units": {"search_units": 1}}
MODEL = {
    "name": "m", "is_deprecated": False, "endpoints": ["chat"], "finetuned": False, "default_endpoints": ["chat"],
    "id": "m", "object": "model", "created": 1, "owned_by": "north",
}  # fmt: skip
SAID_OPENAI = {
    "id": "chatcmpl-1", "object": "chat.completion", "created": 1700000000, "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
}  # fmt: skip
OPENAI_TOOLS = [{"type": "function", "function": {"name": "sales", "parameters": {}, "strict": True}}]
OPENAI_ROUND = [
    {"role": "developer", "content": "d"},
    {"role": "user", "name": "anna", "content": [{"type": "text", "text": "a"}]},
    {"role": "assistant", "content": None, "tool_calls": [{**CALL, "id": "a"}]},
    {"role": "tool", "tool_call_id": "a", "content": "r"},
]
OPENAI_MORE = {"max_completion_tokens": 50, "stop": ["x"], "n": 1, "user": "u", "store": False, "metadata": {"a": "b"}, "temperature": 2,
               "parallel_tool_calls": False, "seed": 1}  # fmt: skip
NAMED_SCHEMA = {"type": "json_schema", "json_schema": {"name": "A", "strict": True, "schema": SCHEMA}}
VECTORS = {"object": "list", "model": "m", "data": [{"object": "embedding", "index": 0, "embedding": [0.1]}], "usage": {"prompt_tokens": 1}}

EXAMPLES: dict[str, tuple[str, dict[str, Any] | None, Any]] = {
    "v2 chat, with whatever can be sent": (
        "POST /v2/chat",
        {"model": "command-a", "stream": False, "messages": ROUND, "tools": TOOLS, "strict_tools": True, "tool_choice": "NONE",
         "documents": ["a string", HABITATS], "citation_options": {"mode": "fast"}, "response_format": {"type": "text"},
         "safety_mode": "CONTEXTUAL", "logprobs": False, "thinking": {"type": "enabled", "token_budget": 500}, "priority": 0,
         "relevant_spans": {}, **SAMPLING},
        {**SAID_V2, "message": {**SAID_V2["message"], "citations": [
            {**PLACE, "content_index": 0, "type": "TEXT_CONTENT", "sources": [{"type": "tool", "id": "f_1:0"}]}]}},
    ),
    "v2 chat, nothing but null": (
        "POST /v2/chat",
        {"model": "command-a", "messages": ASKED, **dict.fromkeys([*SAMPLING, "tools", "tool_choice", "documents", "citation_options",
         "response_format", "safety_mode", "logprobs", "thinking", "strict_tools", "stream"])},
        SAID_V2,
    ),
    "v2 chat, a call": ("POST /v2/chat", {"model": "command-a", "messages": ASKED, "tools": TOOLS, "tool_choice": "REQUIRED"}, CALLED),
    "v2 chat, its answer sent back": (
        "POST /v2/chat",
        {"model": "command-a", "messages": [*ASKED, {"role": "assistant", "content": [{"type": "thinking", "thinking": "hm"},
         {"type": "text", "text": CITED}], "citations": [{**PLACE, "sources": []}]}, *ASKED]},
        SAID_V2,
    ),
    "v2 chat, JSON": (
        "POST /v2/chat",
        {"model": "command-a", "messages": ASKED, "response_format": {"type": "json_object", "json_schema": SCHEMA}},
        SAID_V2,
    ),
    "v1 chat, with whatever can be sent": (
        "POST /v1/chat",
        {"message": "How good were the sales?", "model": "command-a", "stream": False, "preamble": "s",
         "chat_history": [{"role": "user", "message": "u"}, {"role": "CHATBOT", "message": "c", "tool_calls": []},
                          {"role": "TOOL", "tool_results": []}],
         "documents": [{"id": "d1", "title": "a", "text": CITED, "_excludes": ["title"]}], "response_format": None,
         "citation_quality": "accurate", "prompt_truncation": "AUTO", "raw_prompting": False, "max_input_tokens": 1000,
         "search_queries_only": False, "safety_mode": "NONE", **SAMPLING},
        {**SAID_V1, "documents": [{"id": "d1", "title": "a", "text": "x"}], "citations": [{**PLACE, "document_ids": ["d1"]}]},
    ),
    "v1 chat, a call": (
        "POST /v1/chat",
        {"message": "What was sold?", "tools": [{"name": "sales", "description": "d", "parameter_definitions": {
            "day": {"description": "x", "type": "str", "required": True}}}], "force_single_step": True},
        {**SAID_V1, "tool_calls": [{"name": "sales", "parameters": {"day": "x"}}]},
    ),
    "v1 chat, what a tool returned": (
        "POST /v1/chat",
        {"message": "What was sold?", "tool_results": [{"call": {"name": "f", "parameters": {"day": "1"}}, "outputs": [{"a": 1}]}]},
        {**SAID_V1, "documents": [{"id": "f:0:0", "a": "1"}]},
    ),
    "v2 embed": (
        "POST /v2/embed",
        {**EMBED, "texts": ["hello"], "embedding_types": ["float", "int8"], "output_dimension": 128, "truncate": "END", "max_tokens": 512,
         "priority": 0},
        {"id": "da6e", "texts": ["hello"], "embeddings": {"float": [[0.016]], "int8": [[3]]}, "meta": META},
    ),
    "v2 embed, inputs": (
        "POST /v2/embed",
        {**EMBED, "inputs": [{"content": [{"type": "text", "text": "a"}]}], "truncate": None, "embedding_types": None},
        {"id": "da6e", "texts": ["a"], "embeddings": {"float": [[0.016]]}, "meta": META},
    ),
    "v1 embed": (
        "POST /v1/embed",
        {"texts": ["hello"], "output_dimension": None},
        {"response_type": "embeddings_floats", "id": "1c62", "texts": ["hello"], "embeddings": [[0.01]], "meta": META},
    ),
    "v1 embed, by type": (
        "POST /v1/embed",
        {"texts": ["hello"], "embedding_types": ["float", "int8"], "input_type": "clustering"},
        {"response_type": "embeddings_by_type", "id": "5807", "texts": ["hello"], "embeddings": {"float": [[0.01]], "int8": [[1]]}},
    ),
    "v2 rerank": (
        "POST /v2/rerank",
        {"model": "org/rerank", "query": "q", "documents": ["a", "title: x\nn: 1\n"], "top_n": 3, "max_tokens_per_doc": None,
         "relevant_spans": {"mode": "enabled", "threshold": 0.1, "max_spans": 3}},
        {"id": "0773", "results": [{"index": 1, "relevance_score": 0.999}], "meta": UNITS},
    ),
    "v1 rerank": (
        "POST /v1/rerank",
        {"model": "rerank", "query": "q", "documents": [{"text": "a", "title": "t"}, {"text": "b"}], "top_n": 3,
         "rank_fields": ["title", "text"], "return_documents": True, "max_chunks_per_doc": 10},
        {"id": "8bc7", "results": [{"index": 0, "relevance_score": 0.99, "document": {"text": "a"}}], "meta": UNITS},
    ),
    "tokenize": (
        "POST /v1/tokenize",
        {"text": "tokenize me! :D", "model": "command"},
        {"tokens": [10002], "token_strings": ["token"], "meta": {"api_version": {"version": "1"}}},
    ),
    "detokenize": (
        "POST /v1/detokenize",
        {"tokens": [10002], "model": "command"},
        {"text": "token", "meta": {"api_version": {"version": "1"}}},
    ),
    "models": ("GET /v1/models?page_size=20&endpoint=chat&default_only=true", None, {"object": "list", "models": [MODEL], "data": [MODEL]}),
    "a model with a slash": ("GET /v1/models/org%2Frerank", None, {**MODEL, "name": "org/rerank"}),
    "the key": ("POST /v1/check-api-key", None, {"valid": True, "organization_id": "o", "owner_id": "u"}),
    "OpenAI chat, with whatever can be sent": (
        "POST /v1/chat/completions",
        {"model": "command-a", "messages": OPENAI_ROUND, "tools": OPENAI_TOOLS, "tool_choice": "none", **OPENAI_MORE},
        SAID_OPENAI,
    ),
    "OpenAI chat, JSON": (
        "POST /compatibility/v1/chat/completions", {"model": "command-a", "messages": ASKED, "response_format": NAMED_SCHEMA}, SAID_OPENAI
    ),
    "OpenAI embeddings": ("POST /v1/embeddings", {"model": "embed", "input": "text"}, VECTORS),
    "OpenAI embeddings, some": ("POST /compatibility/v1/embeddings", {"model": "embed", "input": ["a"], "dimensions": 64}, VECTORS),
}  # fmt: skip
NOT_SERVED = [
    "POST /v1/generate", "POST /v1/classify", "POST /v1/summarize", "GET /v1/datasets", "POST /v1/datasets", "GET /v1/datasets/usage",
    "DELETE /v1/datasets/x", "GET /v1/embed-jobs", "POST /v1/embed-jobs/x/cancel", "GET /v1/connectors", "PATCH /v1/connectors/x",
    "POST /v1/connectors/x/oauth/authorize", "GET /v2/batches", "POST /v2/batches/x:cancel", "POST /v2/parse",
    "POST /v2/audio/transcriptions", "GET /v1/finetuning/finetuned-models", "POST /v1/v1/chat", "POST /v1/responses",
    "POST /v1/completions",
]  # fmt: skip


def model(call: Call) -> Any:
    """Calls the first tool once, with a word for each parameter; says what can be cited."""
    if call.schema is not None:
        options = call.schema["properties"].get("tool", {}).get("enum")
        return {"tool": options[0]} if options else dict.fromkeys(call.schema["properties"], "Friday")
    return BANDS if "Backstreet" in call.messages[-1].text else CITED


def lacking(expected: Any, found: Any, place: str = "") -> Iterator[str]:
    """Each place where an answer lacks what the example has, or holds another kind of thing. Of lists the first elements are compared."""
    if isinstance(expected, dict) and isinstance(found, dict):
        for name, value in expected.items():
            yield from lacking(value, found.get(name), f"{place}.{name}")
    elif isinstance(expected, list) and isinstance(found, list):
        if expected:
            yield from lacking(expected[0], found[0] if found else None, f"{place}[0]")
    elif type(expected) is not type(found) and not (isinstance(expected, float) and isinstance(found, int)):
        yield f"{place} is {found!r:.60}"


@pytest.fixture
def wire(lane: Actor, program: httpx.Client, settings: Any) -> httpx.Client:
    """A program that sends what clients send with each request."""
    settings.MODEL_ALIASES = ALIASES
    lane.plays = model
    program.headers.update({"accept": "*/*", "x-fern-language": "Python", "x-client-name": "langchain:partner"})
    return program


def test_each_example_of_the_description_is_answered_in_its_shape(wire: httpx.Client) -> None:
    for name, (call, body, expected) in EXAMPLES.items():
        method, path = call.split()
        answer = wire.request(method, path, json=body) if body is not None else wire.request(method, path)
        assert answer.status_code == 200, f"{name}: {answer.text}"
        assert list(lacking(expected, answer.json())) == [], name


def test_each_chat_streams_whatever_a_client_says_it_accepts(wire: httpx.Client) -> None:
    asked = {"model": "command-a", "messages": ASKED, "documents": [HABITATS], "stream": True}
    for accepts in ("*/*", "application/json", "text/event-stream"):
        events = list(sse(wire.post("/v2/chat", json=asked, headers={"accept": accepts})))
        assert (events[0]["type"], events[-1]["type"]) == ("message-start", "message-end")
        lines = wire.post("/v1/chat", json={"message": "x", "stream": True}, headers={"accept": accepts, "accepts": "text/event-stream"})
        assert json.loads(lines.text.splitlines()[-1])["event_type"] == "stream-end" and lines.text.endswith("\n")
        whole = wire.post("/v1/chat/completions", json={**asked, "stream_options": {"include_usage": True}}, headers={"accept": accepts})
        assert whole.text.endswith("data: [DONE]\n\n")


def test_what_is_not_served_says_so_in_json(wire: httpx.Client) -> None:
    for call in NOT_SERVED:
        answer = wire.request(*call.split(), json={} if call.startswith("POST") else None)
        assert answer.status_code == 404 and "There is no" in answer.json()["message"] == answer.json()["error"]["message"], call


def test_a_type_by_pythons_name_is_a_json_schemas(lane: Actor, wire: httpx.Client) -> None:
    wire.post("/v2/chat", json={"model": "command-a", "messages": ASKED, "tools": TOOLS, "tool_choice": "REQUIRED"})
    assert lane.calls[0].schema is not None and lane.calls[0].schema["properties"]["day"] == {"type": "string", "description": "x"}


def test_the_javascript_clients_own_wire_tests_get_their_answers(wire: httpx.Client, server: str, key: str) -> None:
    speak("replays_wire.mjs", server, key)
