"""A real server in this process: its WSGI application, asked without sockets."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

from tests.retrieval.connectors.outside import Asked, Headers, Said, Serve


def serve(application: Callable[..., Iterable[bytes]]) -> Serve:
    def answer(asked: Asked) -> Said:
        told: dict[str, Any] = {}

        def begin(status: str, headers: list[tuple[str, str]], error: Any = None) -> Callable[[bytes], None]:
            told.update(status=int(status.split()[0]), headers=Headers(dict(headers)))
            return body.append

        body: list[bytes] = []
        found = application(environment(asked), begin)
        body.extend(found)
        if hasattr(found, "close"):
            found.close()
        return Said(told["status"], b"".join(body), told["headers"])

    return answer


def environment(asked: Asked) -> dict[str, Any]:
    url, body = urlsplit(asked.url), asked.body or b""
    host = url.hostname or ""
    return {
        "REQUEST_METHOD": asked.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
        "QUERY_STRING": url.query,
        "SERVER_NAME": host,
        "SERVER_PORT": str(url.port or 443),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "CONTENT_LENGTH": str(len(body)),
        "CONTENT_TYPE": asked.headers.get("content-type", ""),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": url.scheme,
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "HTTP_HOST": url.netloc,
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in asked.headers.items() if name != "content-type"},
    }
