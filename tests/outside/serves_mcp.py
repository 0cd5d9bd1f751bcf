"""A tool server of the official package: `serves_mcp.py PORT`. Runs in an environment of its own, which holds nothing of North."""

import sys

from mcp.server.fastmcp import FastMCP

server = FastMCP("tracker", host="127.0.0.1", port=int(sys.argv[1]))


@server.tool()
def find_issue(words: str, most: int = 3) -> str:
    """Finds issues by their words."""
    return f"{most} issues about {words}: The printer in Lyon is out of toner."


@server.tool()
def broken(words: str) -> str:
    """Always fails."""
    raise RuntimeError("secret of the server")


server.run(transport="streamable-http")
