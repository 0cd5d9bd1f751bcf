from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.retrieval.connectors import shelf
from tests.retrieval.connectors.conformance import PEOPLE, Fault
from tests.retrieval.connectors.outside import Headers, InProcess, Said, once


class ShelfWorld:
    connector = shelf.CONNECTOR
    impossible: Mapping[str, str] = {}

    def __init__(self) -> None:
        self.shelf = shelf.Shelf(people={person: f"{person}@acme.example" for person in PEOPLE})
        self.outside = InProcess(shelf.HOST, self.shelf.serve)
        self.config: dict[str, Any] = {"url": f"https://{shelf.HOST}", "token": shelf.TOKEN}

    def put(self, name: str, text: str) -> None:
        self.shelf.put(name, text)

    def delete(self, name: str) -> None:
        self.shelf.delete(name)

    def move(self, name: str, to: str) -> None:
        thing = self.shelf.named(name)
        assert thing
        thing.name = to
        self.shelf.note(thing.id)

    def allow(self, name: str, users: Iterable[str] = (), groups: Iterable[str] = (), public: bool = False) -> None:
        thing = self.shelf.named(name)
        assert thing
        thing.rights = {"users": list(users), "groups": list(groups), "public": public}
        self.shelf.note(thing.id)

    def group(self, name: str, users: Iterable[str], groups: Iterable[str] = ()) -> None:
        self.shelf.groups[name] = {"users": list(users), "groups": list(groups)}

    def key(self, person: str) -> str:
        return person

    def fault(self, fault: Fault, name: str = "") -> None:
        thing = self.shelf.named(name)
        match fault:
            case "rate limit":
                self.outside.faults = [once(Said(429, headers=Headers({"retry-after": "600"})), self.in_the_middle)]
            case "token expiry":
                self.outside.faults = [lambda asked: Said(401) if self.in_the_middle(asked) else None]
            case "truncated page":
                self.outside.faults = [once(Said(200, b'{"things": [{"id": "t1", "na'), self.in_the_middle)]
            case "duplicate page":
                self.outside.faults = [self.page_again]
            case "cursor expiry":
                self.shelf.oldest = self.shelf.number + 1
                self.shelf.note("")
            case "poison item":
                assert thing
                self.shelf.poisoned.add(thing.id)
            case "unreadable rights":
                assert thing
                self.shelf.veiled.add(thing.id)
                self.shelf.note(thing.id)

    def in_the_middle(self, asked: Any) -> bool:
        return "next" in asked.url or "at=" in asked.url or asked.path == "/people"

    def page_again(self, asked: Any) -> Said | None:
        """The second page is the first once more."""
        if asked.query.get("at") and not getattr(self, "repeated", False):
            self.repeated = True
            first = self.shelf.serve(type(asked)(asked.method, f"https://{shelf.HOST}/things", asked.headers, None))
            body = first.content.replace(b'"next": "/things?at=', b'"again": "')
            return Said(200, body[:-1] + f', "next": "{asked.path}?at={asked.query["at"]}&feed={asked.query["feed"]}"}}'.encode())
        return None

    def mend(self) -> None:
        self.outside.faults = []
        self.shelf.poisoned.clear()
        self.shelf.veiled.clear()


def world(folder: Path) -> ShelfWorld:
    return ShelfWorld()
