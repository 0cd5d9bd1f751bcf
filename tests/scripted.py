"""A chat model that says what a script says: a real `BaseChatModel`, deterministic and instant, for every test that needs no real one.

    model = ScriptedChatModel(script=lambda messages: "Thirty days [1].")

It knows nothing of questions, passages or tools: whatever it should do with them is the script's business. What was asked of it is
kept in `calls`, one `Call` for each.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from pydantic import Field

from agents.prompts import MEND_TASK
from north.inference.vitals import watched

Reply = str | Mapping[str, Any] | AIMessage
Script = Callable[[list[BaseMessage]], Reply]


@dataclass(frozen=True, slots=True)
class Call:
    """What the model was asked: the messages, and what was bound (response_format, temperature, max_tokens, ...)."""

    messages: tuple[BaseMessage, ...]
    bound: Mapping[str, Any] = field(default_factory=dict)

    @property
    def schema(self) -> Mapping[str, Any] | None:
        """The JSON schema that the answer must follow, if one was asked for."""
        wanted = self.bound.get("response_format") or {}
        return wanted.get("json_schema", {}).get("schema")


class ScriptedChatModel(BaseChatModel):
    """`script(messages)` gives the answer: text, a mapping (sent as JSON), or a whole AIMessage. What it raises, the model raises.

    The answer is streamed word by word, `delay` seconds before each piece; `sent` tells how far a reader came that stopped early.
    """

    script: Script
    delay: float = 0.0
    calls: list[Call] = Field(default_factory=list)
    sent: int = 0
    """Pieces handed out so far, over all calls."""

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **bound: Any
    ) -> ChatResult:
        reply = self._reply(messages, bound)
        return ChatResult(generations=[ChatGeneration(message=reply)])

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **bound: Any
    ) -> Iterator[ChatGenerationChunk]:
        reply = self._reply(messages, bound)
        for piece in _pieces(reply.text):
            time.sleep(self.delay)
            chunk = ChatGenerationChunk(message=AIMessageChunk(content=piece))
            if run_manager:
                run_manager.on_llm_new_token(piece, chunk=chunk)
            self.sent += 1
            yield chunk
        last = AIMessageChunk(content="", tool_calls=reply.tool_calls, usage_metadata=reply.usage_metadata)
        yield ChatGenerationChunk(message=last)

    def answer(self, call: Call) -> Reply:
        return self.script(list(call.messages))

    def _reply(self, messages: list[BaseMessage], bound: Mapping[str, Any]) -> AIMessage:
        call = Call(tuple(messages), dict(bound))
        self.calls.append(call)
        said = self.answer(call)
        if isinstance(said, Mapping):
            said = json.dumps(said, ensure_ascii=False)
        message = AIMessage(content=said) if isinstance(said, str) else said
        return message.model_copy(update={"usage_metadata": message.usage_metadata or _usage(messages, message)})


class ObligingChatModel(ScriptedChatModel):
    """Needs no script: fills in any schema as simply as it allows, and otherwise quotes the first sentence of the first passage in the
    last messages. For whole installations: `NORTH_CHAT_ENGINE=tests.scripted.engine`."""

    script: Script = lambda messages: ""

    def _stream(self, *arguments: Any, **bound: Any) -> Iterator[ChatGenerationChunk]:
        """Each piece is a sign of life, as in the real engines."""
        return watched(super()._stream(*arguments, **bound), "chat", "device")

    def answer(self, call: Call) -> Reply:
        said = "\n".join(message.text for message in call.messages)
        if call.schema is not None:
            return json.dumps(_simplest(call.schema, said), ensure_ascii=False)
        passage = re.search(r"<passage [^>]*>\s*(.*?)\s*</passage>", said, re.DOTALL)
        return re.split(r"(?<=[.!?。])\s", passage[1], maxsplit=1)[0] if passage else "I can say nothing to that."


def engine(model: str, models_dir: object = None, threads: int = 1) -> ObligingChatModel:
    """For settings, in the place of a real engine; SCRIPTED_DELAY gives the seconds before each word."""
    return ObligingChatModel(delay=float(os.environ.get("SCRIPTED_DELAY", "0.02")))


def in_turn(*replies: Reply) -> Script:
    """A script that gives one reply after the other, and fails when asked once more than that."""
    left = iter(replies)

    def script(messages: list[BaseMessage]) -> Reply:
        try:
            return next(left)
        except StopIteration:
            if MEND_TASK in messages[-1].text:  # it has no better sentence
                return {"sentence": ""}
            raise AssertionError(f"The script held {len(replies)} replies and was asked for one more: {messages[-1].text[:200]}") from None

    return script


def _pieces(text: str) -> Sequence[str]:
    return re.findall(r"\S+\s*|\s+", text)


def _usage(messages: Sequence[BaseMessage], reply: AIMessage) -> UsageMetadata:
    """Words for tokens: deterministic, and enough to see that counts arrive where they are shown."""
    prompt, answer = sum(len(message.text.split()) for message in messages), len(reply.text.split())
    return UsageMetadata(input_tokens=prompt, output_tokens=answer, total_tokens=prompt + answer)


def _simplest(schema: Mapping[str, Any], said: str) -> Any:
    """The simplest value of a schema; texts are the words of the last question."""
    if "enum" in schema or "const" in schema:
        return schema.get("const", (schema.get("enum") or [None])[0])
    match schema.get("type"):
        case "object":
            return {name: _simplest(part, said) for name, part in schema.get("properties", {}).items()}
        case "array":
            return [_simplest(schema.get("items", {}), said) for _ in range(schema.get("minItems", 0))]
        case "boolean":
            return True
        case "integer" | "number":
            return schema.get("minimum", 0)
        case "string":
            asked = re.findall(r"(?:Question|Follow-up): (.*)", said) or said.splitlines()[-1:] or [""]
            return asked[-1][: schema.get("maxLength", 200)]
    return None
