from __future__ import annotations

import hashlib
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any

from retrieval.connectors import CONNECTORS
from tests.retrieval.connectors.conformance import Fault
from tests.retrieval.connectors.outside import Asked, Headers, InProcess, Said, once
from tests.retrieval.connectors.worlds.unruled import RIGHTS, Unruled, filled_in

HOST = "news.example"
NO_RIGHTS = "A feed has no words for who may read an entry."


class FeedWorld(Unruled):
    """A whole feed in Atom, two entries a page."""

    connector = CONNECTORS["feed"]
    impossible: Mapping[str, str] = {
        **dict.fromkeys(RIGHTS, NO_RIGHTS),
        "poison item": "An entry's text stands in the feed itself. `test_feed.py` shows it with the pages behind the entries.",
        "browsed": "A feed is one list of entries: there is nothing in it to choose from.",
        "cursor expiry": "The cursor is what the feed said of its own version; where it is another, the feed is read again.",
    }

    def __init__(self) -> None:
        self.entries: dict[str, tuple[int, str]] = {}
        self.number = 0
        self.outside = InProcess(HOST, self.serve)
        given = {"url": f"https://{HOST}/feed", "whole": True, "header": "authorization", "secret": "Bearer right"}
        self.config: dict[str, Any] = filled_in(self.connector, given)

    def serve(self, asked: Asked) -> Said:
        page = int(asked.query.get("page", "0"))
        found = list(self.entries.items())
        entries = "".join(
            f'<entry><id>urn:{id}</id><title>{escape(name)}</title><content type="text">{escape(text)}</content></entry>'
            for name, (id, text) in found[page * 2 : page * 2 + 2]
        )
        onward = f'<link rel="next" href="?page={page + 1}"/>' if len(found) > page * 2 + 2 else ""
        etag = hashlib.sha256(str(found).encode()).hexdigest()
        if asked.headers.get("if-none-match") == etag:
            return Said(304)
        return Said(200, f'<feed xmlns="http://www.w3.org/2005/Atom">{onward}{entries}</feed>'.encode(), Headers({"etag": etag}))

    def put(self, name: str, text: str) -> None:
        self.number += 1
        self.entries[name] = self.entries.get(name, (self.number, ""))[0], text

    def delete(self, name: str) -> None:
        del self.entries[name]

    def move(self, name: str, to: str) -> None:
        self.entries[to] = self.entries.pop(name)

    def fault(self, fault: Fault, name: str = "") -> None:
        match fault:
            case "rate limit":
                self.outside.faults = [once(Said(429, headers=Headers({"retry-after": "600"})), onward)]
            case "token expiry":
                self.outside.faults = [lambda asked: Said(401) if onward(asked) else None]
            case "truncated page":
                self.outside.faults = [lambda asked: Said(200, self.serve(asked).content[:-40]) if onward(asked) else None]
            case "duplicate page":
                self.outside.faults = [once(self.first_page_again(), onward)]

    def first_page_again(self) -> Said:
        first = self.serve(Asked("GET", f"https://{HOST}/feed", Headers(), None))
        return Said(200, first.content.replace(b"?page=1", b"?page=1&amp;again=1"))

    def mend(self) -> None:
        self.outside.faults = []


def onward(asked: Asked) -> bool:
    return "page=" in asked.url


def world(folder: Path) -> FeedWorld:
    return FeedWorld()
