"""The clients themselves, unmodified, and the frameworks that wrap them, each in a process of its own: every example of their documentation
that North answers to."""

from __future__ import annotations

from typing import Any

import pytest

from north.inference.errors import ModelUnavailable, Overloaded
from tests.api.clients.installing import speak
from tests.scripted import Call
from tests.threads.conftest import Actor

ANSWER = "Emperor penguins only live in Antarctica. They are 115 cm tall."
ALIASES = {
    **dict.fromkeys(["embed-v4.0", "embed-english-v3.0", "text-embedding-3-small", "text-embedding-ada-002"], "embed"),
    **dict.fromkeys(["rerank-v3.5", "rerank-english-v3.0"], "rerank"),
    **dict.fromkeys(["command-a", "command-a-03-2025", "command-r", "gpt-3.5-turbo", "gpt-5-mini"], "chat"),
}
"""The names that the clients and frameworks send where they are not told another."""


def model(call: Call) -> Any:
    """Does what the scripts want to see; calls tools by no syntax of its own."""
    said = call.messages[-1].text
    returned = any("returned:" in message.text for message in call.messages)
    if "Be busy." in said:
        raise Overloaded(5)
    if "Be away." in said:
        raise ModelUnavailable("The model sleeps.")
    if call.schema is not None:
        options = call.schema["properties"].get("tool", {}).get("enum")
        return {"tool": "none" if returned else options[0]} if options else {"day": "Friday"}
    if "Say the odd words." in said:
        return "[DONE] data: x\u2028y ü"
    return "On Friday 120 were sold." if returned else ANSWER


@pytest.mark.parametrize(
    ("script", "old"),
    [
        ("speaks_cohere.py", False),
        ("speaks_cohere.py", True),
        ("speaks_openai.py", False),
        ("speaks_openai.py", True),
        ("speaks_cohere.mjs", False),
    ],
    ids=["cohere 7.3.1", "cohere 5.21.1", "openai 3.54.0", "openai 2.54.0", "cohere-ai 8.1.0"],
)
def test_the_client_gets_what_it_expects(lane: Actor, server: str, key: str, settings: Any, script: str, old: bool) -> None:
    settings.MODEL_ALIASES = ALIASES
    lane.plays = model
    speak(script, server, key, old=old)


@pytest.mark.parametrize(
    ("script", "old"),
    [("speaks_langchain.py", True), ("speaks_llama_index.py", True), ("speaks_haystack.py", False)],
    ids=["langchain-cohere 0.6.0, langchain-openai 1.7.3", "llama-index 0.14.25", "haystack-ai 3.4.0, cohere-haystack 11.0.0"],
)
def test_a_framework_gets_what_it_expects(lane: Actor, server: str, key: str, settings: Any, script: str, old: bool) -> None:
    settings.MODEL_ALIASES = ALIASES
    lane.plays = model
    speak(script, server, key, old=old, wrapped=True)
