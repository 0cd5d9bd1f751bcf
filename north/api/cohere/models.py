"""POST /v1/tokenize, /v1/detokenize and /v1/check-api-key; GET /v1/models, which OpenAI's clients read, too."""

from __future__ import annotations

from typing import Any

from asgiref.sync import sync_to_async
from django.http import HttpResponseBase

from north.api import named
from north.api.door import Caller, answer, door
from north.api.faults import Fault
from north.serving.calls import answer as asked_of_worker

META = {"api_version": {"version": "1"}}
MOST_TOKENS = 100_000
PAGE = 1000


@door("POST")
async def tokenize(call: Caller) -> HttpResponseBase:
    model, text = named.one(call.given.text("model", ""), "chat", "embed", "score"), call.given.text("text")
    if not text:
        raise Fault(400, "invalid request: text must not be empty", param="text")
    event = await asked_of_worker("serving.tokenize", {"text": text, "role": model.role}, call.actor)
    return answer({"tokens": event["tokens"], "token_strings": event["strings"], "meta": META})


@door("POST")
async def detokenize(call: Caller) -> HttpResponseBase:
    model, tokens = named.one(call.given.text("model", ""), "chat", "embed", "score"), call.given.listed("tokens")
    if not tokens or len(tokens) > MOST_TOKENS:
        raise Fault(400, f"invalid request: tokens must be a list of 1 to {MOST_TOKENS:,}", param="tokens")
    if not all(isinstance(token, int) and not isinstance(token, bool) and 0 <= token < 2**31 for token in tokens):
        raise Fault(400, "invalid request: tokens must be whole numbers from 0", param="tokens")
    event = await asked_of_worker("serving.detokenize", {"tokens": tokens, "role": model.role}, call.actor)
    return answer({"text": event["text"], "meta": META})


@door("GET", scopes=("read", "infer"))
async def listed(call: Caller) -> HttpResponseBase:
    size, start = call.query.whole("page_size", 1, PAGE) or 20, call.query.whole("page_token", 0) or 0
    endpoint = call.query.text("endpoint", "")
    found: list[Any] = [named.described(model) for model in await sync_to_async(named.listed)(call.actor)]
    if endpoint:
        within = "default_endpoints" if call.query.flag("default_only") else "endpoints"
        found = [one for one in found if endpoint in one[within]]
    page = found[start : start + size]
    more = str(start + size) if len(found) > start + size else None
    return answer({"object": "list", "data": page, "models": page, "next_page_token": more})


@door("GET", scopes=("read", "infer"))
async def one(call: Caller, model: str) -> HttpResponseBase:
    known = await sync_to_async(named.listed)(call.actor)
    wanted = named.plain(model)
    for found in known:
        if wanted in {found.name, next((name for name, role in named.FOR.items() if role == found.role), None)}:
            return answer({**named.described(found), "id": model, "name": model})
    names = ", ".join(found.name for found in known)
    raise Fault(404, named.UNKNOWN.format(name=model, names=names), code="model_not_found", param="model")


@door("POST", scopes=())
async def check_api_key(call: Caller) -> HttpResponseBase:
    return answer({"valid": True, "organization_id": str(call.actor.workspace_id), "owner_id": str(call.actor.user_id)})
