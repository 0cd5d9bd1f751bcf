"""Drives an official MCP client against an endpoint, in each of the eras: `mcp_driver.py ERA,ERA URL KEY`. Prints what it saw as JSON. Runs
in a process of its own that knows nothing of North."""

from __future__ import annotations

import json
import sys
from contextlib import asynccontextmanager
from importlib.metadata import version
from typing import Any

import anyio

ERAS, URL, KEY = sys.argv[1:]
QUESTION = "How long is the notice period?"


@asynccontextmanager
async def modern(mode: str, headers: dict[str, str]) -> Any:
    import httpx2
    from mcp import Client
    from mcp.client.streamable_http import streamable_http_client

    async with (
        httpx2.AsyncClient(headers=headers, timeout=60) as http,
        Client(streamable_http_client(URL, http_client=http), mode=mode) as client,
    ):
        yield client, client.protocol_version


@asynccontextmanager
async def handshaken(headers: dict[str, str]) -> Any:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamablehttp_client

    async with streamablehttp_client(URL, headers=headers) as (read, write, _session_id), ClientSession(read, write) as session:
        hello = await session.initialize()
        yield session, hello.protocolVersion


def plain(result: Any) -> dict[str, Any]:
    said = result.model_dump(mode="json", by_alias=True)
    assert said.get("structuredContent") is None or json.loads(said["content"][0]["text"]) == said["structuredContent"]
    return {"error": said["isError"], "text": said["content"][0]["text"], "data": said.get("structuredContent")}


async def everything(client: Any) -> dict[str, Any]:
    heard: list[Any] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        heard.append([done, message])

    tools = await client.list_tools()
    found = plain(await client.call_tool("search", {"query": QUESTION}))
    first = found["data"]["results"][0]["id"]
    return {
        "tools": [tool.name for tool in tools.tools],
        "search": found,
        "fetch": plain(await client.call_tool("fetch", {"id": first})),
        "missing": plain(await client.call_tool("fetch", {"id": "00000000-0000-4000-8000-000000000000"})),
        "wrong": plain(await client.call_tool("search", {"question": "x"})),
        "ask": plain(await client.call_tool("ask", {"question": QUESTION}, progress_callback=progress)),
        "progress": heard,
    }


async def leave(client: Any) -> bool:
    """Asks, and goes away at the first sign of progress."""
    with anyio.CancelScope() as scope:

        async def progress(done: float, total: float | None, message: str | None) -> None:
            scope.cancel()

        await client.call_tool("ask", {"question": f"Slowly: {QUESTION}"}, progress_callback=progress)
    return scope.cancelled_caught


def opened(era: str, key: str) -> Any:
    headers = {"Authorization": f"Bearer {key}"}
    return handshaken(headers) if era == "handshake" else modern(era, headers)


async def refused(era: str) -> str:
    try:
        async with opened(era, "north_wrong_key"):
            return ""
    except BaseException as error:
        return repr(error)


async def main() -> None:
    seen = {}
    for era in ERAS.split(","):
        async with opened(era, KEY) as (client, protocol):
            seen[era] = {"protocol": protocol, **await everything(client), "left": await leave(client)}
        seen[era]["refused"] = await refused(era)
    print(json.dumps({"client": version("mcp"), "eras": seen}))


anyio.run(main)
