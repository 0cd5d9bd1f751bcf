"""A chat of a program, whatever dialect it speaks: what was asked, the events of its answer (north/serving/writing.py), and the answer as a
whole. A chat model is asked through the worker, the workspace's assistant through a run (`grounded.py`).

Of a citation's source, `shown` is what the caller reads of it: their own document or tool result, or the words of a document of North's.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

from asgiref.sync import sync_to_async
from django.http import StreamingHttpResponse

from north.api import grounded
from north.api.door import Caller
from north.api.named import Served
from north.serving.calls import Event, calling
from north.serving.errors import CallFailed
from north.threads.stream import let_go

PING_SECONDS = 10.0
NO_BUFFERS = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}


@dataclass(frozen=True, slots=True)
class Source:
    """A caller's own: `data` as they gave it."""

    kind: Literal["document", "tool"]
    data: dict[str, Any]
    text: str
    title: str = ""


def empty() -> dict[str, Any]:
    """What the worker wants to know, with nothing asked yet."""
    return {
        "messages": [], "cite": False, "tools": [], "choice": "auto", "strict": False, "json": None, "stop": [], "safety": "",
    }  # fmt: skip


@dataclass(slots=True)
class Chat:
    model: Served
    asked: dict[str, Any] = field(default_factory=empty)
    sources: dict[str, Source] = field(default_factory=dict)
    """By id: documents that came with the question, and what tools returned."""

    def for_worker(self) -> dict[str, Any]:
        documents = [
            {"id": id, "title": source.title, "text": source.text, "of": source.kind}
            for id, source in self.sources.items()
            if source.kind == "document" or self.asked["cite"]
        ]
        return {**self.asked, "documents": documents}

    def said(self, role: str, text: str, **more: Any) -> None:
        self.asked["messages"].append({"role": role, "text": text, "calls": [], **more})


@dataclass(slots=True)
class Answer:
    text: str = ""
    calls: list[dict[str, str]] = field(default_factory=list)
    """{"id", "name", "arguments": JSON}"""
    citations: list[dict[str, Any]] = field(default_factory=list)
    done: Event = field(default_factory=dict)

    def take(self, event: Event) -> None:
        match event["kind"]:
            case "text":
                self.text += event["text"]
            case "call":
                self.calls.append({"id": event["id"], "name": event["name"], "arguments": ""})
            case "arguments":
                self.calls[event["index"]]["arguments"] += event["text"]
            case "citations":
                self.citations = event["citations"]
            case "done":
                self.done = event


async def events(chat: Chat, caller: Caller) -> AsyncGenerator[Event, None]:
    """To `done`; a `ping` where nothing happened for some seconds. Whoever closes it stops the work. Raises CallFailed."""
    await sync_to_async(let_go)()
    if chat.model.role == "agent":
        async with aclosing(grounded.events(chat.asked, caller)) as told:
            async for event in told:
                yield event
        return
    async with calling("serving.chat", chat.for_worker(), caller.actor) as call:
        while not call.over:
            event_or_none = await call.next(PING_SECONDS)
            yield with_shown(event_or_none, chat) if event_or_none else {"kind": "ping"}


def with_shown(event: Event, chat: Chat) -> Event:
    for citation in event["citations"] if event["kind"] == "citations" else ():
        for source in citation["sources"]:
            own = chat.sources[source["document"]]
            source |= {"kind": own.kind, "shown": own.data}
    return event


async def whole(chat: Chat, caller: Caller) -> Answer:
    """Raises CallFailed."""
    answer = Answer()
    async with aclosing(events(chat, caller)) as told:
        async for event in told:
            answer.take(event)
    return answer


class Render(Protocol):
    """Events as the lines of a dialect's stream."""

    def begin(self) -> Iterable[str]: ...

    def event(self, event: Event) -> Iterable[str]: ...

    def failed(self, error: CallFailed) -> Iterable[str]:
        """A fault after the first byte, when no status can tell it."""
        ...


async def stream(chat: Chat, caller: Caller, render: Render, content_type: str) -> StreamingHttpResponse:
    """Begins when the first event is there, so that what is wrong before is a status. Raises CallFailed."""
    told = events(chat, caller)
    first = await anext(told)
    return StreamingHttpResponse(lines(first, told, render), content_type=content_type, headers=NO_BUFFERS)


async def lines(first: Event, told: AsyncGenerator[Event, None], render: Render) -> AsyncIterator[str]:
    async with aclosing(told):
        yield "".join([*render.begin(), *render.event(first)])
        try:
            async for event in told:
                if text := "".join(render.event(event)):
                    yield text
        except CallFailed as error:
            yield "".join(render.failed(error))


def cited_once(sources: Iterable[dict[str, Any]], key: Callable[[dict[str, Any]], Any]) -> list[dict[str, Any]]:
    """Without what one source says twice."""
    return list({key(source): source for source in reversed(list(sources))}.values())[::-1]
