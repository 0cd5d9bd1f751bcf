"""POST /v1/embeddings."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponseBase

from north.api import named, vectors
from north.api.cohere.embed import INPUTS
from north.api.door import Caller, answer, door
from north.api.faults import Fault
from north.api.given import Given
from north.serving.calls import answer as asked_of_worker

MOST = 2048
TOKENS = (
    "invalid request: input holds token ids, and whose tokens they are cannot be known. Send strings "
    "(langchain: check_embedding_ctx_length=False)."
)


@door("POST")
async def embeddings(call: Caller) -> HttpResponseBase:
    """`input_type` (Cohere's) may come as an extra field; without it the texts are documents."""
    given = call.given
    model = named.one(given.text("model", ""), "embed")
    kind = given.one_of("encoding_format", ["float", "base64"], "float")
    texts = texts_of(given)
    wanted = given.one_of("input_type", INPUTS[:-1], "search_document")
    dimensions = given.whole("dimensions")
    asked = {"texts": texts, "search": wanted != "search_document", "hurry": wanted == "search_query", "truncate": "NONE", "most": None}
    event = await asked_of_worker("serving.embed", asked, call.actor)
    if dimensions and dimensions > event["dimensions"]:
        raise given.wrong("dimensions", f"must be at most {event['dimensions']} for this model")
    found: Any = vectors.as_type(vectors.unpacked(event, dimensions), kind)
    data = [{"object": "embedding", "index": number, "embedding": one} for number, one in enumerate(found)]
    usage = {"prompt_tokens": event["tokens"], "total_tokens": event["tokens"]}
    return answer({"object": "list", "model": model.name, "data": data, "usage": usage})


def texts_of(given: Given) -> list[str]:
    value = given.body.get("input")
    texts = [value] if isinstance(value, str) else given.listed("input")
    if any(isinstance(one, int | list) for one in texts):
        raise Fault(400, TOKENS, param="input", code="unsupported_input")
    if not texts or not all(isinstance(one, str) and one.strip() for one in texts):
        raise Fault(400, "invalid request: input must be a string, or a list of strings, none of them empty", param="input")
    if len(texts) > MOST:
        raise Fault(400, f"invalid request: input must hold at most {MOST:,} strings - received {len(texts):,}", param="input")
    return texts
