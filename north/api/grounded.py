"""The workspace's assistant as a model: a chat with it is a run with the rights of the key's user, so retrieval, refusal and citations are
those of the pages. The thread is made of the messages and deleted with the answer: a program's questions fill nobody's list."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from functools import partial
from typing import Any

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import transaction
from django.http import Http404
from django.utils import timezone
from redis.exceptions import RedisError

from north.api.door import Caller
from north.api.faults import Fault
from north.api.keys import by_key_or_404
from north.documents.rendering import Span
from north.documents.views.viewing import address
from north.serving.errors import CallFailed
from north.threads import actions, stream
from north.threads.errors import Refused
from north.threads.models import Run
from north.workspaces.models import Membership

TURNS = 4
BUSY_SECONDS = 5
NOT_FOR_ASSISTANTS = {
    "tools": "has its own tools",
    "json": "answers in sentences",
    "stop": "takes no stop sequences",
}


def checked(asked: dict[str, Any], documents: bool) -> None:
    """Refuses what an assistant cannot do. Raises Fault."""
    for name, why in NOT_FOR_ASSISTANTS.items():
        if asked[name] not in ([], None):
            raise Fault(400, f"invalid request: the assistant of a workspace {why}. Leave this out, or name a chat model.", param=name)
    if documents:
        raise Fault(400, "invalid request: the assistant answers from its workspace's documents. Leave yours out, or name a chat model.")
    if any(one["role"] == "system" for one in asked["messages"]):
        raise Fault(400, "invalid request: the assistant has instructions of its own. Leave the system message out, or name a chat model.")
    if asked["messages"][-1]["role"] != "user":
        raise Fault(400, "invalid request: the last message to an assistant must be the user's")


async def events(asked: dict[str, Any], caller: Caller) -> AsyncGenerator[dict[str, Any], None]:
    """As conversing.events. Raises CallFailed."""
    run = await sync_to_async(begin)(asked["messages"], caller.actor)
    told = Told(caller.actor.workspace.slug)
    try:
        async with aclosing(stream.batches(run.pk, "", partial(by_key_or_404, caller.key))) as found:
            async for entries in found:
                for entry in entries:
                    for event in told.events(entry.kind, entry.payload):
                        yield event
                if not entries:
                    yield {"kind": "ping"}
        if not told.over:
            raise CallFailed(
                503, "The answer broke off, or the key's rights were taken away.", code="unavailable", retry_after=BUSY_SECONDS
            )
        yield await stream.rows(partial(done, run))
    except (RedisError, Http404) as error:
        raise CallFailed(503, "Answers are away for a moment.", code="unavailable", retry_after=BUSY_SECONDS) from error
    finally:
        asyncio.get_running_loop().run_in_executor(stream.ROWS, partial(end, run, caller.actor))


def begin(messages: Sequence[dict[str, Any]], actor: Membership) -> Run:
    try:
        with transaction.atomic():
            thread = actions.create(actor=actor)
            for question, answer in turns(messages)[-TURNS:]:
                Run.objects.create(
                    thread=thread, question=actions.checked(question), answer=answer, status=Run.Status.DONE, ended_at=timezone.now()
                )
            return actions.ask(thread, messages[-1]["text"], actor=actor)
    except Refused as error:
        retry_after = BUSY_SECONDS if error.status == 429 else 0
        raise CallFailed(
            error.status, str(error), code="overloaded" if retry_after else "invalid_request", retry_after=retry_after
        ) from error
    finally:
        stream.let_go()


def turns(messages: Sequence[dict[str, Any]]) -> list[tuple[str, str]]:
    """The questions before the last, each with what was answered."""
    found: list[tuple[str, str]] = []
    for one in messages[:-1]:
        if one["role"] == "user":
            found.append((one["text"], ""))
        elif found:
            found[-1] = (found[-1][0], one["text"])
    return [(question, answer) for question, answer in found if answer]


class Told:
    """What a run's journal says, as events; `text` is what the caller has of the answer."""

    def __init__(self, slug: str) -> None:
        self.slug, self.text, self.over = slug, "", False

    def events(self, kind: str, payload: Any) -> list[dict[str, Any]]:
        match kind:
            case "delta":
                return self.more(self.text[: payload["offset"]] + payload["text"])
            case "restart":
                return [*self.more(payload["answer"]), *(self.result(payload["result"]) if payload["result"] else [])]
            case "answer":
                return self.result(payload)
            case "end":
                self.over = True
                if payload["status"] != Run.Status.DONE:
                    words = payload["error"] or "The question was stopped."
                    raise CallFailed(503, words, code="not_answered", retry_after=BUSY_SECONDS)
        return [{"kind": "ping"}]

    def more(self, answer: str) -> list[dict[str, Any]]:
        """What the caller lacks. Raises CallFailed where the answer began anew: what they have cannot be taken back."""
        if not answer.startswith(self.text):
            raise CallFailed(503, "The answer had to be begun anew. Ask again.", code="interrupted", retry_after=BUSY_SECONDS)
        new, self.text = answer[len(self.text) :], answer
        return [{"kind": "text", "text": new}] if new else []

    def result(self, payload: Any) -> list[dict[str, Any]]:
        citations = [
            {**citation, "sources": [self.source(one) for one in citation["sources"]]}
            for citation in payload["citations"]
            if citation["sources"]
        ]
        return [*self.more(payload["text"]), *([{"kind": "citations", "citations": citations}] if citations else [])]

    def source(self, one: Any) -> dict[str, Any]:
        """A page of the web by its own address: what was kept of it goes with the run."""
        url = one.get("url") or settings.PUBLIC_URL + address(self.slug, one["document"], Span(one["start"], one["end"]), one["text"])
        return {**one, "kind": "document", "shown": {"title": one["name"], "snippet": one["text"], "url": url}}


def done(run: Run) -> dict[str, Any]:
    spent = Run.objects.values("tokens_in", "tokens_out", "tokens_cached").get(pk=run.pk)
    return {"kind": "done", "finish": "complete", **spent}


def end(run: Run, actor: Membership) -> None:
    """Stops it where it still works, and buries its thread."""
    try:
        actions.delete(run.thread, actor=actor)
    finally:
        stream.connection.close()
