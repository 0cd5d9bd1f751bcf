"""What the worlds of cloud services have in common: things with readers, people, groups, pages of two, and the fault script. Each says by
`middle` which of its requests lie in the middle of a pass, and answers in its own vendor's shapes in `serve`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from retrieval.connectors import CONNECTORS
from retrieval.connectors.contract import Connector
from retrieval.parsers.html import parse
from tests.retrieval.connectors.conformance import PEOPLE, Fault
from tests.retrieval.connectors.outside import Asked, InProcess, Said, once

One = TypeVar("One")
PAGE = 2
BEGIN = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)


@dataclass
class Thing:
    id: str
    name: str
    text: str
    number: int = 0
    """Of its last change."""
    users: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    public: bool = True

    @property
    def changed(self) -> datetime:
        return BEGIN + timedelta(minutes=self.number)


class Cloud:
    """`email(person)` is what the service tells; `faults` by words are the base's."""

    kind = ""
    host = ""
    also: tuple[str, ...] = ()
    middle = re.compile("")
    impossible: Mapping[str, str] = {}
    config: dict[str, Any]

    def __init__(self) -> None:
        self.connector: Connector = CONNECTORS[self.kind]
        self.things: dict[str, Thing] = {}
        self.groups: dict[str, tuple[set[str], set[str]]] = {}
        self.poisoned: set[str] = set()
        self.veiled: set[str] = set()
        self.twice = False
        self.numbers = itertools.count(1)
        self.outside = InProcess(self.host, self.serve, also=self.also)

    # --- the source changes ---
    def put(self, name: str, text: str) -> None:
        thing = self.named(name)
        if thing is None:
            number = next(self.numbers)
            thing = self.things[str(1000 + number)] = Thing(str(1000 + number), name, text)
        thing.text, thing.number = text, next(self.numbers)
        self.noted(thing.id)

    def delete(self, name: str) -> None:
        if thing := self.named(name):
            del self.things[thing.id]
            self.noted(thing.id)

    def move(self, name: str, to: str) -> None:
        thing = self.there(name)
        thing.name, thing.number = to, next(self.numbers)
        self.noted(thing.id)

    def allow(self, name: str, users: Iterable[str] = (), groups: Iterable[str] = (), public: bool = False) -> None:
        thing = self.there(name)
        thing.users, thing.groups, thing.public = set(users), set(groups), public
        self.noted(thing.id)

    def group(self, name: str, users: Iterable[str], groups: Iterable[str] = ()) -> None:
        self.groups[name] = set(users), set(groups)

    def noted(self, id: str) -> None:
        """Something about this thing has changed."""

    def named(self, name: str) -> Thing | None:
        return next((thing for thing in self.things.values() if thing.name == name), None)

    def there(self, name: str) -> Thing:
        thing = self.named(name)
        assert thing
        return thing

    def inside(self, group: str) -> set[str]:
        """All who are in a group, also by groups in it."""
        users, groups = self.groups.get(group, (set(), set()))
        return users | {one for inner in groups for one in self.inside(inner)}

    # --- what is seen of it ---
    def key(self, person: str) -> str:
        return person

    def person(self, key: str) -> str:
        return next(person for person in PEOPLE if self.key(person) == key)

    def email(self, person: str) -> str:
        return f"{person}@acme.example"

    def text_seen(self, data: bytes) -> str:
        """The last line of the document."""
        return parse(data).text.strip().splitlines()[-1]

    # --- what goes wrong ---
    def fault(self, fault: Fault, name: str = "") -> None:
        thing = self.named(name)
        match fault:
            case "rate limit":
                self.outside.faults = [once(self.too_often(), self.in_the_middle)]
            case "token expiry":
                self.outside.faults = [lambda asked: self.refused() if self.in_the_middle(asked) else None]
            case "truncated page":
                self.outside.faults = [once(Said(200, b'{"results": [{"id": "1001", "na'), self.in_the_middle)]
            case "duplicate page":
                self.twice = True
            case "cursor expiry":
                self.forget()
            case "poison item":
                assert thing
                self.poisoned.add(thing.id)
            case "unreadable rights":
                assert thing
                self.veiled.add(thing.id)
                self.noted(thing.id)

    def forget(self) -> None:
        raise NotImplementedError

    def too_often(self) -> Said:
        return Said.json({}, 429, **{"retry-after": "600"})

    def refused(self) -> Said:
        return Said.json({}, 401)

    def in_the_middle(self, asked: Asked) -> bool:
        return bool(self.middle.search(f"{asked.method} {asked.url} {asked.body}"))

    def mend(self) -> None:
        self.outside.faults = []
        self.poisoned.clear()
        self.veiled.clear()

    def serve(self, asked: Asked) -> Said:
        raise NotImplementedError

    def paged(self, things: Sequence[One], at: str, size: int = PAGE) -> tuple[list[One], str]:
        """The page that `at` stands for, and what the next one is asked for by; "" after the last. Where it is to come twice, the second
        page holds the first one's things once more."""
        number = int(at.rstrip("x") or 0)
        if number and self.twice:
            self.twice = False
            return list(things[(number - 1) * size : number * size]), f"{number}x"
        return list(things[number * size : (number + 1) * size]), str(number + 1) if (number + 1) * size < len(things) else ""

    def after(self, at: str) -> tuple[list[Thing], str]:
        """The same by number instead of place: no change of the source meanwhile moves a thing to a page that was given out already."""
        if at and self.twice:
            self.twice = False
            return self.after("")[0], f"{at}x"
        later = [thing for thing in self.things.values() if int(thing.id) > int(at.rstrip("x") or 0)]
        return later[:PAGE], later[PAGE - 1].id if len(later) > PAGE else ""
