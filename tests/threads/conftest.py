"""Threads with real parts: the agent, the index, the broker, the journal; only the chat model follows a script."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import redis
from django.conf import LazySettings
from django.db import connections
from django.utils import timezone
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk

import north.celery  # noqa: F401  (the application whose broker the tasks are sent to)
from north import wiring
from north.documents.models import Document, Principal, Status
from north.documents.passages import recheck
from north.threads import actions, tasks
from north.threads.models import Run
from north.workspaces.models import Membership, User, Workspace
from retrieval.types import Entry, Parsed
from tests.conftest import cookies
from tests.scripted import Call, ObligingChatModel, Reply

NOTICE = "The notice period is thirty days for all staff. It begins at the end of the month."
TRAVEL = "Train journeys are booked in second class. Flights need the consent of the head of department."


def cached_usage(call: Call, said: str, cached: int) -> UsageMetadata:
    read, written = sum(len(message.text.split()) for message in call.messages), len(said.split())
    return UsageMetadata(input_tokens=read, output_tokens=written, total_tokens=read + written, input_token_details={"cache_read": cached})


class Actor(ObligingChatModel):
    """The chat model of this process. A test tells it what to write; without that it says the first sentence of the first passage."""

    says: str = ""
    asked: Callable[[Call], object] | None = None
    """Called with each question before it is answered; what it raises is the model's fault."""
    cached: int = 0
    """Tokens of each prompt that it still knew."""
    plays: Callable[[Call], Reply] | None = None
    """Another model's part, in place of its own."""
    meanwhile: Callable[[], object] | None = None
    """Happens, as somebody else's doing, once the model has written three words of an answer."""

    def answer(self, call: Call) -> Reply:
        if self.asked:
            self.asked(call)
        if self.plays:
            return self.plays(call)
        said = self.says if self.says and call.schema is None else super().answer(call)
        return AIMessage(content=str(said), usage_metadata=cached_usage(call, str(said), self.cached)) if self.cached else said

    def _stream(self, messages: list[BaseMessage], *arguments: Any, **bound: Any) -> Iterator[ChatGenerationChunk]:
        for number, piece in enumerate(super()._stream(messages, *arguments, **bound)):
            if number == 3 and self.meanwhile and "response_format" not in bound:
                in_background(self.meanwhile).join()
            yield piece

    def as_before(self) -> None:
        self.calls.clear()
        self.cached = 0
        self.says, self.delay, self.sent, self.asked, self.plays, self.meanwhile = "", 0.0, 0, None, None, None


def in_background(work: Callable[[], object]) -> threading.Thread:
    """Does this in a thread with a database connection of its own."""

    def working() -> None:
        try:
            work()
        finally:
            connections.close_all()

    thread = threading.Thread(target=working)
    thread.start()
    return thread


ACTOR = Actor()


def engine(**_: object) -> Actor:
    return ACTOR


@pytest.fixture
def model(settings: LazySettings) -> Iterator[Actor]:
    settings.MODELS = {**settings.MODELS, "chat": {"engine": "tests.threads.conftest.engine", "model": "scripted"}}
    assert wiring.chat_model() is ACTOR, "another test has put its own model into this process"
    ACTOR.as_before()
    yield ACTOR
    ACTOR.as_before()


Shelve = Callable[..., Document]


@pytest.fixture
def shelve(vectors: str, workspace: Workspace) -> Shelve:
    """Puts a document into the workspace and its index. Open to everybody in it unless `principals` says who."""

    def add(name: str, text: str, principals: Iterable[str] | None = None, where: Workspace = workspace) -> Document:
        sha256 = hashlib.sha256(text.encode()).hexdigest()
        document = Document.objects.create(
            workspace=where, name=name, text=text, sha256=sha256, indexed_sha256=sha256, status=Status.READY, ready_at=timezone.now()
        )
        who = frozenset([where.everyone] if principals is None else principals)
        Principal.objects.bulk_create(Principal(document=document, value=value) for value in who)
        entry = Entry(str(where.pk), str(document.pk), "", sha256, name, who)
        wiring.retriever(recheck).add(entry, Parsed(text, "text/plain"))
        return document

    return add


@pytest.fixture
def notice(shelve: Shelve) -> Document:
    return shelve("handbook.txt", NOTICE)


@pytest.fixture
def answered(transactional_db: None, broker: redis.Redis, model: Actor, notice: Document, reader: Membership) -> Run:
    """A question of rita's that was answered from the handbook."""
    return finish(actions.start("How long is the notice period?", actor=reader))


def finish(run: Run) -> Run:
    """Does what the worker does with this run."""
    tasks.execute(str(run.pk))
    return Run.objects.get(pk=run.pk)


@dataclass(frozen=True)
class Told:
    """One server-sent event."""

    id: str
    kind: str
    data: str


def told(lines: Iterator[str], after: str) -> Iterator[Told]:
    """The events in the lines of a stream, as a browser reads them."""
    id, kind, data = after, "message", []
    for line in lines:
        name, _, value = line.partition(": ")
        if not line and data:
            yield Told(id, kind, "\n".join(data))
            kind, data = "message", []
        elif name == "id":
            id = value
        elif name == "event":
            kind = value
        elif name == "data" or line == "data:":
            data.append(value)


@contextmanager
def listening(server: str, run: Run, user: User, after: str = "", **headers: str) -> Iterator[tuple[httpx.Response, Iterator[Told]]]:
    path = f"/w/{run.thread.workspace.slug}/runs/{run.pk}/events"
    sent = {"Last-Event-ID": after, **headers} if after else headers
    with (
        httpx.Client(base_url=server, cookies=cookies(user), timeout=30, trust_env=False) as client,
        client.stream("GET", path, headers=sent) as response,
    ):
        yield response, told(response.iter_lines(), after)
