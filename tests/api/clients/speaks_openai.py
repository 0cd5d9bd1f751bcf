"""What programs do with OpenAI's Python client, 3.54.0 or 2.54.0; run by test_clients.py."""

import json
import os
from collections.abc import Callable
from typing import Any

import openai

NORTH, KEY = os.environ["NORTH"], os.environ["KEY"]
client = openai.OpenAI(api_key=KEY, base_url=f"{NORTH}/v1", max_retries=0)
compatible = openai.OpenAI(api_key=KEY, base_url=f"{NORTH}/compatibility/v1", max_retries=0)
ANSWER = "Emperor penguins only live in Antarctica. They are 115 cm tall."
ASKED: Any = [{"role": "developer", "content": "d"}, {"role": "user", "content": [{"type": "text", "text": "Where do they live?"}]}]
PARAMETERS = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
TOOLS: Any = [{"type": "function", "function": {"name": "sales", "parameters": PARAMETERS, "strict": True}}]
DOCUMENTS = {"documents": [{"id": "home", "data": {"title": "Penguin habitats", "snippet": "Emperor penguins only live in Antarctica."}}]}


def refused(kind: type[openai.APIError], words: str, call: Callable[[], Any]) -> openai.APIError:
    try:
        call()
    except kind as error:
        assert words in str(error), error
        return error
    raise AssertionError(f"no {kind.__name__}")


for one in (client, compatible):
    whole = one.chat.completions.create(model="command-a", messages=ASKED, extra_body=DOCUMENTS, temperature=1.5, user="u", n=1)
    message = whole.choices[0].message
    assert message.content == ANSWER and whole.choices[0].finish_reason == "stop" and whole.usage.total_tokens > 11
    place = message.annotations[0].url_citation
    assert (
        ANSWER[place.start_index : place.end_index] == message.citations[0]["text"] and message.citations[0]["sources"][0]["id"] == "home"
    )
    assert len(one.embeddings.create(model="embed-v4.0", input="hello").data[0].embedding) == 384, "asks for base64 by itself"

vectors = client.embeddings.create(model="embed", input=["a", "b"] * 100, dimensions=64, encoding_format="float")
assert len(vectors.data) == 200 and len(vectors.data[199].embedding) == 64 and vectors.usage.prompt_tokens > 0
assert {model.id for model in client.models.list()} >= {"scripted", "tiny", "north"} and client.models.retrieve(
    "embed-v4.0"
).owned_by == "north"

chunks = list(client.chat.completions.create(model="command-a", messages=ASKED, stream=True, stream_options={"include_usage": True}))
assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == ANSWER
assert (
    chunks[-1].usage.completion_tokens == 11 and chunks[-2].choices[0].finish_reason == "stop" and len({chunk.id for chunk in chunks}) == 1
)

messages: Any = [{"role": "user", "content": "What was sold?"}]
called = client.chat.completions.create(model="command-a", messages=messages, tools=TOOLS, parallel_tool_calls=False)
(call,) = called.choices[0].message.tool_calls
assert called.choices[0].finish_reason == "tool_calls" and json.loads(call.function.arguments) == {"day": "Friday"}
messages += [called.choices[0].message, {"role": "tool", "tool_call_id": call.id, "content": json.dumps({"sold": 120})}]
told = client.chat.completions.create(model="command-a", messages=messages, tools=TOOLS)
assert told.choices[0].message.content == "On Friday 120 were sold."
with client.chat.completions.stream(model="command-a", messages=messages[:1], tools=TOOLS, tool_choice="required") as stream:
    final = stream.get_final_completion()
assert final.choices[0].message.tool_calls[0].function.name == "sales"

wanted: Any = {"type": "json_schema", "json_schema": {"name": "Sold", "strict": True, "schema": PARAMETERS}}
as_json = client.chat.completions.create(model="command-a", messages=ASKED, response_format=wanted, max_completion_tokens=50)
assert json.loads(as_json.choices[0].message.content) == {"day": "Friday"}
assert client.chat.completions.create(model="command-a", messages=ASKED, stop="Antarctica").choices[0].message.content.endswith("live in ")

stranger = openai.OpenAI(api_key="north_wrong", base_url=f"{NORTH}/v1", max_retries=0)
refused(openai.AuthenticationError, "invalid api token", stranger.models.list)
error = refused(openai.NotFoundError, "nobody", lambda: client.chat.completions.create(model="nobody", messages=ASKED))
assert error.code == "model_not_found" and error.param == "model"
refused(openai.NotFoundError, "Use chat completions", lambda: client.responses.create(model="command-a", input="x"))
refused(openai.BadRequestError, "messages must not be empty", lambda: client.chat.completions.create(model="command-a", messages=[]))
refused(openai.BadRequestError, "Send strings", lambda: client.embeddings.create(model="embed", input=[[1, 2]]))
busy: Any = [{"role": "user", "content": "Be busy."}]
refused(openai.RateLimitError, "too much to do", lambda: client.chat.completions.create(model="command-a", messages=busy))
away: Any = [{"role": "user", "content": "Be away."}]
refused(openai.InternalServerError, "sleeps", lambda: list(client.chat.completions.create(model="command-a", messages=away, stream=True)))
print("all well")
