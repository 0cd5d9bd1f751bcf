"""A question of `/mcp` while it is answered: progress for those who want to hear of it, then the answer. Whoever goes away stops it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, suppress
from functools import partial
from typing import Any
from uuid import UUID

from django.db import close_old_connections
from django.http import Http404
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from north.api.keys import by_key_or_404
from north.threads import actions, pages, stream
from north.threads.following import TooSlow
from north.threads.journal import Entry
from north.threads.models import Run
from north.threads.reading import Shown, shown

Message = Mapping[str, Any]


def failure(words: str) -> dict[str, Any]:
    """A tool's result that says what went wrong."""
    return {"content": [{"type": "text", "text": words}], "isError": True}


async def told(
    run_id: UUID, key: str, progress: str | int | None, answer: Callable[[Shown], Message], reply: Callable[[Message], Message]
) -> AsyncIterator[str]:
    """Server-sent events to the one that holds the answer. A stream that nobody reads to its end stops the run."""
    door, over, count = partial(by_key_or_404, key), False, 0
    try:
        async with aclosing(stream.batches(run_id, "", door)) as found:
            async for entries in found:
                over = bool(entries) and entries[-1].kind == "end"
                said = list(progressed(entries, progress, count)) if progress is not None else []
                count += len(said)
                yield "".join(map(sent, said)) or ": ping\n\n"
        yield sent(await stream.rows(partial(outcome, run_id, door, answer, reply)))
        over = True
    except Http404:
        yield sent(reply(failure(_("You may no longer use this workspace, so this question was stopped."))))
    except (RedisError, TooSlow):
        yield sent(reply(failure(_("Live answers are away for a moment, so this question was stopped. Ask again."))))
    finally:
        if not over:
            stream.ROWS.submit(stop, run_id, key)


def sent(message: Message) -> str:
    return f"event: message\ndata: {json.dumps(message)}\n\n"


def progressed(entries: Sequence[Entry], token: str | int, count: int) -> Iterator[Message]:
    """Each step that begins or ends, in words."""
    steps = [step for entry in entries for step in (entry.payload.get("steps", []) if entry.kind == "restart" else [entry.payload])
             if entry.kind in {"restart", "step"}]  # fmt: skip
    for number, step in enumerate(steps, count + 1):
        query = str(step["detail"].get("query", ""))
        words = pages.label(step["kind"], step["ended_at"] is not None)
        params = {"progressToken": token, "progress": number, "message": f"{words}: {query}" if query else words}
        yield {"jsonrpc": "2.0", "method": "notifications/progress", "params": params}


def outcome(run_id: UUID, door: stream.Door, answer: Callable[[Shown], Message], reply: Callable[[Message], Message]) -> Message:
    """Raises `Http404` where the run is no longer the caller's to see."""
    reader = door()
    run = Run.objects.of(reader).select_related("thread").prefetch_related("steps", "citations", "approvals").filter(pk=run_id).first()
    if run is None:
        raise Http404
    if run.status == Run.Status.DONE:
        return answer(shown([run], reader)[0])
    return reply(failure(run.error or _("This question was stopped.")))


def stop(run_id: UUID, key: str) -> None:
    """In a thread of its own: whoever asked has gone."""
    try:
        with suppress(Http404):
            reader = by_key_or_404(key)
            run = Run.objects.of(reader).select_related("thread").filter(pk=run_id).first()
            if run is not None:
                actions.cancel(run, actor=reader)
    finally:
        close_old_connections()
