"""POST /v2/rerank and /v1/rerank."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

import yaml
from django.conf import settings
from django.http import HttpResponseBase

from north.api import named
from north.api.door import Caller, answer, door
from north.api.faults import Fault
from north.api.given import Given
from north.serving.calls import answer as asked_of_worker

TOKENS = 4096
UNIT = 100
"""Documents of one billed search."""
NO_TEXT = "invalid request: document at index {place} does not have a 'snippet' or a 'text' field; name its fields in rank_fields"
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


@door("POST")
async def v2(call: Caller) -> HttpResponseBase:
    documents = documents_of(call.given)
    records = any(not isinstance(one, str) for one in documents)
    texts = await asyncio.to_thread(lambda: [one if isinstance(one, str) else as_yaml(one) for one in documents]) if records else documents
    return answer(await ranked(call, texts, "2", [{}] * len(texts)))


@door("POST")
async def v1(call: Caller) -> HttpResponseBase:
    documents, fields = documents_of(call.given), call.given.texts("rank_fields")
    texts = await asyncio.to_thread(lambda: [ranked_text(one, fields, place) for place, one in enumerate(documents)])
    shown = [{"document": {"text": one} if isinstance(one, str) else one} for one in documents]
    return answer(await ranked(call, texts, "1", shown if call.given.flag("return_documents") else [{}] * len(texts)))


async def ranked(call: Caller, texts: Sequence[str], version: str, shown: Sequence[dict[str, Any]]) -> dict[str, Any]:
    given = call.given
    named.one(given.text("model", "rerank" if version == "1" else ""), "score")
    query = given.text("query")
    if not query.strip():
        raise Fault(400, "invalid request: query must not be empty or be only whitespace", param="query")
    top = given.whole("top_n")
    most = given.whole("max_tokens_per_doc") or TOKENS
    event = await asked_of_worker("serving.rerank", {"query": query, "documents": list(texts), "most": most}, call.actor)
    scores: list[float] = event["scores"]
    order = sorted(range(len(scores)), key=lambda place: -scores[place])[:top]
    return {
        "id": str(uuid.uuid4()),
        "results": [{"index": place, "relevance_score": scores[place], **shown[place]} for place in order],
        "meta": {"api_version": {"version": version}, "billed_units": {"search_units": -(-len(texts) // UNIT)}},
    }


def documents_of(given: Given) -> list[Any]:
    documents = given.listed("documents")
    if not documents:
        raise Fault(400, "invalid request: list of documents must not be empty", param="documents")
    if len(documents) > settings.RERANK_DOCUMENTS:
        words = f"invalid request: total number of documents must be at most {settings.RERANK_DOCUMENTS} - received {len(documents)}"
        raise Fault(400, words, param="documents")
    for place, one in enumerate(documents):
        if not isinstance(one, str | dict):
            raise given.wrong(f"documents[{place}]", "must be a string or an object")
    return documents


def ranked_text(document: Any, fields: Sequence[str], place: int) -> str:
    """In version 1 an object counts by its `rank_fields`, in their order, else by its text."""
    if isinstance(document, str):
        return document
    if fields:
        return as_yaml({field: document[field] for field in fields if field in document})
    text = document.get("text", document.get("snippet"))
    if not isinstance(text, str):
        raise Fault(400, NO_TEXT.format(place=place), param="documents")
    return text


def as_yaml(document: dict[str, Any]) -> str:
    return str(yaml.dump(document, Dumper=DUMPER, sort_keys=False, allow_unicode=True))
