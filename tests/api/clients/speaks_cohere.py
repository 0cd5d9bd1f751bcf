"""What programs do with Cohere's Python client, 7.3.1 or 5.21.1; run by test_clients.py."""

import json
import os
from collections.abc import Callable
from typing import Any

import cohere

NORTH, KEY = os.environ["NORTH"], os.environ["KEY"]
v2, v1 = cohere.ClientV2(api_key=KEY, base_url=NORTH), cohere.Client(api_key=KEY, base_url=NORTH)
ONCE: Any = {"max_retries": 0}
ANSWER = "Emperor penguins only live in Antarctica. They are 115 cm tall."
DOCUMENTS: Any = [
    {"id": "home", "data": {"title": "Penguin habitats", "snippet": "Emperor penguins only live in Antarctica."}},
    {"data": {"title": "Sizes", "snippet": "Emperor penguins are 115 cm tall."}},
]
ASKED: Any = [{"role": "user", "content": "Where do they live, and how tall are they?"}]
PARAMETERS = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
TOOLS: Any = [{"type": "function", "function": {"name": "sales", "description": "Sales of a day.", "parameters": PARAMETERS}}]


def refused(kind: type[Exception], words: str, call: Callable[[], Any]) -> None:
    try:
        call()
    except kind as error:
        assert words in error.body["message"], error.body  # type: ignore[attr-defined]
    else:
        raise AssertionError(f"no {kind.__name__}")


# --- embed
kinds: Any = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
found = v2.embed(model="embed-v4.0", input_type="search_document", texts=["hello", "bye"], embedding_types=kinds, output_dimension=128)
assert found.embeddings.float_ and len(found.embeddings.float_[0]) == len(found.embeddings.int8[0]) == len(found.embeddings.uint8[1]) == 128
assert len(found.embeddings.binary[0]) == len(found.embeddings.ubinary[0]) == 16 and isinstance(found.embeddings.base64[0], str)
assert found.texts == ["hello", "bye"] and found.meta.billed_units.input_tokens > 0
plain = v1.embed(texts=["hello"] * 100, model="embed-english-v3.0", input_type="search_query")
assert plain.response_type == "embeddings_floats" and len(plain.embeddings) == 100, "cut into batches and joined by the client"
assert v1.embed(texts=["a"], model="embed", input_type="clustering", embedding_types=["int8"]).embeddings.int8

# --- rerank
ranked = v2.rerank(model="rerank-v3.5", query="how many days of leave", documents=["noon", "thirty days of leave"], top_n=3)
assert {one.index for one in ranked.results} == {0, 1} and 1 >= ranked.results[0].relevance_score >= ranked.results[1].relevance_score >= 0
objects = v1.rerank(
    model="rerank", query="leave", documents=[{"text": "a", "title": "t"}, "b"], rank_fields=["title", "text"], return_documents=True
)
assert {one.document.text for one in objects.results} == {"a", "b"} and objects.meta.billed_units.search_units == 1

# --- tokens, models, key
tokens = v2.tokenize(text="tokenize me! :D", model="embed-v4.0", offline=False) if hasattr(v2, "tokenize") else None
assert tokens and "".join(tokens.token_strings) == "tokenize me! :D"
assert "me" in v1.detokenize(tokens=tokens.tokens, model="embed", offline=False).text
assert v1.tokenize(text="offline first", model="embed").tokens, "its own tokenizer cannot be fetched, so it asks"
assert {one.name for one in v2.models.list().models} >= {"scripted", "tiny", "north"} and v1.models.get("embed-v4.0").endpoints == ["embed"]
assert v1.with_raw_response.check_api_key().data.valid

# --- chat, version 2
whole = v2.chat(model="command-a", messages=ASKED, documents=DOCUMENTS, citation_options={"mode": "ACCURATE"})
text = whole.message.content[0].text
assert text == ANSWER and whole.finish_reason == "COMPLETE" and whole.usage.billed_units.output_tokens == 11
assert [text[one.start : one.end] for one in whole.message.citations] == [one.text for one in whole.message.citations]
assert [one.sources[0].id for one in whole.message.citations] == ["home", "doc:1"]
assert whole.message.citations[0].sources[0].document["title"] == "Penguin habitats"

events = list(v2.chat_stream(model="command-a", messages=ASKED, documents=DOCUMENTS))
order = [event.type for event in events if event.type != "content-delta"]
assert order == ["message-start", "content-start", *["citation-start", "citation-end"] * 2, "content-end", "message-end"], order
assert "".join(event.delta.message.content.text for event in events if event.type == "content-delta") == ANSWER
assert [event.delta.message.citations.text for event in events if event.type == "citation-start"] == [
    one.text for one in whole.message.citations
]
assert events[-1].delta.finish_reason == "COMPLETE" and events[-1].delta.usage.tokens.output_tokens == 11

