"""What programs do with LlamaIndex's wrappers of Cohere's and OpenAI's clients, by their default calls; run by test_clients.py."""

import asyncio
import json
import os
from typing import Any

import openai
from llama_index.core import Document, PromptTemplate, Settings, VectorStoreIndex
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.tools import FunctionTool
from llama_index.embeddings.cohere import CohereEmbedding
from llama_index.embeddings.openai_like import OpenAILikeEmbedding
from llama_index.llms.cohere import Cohere, DocumentMessage
from llama_index.llms.openai_like import OpenAILike
from llama_index.postprocessor.cohere_rerank import CohereRerank
from pydantic import BaseModel

NORTH, KEY = os.environ["NORTH"], os.environ["KEY"]
COHERE: Any = {"api_key": KEY, "base_url": NORTH, "max_retries": 1}
OPENAI: Any = {"api_key": KEY, "api_base": f"{NORTH}/v1", "max_retries": 0}
ANSWER = "Emperor penguins only live in Antarctica. They are 115 cm tall."
ASKED = [
    ChatMessage(role=MessageRole.USER, content="Hi"),
    ChatMessage(role=MessageRole.ASSISTANT, content="Ho"),
    ChatMessage(role=MessageRole.USER, content="Where do they live?"),
]
TEXTS = ["The notice period is thirty days.", "The office is in Lyon."]


class Sold(BaseModel):
    """A day of sales."""

    day: str


def sold(day: str) -> str:
    """Sales of a day."""
    return json.dumps({"sold": 120})


sales = FunctionTool.from_defaults(sold, name="sales")

# --- Cohere: chat, which is version 1
chat = Cohere(model="command-r", **COHERE)
assert chat.chat(ASKED).message.content == ANSWER
assert asyncio.run(chat.achat(ASKED)).message.content == ANSWER
pieces = list(chat.stream_chat(ASKED))
assert "".join(piece.delta for piece in pieces[:-1]) == ANSWER and len(pieces) > 3, pieces
grounded = chat.chat([DocumentMessage(content="Emperor penguins only live in Antarctica."), *ASKED])
(first, *_) = grounded.raw["citations"]
assert grounded.message.content[first.start : first.end] == first.text and first.document_ids == [grounded.raw["documents"][0]["id"]]
asked = chat.chat_with_tools([sales], user_msg="What was sold on Friday?")
(call,) = chat.get_tool_calls_from_response(asked)
assert call.tool_name == "sales" and call.tool_kwargs == {"day": "Friday"}
result = ChatMessage(role=MessageRole.TOOL, content=sold("Friday"), additional_kwargs={"tool_call_id": call.tool_id, "name": "sales"})
told = chat.chat_with_tools([sales], chat_history=[ChatMessage(role=MessageRole.USER, content="What was sold?"), asked.message, result])
assert told.message.content == "On Friday 120 were sold.", told

# --- Cohere: embed, rerank, and an index of both
vectors = CohereEmbedding(model_name="embed-english-v3.0", **COHERE)
passages, query = vectors.get_text_embedding_batch(TEXTS * 60), vectors.get_query_embedding("how long is the notice")
assert len(passages) == 120 and len(query) == len(passages[119]) == 384
assert vectors.similarity(query, passages[0]) > vectors.similarity(query, passages[1])
ranker = CohereRerank(**COHERE)
nodes = [NodeWithScore(node=TextNode(text=text)) for text in TEXTS]
ranked = ranker.postprocess_nodes(nodes, query_str="how long is the notice")
assert len(ranked) == 2 and 1 >= ranked[0].score >= ranked[1].score >= 0
assert len(ranker.postprocess_nodes(nodes[:1], query_str="notice")) == 1, "it always asks for two"
Settings.llm, Settings.embed_model = chat, vectors
engine = VectorStoreIndex.from_documents([Document(text=text) for text in TEXTS]).as_query_engine(node_postprocessors=[ranker])
assert str(engine.query("Where do they live?")) == ANSWER

# --- OpenAI
chat = OpenAILike(model="chat", is_chat_model=True, is_function_calling_model=True, **OPENAI)
assert chat.chat(ASKED).message.content == ANSWER and chat.complete("Where do they live?").text == ANSWER
assert "".join(piece.delta for piece in chat.stream_chat(ASKED)) == ANSWER
(call,) = chat.get_tool_calls_from_response(chat.chat_with_tools([sales], user_msg="What was sold on Friday?"))
assert call.tool_name == "sales" and call.tool_kwargs == {"day": "Friday"}
assert chat.structured_predict(Sold, PromptTemplate("Which day?")) == Sold(day="Friday")
try:
    OpenAILike(model="chat", **OPENAI).complete("Where do they live?")
except openai.NotFoundError as error:
    assert "is_chat_model=True" in str(error)
else:
    raise AssertionError("completions are not served")
vectors = OpenAILikeEmbedding(model_name="embed", **OPENAI)
assert len(vectors.get_text_embedding_batch(["a"] * 25)[24]) == len(vectors.get_query_embedding("a")) == 384
print("all well")
