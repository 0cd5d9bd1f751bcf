"""A LangChain chat model for any server that speaks OpenAI's chat completions: the one in this process (`llama.py`), vLLM, a hosted one.

Knows nothing of prompts or agents. Written over `Outbound` rather than taken from langchain-openai, because everything that leaves North
goes through that one client, and a caller who stops reading must free the server's slot at once. Beyond messages it passes on what
`bind` gives of PASSED_ON: `bind(response_format={"type": "json_schema", "json_schema": {"name": ..., "schema": ...}})` constrains the
answer to a schema; what the model calls of `tools` stands in the messages' `tool_calls`.
API: https://platform.openai.com/docs/api-reference/chat and llama.cpp's tools/server/README.md.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr, SecretStr

from north.inference.errors import ContextTooLong, ModelUnavailable, Overloaded, Unsupported
from north.inference.vitals import Where, watched, working
from north.outbound import Outbound, OutboundError

PASSED_ON = frozenset({
    "response_format", "temperature", "top_p", "top_k", "max_tokens", "seed", "stop", "tools", "tool_choice", "parallel_tool_calls",
    "frequency_penalty", "presence_penalty",
})  # fmt: skip
ANSWER_BYTES = 20_000_000
TOO_LONG = ("exceed_context_size", "context_length_exceeded", "maximum context length", "context size", "too long")


class OpenAIChatModel(BaseChatModel):
    """`base_url` ends before /chat/completions. `seconds` bounds a whole answer. Streams always, also for `invoke`.

    Each message carries `usage_metadata` (input, of these cached, output tokens) and `response_metadata["finish_reason"]` ("length": it
    was cut at `max_tokens`); the last one `response_metadata["seconds"]`, if the server says how long the model worked on it.
    Raises ModelUnavailable, Overloaded, ContextTooLong.
    """

    base_url: str
    model: str
    api_key: SecretStr = SecretStr("")
    temperature: float = 0.0
    max_tokens: int = 512
    seed: int | None = None
    seconds: float = 300.0
    where: Where = "remote"
    """"processor" or "device": its server is in this process, and a hang of it is this process's (see vitals.py)."""
    _outbound: Outbound = PrivateAttr()

    def __init__(self, *, outbound: Outbound | None = None, **fields: Any) -> None:
        super().__init__(**fields)
        self._outbound = outbound or Outbound([urlsplit(self.base_url).hostname or ""], connect_seconds=3.0)

    @property
    def _llm_type(self) -> str:
        return "openai-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"base_url": self.base_url, "model": self.model}

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **bound: Any
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **bound))

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **bound: Any
    ) -> Iterator[ChatGenerationChunk]:
        for event in self._events(self._payload(messages, stop, bound)):
            chunk = _chunk(event)
            if run_manager and chunk.text:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    def _payload(self, messages: list[BaseMessage], stop: list[str] | None, bound: Mapping[str, Any]) -> dict[str, Any]:
        if unknown := bound.keys() - PASSED_ON:
            raise ValueError(f"not passed on to a model: {', '.join(sorted(unknown))}")
        wanted = {"temperature": self.temperature, "max_tokens": self.max_tokens, "seed": self.seed, "stop": stop, **bound}
        return {
            "model": self.model,
            "messages": convert_to_openai_messages(messages),
            "stream": True,
            "stream_options": {"include_usage": True},
            **({} if self.where == "remote" else {"return_progress": True}),
            **{name: value for name, value in wanted.items() if value is not None},
        }

    def tokenize(self, text: str) -> list[tuple[int, str]]:
        """Ids and texts of its tokens, by llama.cpp's server (`where` is "processor"). A token that is half a character has no text."""
        said = self._asked("tokenize", {"content": text, "add_special": False, "parse_special": False, "with_pieces": True})
        return [(int(one["id"]), one["piece"] if isinstance(one["piece"], str) else "") for one in said["tokens"]]

    def detokenize(self, tokens: Sequence[int]) -> str:
        """Raises Unsupported where one is no token of this model's."""
        return str(self._asked("detokenize", {"tokens": list(tokens)})["content"])

    def _asked(self, verb: str, payload: dict[str, Any]) -> dict[str, Any]:
        url = self.base_url.rstrip("/").removesuffix("/v1") + f"/{verb}"
        headers = {"Authorization": f"Bearer {self.api_key.get_secret_value()}"}
        try:
            response = self._outbound.request("POST", url, json=payload, headers=headers, seconds=30, max_bytes=ANSWER_BYTES)
        except OutboundError as error:
            raise ModelUnavailable(f"The model {self.model} does not answer: {error}") from error
        if response.status_code != 200:
            raise Unsupported(f"invalid request: the model {self.model} knows no such tokens")
        return dict(response.json())

    def _events(self, payload: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """The answer's events until it is complete. Leaving early closes the connection, and the server stops writing."""
        key = self.api_key.get_secret_value()
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        url = self.base_url.rstrip("/") + "/chat/completions"
        try:
            with ExitStack() as opened:
                with working("chat", self.where):
                    response = opened.enter_context(
                        self._outbound.stream("POST", url, json=payload, headers=headers, seconds=self.seconds, max_bytes=ANSWER_BYTES)
                    )
                if response.status_code != 200:
                    raise _refusal(response.status_code, response.read(), response.headers.get("retry-after"), self.model)
                yield from watched(_complete(_parsed(response.iter_lines())), "chat", self.where)
        except OutboundError as error:
            raise ModelUnavailable(f"The model {self.model} does not answer: {error}") from error


def remote(base_url: str, model: str, api_key: str = "", **fields: Any) -> OpenAIChatModel:
    """For settings: a model behind an OpenAI-compatible address that the operator chose, which may be a private one."""
    return OpenAIChatModel(base_url=base_url, model=model, api_key=SecretStr(api_key), **fields)


def _parsed(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Server-sent events whose data is JSON; "[DONE]" ends them. Comments (pings) are passed over."""
    for line in lines:
        if not line.startswith("data:"):
            continue
        data = line.removeprefix("data:").strip()
        if data == "[DONE]":
            return
        try:
            event = json.loads(data)
        except ValueError:
            event = None
        if not _is_event(event):
            raise ModelUnavailable("The model's server sent something that is no answer. Try again; if it stays so, restart it.")
        yield event


def _is_event(event: Any) -> bool:
    if not isinstance(event, dict):
        return False
    choices = event.get("choices")
    well = isinstance(choices, list) and all(isinstance(choice, dict) and isinstance(choice.get("delta") or {}, dict) for choice in choices)
    return well or bool(event.get("error"))


def _complete(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The events, with errors raised, and an error if they end before the model said that it had finished."""
    finished = False
    for event in events:
        if event.get("error"):
            raise _failure(json.dumps(event["error"]), "The model's server failed in the middle of its answer. Try again.")
        finished = finished or any(choice.get("finish_reason") for choice in event["choices"])
        yield event
    if not finished:
        raise ModelUnavailable("The model's server broke off in the middle of its answer. Try again.")


def _chunk(event: Mapping[str, Any]) -> ChatGenerationChunk:
    choice = (event["choices"] or [{}])[0]
    delta = choice.get("delta") or {}
    reason, content = choice.get("finish_reason"), delta.get("content")
    message = AIMessageChunk(
        content=content if isinstance(content, str) else "",
        tool_call_chunks=_calls(delta.get("tool_calls")),
        usage_metadata=_usage(event.get("usage")),
        response_metadata=({"finish_reason": reason} if reason else {}) | _held(event.get("timings")),
    )
    return ChatGenerationChunk(message=message)


def _calls(calls: Any) -> list[ToolCallChunk]:
    """The pieces of tool calls: a name and an id come first, arguments bit by bit. What is none is passed over."""
    pieces = []
    for call in calls if isinstance(calls, list) else []:
        function = call.get("function") if isinstance(call, dict) else None
        if isinstance(function, dict):
            said = {"name": function.get("name"), "args": function.get("arguments"), "id": call.get("id")}
            texts = {key: value for key, value in said.items() if isinstance(value, str)}
            index = call.get("index")
            if texts.keys() - {"id"}:
                pieces.append(tool_call_chunk(**texts, index=index if isinstance(index, int) else 0))
    return pieces


def _usage(usage: Mapping[str, Any] | None) -> UsageMetadata | None:
    if not usage:
        return None
    read, written = usage.get("prompt_tokens", 0), usage.get("completion_tokens", 0)
    cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return UsageMetadata(
        input_tokens=read, output_tokens=written, total_tokens=read + written, input_token_details=InputTokenDetails(cache_read=cached)
    )


def _held(timings: Any) -> dict[str, float]:
    """How long the model worked on it, where the server says so (llama.cpp does): without the time in its queue."""
    if not isinstance(timings, dict):
        return {}
    return {"seconds": (float(timings.get("prompt_ms") or 0) + float(timings.get("predicted_ms") or 0)) / 1000}


def _refusal(status: int, body: bytes, retry_after: str | None, model: str) -> Exception:
    """The error for an answer that is none. What the server wrote is looked at and never shown."""
    if status in (429, 503):
        return Overloaded(float(retry_after) if retry_after and retry_after.isdigit() else 5.0)
    if status in (401, 403):
        return ModelUnavailable(f"The server of the model {model} does not accept North's key. An administrator can set NORTH_CHAT_KEY.")
    if status == 404:
        return ModelUnavailable(f"The server knows no model {model}. An administrator can set NORTH_CHAT_URL and NORTH_CHAT_MODEL.")
    said = body.decode(errors="replace") if status in (400, 413) else ""
    return _failure(said, f"The server of the model {model} failed (status {status}). Try again.")


def _failure(said: str, otherwise: str) -> Exception:
    if any(words in said.lower() for words in TOO_LONG):
        return ContextTooLong("This is more text than the model can read at once. Ask more briefly, or start a new thread.")
    return ModelUnavailable(otherwise)
