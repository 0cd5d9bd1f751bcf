"""What programs do with LangChain's wrappers of Cohere's and OpenAI's clients, by their default calls; run by test_clients.py."""

import asyncio
import json
import operator
import os
from functools import reduce
from typing import Any

from langchain_cohere import ChatCohere, CohereEmbeddings, CohereRerank
from langchain_core.documents import Document
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

NORTH, KEY = os.environ["NORTH"], os.environ["KEY"]
COHERE: Any = {"cohere_api_key": KEY, "base_url": NORTH}
OPENAI: Any = {"api_key": KEY, "base_url": f"{NORTH}/v1", "max_retries": 0}
ANSWER = "Emperor penguins only live in Antarctica. They are 115 cm tall."
PENGUINS = [Document("Emperor penguins only live in Antarctica.", metadata={"id": "home"}), Document("Emperor penguins are 115 cm tall.")]
ASKED = [SystemMessage("Be brief."), HumanMessage("Hi"), AIMessage("Ho"), HumanMessage("Where do they live, and how tall are they?")]


@tool
def sales(day: str) -> str:
    """Sales of a day."""
    return json.dumps({"sold": 120})


class Sold(BaseModel):
    """A day of sales."""

    day: str


def round_trip(chat: Any) -> AIMessage:
    """What is said after a tool was called and has answered."""
    able = chat.bind_tools([sales])
    said: list[Any] = [HumanMessage("What was sold on Friday?")]
    asked = able.invoke(said)
    (call,) = asked.tool_calls
    assert call["name"] == "sales" and call["args"] == {"day": "Friday"}, asked
    streamed = reduce(operator.add, able.stream(said))
    assert streamed.tool_calls[-1]["args"] == {"day": "Friday"}, "ChatCohere 0.6.0 takes pieces for calls: the last is the whole one"
    return able.invoke([*said, asked, ToolMessage(sales.invoke(call["args"]), tool_call_id=call["id"])])


def cited(message: AIMessage) -> list[str]:
    """The ids of what is cited, whose words are the answer's."""
    found = message.additional_kwargs["citations"]
    assert all(message.content[one.start : one.end] == one.text for one in found), found
    return [source.id for one in found for source in one.sources]


# --- Cohere: chat
chat = ChatCohere(model="command-a-03-2025", **COHERE)
assert chat.invoke("Where do they live?").content == ANSWER
whole = chat.invoke(ASKED, documents=PENGUINS)
assert whole.content == ANSWER and whole.usage_metadata["output_tokens"] == 11 and cited(whole) == ["home", "doc-1"], whole
chunks = list(chat.stream(ASKED, documents=PENGUINS))
assert "".join(chunk.content for chunk in chunks) == ANSWER and len(chunks) > 2
assert "".join(chunk.content for chunk in chat.stream("Say the odd words.")) == "[DONE] data: x\u2028y ü"
assert asyncio.run(chat.ainvoke(ASKED)).content == ANSWER
assert chat.invoke(ASKED, stop=["Antarctica"]).content == "Emperor penguins only live in "
told = round_trip(chat)
assert told.content == "On Friday 120 were sold." and "120" in told.additional_kwargs["citations"][0].sources[0].tool_output["output"], told
for method in ("json_schema", "function_calling"):
    assert chat.with_structured_output(Sold, method=method).invoke("Which day?") == Sold(day="Friday"), method
assert ChatCohere(**COHERE).invoke("Where do they live?").content == ANSWER, "without a name it asks which model is the default"

# --- Cohere: embed, rerank
vectors = CohereEmbeddings(model="embed-english-v3.0", **COHERE)
passages = vectors.embed_documents(["The notice period is thirty days.", "The office is in Lyon."] * 60)
query = vectors.embed_query("how long is the notice")
assert len(passages) == 120 and len(query) == len(passages[119]) == 384
near = [sum(a * b for a, b in zip(query, passage, strict=True)) for passage in passages[:2]]
assert near[0] > near[1]
ranker = CohereRerank(model="rerank-v3.5", **COHERE)
assert {one["index"] for one in ranker.rerank(["noon", "leave"], "days of leave")} == {0, 1}, "it always asks for three"
objects = ranker.rerank([{"title": "t", "text": "a"}, Document("b")], "a", top_n=1)
assert len(objects) == 1 and 0 <= objects[0]["relevance_score"] <= 1
assert len(ranker.compress_documents(PENGUINS * 3, "penguins")) == 3

# --- OpenAI
chat = ChatOpenAI(**OPENAI)
whole = chat.invoke(ASKED)
assert whole.content == ANSWER and whole.usage_metadata["total_tokens"] > 11 and whole.response_metadata["finish_reason"] == "stop"
chunks = list(chat.stream(ASKED, stream_usage=True))
assert "".join(chunk.text for chunk in chunks) == ANSWER and sum(bool(chunk.usage_metadata) for chunk in chunks) == 1
assert round_trip(chat).content == "On Friday 120 were sold."
for method in ("json_schema", "function_calling"):
    chat = ChatOpenAI(model="chat", **OPENAI)
    assert chat.with_structured_output(Sold, method=method).invoke("Which day?") == Sold(day="Friday"), method
assert ChatOpenAI(max_tokens=20, stop_sequences=["Antarctica"], **OPENAI).invoke(ASKED).text == "Emperor penguins only live in "
vectors = OpenAIEmbeddings(model="text-embedding-3-small", check_embedding_ctx_length=False, **OPENAI)
assert len(vectors.embed_documents(["a", "b"])[1]) == len(vectors.embed_query("a")) == 384
print("all well")
