"""Prints the tools that the official MCP client finds with the first server of a configuration, which is the argument. Runs in a process
of its own that knows nothing of North."""

from __future__ import annotations

import json
import sys

import anyio
import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main() -> None:
    (server,) = json.loads(sys.argv[1])["mcpServers"].values()
    async with (
        httpx2.AsyncClient(headers=server["headers"], timeout=60) as http,
        Client(streamable_http_client(server["url"], http_client=http)) as client,
    ):
        print(json.dumps([tool.name for tool in (await client.list_tools()).tools]))


anyio.run(main)
