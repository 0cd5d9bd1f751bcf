"""POST /v2/embed and /v1/embed."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.http import HttpResponseBase

from north.api import named, vectors
from north.api.door import Caller, answer, door
from north.api.faults import Fault
from north.api.given import Given
from north.serving.calls import answer as asked_of_worker

INPUTS = ["search_document", "search_query", "classification", "clustering", "image"]
NO_IMAGES = "This installation has no model that embeds images: send texts."


@door("POST")
async def v2(call: Caller) -> HttpResponseBase:
    given = call.given
    model, kind = given.text("model", ""), given.one_of("input_type", INPUTS)
    texts = texts_of(given, kind)
    kinds = types_of(given) or ["float"]
    event, found = await embedded(call, model, kind, texts, kinds)
    meta = {"api_version": {"version": "2"}, "billed_units": {"input_tokens": event["tokens"]}}
    return answer({"id": str(uuid.uuid4()), "texts": texts, "embeddings": vectors.typed(found, kinds), "meta": meta})


@door("POST")
async def v1(call: Caller) -> HttpResponseBase:
    given = call.given
    kind = given.one_of("input_type", INPUTS, "search_document")
    texts = texts_of(given, kind)
    kinds = types_of(given)
    event, found = await embedded(call, given.text("model", "embed"), kind, texts, kinds or ["float"])
    told = {"response_type": "embeddings_by_type", "embeddings": vectors.typed(found, kinds)} if kinds else {}
    plain = {"response_type": "embeddings_floats", "embeddings": found}
    meta = {"api_version": {"version": "1"}, "billed_units": {"input_tokens": event["tokens"]}}
    return answer({"id": str(uuid.uuid4()), "texts": texts, **(told or plain), "meta": meta})


async def embedded(call: Caller, model: str, kind: str, texts: list[str], kinds: list[str]) -> tuple[dict[str, Any], Any]:
    """What the worker said, and the vectors."""
    given = call.given
    dimensions = dimensions_of(given, named.one(model, "embed"), kinds)
    asked = {
        "texts": texts,
        "search": kind != "search_document",  # E5: everything but passages is a query
        "hurry": kind == "search_query",
        "truncate": given.one_of("truncate", ["NONE", "START", "END"], "END"),
        "most": given.whole("max_tokens"),
    }
    event = await asked_of_worker("serving.embed", asked, call.actor)
    if dimensions and dimensions > event["dimensions"]:
        raise given.wrong("output_dimension", f"must be at most {event['dimensions']} for this model")
    return event, vectors.unpacked(event, dimensions)


def dimensions_of(given: Given, model: named.Served, kinds: list[str]) -> int | None:
    wanted = given.whole("output_dimension")
    if wanted and wanted % 8 and {"binary", "ubinary"} & set(kinds):
        raise given.wrong("output_dimension", "must be a multiple of 8 for binary embeddings")
    return wanted


def types_of(given: Given) -> list[str]:
    kinds = given.texts("embedding_types")
    for kind in kinds:
        if kind not in vectors.TYPES:
            raise given.wrong("embedding_types", f"has {kind!r}; there are {', '.join(vectors.TYPES)}")
    return list(dict.fromkeys(kinds))


def texts_of(given: Given, kind: str) -> list[str]:
    """From `texts`, or `inputs` whose parts are text."""
    if kind == "image" or given.listed("images"):
        raise Fault(400, f"invalid request: images cannot be embedded here. {NO_IMAGES}", param="images")
    texts = given.texts("texts") or [joined(one) for one in given.parts("inputs")]
    if not texts:
        raise Fault(400, "invalid request: texts must not be empty", param="texts")
    if len(texts) > settings.EMBED_TEXTS:
        words = f"invalid request: total number of texts must be at most {settings.EMBED_TEXTS} - received {len(texts)}"
        raise Fault(400, words, param="texts")
    for place, text in enumerate(texts):
        if not text.strip():
            raise Fault(400, f"invalid request: text at index {place} must not be empty", param="texts")
    return texts


def joined(one: Given) -> str:
    parts = one.parts("content")
    if any(part.text("type") != "text" for part in parts):
        raise Fault(400, f"invalid request: {one.within} holds an image. {NO_IMAGES}", param=one.within)
    return "\n".join(part.text("text") for part in parts)
