"""The tools that models are given at `/mcp`: search, fetch, ask. What they take and give is described by JSON schemas; the first two have
the shape that assistants with connectors of their own expect (`results` of `id`, `title`, `url`; a document's `text`). What goes wrong
inside a tool is told as its result, since the model can read that and do better."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import Http404, HttpResponseBase, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from ninja import Schema
from pydantic import Field, ValidationError

from north.api import mcp_asking
from north.api.schemas import In, Text
from north.api.schemas.knowledge import FILTERS
from north.documents import actions as documents
from north.documents.errors import DocumentError
from north.documents.filtering import filters_of
from north.threads import actions as threads
from north.threads.errors import Refused
from north.threads.models import Thread
from north.threads.pages import place_of
from north.workspaces.models import Membership
from retrieval.errors import RetrievalError
from retrieval.types import Passage

TEXT_LENGTH = 100_000
Reply = Callable[[Mapping[str, Any]], dict[str, Any]]


@dataclass(frozen=True)
class Call:
    """Who calls a tool, by which key; under which token they want to hear of progress; how a result becomes an answer to their message."""

    caller: Membership
    key: str
    progress: str | int | None
    reply: Reply


@dataclass(frozen=True)
class Tool:
    name: str
    title: str
    description: str
    takes: type[Schema]
    gives: type[Schema]
    work: Callable[[Any, Call], Schema | HttpResponseBase]
    scope: str = "read"
    reads_only: bool = True

    def described(self) -> dict[str, Any]:
        hints = {"readOnlyHint": self.reads_only, "destructiveHint": False, "idempotentHint": self.reads_only, "openWorldHint": False}
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": {"type": "object", **self.takes.json_schema()},
            "outputSchema": {"type": "object", **self.gives.model_json_schema(mode="serialization")},
            "annotations": hints,
        }


def run(tool: Tool, arguments: object, call: Call) -> HttpResponseBase:
    try:
        found = tool.work(tool.takes.model_validate(arguments), call)
        return found if isinstance(found, HttpResponseBase) else JsonResponse(call.reply(result(found)))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, one['loc'])) or 'arguments'}: {one['msg']}" for one in error.errors()[:5])
        return JsonResponse(call.reply(mcp_asking.failure(f"The arguments do not fit. {wrong}")))
    except Http404:
        return JsonResponse(call.reply(mcp_asking.failure("There is nothing of this id, or it is not yours to see.")))
    except (DocumentError, RetrievalError, Refused) as error:
        return JsonResponse(call.reply(mcp_asking.failure(str(error))))


def result(shape: Schema) -> dict[str, Any]:
    """The structured result, and the same as text for those who read only that."""
    said = shape.model_dump(mode="json")
    return {"content": [{"type": "text", "text": json.dumps(said, ensure_ascii=False)}], "structuredContent": said, "isError": False}


def url_of(caller: Membership, document: str, start: int | None = None, end: int | None = None, words: str = "") -> str:
    """Where a person opens the document, at these words."""
    return settings.PUBLIC_URL + place_of(caller.workspace.slug, document, start, end, words)


# --- search ---------------------------------------------------------------------------------------------------------------------------
class SearchTakes(In):
    query: str = Field(min_length=1, max_length=8000, description="A question or words, in any language.")
    top_k: int = Field(10, ge=1, le=50, description="How many passages.")
    filters: Any = Field(default_factory=dict, description="What narrows the search.", json_schema_extra=FILTERS)


class PassageGiven(Schema):
    url: str
    start: int = Field(description="In code points of the document's text.")
    end: int
    text: str
    heading: str
    score: float


class ResultGiven(Schema):
    id: str = Field(description="For `fetch`.")
    title: str
    url: str
    text: str = Field(description="The best passage.")
    score: float
    passages: list[PassageGiven]


class SearchGives(Schema):
    results: list[ResultGiven]
    notice: str = Field(description="What was missing for this search; empty: nothing.")


def search(asked: SearchTakes, call: Call) -> SearchGives:
    filters = filters_of(asked.filters, documents.readable(call.caller))
    found = documents.search(asked.query, top_k=asked.top_k, filters=filters, actor=call.caller)
    by_document: dict[str, list[Passage]] = {}
    for passage in found.passages:
        by_document.setdefault(passage.document, []).append(passage)
    results = [given(document, passages, call.caller) for document, passages in by_document.items()]
    return SearchGives(results=sorted(results, key=lambda one: -one.score), notice=found.notice)


def given(document: str, passages: list[Passage], caller: Membership) -> ResultGiven:
    best = max(passages, key=lambda passage: passage.score)
    quoted = [
        PassageGiven(
            url=url_of(caller, document, one.start, one.end, one.text),
            start=one.start, end=one.end, text=one.text, heading=one.heading, score=one.score,
        )
        for one in passages
    ]  # fmt: skip
    url = url_of(caller, document, best.start, best.end, best.text)
    return ResultGiven(id=document, title=best.name, url=url, text=best.text, score=best.score, passages=quoted)


# --- fetch ----------------------------------------------------------------------------------------------------------------------------
class FetchTakes(In):
    id: Text = Field(min_length=1, max_length=100, description="Of a search's result or an answer's source.")
    start: int = Field(0, ge=0, le=(1 << 31) - 1, description="Where to go on in a long document.")


class Facts(Schema):
    media_type: str
    author: str
    language: str
    folder: str
    changed_at: datetime | None
    length: int = Field(description="Code points of the whole text.")
    start: int
    next: int | None = Field(description="Send it as `start` for what follows; null: nothing does.")


class FetchGives(Schema):
    id: str
    title: str
    text: str
    url: str
    metadata: Facts


def fetch(asked: FetchTakes, call: Call) -> FetchGives:
    try:
        id = uuid.UUID(asked.id)
    except ValueError:
        raise Http404 from None
    row = get_object_or_404(documents.readable(call.caller), pk=id)
    end = asked.start + TEXT_LENGTH
    facts = Facts(
        media_type=row.media_type, author=row.author, language=row.language, folder=row.kept_in, changed_at=row.changed_at,
        length=len(row.text), start=asked.start, next=end if end < len(row.text) else None,
    )  # fmt: skip
    return FetchGives(
        id=str(row.pk), title=row.title or row.name, text=row.text[asked.start : end], url=url_of(call.caller, str(row.pk)), metadata=facts
    )


# --- ask ------------------------------------------------------------------------------------------------------------------------------
class AskTakes(In):
    question: str = Field(min_length=1, max_length=threads.QUESTION_LENGTH)
    thread: uuid.UUID | None = Field(None, description="Of an answer before, to go on from there; without it a new thread begins.")


class SourceGiven(Schema):
    id: str
    title: str
    url: str
    start: int
    end: int
    text: str


class CitationGiven(Schema):
    start: int = Field(description="In code points of the answer.")
    end: int
    text: str
    sources: list[SourceGiven]


class AskGives(Schema):
    answer: str
    refused: bool = Field(description="The documents do not hold the answer.")
    citations: list[CitationGiven] = Field(description="Which words of the answer rest on which words of documents.")
    unsupported: list[str] = Field(description="Words of the answer that rest on nothing that was found.")
    thread: str
    run: str
    url: str = Field(description="Where a person reads the answer with its sources.")


def ask(asked: AskTakes, call: Call) -> HttpResponseBase:
    """The question is asked now; the answer is waited for in the stream."""
    with transaction.atomic():
        thread = get_object_or_404(Thread.objects.of(call.caller), pk=asked.thread) if asked.thread else threads.create(actor=call.caller)
        asking = threads.ask(thread, asked.question, actor=call.caller)
    told = mcp_asking.told(asking.pk, call.key, call.progress, lambda seen: call.reply(result(answered(seen, call.caller))), call.reply)
    headers = {"Cache-Control": "no-cache, no-transform", "X-Accel-Buffering": "no"}
    return StreamingHttpResponse(told, content_type="text/event-stream; charset=utf-8", headers=headers)


def answered(seen: mcp_asking.Shown, caller: Membership) -> AskGives:
    citations = [
        CitationGiven(
            start=citation.start,
            end=citation.end,
            text=citation.text,
            sources=[
                SourceGiven(
                    id=one.document, title=one.name, url=url_of(caller, one.document, one.start, one.end, one.text),
                    start=one.start, end=one.end, text=one.text,
                )
                for one in citation.sources
                if not one.closed
            ],
        )
        for citation in seen.citations
    ]  # fmt: skip
    place = reverse("threads:thread", args=[caller.workspace.slug, seen.run.thread_id])
    return AskGives(
        answer=seen.run.answer,
        refused=seen.run.refused,
        citations=citations,
        unsupported=[span["text"] for span in seen.run.unsupported],
        thread=str(seen.run.thread_id),
        run=str(seen.run.pk),
        url=f"{settings.PUBLIC_URL}{place}?run={seen.run.pk}#run-{seen.run.pk}",
    )


TOOLS = {
    tool.name: tool
    for tool in (
        Tool(
            "search", "Search the documents",
            "Finds the passages of the company's documents that answer a question best. Read more of a document with `fetch`.",
            SearchTakes, SearchGives, search,
        ),
        Tool(
            "fetch", "Read a document",
            "The text of one document, by the id that `search` or `ask` gave; 100,000 characters at a time.",
            FetchTakes, FetchGives, fetch,
        ),
        Tool(
            "ask", "Ask North",
            "Has North search, read and answer a question from the company's documents, each statement with its source; or say that they "
            "do not hold the answer. Takes some seconds to minutes; closing the stream stops it.",
            AskTakes, AskGives, ask, scope="infer", reads_only=False,
        ),
    )
}  # fmt: skip
