"""Many readers of event streams in one process, on bare sockets so that reading costs little: connect, read, lose the network all at once
in the middle, come back with the last id, and read to the end. Half read the page's stream, half the API's."""

from __future__ import annotations

import asyncio
import hashlib
import html
import json
import re
import time
from typing import Any

from tests.bench.talking import when_to_begin

RETRY_SECONDS = 1.0


class Reader(asyncio.Protocol):
    """One stream. Decodes chunked HTTP and server-sent events, and keeps what a browser would show of the answer."""

    def __init__(self, run: str, path: str, headers: dict[str, str], host: str) -> None:
        self.run, self.path, self.headers, self.host = run, path, headers, host
        self.text, self.last, self.over, self.cut = "", "", False, 0
        self.firsts: list[float] = []
        self.late: list[float] = []
        self.gaps: list[float] = []
        self.faults: list[str] = []
        self.closed: asyncio.Event = asyncio.Event()

    # --- the connection
    def connecting(self) -> None:
        self.began, self.waiting, self.arrived = time.time(), True, 0.0
        self.raw, self.content, self.head = b"", "", False
        self.closed.clear()

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        wanted = {"Host": self.host, "Accept": "text/event-stream", **self.headers} | ({"Last-Event-ID": self.last} if self.last else {})
        lines = "".join(f"{name}: {value}\r\n" for name, value in wanted.items())
        self.transport.write(f"GET {self.path} HTTP/1.1\r\n{lines}\r\n".encode())

    def connection_lost(self, error: Exception | None) -> None:
        self.closed.set()

    def data_received(self, data: bytes) -> None:
        self.raw += data
        if not self.head:
            head, found, rest = self.raw.partition(b"\r\n\r\n")
            if not found:
                return
            self.head, self.raw = True, rest
            if b" 200 " not in head.split(b"\r\n")[0]:
                self.faults.append(head.split(b"\r\n")[0].decode())
                return self.transport.close()
        self.unpack()

    def unpack(self) -> None:
        """Whole chunks, then whole events."""
        while True:
            size, found, rest = self.raw.partition(b"\r\n")
            if not found or len(rest) < int(size, 16) + 2:
                break
            length = int(size, 16)
            self.content, self.raw = self.content + rest[:length].decode(), rest[length + 2 :]
        *events, self.content = self.content.split("\n\n")
        for event in events:
            self.read(event)

    # --- the events
    def read(self, event: str) -> None:
        fields: dict[str, list[str]] = {}
        for line in event.split("\n"):
            name, _, value = line.partition(": ")
            fields.setdefault(name, []).append(value)
        if "event" not in fields:
            return
        now = time.time()
        if self.waiting:
            self.firsts.append(now - self.began)
            self.waiting = False
        self.last = fields.get("id", [self.last])[0]
        self.show(fields["event"][0], "\n".join(fields.get("data", [])), now)

    def show(self, kind: str, data: str, now: float) -> None:
        page = self.path.startswith("/w/")
        if kind == "delta":
            payload: dict[str, Any] = {"text": html.unescape(data), "offset": len(self.text)} if page else json.loads(data)
            if payload["offset"] != len(self.text):
                self.faults.append(f"offset {payload['offset']} after {len(self.text)} characters")
            self.text += payload["text"]
            self.time(float(payload["text"]), now)
        elif kind == "restart":
            found = re.search(r'id="writing-[^>]*>(.*?)</p>', data, re.DOTALL) if page else None
            self.text = html.unescape(found[1]) if found else "" if page else json.loads(data)["answer"]
        elif kind == "end":
            self.over = True
            self.transport.close()

    def time(self, written: float, now: float) -> None:
        """Only of what was written while this connection stood: what came before is read at once."""
        if written > self.began:
            self.late.append(now - written)
            if self.arrived > self.began:
                self.gaps.append(now - self.arrived)
            self.arrived = now

    async def follow(self, port: int, until: float) -> None:
        """Reads to the end, or until this time; whoever is cut off comes back after a second, as a browser does."""
        loop = asyncio.get_running_loop()
        while not self.over and time.time() < until:
            self.connecting()
            await loop.create_connection(lambda: self, "127.0.0.1", port)
            try:
                async with asyncio.timeout(max(0.0, until - time.time())):
                    await self.closed.wait()
            except TimeoutError:
                self.transport.abort()
                await self.closed.wait()
            else:
                if not self.over:
                    self.cut += 1
                    await asyncio.sleep(RETRY_SECONDS)


async def arrive(readers: list[Reader], port: int, at: float, over: float, until: float) -> None:
    """All readers follow, the first at the time `at`, the last `over` seconds later."""

    async def one(reader: Reader, number: int) -> None:
        await asyncio.sleep(max(0.0, at + over * number / len(readers) - time.time()))
        await reader.follow(port, until)

    await asyncio.gather(*(one(reader, number) for number, reader in enumerate(readers)))


def main(
    runs: list[str], slug: str, port: int, key: str, cookies: dict[str, str], connect: float, over: float, lose: float, end: float
) -> dict[str, Any]:
    """`connect`, `lose`, `end`: seconds after the beginning; `over` so many seconds the readers arrive."""
    cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
    bearer, host = {"Authorization": f"Bearer {key}"}, f"127.0.0.1:{port}"

    async def watch() -> list[Reader]:
        readers = [
            Reader(run, *((f"/w/{slug}/runs/{run}/events", cookie) if number % 2 else (f"/api/v1/runs/{run}/events", bearer)), host)
            for number, run in enumerate(runs)
        ]
        await arrive(readers, port, begin + connect, over, begin + lose)
        await arrive(readers, port, 0, 0, begin + end)
        return readers

    begin = when_to_begin()
    readers = asyncio.run(watch())
    return {
        "answers": {reader.run: hashlib.sha256(reader.text.encode()).hexdigest() for reader in readers},
        "over": sum(reader.over for reader in readers), "cut": sum(reader.cut for reader in readers),
        "faults": [f"{reader.path}: {fault}" for reader in readers for fault in reader.faults][:20],
        "first": [first for reader in readers for first in reader.firsts[:1]],
        "again": [first for reader in readers for first in reader.firsts[1:2]],
        "late": thinned([late for reader in readers for late in reader.late]),
        "gaps": thinned([gap for reader in readers for gap in reader.gaps]),
        "events": sum(len(reader.late) for reader in readers),
    }  # fmt: skip


def thinned(values: list[float]) -> list[float]:
    """Evenly chosen of the sorted values, with the largest: percentiles stay."""
    ordered = sorted(values)
    return [*ordered[:: max(1, len(ordered) // 2000)], *ordered[-1:]]