messages: Any = [{"role": "system", "content": "s"}, {"role": "user", "content": "What was sold on Friday?"}]
called = v2.chat(model="command-a", messages=messages, tools=TOOLS, strict_tools=True)
(call,) = called.message.tool_calls
assert called.finish_reason == "TOOL_CALL" and json.loads(call.function.arguments) == {"day": "Friday"}
messages.append(called.message)
messages.append(
    {"role": "tool", "tool_call_id": call.id, "content": [{"type": "document", "document": {"data": json.dumps({"sold": 120})}}]}
)
told = v2.chat(model="command-a", messages=messages, tools=TOOLS)
assert told.message.content[0].text == "On Friday 120 were sold." and told.message.citations[0].sources[0].type == "tool"
assert told.message.citations[0].sources[0].tool_output == {"sold": "120"}
calls = [event.type for event in v2.chat_stream(model="command-a", messages=messages[:2], tools=TOOLS, tool_choice="REQUIRED")]
assert calls == ["message-start", "tool-call-start", "tool-call-delta", "tool-call-end", "message-end"], calls
assert v2.chat(model="command-a", messages=messages[:2], tools=TOOLS, tool_choice="NONE").finish_reason == "COMPLETE"

schema = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
as_json = v2.chat(model="command-a", messages=ASKED, response_format={"type": "json_object", "json_schema": schema})
assert json.loads(as_json.message.content[0].text) == {"day": "Friday"}
stopped = v2.chat(
    model="command-a", messages=ASKED, stop_sequences=["Antarctica"], seed=1, temperature=0.3, p=0.75, k=0, safety_mode="STRICT"
)
assert stopped.message.content[0].text == "Emperor penguins only live in " and stopped.finish_reason == "STOP_SEQUENCE"
odd = v2.chat_stream(model="command-a", messages=[{"role": "user", "content": "Say the odd words."}])
assert "".join(event.delta.message.content.text for event in odd if event.type == "content-delta") == "[DONE] data: x\u2028y ü"

# --- chat, version 1
first = v1.chat(
    message="Where do they live?",
    chat_history=[{"role": "USER", "message": "Hi"}, {"role": "CHATBOT", "message": "Ho"}],
    documents=[{"title": "Penguin habitats", "text": "Emperor penguins only live in Antarctica."}],
    preamble="s",
)
assert first.text == ANSWER and first.citations[0].document_ids == ["doc_0"] and len(first.chat_history) == 4
assert (
    first.text[first.citations[0].start : first.citations[0].end] == first.citations[0].text and first.meta.billed_units.output_tokens == 11
)
lines = list(v1.chat_stream(message="Wo?\u2028 Say the odd words.", model="command-a"))
assert [line.event_type for line in lines][:1] == ["stream-start"] and lines[-1].event_type == "stream-end"
assert lines[-1].response.text == "".join(line.text for line in lines if line.event_type == "text-generation") == "[DONE] data: x\u2028y ü"
old_tool: Any = {
    "name": "sales",
    "description": "d",
    "parameter_definitions": {"day": {"description": "x", "type": "str", "required": True}},
}
asked = v1.chat(message="What was sold?", tools=[old_tool], model="command-a", force_single_step=True)
assert asked.tool_calls[0].parameters == {"day": "Friday"} and asked.finish_reason == "COMPLETE"
results: Any = [{"call": asked.tool_calls[0], "outputs": [{"sold": 120}]}]
ended = v1.chat(message="What was sold?", tools=[old_tool], tool_results=results, model="command-a", force_single_step=True)
assert ended.documents == [{"id": "sales:0:0", "sold": "120"}] and ended.citations[0].document_ids == ["sales:0:0"]

# --- what is wrong
stranger = cohere.ClientV2(api_key="north_wrong", base_url=NORTH)
refused(cohere.UnauthorizedError, "invalid api token", lambda: stranger.chat(model="command-a", messages=ASKED))
refused(cohere.NotFoundError, "model 'nobody' not found", lambda: v2.chat(model="nobody", messages=ASKED))
refused(cohere.NotFoundError, "model 'nobody' not found", lambda: list(v2.chat_stream(model="nobody", messages=ASKED)))
refused(cohere.BadRequestError, "messages must not be empty", lambda: v2.chat(model="command-a", messages=[]))
refused(cohere.BadRequestError, "at most 96 - received 97", lambda: v2.embed(model="embed", input_type="clustering", texts=["x"] * 97))
refused(cohere.BadRequestError, "at most 1000 - received 1001", lambda: v2.rerank(model="rerank", query="x", documents=["x"] * 1001))
lost: Any = [*ASKED, {"role": "tool", "tool_call_id": "nothing", "content": "x"}]
refused(cohere.BadRequestError, "tool call id not found", lambda: v2.chat(model="command-a", messages=lost))
refused(cohere.NotFoundError, "North serves", v1.datasets.list)
busy: Any = [{"role": "user", "content": "Be busy."}]
refused(cohere.TooManyRequestsError, "too much to do", lambda: v2.chat(model="command-a", messages=busy, request_options=ONCE))
away: Any = [{"role": "user", "content": "Be away."}]
refused(cohere.ServiceUnavailableError, "sleeps", lambda: v2.chat(model="command-a", messages=away, request_options=ONCE))
print("all well")
