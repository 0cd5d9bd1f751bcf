"""The vector service of one machine: Qdrant's HTTP interface, as far as `index.py` needs it, over the Qdrant engine as a library.

    NORTH_EDGE_API_KEY=... python -m retrieval.edge --dir D --host 127.0.0.1 --port P

Knows no document and no tenant: it serves whoever has the key. What it does not support it refuses by name; nothing is ignored.
One process owns a folder. An acknowledged update is in the engine's write-ahead log, so it outlives this process (kill -9); the log is
synced to the disk every few seconds, so a power cut may take those. The engine holds the interpreter while it works, therefore one
thread serves all, and large updates are done in slices between which searches are answered. A collection that has grown large gets its
index from another process (`edge_building`): made here, it would stop the service for minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import hmac
import json
import os
import re
import shutil
import signal
import socket
import sys
import time
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

import qdrant_edge as edge
import uvicorn

from retrieval.edge_building import BuildFailed, build
from retrieval.edge_collection import MADE, Collection, Damaged
from retrieval.edge_config import changed, made_of
from retrieval.edge_dialect import Body, Refused, filter_of, only, plain, point, record, request, scored

VERSION = "1.20.0"
MAX_BODY = 64 * 1024 * 1024
SLICE = 64
"""Points of an update that are written at once: some milliseconds, which is how long a search waits for it."""
UNFINISHED = ".unfinished-"
"""Begins the names of folders that are half made or half deleted; the next start sweeps them away."""
ASIDE = ".damaged-"
"""Begins the names of folders that could not be read; one of each name is kept, to be looked at or deleted."""
NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")

# What is asked of a collection, by method and the path behind its name

Handler = Callable[[Collection, Body], Awaitable[Any]]
DONE = {"operation_id": 0, "status": "completed"}


async def info(collection: Collection, _: Body) -> Body:
    return collection.info()


async def create_index(collection: Collection, body: Body) -> Body:
    await collection.write("index", body)
    return DONE


async def upsert(collection: Collection, body: Body) -> Body:
    points = only(body, "points")["points"]
    for one in points:
        point(one, collection.schema)
    for start in range(0, len(points), SLICE):
        await collection.write("upsert", {"points": points[start : start + SLICE]})
        await asyncio.sleep(0)
    return DONE


async def delete(collection: Collection, body: Body) -> Body:
    await collection.write("delete", body)
    return DONE


async def set_payload(collection: Collection, body: Body) -> Body:
    await collection.write("payload", body)
    return DONE


async def change(collection: Collection, body: Body) -> bool:
    collection.keep(**changed(collection.made, body))
    return True


async def query(collection: Collection, body: Body) -> Body:
    return {"points": [scored(found) for found in collection.shard.engine.query(request(body, collection.schema))]}


async def query_batch(collection: Collection, body: Body) -> list[Body]:
    """The engine plans them together: what several ask for, such as the IDF of the same words, is worked out once."""
    asked = [request(one, collection.schema) for one in only(body, "searches")["searches"]]
    answers = collection.shard.engine.query_batch(edge.QueryBatchRequest(asked))
    return [{"points": [scored(found) for found in answer]} for answer in answers]


async def scroll(collection: Collection, body: Body) -> Body:
    given = only(body, "filter", "limit", "offset", "with_payload", "with_vector")
    asked = edge.ScrollRequest(**(given | {"filter": filter_of(given.get("filter"))}))
    found, offset = collection.shard.engine.scroll(asked)
    return {"points": [record(one) for one in found], "next_page_offset": offset}


async def count(collection: Collection, body: Body) -> Body:
    given = only(body, "filter", "exact")
    return {
        "count": collection.shard.engine.count(edge.CountRequest(exact=given.get("exact", True), filter=filter_of(given.get("filter"))))
    }


async def facet(collection: Collection, body: Body) -> Body:
    given = only(body, "key", "limit", "filter", "exact")
    found = collection.shard.engine.facet(edge.FacetRequest(**(given | {"filter": filter_of(given.get("filter"))})))
    return {"hits": [{"value": hit.value, "count": hit.count} for hit in found.hits]}


ROUTES: dict[tuple[str, str], Handler] = {
    ("GET", ""): info, ("PATCH", ""): change, ("PUT", "/index"): create_index, ("PUT", "/points"): upsert,
    ("POST", "/points/delete"): delete, ("POST", "/points/payload"): set_payload, ("POST", "/points/query"): query,
    ("POST", "/points/query/batch"): query_batch, ("POST", "/points/scroll"): scroll, ("POST", "/points/count"): count,
    ("POST", "/facet"): facet,
}  # fmt: skip


class Service:
    """The folder's collections, and the ASGI application that serves them to whoever has the key."""

    def __init__(self, folder: Path, api_key: str) -> None:
        self._folder, self._api_key = folder, api_key.encode()
        self._collections: dict[str, Collection] = {}
        for path in folder.glob(f"{UNFINISHED}*"):
            shutil.rmtree(path)
        for path in sorted(folder.glob(f"*/{MADE}")):
            if not path.parent.name.startswith("."):
                self._open(path.parent)

    def _open(self, folder: Path) -> None:
        """A damaged collection is put aside: its points are made of text that is kept elsewhere, whose owner finds that they are gone."""
        try:
            self._collections[folder.name] = Collection(folder)
        except Damaged as fault:
            aside = self._folder / f"{ASIDE}{folder.name}"
            shutil.rmtree(aside, ignore_errors=True)
            folder.rename(aside)
            told = f"It was put aside as {aside}; its documents are indexed again from their text."
            print(f"The vectors of {folder.name} are damaged ({fault}). {told}", file=sys.stderr, flush=True)

    async def __call__(self, scope: Body, receive: Callable[[], Awaitable[Body]], send: Callable[[Body], Awaitable[None]]) -> None:
        began = time.monotonic()
        try:
            status, answer = 200, {"result": await self._answer(scope, receive), "status": "ok"}
        except Refused as refusal:
            status, answer = refusal.status, {"status": {"error": str(refusal)}}
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            status, answer = 400, {"status": {"error": f"Format error in JSON body: {error!r}"}}
        answer = answer["result"] if scope["path"] == "/" and status == 200 else answer | {"time": time.monotonic() - began}
        content = json.dumps(answer, default=plain).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _answer(self, scope: Body, receive: Callable[[], Awaitable[Body]]) -> Any:
        method, path = scope["method"], scope["path"].rstrip("/")
        if method == "GET" and path in ("", "/readyz", "/healthz"):
            return {"title": "qdrant - vector search engine (North edge)", "version": VERSION} if not path else "ready"
        self._authorize(dict(scope["headers"]))
        body = await _body(receive)
        found = re.fullmatch(r"/collections/([^/]+)(/.*)?", path)
        if not found or not NAME.fullmatch(found[1]):
            raise Refused(404, f"Not found: {method} {path}")
        name, rest = found[1], found[2] or ""
        match method, rest:
            case "PUT", "":
                return self._create(name, body)
            case "DELETE", "":
                return self._drop(name)
            case "GET", "/exists":
                return {"exists": name in self._collections}
        if (method, rest) not in ROUTES:
            raise Refused(404, f"Not found: {method} {path} is not supported here")
        return await ROUTES[method, rest](self._collection(name), body)

    def _authorize(self, headers: dict[bytes, bytes]) -> None:
        given = headers.get(b"api-key") or headers.get(b"authorization", b"").removeprefix(b"Bearer ")
        if not hmac.compare_digest(given, self._api_key):
            raise Refused(401, "Must provide an API key or an Authorization bearer token")

    def _collection(self, name: str) -> Collection:
        if name not in self._collections:
            raise Refused(404, f"Not found: Collection `{name}` doesn't exist!")
        return self._collections[name]

    def _create(self, name: str, body: Body) -> bool:
        if name in self._collections:
            raise Refused(409, f"Wrong input: Collection `{name}` already exists!")
        made = made_of(body)
        making = self._folder / f"{UNFINISHED}{name}"
        shutil.rmtree(making, ignore_errors=True)
        Collection.create(making, made)
        self._collections[name] = Collection(making.rename(self._folder / name))
        return True

    def _drop(self, name: str) -> bool:
        collection = self._collections.pop(name, None)
        if collection:
            collection.close()
            shutil.rmtree((self._folder / name).rename(self._folder / f"{UNFINISHED}{name}"))
        return collection is not None

    async def sync_in_time(self) -> None:
        while True:
            await asyncio.sleep(1)
            for collection in list(self._collections.values()):
                collection.sync()

    async def build_in_time(self) -> None:
        """One index at a time. One that fails is tried again after a while that doubles, and searches go on without it."""
        pause: dict[str, float] = {}
        while True:
            await asyncio.sleep(1)
            for name, collection in list(self._collections.items()):
                if time.monotonic() < collection.build_after or not collection.outgrown():
                    continue
                try:
                    seconds = await build(collection)
                    print(f"Index of {name}: made in {seconds:.0f} s.", flush=True)
                    pause.pop(name, None)
                except (BuildFailed, OSError) as error:
                    pause[name] = min(2 * pause.get(name, 30.0), 3600.0)
                    collection.build_after = time.monotonic() + pause[name]
                    told = f"It is searched without, and tried again in {pause[name]:.0f} s."
                    print(f"The index of {name} could not be made: {error}. {told}", file=sys.stderr, flush=True)

    def close(self) -> None:
        for collection in self._collections.values():
            collection.close()


