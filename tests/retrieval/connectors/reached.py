"""The outside of a connector whose service is a real one on this machine: through North's own way out, as in real life."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx

from north.outbound import NotAllowed, Outbound, OutboundError
from retrieval.errors import SourceNotAllowed, SourceUnreachable


class Reached:
    """Lets out to 127.0.0.1 only. `most`: bytes that an answer may have; `names`: host -> address."""

    def __init__(self, most: int = 50_000_000, names: Mapping[str, str] | None = None, allowed: Sequence[str] = ("127.0.0.1",)) -> None:
        self._most, names = most, names or {}
        self._outbound = Outbound(allowed, seconds=20, resolve=lambda host, port: [names.get(host, host)])
        self.kept: dict[str, str] = {}
        self.slept = 0.0
        self.unwanted: tuple[str, ...] = ()

    def request(self, method: str, url: str, *, max_bytes: int | None = None, **wanted: Any) -> httpx.Response:
        with in_words(url):
            return self._outbound.request(method, url, max_bytes=min(max_bytes or self._most, self._most), **wanted)

    def addresses(self, host: str, port: int) -> Sequence[str]:
        with in_words(host):
            return self._outbound.addresses(host, port)

    def dial(self, host: str, port: int, seconds: float = 10.0) -> Any:
        with in_words(host):
            return self._outbound.dial(host, port, seconds)

    def passes_over(self, folder: str) -> bool:
        return folder in self.unwanted

    def sleep(self, seconds: float) -> None:
        self.slept += seconds

    def keep(self, name: str, secret: str, before: str) -> None:
        self.kept[name] = secret

    def newest(self, name: str) -> str:
        return self.kept.get(name, "")


@contextmanager
def in_words(where: str) -> Iterator[None]:
    try:
        yield
    except NotAllowed as error:
        raise SourceNotAllowed(where, str(error)) from error
    except OutboundError as error:
        raise SourceUnreachable.from_message(str(error)) from error


Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Server:
    """An HTTP server. `pages`: path -> (status, headers, body), or a function of the handler that answers by itself."""

    url: str = ""
    pages: dict[str, Answer | Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def page(self, path: str, body: str, kind: str = "text/html", status: int = 200, **headers: str) -> None:
        self.pages[path] = status, {"content-type": kind, **headers}, body.encode()


@contextmanager
def serving(address: str = "127.0.0.1") -> Iterator[Server]:
    told = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            told.asked.append(self.path)
            page = told.pages.get(self.path, (404, {}, b"nothing"))
            if callable(page):
                page(self)
                return
            status, headers, body = page
            if headers.get("etag") and self.headers.get("if-none-match") == headers["etag"]:
                status, body = 304, b""
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            if status != 304:
                self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            pass

    server = ThreadingHTTPServer((address, 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    told.url = f"http://{address}:{server.server_port}"
    yield told
    server.shutdown()
    thread.join()
    server.server_close()
