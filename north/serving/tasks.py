"""What the model worker does for programs: one task a verb, on the interactive lane. Nothing is kept but what was used; a call whose worker
dies is not done again, and its caller is told after a while that nothing comes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from celery import shared_task

from north import wiring
from north.inference.batching import patience
from north.inference.errors import ModelError
from north.inference.metering import Used, metered
from north.serving import encoding, writing
from north.serving.errors import CallFailed, Silent, failed
from north.serving.job import Job
from north.serving.replying import Reply
from north.tracing import trace_id
from north.usage import models as usage

Who = Mapping[str, str]
Work = Callable[[Job], dict[str, Any]]
"""Gives the fields of the last event."""


@shared_task
def embed(to: list[str], who: dict[str, str], until: float) -> None:
    serve(encoding.embed, usage.Kind.EMBED, "embed", to=to, who=who, until=until)


@shared_task
def rerank(to: list[str], who: dict[str, str], until: float) -> None:
    serve(encoding.rerank, usage.Kind.RERANK, "score", to=to, who=who, until=until)


@shared_task
def tokenize(to: list[str], who: dict[str, str], until: float) -> None:
    serve(encoding.tokenize, None, "", to=to, who=who, until=until)


@shared_task
def detokenize(to: list[str], who: dict[str, str], until: float) -> None:
    serve(encoding.detokenize, None, "", to=to, who=who, until=until)


@shared_task
def chat(to: list[str], who: dict[str, str], until: float) -> None:
    serve(writing.chat, usage.Kind.CHAT, "chat", to=to, who=who, until=until)


def serve(work: Work, kind: usage.Kind | None, role: str, *, to: list[str], who: Who, until: float) -> None:
    """Does it while somebody waits, then counts what was used, where `kind` says so, by the model of `role`. `except Exception` is the
    edge: whoever waits is told that North broke."""
    reply = Reply(*to)
    asked = reply.take()
    if asked is None:
        return refuse(reply, Silent())
    job = Job(asked, reply)
    read = Used()
    try:
        with metered() as read, patience(until - time.time(), reply.gone):
            reply("done", **work(job))
    except CallFailed as error:
        refuse(reply, error)
    except ModelError as error:
        refuse(reply, failed(error))
    except Exception:
        words = f"Something in North broke. Give your administrator the number {trace_id.get() or '-'}."
        refuse(reply, CallFailed(500, words, code="internal_error"))
        raise
    finally:
        count(kind, role, read, job.used, who)


def refuse(reply: Reply, error: CallFailed) -> None:
    reply("error", status=error.status, message=error.message, code=error.code, retry_after=error.retry_after)


def count(kind: usage.Kind | None, role: str, read: Used, written: Used, who: Who) -> None:
    """An embedder that helped with citations counts by its own name."""
    if kind is None:
        return
    workspace, user, key = UUID(who["workspace"]), UUID(who["user"]), UUID(who["key"]) if who["key"] else None
    own = written if role == "chat" else read
    usage.add(kind, own, model=wiring.model_name(role), workspace=workspace, user=user, key=key, count=1)
    if role == "chat" and read != Used():
        usage.add(kind, read, model=wiring.model_name("embed"), workspace=workspace, user=user, key=key)