async def _body(receive: Callable[[], Awaitable[Body]]) -> Body:
    content, more = bytearray(), True
    while more:
        message = await receive()
        content += message.get("body", b"")
        more = message.get("more_body", False)
        if len(content) > MAX_BODY:
            raise Refused(413, f"Payload too large: at most {MAX_BODY} bytes")
    body = json.loads(content, parse_constant=_no_number) if content else {}
    return body if isinstance(body, dict) else only(body)


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


async def serve(service: Service, listening: socket.socket) -> None:
    config = uvicorn.Config(
        service, lifespan="off", log_level="warning", access_log=False, timeout_keep_alive=75, timeout_graceful_shutdown=5, ws="none"
    )
    async with asyncio.TaskGroup() as tasks:  # if the disk takes no more, the syncing fails, and the service with it
        others = [tasks.create_task(service.sync_in_time()), tasks.create_task(service.build_in_time())]
        await uvicorn.Server(config).serve(sockets=[listening])
        for task in others:
            task.cancel()


def own(folder: Path) -> int:
    """The folder is this process's from here on; the lock goes with the process, whatever ends it. Returns what holds it."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = os.open(folder / "owner", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        other = os.read(lock, 20).decode()
        sys.exit(f"The vectors in {folder} are already served by process {other}; one process owns a folder. Stop it first.")
    os.truncate(lock, 0)
    os.write(lock, str(os.getpid()).encode())
    return lock


def listen(host: str, port: int) -> socket.socket:
    try:
        listening = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=1024)
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # connections inherit it; without it an answer waits 40 ms
        return listening
    except OSError as error:
        sys.exit(f"The vector service cannot listen on {host}:{port} ({error.strerror}). Stop what uses that port, or choose another.")


def opened(folder: Path, api_key: str) -> Service:
    service = None
    try:
        service = Service(folder, api_key)
        return service
    finally:
        if not service:
            mend = "Move it away, start again, and index all documents again."
            print(f"The vectors in {folder} cannot be opened; the reason follows. {mend}", file=sys.stderr, flush=True)


def main(arguments: Iterable[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m retrieval.edge", description="North's vector service for one machine.")
    parser.add_argument("--dir", type=Path, required=True, help="the folder that holds the vectors")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=6333, help="0 takes a free one")
    given = parser.parse_args(list(arguments) if arguments is not None else None)
    api_key = os.environ.get("NORTH_EDGE_API_KEY", "")
    if not api_key:
        sys.exit("NORTH_EDGE_API_KEY is not set. The vector service does not start without a key, for it would serve anyone.")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn ends the serving, raises the signal again, and the folder is closed in peace
    lock = own(given.dir)
    listening = listen(given.host, given.port)
    service = opened(given.dir, api_key)
    print(f"Vectors: {given.dir} on http://{given.host}:{listening.getsockname()[1]}", flush=True)
    try:
        asyncio.run(serve(service, listening))
    finally:
        service.close()
        os.close(lock)


if __name__ == "__main__":
    main()
