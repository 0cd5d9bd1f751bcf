"""A small service with everything that services have: pages, a feed of changes, revisions, rights, people, nested groups; and the connector
to it, as short as a whole one can be. New connectors may begin from a copy of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Branch, Config, Connector, Finding, Outside, Setting, just
from retrieval.errors import ItemBroken, SourceMissing, SourceUnreachable
from retrieval.types import PUBLIC, Account, Cursor, Deleted, Fetched, Item, Listing, Members, Rights
from tests.retrieval.connectors.outside import Asked, Said

HOST = "shelf.example"
TOKEN = "shelf-token-1"
PAGE = 2


# --- the service -------------------------------------------------------------------------------------------------------------------
@dataclass
class Thing:
    id: str
    name: str
    text: str
    revision: int
    rights: dict[str, Any] | None


@dataclass
class Shelf:
    """Remembers each change with a number. `oldest`: changes before that one are forgotten."""

    things: dict[str, Thing] = field(default_factory=dict)
    changes: list[tuple[int, str]] = field(default_factory=list)
    groups: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    people: dict[str, str] = field(default_factory=dict)
    number: int = 0
    oldest: int = 0
    poisoned: set[str] = field(default_factory=set)
    veiled: set[str] = field(default_factory=set)

    def note(self, id: str) -> int:
        self.number += 1
        self.changes.append((self.number, id))
        return self.number

    def named(self, name: str) -> Thing | None:
        return next((thing for thing in self.things.values() if thing.name == name), None)

    def put(self, name: str, text: str) -> None:
        thing = self.named(name)
        if thing is None:
            id = f"t{self.number + 1}"
            self.things[id] = Thing(id, name, text, self.note(id), {"public": True})
        else:
            thing.text, thing.revision = text, self.note(thing.id)

    def delete(self, name: str) -> None:
        if thing := self.named(name):
            self.note(thing.id)
            del self.things[thing.id]

    def serve(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != f"Bearer {TOKEN}":
            return Said(401)
        match asked.path.strip("/").split("/"):
            case ["things"]:
                at = int(asked.query.get("at", "0"))
                start = int(asked.query.get("feed", self.number))
                found = sorted(self.things.values(), key=lambda thing: int(thing.id[1:]))
                later = [thing for thing in found if int(thing.id[1:]) > at]
                page = later[:PAGE]
                onward = {"next": f"/things?at={page[-1].id[1:]}&feed={start}"} if len(later) > PAGE else {"feed": start}
                return Said.json({"things": [self.about(thing) for thing in page], **onward})
            case ["changes"]:
                since = int(asked.query["since"])
                if since < self.oldest:
                    return Said(410)
                later = [(number, id) for number, id in self.changes if number > since]
                page = later[:PAGE]
                found = [self.about(self.things[id]) if id in self.things else {"id": id, "gone": True} for _n, id in page]
                return Said.json({"things": found, "feed": page[-1][0] if page else since, "more": len(later) > PAGE})
            case ["things", id, "text"]:
                if id not in self.things:
                    return Said(404)
                return Said(500) if id in self.poisoned else Said(200, self.things[id].text.encode())
            case ["things", id]:
                return Said.json(self.about(self.things[id])) if id in self.things else Said(404)
            case ["people"]:
                return Said.json([{"key": key, "email": email} for key, email in self.people.items()])
            case ["groups"]:
                return Said.json([{"name": name, **inside} for name, inside in self.groups.items()])
        return Said(404)

    def about(self, thing: Thing) -> dict[str, Any]:
        rights = None if thing.id in self.veiled else thing.rights
        return {"id": thing.id, "name": thing.name, "revision": thing.revision, "rights": rights}


# --- the connector -----------------------------------------------------------------------------------------------------------------
def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """The cursor is the next page of a listing, or a place in the feed of changes."""
    ask = asker(config, outside)
    where = dict(cursor or {})
    if "feed" not in where:
        if not where:
            yield Listing()
        at = where.get("next", "/things")
        while at:
            page = ask.json(at)
            for thing in page["things"]:
                yield item(thing, ask)
            at = page.get("next")
            if at:
                yield Cursor({"next": at})
        where = {"feed": page["feed"]}
    more = True
    while more:
        page = ask.json("/changes", {"since": where["feed"]})
        for thing in page["things"]:
            yield Deleted(thing["id"]) if thing.get("gone") else item(thing, ask)
        where, more = {"feed": page["feed"]}, page["more"]
        if more and cursor and "feed" in cursor:
            yield Cursor(where)
    yield from people(ask)
    yield Cursor(where, complete=True)


def people(ask: Asker) -> Iterator[Fetched]:
    yield Listing("people")
    for person in ask.json("/people"):
        yield Account(person["key"], email=person["email"])
    for group in ask.json("/groups"):
        yield Members(group["name"], frozenset(group["users"]), frozenset(group["groups"]))


def again(config: Config, ids: Sequence[str], outside: Outside) -> Iterator[Fetched]:
    ask = asker(config, outside)
    for id in ids:
        try:
            yield item(ask.json(f"/things/{id}"), ask)
        except SourceMissing:
            yield Deleted(id)


def item(thing: Mapping[str, Any], ask: Asker) -> Item:
    def text() -> bytes:
        try:
            return ask.bytes(f"/things/{thing['id']}/text")
        except (SourceMissing, SourceUnreachable) as error:
            raise ItemBroken(f"Its text could not be had ({error}).") from error

    return Item(thing["id"], thing["name"], text, rights=rights(thing["rights"]), revision=str(thing["revision"]))


def rights(said: Mapping[str, Any] | None) -> Rights | None:
    if said is None:
        return None
    if said.get("public"):
        return PUBLIC
    within = tuple(found for outer in said.get("within", ()) if (found := rights(outer)))
    return Rights(frozenset(said.get("users", ())), frozenset(said.get("groups", ())), within=within)


def asker(config: Config, outside: Outside) -> Asker:
    return Asker(outside, config["url"], headers={"authorization": f"Bearer {config['token']}"})


def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    asker(config, outside).json("/things")
    yield Finding(True, "Things can be listed.")
    if not asker(config, outside).json("/people"):
        yield Finding(None, "Nobody is known there yet.")


def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    for thing in asker(config, outside).json("/things")["things"]:
        yield Branch(thing["id"], thing["name"], inner=False, patterns=just(thing["name"]))


def not_gone(value: str) -> str:
    return "" if "gone" not in value else "This shelf is gone. Choose another."


CONNECTOR = Connector(
    title="Shelf",
    help="Things of a shelf.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    again=again,
    rights=True,
    group="data",
    settings=(
        Setting("url", "Address", "Where the shelf stands, as https://shelf.example.com", kind="url", check=not_gone),
        Setting("token", "Token", "On the shelf's page of tokens.", kind="secret"),
        Setting("depth", "Depth", kind="number", required=False, default=3, most=9),
    ),
)
