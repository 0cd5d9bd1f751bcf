"""A naive application of what connectors yield, by the words of the contract: plain dicts, nothing kept from one idea to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from retrieval.errors import CursorExpired, ItemBroken, SourceError
from retrieval.types import Account, Cursor, Deleted, Fetched, Item, Listing, Members, Rights, Skipped

EVERYBODY = frozenset({"*"})


@dataclass
class Held:
    name: str
    text: str
    rights: Rights | None
    revision: str
    folder: str


@dataclass
class Mirror:
    """What an application knows of one source. `opened` and `named` belong to listings that have not come to their end."""

    held: dict[str, Held] = field(default_factory=dict)
    accounts: dict[str, Account] = field(default_factory=dict)
    groups: dict[str, Members] = field(default_factory=dict)
    cursor: Mapping[str, Any] | None = None
    opened: set[str] = field(default_factory=set)
    named: set[str] = field(default_factory=set)
    people: set[str] = field(default_factory=set)
    kept: tuple[set[str], set[str], set[str]] = field(default_factory=lambda: (set(), set(), set()))
    """`opened`, `named`, `people` as they were at the last cursor: a crash goes back to there."""
    read: list[str] = field(default_factory=list)
    """Names whose bytes were asked for, in order."""
    skipped: dict[str, str] = field(default_factory=dict)
    error: SourceError | None = None
    name_seen: Callable[[str], str] = str
    text_seen: Callable[[bytes], str] = bytes.decode
    """What a World says of how its source's documents hold the names and texts that it was given."""

    def take(self, events: Iterable[Fetched], crash_after: int | None = None) -> None:
        """One pass; with `crash_after` only so many events of it, and all that was in memory only is lost."""
        self.opened, self.named, self.people = ({*one} for one in self.kept)
        self.skipped, self.error = {}, None
        try:
            for number, event in enumerate(events):
                if number == crash_after:
                    return
                self.one(event)
        except CursorExpired as error:
            self.error, self.cursor = error, None
            self.kept = set(), set(), set()
        except SourceError as error:
            self.error = error

    def one(self, event: Fetched) -> None:
        match event:
            case Listing("items"):
                self.opened.add("items")
                self.named = set()
            case Listing():
                self.opened.add("people")
                self.people = set()
            case Item():
                self.named.add(event.external_id)
                self.item(event)
            case Deleted():
                self.held.pop(event.external_id, None)
            case Skipped():
                self.named.add(event.external_id)
                self.skipped[self.name_seen(event.name)] = event.reason
            case Account():
                self.people.add(f"u:{event.key}")
                self.accounts[event.key] = event
            case Members():
                self.people.add(f"g:{event.group}")
                self.groups[event.group] = event
            case Cursor():
                self.settle(event)

    def item(self, item: Item) -> None:
        before = self.held.get(item.external_id)
        if before and item.revision and before.revision == item.revision:
            before.name, before.rights, before.folder = item.name, item.rights, item.folder
            return
        try:
            text = self.text_seen(item.read())
        except ItemBroken as error:
            self.skipped[self.name_seen(item.name)] = str(error)
            if before:
                before.rights = item.rights
            return
        self.read.append(self.name_seen(item.name))
        self.held[item.external_id] = Held(item.name, text, item.rights, item.revision, item.folder)

    def settle(self, cursor: Cursor) -> None:
        self.cursor = cursor.value
        if cursor.complete and "items" in self.opened:
            self.held = {key: one for key, one in self.held.items() if key in self.named}
        if cursor.complete and "people" in self.opened:
            self.accounts = {key: one for key, one in self.accounts.items() if f"u:{key}" in self.people}
            self.groups = {key: one for key, one in self.groups.items() if f"g:{key}" in self.people}
        if cursor.complete:
            self.opened = set()
        self.kept = {*self.opened}, {*self.named}, {*self.people}

    # --- what somebody would see ---------------------------------------------------------------------------------------------------
    def texts(self) -> dict[str, str]:
        return {self.name_seen(one.name): one.text for one in self.held.values()}

    def readers(self) -> dict[str, frozenset[str]]:
        """Who reads what by the rights of the source: keys of accounts, or EVERYBODY."""
        return {self.name_seen(one.name): self.allowed(one.rights) for one in self.held.values()}

    def allowed(self, rights: Rights | None) -> frozenset[str]:
        if rights is None:
            return frozenset()
        if rights.public:
            found = EVERYBODY
        else:
            active = {key for key, account in self.accounts.items() if account.active}
            found = frozenset((rights.users | {one for group in rights.groups for one in self.inside(group, set())}) & active)
        for outer in rights.within:
            others = self.allowed(outer)
            found = others if found == EVERYBODY else found if others == EVERYBODY else found & others
        return found

    def inside(self, group: str, seen: set[str]) -> set[str]:
        members = self.groups.get(group)
        if members is None or group in seen or members.users is None:
            return set()
        seen.add(group)
        return {*members.users, *(one for inner in members.groups or () for one in self.inside(inner, seen))}
