"""What programs do with Haystack's components for Cohere and OpenAI, by their default calls; run by test_clients.py."""

import asyncio
import os
from typing import Any

from haystack import Document, Pipeline
from haystack.components.embedders import OpenAIDocumentEmbedder, OpenAITextEmbedder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack.tools import Tool
from haystack.utils import Secret
from haystack_integrations.components.embedders.cohere import CohereDocumentEmbedder, CohereTextEmbedder
from haystack_integrations.components.generators.cohere import CohereChatGenerator
from haystack_integrations.components.rankers.cohere import CohereRanker

NORTH, KEY = os.environ["NORTH"], Secret.from_token(os.environ["KEY"])
COHERE: Any = {"api_key": KEY, "api_base_url": NORTH}
OPENAI: Any = {"api_key": KEY, "api_base_url": f"{NORTH}/v1", "max_retries": 0}
ANSWER = "Emperor penguins only live in Antarctica. They are 115 cm tall."
ASKED = [
    ChatMessage.from_system("Be brief."),
    ChatMessage.from_user("Hi"),
    ChatMessage.from_assistant("Ho"),
    ChatMessage.from_user("Where do they live, and how tall are they?"),
]
PARAMETERS = {"type": "object", "properties": {"day": {"type": "string"}}, "required": ["day"]}
SALES = Tool("sales", "Sales of a day.", PARAMETERS, lambda day: {"sold": 120})
TEXTS = ["The notice period is thirty days.", "The office is in Lyon."]
PENGUINS = [{"id": "home", "data": {"snippet": "Emperor penguins only live in Antarctica."}}]


def round_trip(chat: Any) -> ChatMessage:
    """What is said after a tool was called and has answered."""
    question = ChatMessage.from_user("What was sold on Friday?")
    (asked,) = chat.run([question], tools=[SALES])["replies"]
    (call,) = asked.tool_calls
    assert call.tool_name == "sales" and call.arguments == {"day": "Friday"}, asked
    result = ChatMessage.from_tool('{"sold": 120}', origin=call)
    (told,) = chat.run([question, asked, result], tools=[SALES])["replies"]
    return told


def streamed(chat: Any, **more: Any) -> ChatMessage:
    heard: list[str] = []
    (whole,) = chat.run(ASKED, streaming_callback=lambda chunk: heard.append(chunk.content), **more)["replies"]
    assert "".join(heard) == whole.text == ANSWER and len(heard) > 2
    return whole


# --- Cohere
chat = CohereChatGenerator(model="command-a-03-2025", **COHERE)
(whole,) = chat.run(ASKED, generation_kwargs={"documents": PENGUINS})["replies"]
assert whole.text == ANSWER and whole.meta["usage"]["completion_tokens"] == 11 and whole.meta["finish_reason"] == "stop", whole
(citation, *_) = whole.meta["citations"]
assert ANSWER[citation.start : citation.end] == citation.text and citation.sources[0].id == "home"
assert [one.text for one in streamed(chat, generation_kwargs={"documents": PENGUINS}).meta["citations"]] == [
    one.text for one in whole.meta["citations"]
]
assert asyncio.run(chat.run_async(ASKED))["replies"][0].text == ANSWER
assert round_trip(chat).text == "On Friday 120 were sold."
(asked,) = chat.run([ChatMessage.from_user("What was sold?")], tools=[SALES], streaming_callback=lambda chunk: None)["replies"]
assert asked.tool_calls[0].arguments == {"day": "Friday"}

shelf = CohereDocumentEmbedder(model="embed-v4.0", progress_bar=False, **COHERE).run([Document(content=text) for text in TEXTS * 60])
assert len(shelf["documents"]) == 120 and shelf["meta"]["billed_units"]["input_tokens"] > 0
query = CohereTextEmbedder(model="embed-v4.0", **COHERE).run("how long is the notice")["embedding"]
near = [sum(a * b for a, b in zip(query, one.embedding, strict=True)) for one in shelf["documents"][:2]]
assert len(query) == 384 and near[0] > near[1]
line = Pipeline()
line.add_component("ranker", CohereRanker(model="rerank-v3.5", **COHERE))
ranked = line.run({"ranker": {"query": "how long is the notice", "documents": [Document(content=text) for text in TEXTS]}})
scores = [one.score for one in ranked["ranker"]["documents"]]
assert len(scores) == 2 and scores == sorted(scores, reverse=True), "it always asks for ten"

# --- OpenAI
chat = OpenAIChatGenerator(**OPENAI)
(whole,) = chat.run(ASKED)["replies"]
assert whole.text == ANSWER and whole.meta["finish_reason"] == "stop" and whole.meta["usage"]["total_tokens"] > 11
assert streamed(chat).text == ANSWER
assert round_trip(chat).text == "On Friday 120 were sold."
shelf = OpenAIDocumentEmbedder(progress_bar=False, **OPENAI).run([Document(content=text) for text in TEXTS])
assert len(OpenAITextEmbedder(**OPENAI).run("a")["embedding"]) == len(shelf["documents"][1].embedding) == 384
print("all well")
