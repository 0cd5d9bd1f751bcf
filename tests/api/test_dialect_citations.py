"""For any answer and any documents every citation's text is the answer's slice and names a given source; in each dialect and in streams."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as some

from north.api.cohere import chat as cohere
from north.api.cohere import chat_v1
from north.api.cohere.reading import add_documents, finish
from north.api.conversing import Answer, Chat, with_shown
from north.api.given import Given
from north.api.named import Served
from north.api.openai import chat as openai
from north.serving.composing import Text
from north.serving.writing import passage, tell_citations
from tests.hashing import HashingEmbedder

WORDS = some.sampled_from(["Pinguine", "leben", "in", "Antarktika", "über", "115", "cm", "😀", "寒い", "ü\u0301", "[1]", "[2", "]", "Dr."])
SENTENCE = some.builds(
    lambda words, end: " ".join(words) + end, some.lists(WORDS, min_size=2, max_size=8), some.sampled_from([".", "!", "?", "。\n"])
)
TEXT = some.lists(SENTENCE, min_size=1, max_size=5).map(" ".join)


class Kept:
    """A reply that keeps what is told."""

    def __init__(self) -> None:
        self.events: list[dict[str, Any]] = []

    def __call__(self, kind: str, **event: Any) -> None:
        self.events.append({"kind": kind, **json.loads(json.dumps(event))})


def answered(written: str, texts: list[str]) -> tuple[Chat, list[dict[str, Any]]]:
    """As the worker does it, with the model's words in pieces of three characters."""
    chat = Chat(Served("chat", "chat"))
    chat.said("user", "?")
    add_documents(chat, [("", {"title": "t", "text": text}) for text in texts], "doc:")
    finish(chat, cited=True)
    reply = Kept()
    text = Text(reply, [], marked=True)  # type: ignore[arg-type]
    for start in range(0, len(written), 3):
        text.add(written[start : start + 3])
    text.end()
    tell_citations(text.told, [passage(one) for one in chat.for_worker()["documents"]], HashingEmbedder().embed_queries, reply)  # type: ignore[arg-type]
    done = {"kind": "done", "finish": "complete", "tokens_in": 1, "tokens_out": 1, "tokens_cached": 0}
    return chat, [*(with_shown(event, chat) for event in reply.events), done]


@settings(max_examples=30)
@given(TEXT, some.lists(TEXT, min_size=1, max_size=4))
def test_every_citation_is_the_answers_slice(written: str, texts: list[str]) -> None:
    chat, events = answered(written, [*texts, written])
    found = Answer()
    for event in events:
        found.take(event)
    message = cohere.message(found)
    text = message["content"][0]["text"]
    streamed = "".join(event["text"] for event in events if event["kind"] == "text")
    told = {
        "v2": message.get("citations", []),
        "v1": chat_v1.citations(found),
        "openai": openai.cited(found.citations).get("citations", []),
    }
    assert text == streamed
    for citations in told.values():
        assert all(text[one["start"] : one["end"]] == one["text"] for one in citations)
        assert [one["start"] for one in citations] == sorted(one["start"] for one in citations)
    assert {source["id"] for one in told["v2"] for source in one["sources"]} <= {f"doc:{place}" for place in range(len(texts) + 1)}
    render = chat_v1.Stream(chat, Given({}))
    lines = "".join(line for event in events for line in render.event(event))
    assert json.loads(lines.splitlines()[-1])["response"]["text"] == text
