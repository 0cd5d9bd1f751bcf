"""A client of the Model Context Protocol, 2025-11-25, over streamable HTTP: JSON-RPC in posts, answers as JSON or as server-sent events.
Only what tools need. Everything goes by the one way out, bounded in bytes and time; what a server says of its own faults is not believed.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from north.outbound import Outbound, OutboundError

VERSION = "2025-11-25"
SECONDS = 25.0
BYTES = 1_000_000
PAGES, TOOLS = 10, 100
ACCEPT = "application/json, text/event-stream"


class ServerFailed(Exception):
    """The server cannot be asked, or answered what makes no sense; the words are for people."""

    permanent = True


class Client:
    """One session with a server; use it with `with`."""

    def __init__(self, url: str, secret: str, allowed: Iterable[str]) -> None:
        self.url = url
        self.outbound = Outbound(list(allowed), seconds=SECONDS, max_bytes=BYTES)
        self.headers = {"accept": ACCEPT, "content-type": "application/json", "mcp-protocol-version": VERSION}
        if secret:
            self.headers["authorization"] = f"Bearer {secret}"
        self.ids = itertools.count(1)

    def __enter__(self) -> Client:
        about = {"protocolVersion": VERSION, "capabilities": {}, "clientInfo": {"name": "North", "version": "1"}}
        found = self.request("initialize", about)
        self.headers["mcp-protocol-version"] = str(found.get("protocolVersion", VERSION))[:20]
        self.post({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return self

    def __exit__(self, *_: object) -> None:
        """Says goodbye where there is a session; whether that arrives is of no matter."""
        if "mcp-session-id" in self.headers:
            try:
                self.outbound.request("DELETE", self.url, headers=self.headers, seconds=2.0)
            except OutboundError:
                return

    def tools(self) -> Iterator[Mapping[str, Any]]:
        """As the server describes them, at most TOOLS."""
        cursor: Any = None
        seen = 0
        for _page in range(PAGES):
            found = self.request("tools/list", {"cursor": cursor} if cursor else {})
            listed = found.get("tools")
            for one in listed if isinstance(listed, list) else []:
                if isinstance(one, dict) and seen < TOOLS:
                    seen += 1
                    yield one
            cursor = found.get("nextCursor")
            if not isinstance(cursor, str) or not cursor:
                return

    def call(self, name: str, arguments: Mapping[str, Any]) -> str:
        """What the tool says, as text."""
        found = self.request("tools/call", {"name": name, "arguments": arguments})
        content = found.get("content")
        texts = (
            [one["text"] for one in content if isinstance(one, dict) and isinstance(one.get("text"), str)]
            if isinstance(content, list)
            else []
        )
        if found.get("isError"):
            raise ServerFailed("The tool says that it failed.")
        if not texts and "structuredContent" not in found:
            raise ServerFailed("The tool gave nothing that can be read.")
        return "\n".join(texts) or json.dumps(found["structuredContent"], ensure_ascii=False)

    def request(self, method: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        number = next(self.ids)
        message = next((one for one in self.post({"jsonrpc": "2.0", "id": number, "method": method, "params": params})
                        if isinstance(one, dict) and one.get("id") == number and "method" not in one), None)  # fmt: skip
        if message is None:
            raise ServerFailed("The server did not answer as the Model Context Protocol says.")
        if not isinstance(message.get("result"), dict):
            raise ServerFailed("The server refused what it was asked.")
        found: Mapping[str, Any] = message["result"]
        return found

    def post(self, message: Mapping[str, Any]) -> list[Any]:
        """The messages of the answer. An open stream of events is read to its end, within the time and bytes of one request."""
        try:
            answer = self.outbound.request("POST", self.url, headers=self.headers, json=message)
        except OutboundError as error:
            raise ServerFailed(str(error)) from None
        if not answer.is_success:
            raise ServerFailed(
                f"The server answered {answer.status_code}." + (" Check its secret." if answer.status_code in (401, 403) else "")
            )
        if session := answer.headers.get("mcp-session-id"):
            self.headers["mcp-session-id"] = session[:200]
        kind = answer.headers.get("content-type", "").split(";")[0].strip()
        texts = events(answer.text) if kind == "text/event-stream" else [answer.text] if kind == "application/json" else []
        return [parsed for text in texts if (parsed := of_json(text)) is not None]


def events(text: str) -> Iterator[str]:
    """The data of each server-sent event."""
    for block in text.replace("\r\n", "\n").split("\n\n"):
        data = [line[5:].removeprefix(" ") for line in block.split("\n") if line.startswith("data:")]
        if data:
            yield "\n".join(data)


def of_json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
