from __future__ import annotations

import itertools
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

os.environ["MOTO_S3_DEFAULT_MAX_KEYS"] = "2"  # read as moto is imported

from moto.server import create_backend_app

from retrieval.connectors import CONNECTORS
from retrieval.connectors.signing import Keys
from tests.retrieval.connectors import wsgi
from tests.retrieval.connectors.conformance import Fault
from tests.retrieval.connectors.outside import Asked, Headers, InProcess, Said, once
from tests.retrieval.connectors.worlds.unruled import RIGHTS, Unruled, filled_in

HOST = "s3.us-east-1.amazonaws.com"
NO_RIGHTS = "Storage keeps rights in policies that nobody can list for one object: it gives it to this account or does not."
KEYS = Keys("AKIDNORTH", "right")
NUMBERS = itertools.count()


class S3World(Unruled):
    """Moto, a storage in this process, with a bucket of its own."""

    connector = CONNECTORS["s3"]
    impossible: Mapping[str, str] = {
        **dict.fromkeys(RIGHTS, NO_RIGHTS),
        "cursor expiry": "Every pass lists the whole bucket: there is no cursor that the storage could forget.",
    }

    def __init__(self) -> None:
        self.serve = wsgi.serve(create_backend_app("s3"))
        self.bucket = f"box-{next(NUMBERS)}"
        self.send("PUT", "")
        self.outside = InProcess(HOST, self.serve)
        self.config: dict[str, Any] = filled_in(self.connector, {"bucket": self.bucket, "key": "AKIDNORTH", "secret": "right"})

    def send(self, method: str, name: str, body: bytes | None = None) -> None:
        key = quote(f"papers/{name}") if name else ""
        url = f"https://{HOST}/{self.bucket}/{key}".rstrip("/")
        answer = self.serve(Asked(method, url, Headers(KEYS.headers(method, url)), body))
        assert answer.status_code < 300, answer

    def put(self, name: str, text: str) -> None:
        self.send("PUT", name, text.encode())

    def delete(self, name: str) -> None:
        self.send("DELETE", name)

    def move(self, name: str, to: str) -> None:
        url = f"https://{HOST}/{self.bucket}/papers/{name}"
        whole = self.serve(Asked("GET", url, Headers(KEYS.headers("GET", url)), None))
        self.send("PUT", to, whole.content)
        self.send("DELETE", name)

    def fault(self, fault: Fault, name: str = "") -> None:
        match fault:
            case "rate limit":
                self.outside.faults = [once(Said(429, headers=Headers({"retry-after": "600"})), onward)]
            case "token expiry":
                said = Said(403, b"<Error><Code>ExpiredToken</Code></Error>")
                self.outside.faults = [lambda asked: said if onward(asked) else None]
            case "truncated page":
                self.outside.faults = [lambda asked: Said(200, self.serve(asked).content[:-60]) if onward(asked) else None]
            case "duplicate page":
                self.outside.faults = [self.first_page_again]
            case "poison item":
                self.outside.faults = [lambda asked: Said(500) if asked.path.endswith(name) else None]

    def first_page_again(self, asked: Asked) -> Said | None:
        """The first page a second time, before the one that comes after it."""
        if not onward(asked) or hasattr(self, "repeated"):
            return None
        self.repeated = True
        return self.serve(Asked("GET", f"https://{HOST}/{self.bucket}?list-type=2", asked.headers, None))

    def mend(self) -> None:
        self.outside.faults = []


def onward(asked: Asked) -> bool:
    return "continuation-token" in asked.url


def world(folder: Path) -> S3World:
    return S3World()
