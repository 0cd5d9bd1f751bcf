"""`/mcp`: North's tools for models, by the Model Context Protocol over streamable HTTP (modelcontextprotocol.io), without sessions.

Two eras of clients are served: those that shake hands (`initialize`, protocols to 2025-11-25) and those that say their protocol with every
request (`server/discover`, 2026-07-28). Answers are JSON; only `ask` is a stream, since it waits: closing it stops the question. The
key is the caller's own as a bearer token and nothing else opens the door: only keys that this installation gave out are known here, and
each is good for one workspace. A browser's request must come from North's own origin.

Own code in place of the official server library: that brings a second ASGI application with its own lifespan, 20 distributions
(Starlette, cryptography, OpenTelemetry), and pins that its own clients' adapters for LangChain do not share.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.views.decorators.csrf import csrf_exempt

from north.api import mcp_tools
from north.api.keys import Denied, caller
from north.workspaces.models import Membership

HANDSHAKE = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
MODERN = ("2026-07-28",)
META_VERSION = "io.modelcontextprotocol/protocolVersion"
SERVER = {"name": "north", "title": "North", "version": "1"}
CAPABILITIES: dict[str, Any] = {"tools": {}}
INSTRUCTIONS = (
    "North knows the documents of a company. `search` finds passages, `fetch` reads a document, `ask` has North answer a question with "
    "citations, or say that the documents do not hold the answer. Everything is seen with the rights of the key's owner."
)
PARSE_ERROR, INVALID_REQUEST, NO_METHOD, INVALID_PARAMS, HEADER_DIFFERS, NO_VERSION = -32700, -32600, -32601, -32602, -32020, -32022


class Fault(Exception):
    """A request that cannot be served, as a JSON-RPC error."""

    def __init__(self, code: int, words: str, *, status: int = 400, data: Any = None, headers: Mapping[str, str] | None = None) -> None:
        self.code, self.status, self.data, self.headers = code, status, data, headers or {}
        super().__init__(words)


@csrf_exempt
def endpoint(request: HttpRequest) -> HttpResponseBase:
    message: Any = None
    try:
        refuse_strangers(request)
        actor = caller(request)
        message = read(request)
        return answer(request, message, actor)
    except Fault as fault:
        return refused(message, fault)
    except Denied as denied:
        return refused(message, Fault(INVALID_REQUEST, denied.message, status=denied.status, headers=denied.headers))


def refuse_strangers(request: HttpRequest) -> None:
    """Raises `Fault` for pages of other origins (DNS rebinding), and for methods of the streams that North has not."""
    origin = request.headers.get("Origin")
    if origin is not None and origin.rstrip("/") not in settings.CSRF_TRUSTED_ORIGINS:
        raise Fault(INVALID_REQUEST, "Pages of another origin may not call this.", status=403)
    if request.method != "POST":
        words = "Send JSON-RPC by POST: there are no sessions and no streams of the server's own."
        raise Fault(INVALID_REQUEST, words, status=405, headers={"Allow": "POST"})


def read(request: HttpRequest) -> dict[str, Any]:
    try:
        message = json.loads(request.body)
    except RequestDataTooBig:
        raise Fault(INVALID_REQUEST, "This request is too large.", status=413) from None
    except (ValueError, RecursionError):
        raise Fault(PARSE_ERROR, "This is not JSON in UTF-8.") from None
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise Fault(INVALID_REQUEST, "Send one JSON-RPC 2.0 message, as an object.")
    return message


def refused(message: Any, fault: Fault) -> HttpResponse:
    error = {"code": fault.code, "message": str(fault)} | ({"data": fault.data} if fault.data is not None else {})
    id = message.get("id") if isinstance(message, dict) and is_id(message.get("id")) else None
    response = JsonResponse({"jsonrpc": "2.0", "id": id, "error": error}, status=fault.status)
    for name, value in fault.headers.items():
        response[name] = value
    return response


def is_id(id: object) -> TypeGuard[str | int]:
    return isinstance(id, str | int) and not isinstance(id, bool)


def answer(request: HttpRequest, message: dict[str, Any], actor: Membership) -> HttpResponseBase:
    method, params = message.get("method"), message.get("params", {})
    if "id" not in message or method is None:
        return HttpResponse(status=202)  # a notification, or the answer to a question that North never asks
    if not is_id(message["id"]) or not isinstance(method, str):
        raise Fault(INVALID_REQUEST, "`id` is text or a number, `method` is text.")
    if not isinstance(params, dict):
        raise Fault(INVALID_PARAMS, "`params` is an object.")
    modern = spoken(request, method, params) in MODERN
    if modern:
        same(request, "Mcp-Method", method)
    if method == "tools/call":
        if modern:
            same(request, "Mcp-Name", params.get("name"))
        return call(request, message["id"], params, actor, modern)
    if method not in METHODS:
        raise Fault(NO_METHOD, f"There is no method {method[:100]} here.", status=404 if modern else 200)
    return JsonResponse(reply(message["id"], METHODS[method](params), modern))


def spoken(request: HttpRequest, method: str, params: dict[str, Any]) -> str:
    """The protocol of this request. Raises `Fault` for one that North does not speak."""
    meta = params.get("_meta")
    said = meta.get(META_VERSION) if isinstance(meta, dict) else None
    given = request.headers.get("MCP-Protocol-Version") or (said if isinstance(said, str) else "") or HANDSHAKE[2]
    if method != "initialize" and given not in {*HANDSHAKE, *MODERN}:
        data = {"supported": [*MODERN, *HANDSHAKE], "requested": given[:100]}
        raise Fault(NO_VERSION, f"North does not speak the protocol {given[:100]}.", data=data)
    return given


def same(request: HttpRequest, header: str, said: object) -> None:
    """A header repeats what the message says, for those on the way that read no bodies."""
    given = request.headers.get(header)
    if given is not None and given != said:
        raise Fault(HEADER_DIFFERS, f"The header {header} says something else than the message.")


def reply(id: str | int, result: Mapping[str, Any], modern: bool) -> dict[str, Any]:
    dressed = {**result, "resultType": "complete"} if modern else dict(result)
    return {"jsonrpc": "2.0", "id": id, "result": dressed}


# --- methods --------------------------------------------------------------------------------------------------------------------------
def initialize(params: dict[str, Any]) -> dict[str, Any]:
    wanted = params.get("protocolVersion")
    version = wanted if wanted in HANDSHAKE else HANDSHAKE[0]
    return {"protocolVersion": version, "capabilities": CAPABILITIES, "serverInfo": SERVER, "instructions": INSTRUCTIONS}


def discover(params: dict[str, Any]) -> dict[str, Any]:
    meta = {"io.modelcontextprotocol/serverInfo": SERVER}
    known = {"supportedVersions": list(MODERN), "capabilities": CAPABILITIES, "instructions": INSTRUCTIONS}
    return {**known, "ttlMs": 0, "cacheScope": "private", "_meta": meta}


def list_tools(params: dict[str, Any]) -> dict[str, Any]:
    return {"tools": [tool.described() for tool in mcp_tools.TOOLS.values()], "ttlMs": 0, "cacheScope": "private"}


METHODS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "initialize": initialize,
    "server/discover": discover,
    "ping": lambda params: {},
    "tools/list": list_tools,
}


def call(request: HttpRequest, id: str | int, params: dict[str, Any], actor: Membership, modern: bool) -> HttpResponseBase:
    name, arguments, meta = params.get("name"), params.get("arguments"), params.get("_meta")
    tool = mcp_tools.TOOLS.get(name) if isinstance(name, str) else None
    if tool is None:
        raise Fault(INVALID_PARAMS, f"There is no tool {str(name)[:100]}. These exist: {', '.join(mcp_tools.TOOLS)}.")
    caller(request, tool.scope)
    token = meta.get("progressToken") if isinstance(meta, dict) else None
    key = request.headers.get("Authorization", "").partition(" ")[2].strip()
    asked = mcp_tools.Call(actor, key, token if is_id(token) else None, lambda result: reply(id, result, modern))
    return mcp_tools.run(tool, arguments or {}, asked)
