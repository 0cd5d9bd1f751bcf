from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from retrieval.connectors import CONNECTORS
from tests.retrieval.connectors.conformance import Fault
from tests.retrieval.connectors.outside import Asked, Headers, InProcess, Said, once
from tests.retrieval.connectors.worlds.unruled import RIGHTS, Unruled, filled_in

HOST = "www.example"
NO_RIGHTS = "A web site does not say who may see its pages: it shows them or it does not."
PAGE = 2


class WebWorld(Unruled):
    """Lists of links, two documents each, that ask not to be found themselves; each leads on to the next."""

    connector = CONNECTORS["web"]
    impossible: Mapping[str, str] = {
        **dict.fromkeys(RIGHTS, NO_RIGHTS),
        "truncated page": "HTML has no end that could be missed: half a page is one. `test_web.py` shows that a sitemap is whole or none.",
        "cursor expiry": "Every pass follows the links from the beginning: there is no cursor that a site could forget.",
    }

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.outside = InProcess(HOST, self.serve)
        self.config: dict[str, Any] = filled_in(self.connector, {"url": f"https://{HOST}/", "user": "north", "password": "right"})

    def serve(self, asked: Asked) -> Said:
        if asked.path == "/robots.txt":
            return Said(404)
        if asked.path.startswith("/docs/"):
            return self.document(asked)
        number = int(asked.query.get("page", "0"))
        names = sorted(self.texts)
        links = "".join(f'<a href="/docs/{name}">{name}</a>' for name in names[number * PAGE : number * PAGE + PAGE])
        onward = f'<a rel="next" href="?page={number + 1}">more</a>' if len(names) > number * PAGE + PAGE else ""
        page = f'<meta name="robots" content="noindex">{links}{onward}'
        return Said(200, page.encode(), Headers({"content-type": "text/html"}))

    def document(self, asked: Asked) -> Said:
        text = self.texts.get(asked.path.removeprefix("/docs/"))
        if text is None:
            return Said(404)
        etag = hashlib.sha256(text.encode()).hexdigest()
        if asked.headers.get("if-none-match") == etag:
            return Said(304)
        return Said(200, text.encode(), Headers({"content-type": "text/plain", "etag": etag}))

    def put(self, name: str, text: str) -> None:
        self.texts[name] = text

    def delete(self, name: str) -> None:
        del self.texts[name]

    def move(self, name: str, to: str) -> None:
        self.texts[to] = self.texts.pop(name)

    def fault(self, fault: Fault, name: str = "") -> None:
        match fault:
            case "rate limit":
                answer = Said(429, headers=Headers({"retry-after": "600"}))
                self.outside.faults = [once(answer, lambda asked: "page=1" in asked.url)]
            case "token expiry":
                self.outside.faults = [lambda asked: Said(401) if "page=1" in asked.url else None]
            case "duplicate page":
                self.outside.faults = [lambda asked: self.serve(_first(asked)) if "page=3" in asked.url else None]
            case "poison item":
                self.outside.faults = [lambda asked: Said(500) if asked.path == f"/docs/{name}" else None]

    def mend(self) -> None:
        self.outside.faults = []


def _first(asked: Asked) -> Asked:
    return Asked(asked.method, f"https://{HOST}/?page=0", asked.headers, None)


def world(folder: Path) -> WebWorld:
    return WebWorld()
