"""What every connector must do, whatever its source: one function a case. A connector brings a World, which changes its source and makes it
fail; the cases change it, let a pass run into a `Mirror`, and compare that with a book of their own.

A new connector: `worlds/KIND.py` beside this file with a function `world(folder: Path) -> World`, and nothing else: `test_conformance.py`
finds it by the line in NAMED. What its source cannot do stands in `impossible`, with a reason in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Protocol

from retrieval.connectors.contract import Connector, Outside, checked
from retrieval.errors import RateLimited, SourceError, TokenRefused
from retrieval.types import PUBLIC, Account, Cursor, Item, Listing, Members
from tests.retrieval.connectors.mirror import EVERYBODY, Mirror

Fault = Literal["rate limit", "token expiry", "truncated page", "duplicate page", "cursor expiry", "poison item", "unreadable rights"]
PEOPLE = ("ann", "ben", "cem")


class World(Protocol):
    """A source under test. Names are file names such as "a.txt", one of each; people are PEOPLE, groups "staff" and "board", and the world
    begins with none of them used. It spreads what it holds over several pages where the source has pages (two things a page)."""

    connector: Connector
    config: Mapping[str, Any]
    outside: Outside
    impossible: Mapping[str, str]
    """Case -> why the source cannot do that."""

    def put(self, name: str, text: str) -> None:
        """Makes the thing, or changes its text. A new one is readable as the source does by default; `allow` says otherwise."""

    def delete(self, name: str) -> None: ...

    def move(self, name: str, to: str) -> None:
        """Renames or moves it, as people do in that source."""

    def allow(self, name: str, users: Iterable[str] = (), groups: Iterable[str] = (), public: bool = False) -> None:
        """These and nobody else may see it."""

    def group(self, name: str, users: Iterable[str], groups: Iterable[str] = ()) -> None:
        """These are in the group, and nobody else."""

    def key(self, person: str) -> str:
        """Of one of PEOPLE: the key of their account."""

    def fault(self, fault: Fault, name: str = "") -> None:
        """From now on: "rate limit": one request in the middle is refused with a Retry-After of 600 s. "token expiry": the credentials are
        refused from the middle on. "truncated page": one page breaks off in the middle. "duplicate page": one page comes twice. "cursor
        expiry": cursors given out so far are not known any more. "poison item": the bytes of `name` cannot be had. "unreadable rights":
        those of `name` cannot."""

    def mend(self) -> None:
        """No fault any more."""


def run(world: World, mirror: Mirror, crash_after: int | None = None) -> Mirror:
    mirror = seen_as(world, mirror)
    values = {**checked(world.connector.settings, {k: v for k, v in world.config.items() if k != "roots"}).values, **world.config}
    mirror.take(world.connector.fetch(values, mirror.cursor, world.outside), crash_after)
    return mirror


def seen_as(world: World, mirror: Mirror) -> Mirror:
    """A world whose source makes pages and issues of what it is given has `name_seen` and `text_seen`, which find that again in them."""
    mirror.name_seen = getattr(world, "name_seen", mirror.name_seen)
    mirror.text_seen = getattr(world, "text_seen", mirror.text_seen)
    return mirror


def filled(world: World, count: int = 6) -> dict[str, str]:
    book = {f"{name}.txt": f"text of {name}" for name in "abcdefghij"[:count]}
    for name, text in book.items():
        world.put(name, text)
    return book


def synced(world: World, book: dict[str, str], mirror: Mirror | None = None) -> Mirror:
    mirror = run(world, mirror or Mirror())
    if mirror.error and type(mirror.error).__name__ == "CursorExpired":
        mirror = run(world, mirror)
    assert mirror.error is None, mirror.error
    assert mirror.texts() == book
    return mirror


# --- what a source does ------------------------------------------------------------------------------------------------------------
def full(world: World) -> None:
    book = filled(world)
    events = list(world.connector.fetch({**world.config}, None, world.outside))
    assert isinstance(events[0], Listing), "the first pass begins with a Listing"
    assert isinstance(events[-1], Cursor) and events[-1].complete, "and ends with a complete Cursor"
    mirror = seen_as(world, Mirror())
    mirror.take(events)
    assert mirror.texts() == book
    items = [event for event in events if isinstance(event, Item)]
    assert len({item.external_id for item in items}) == len(items) == len(book)
    assert all(item.modified_at is None or item.modified_at.tzinfo for item in items)


def nothing_twice(world: World) -> None:
    """What has not changed is not fetched again."""
    mirror = synced(world, book := filled(world))
    assert sorted(mirror.read) == sorted(book)
    mirror.read = []
    synced(world, book, mirror)
    assert mirror.read == [], "unchanged things were fetched again"


def incremental(world: World) -> None:
    mirror = synced(world, book := filled(world))
    mirror.read = []
    world.put("new.txt", "new")
    synced(world, book | {"new.txt": "new"}, mirror)
    assert mirror.read == ["new.txt"]


def change(world: World) -> None:
    mirror = synced(world, book := filled(world))
    mirror.read = []
    world.put("c.txt", "other")
    synced(world, book | {"c.txt": "other"}, mirror)
    assert mirror.read == ["c.txt"]


def delete(world: World) -> None:
    mirror = synced(world, book := filled(world))
    world.delete("b.txt")
    del book["b.txt"]
    synced(world, book, mirror)


def come_back(world: World) -> None:
    """What was deleted and made again is there again."""
    mirror = synced(world, book := filled(world))
    world.delete("b.txt")
    synced(world, {name: text for name, text in book.items() if name != "b.txt"}, mirror)
    world.put("b.txt", "again")
    synced(world, book | {"b.txt": "again"}, mirror)


def move(world: World) -> None:
    mirror = synced(world, book := filled(world))
    world.move("d.txt", "moved.txt")
    book["moved.txt"] = book.pop("d.txt")
    synced(world, book, mirror)


# --- who may see it ----------------------------------------------------------------------------------------------------------------
def rights_change(world: World) -> None:
    world.put("a.txt", "secret")
    world.allow("a.txt", users=["ann"])
    mirror = synced(world, {"a.txt": "secret"})
    assert mirror.readers() == {"a.txt": frozenset({world.key("ann")})}
    mirror.read = []
    world.allow("a.txt", users=["ben"])
    synced(world, {"a.txt": "secret"}, mirror)
    assert mirror.readers() == {"a.txt": frozenset({world.key("ben")})}
    assert mirror.read == [], "other rights are no other bytes"


def group_change(world: World) -> None:
    world.put("a.txt", "for staff")
    world.group("staff", ["ann"])
    world.allow("a.txt", groups=["staff"])
    mirror = synced(world, {"a.txt": "for staff"})
    assert world.key("ann") in mirror.readers()["a.txt"] and world.key("ben") not in mirror.readers()["a.txt"]
    world.group("staff", ["ben"])
    synced(world, {"a.txt": "for staff"}, mirror)
    assert world.key("ben") in mirror.readers()["a.txt"] and world.key("ann") not in mirror.readers()["a.txt"]


def nested_groups(world: World) -> None:
    world.put("a.txt", "for all below")
    world.group("board", ["cem"])
    world.group("staff", ["ann"], ["board"])
    world.allow("a.txt", groups=["staff"])
    readers = synced(world, {"a.txt": "for all below"}).readers()["a.txt"]
    assert {world.key("ann"), world.key("cem")} <= readers and world.key("ben") not in readers


def public(world: World) -> None:
    world.put("a.txt", "for all")
    world.allow("a.txt", public=True)
    assert synced(world, {"a.txt": "for all"}).readers() == {"a.txt": EVERYBODY}
    world.allow("a.txt", users=["ann"])
    assert synced(world, {"a.txt": "for all"}).readers() == {"a.txt": frozenset({world.key("ann")})}


def unreadable_rights(world: World) -> None:
    world.put("a.txt", "text")
    closed = "public" in world.impossible
    world.allow("a.txt", users=["ann"] if closed else [], public=not closed)
    mirror = synced(world, {"a.txt": "text"})
    before = mirror.readers()
    assert before == {"a.txt": frozenset({world.key("ann")}) if closed else EVERYBODY}
    world.fault("unreadable rights", "a.txt")
    run(world, mirror)
    assert mirror.readers().get("a.txt", frozenset()) == frozenset(), "rights that cannot be read hide"
    world.mend()
    world.put("a.txt", "text, changed")
    assert synced(world, {"a.txt": "text, changed"}, mirror).readers() == before


# --- what goes wrong ---------------------------------------------------------------------------------------------------------------
def rate_limit(world: World) -> None:
    book = filled(world)
    world.fault("rate limit")
    mirror = run(world, Mirror())
    assert isinstance(mirror.error, RateLimited) and mirror.error.retry_after == 600
    synced(world, book, mirror)


def rate_limit_deletes_nothing(world: World) -> None:
    fails_without_deleting(world, "rate limit", RateLimited)


def token_expiry(world: World) -> None:
    error = fails_without_deleting(world, "token expiry", TokenRefused)
    assert error.permanent and str(error).endswith("."), "it says what to do"


def truncated_page(world: World) -> None:
    fails_without_deleting(world, "truncated page", SourceError)


def fails_without_deleting(world: World, fault: Fault, kind: type[SourceError]) -> SourceError:
    """It fails in words in the middle, keeps all that was known, and is well once the fault is over."""
    mirror = synced(world, book := filled(world))
    world.put("k.txt", "more")
    world.delete("a.txt")
    world.fault(fault)
    mirror = run(world, mirror)
    error = mirror.error
    assert isinstance(error, kind), f"{fault}: {error!r}"
    assert set(book) - {"a.txt"} <= set(mirror.texts()), "a pass that failed has deleted"
    world.mend()
    del book["a.txt"]
    synced(world, book | {"k.txt": "more"}, mirror)
    return error


def duplicate_page(world: World) -> None:
    book = filled(world)
    world.fault("duplicate page")
    mirror = synced(world, book)
    world.mend()
    synced(world, book, mirror)


def cursor_expiry(world: World) -> None:
    mirror = synced(world, book := filled(world))
    world.delete("a.txt")
    world.put("b.txt", "other")
    world.fault("cursor expiry")
    del book["a.txt"]
    synced(world, book | {"b.txt": "other"}, mirror)


def kill_and_resume(world: World) -> None:
    """Killed after each event of the first pass in turn, and the source changes meanwhile: the pass after that ends as if nothing had
    happened."""
    book = filled(world, 5)
    for number in range(events_of(world, None)):
        mirror = run(world, Mirror(), crash_after=number)
        swap(world, book, number)
        synced(world, book, mirror)


def kill_later(world: World) -> None:
    """The same in a pass that goes on from a cursor."""
    book = filled(world, 5)
    for number in range(8):
        mirror = synced(world, book)
        swap(world, book, number)
        run(world, mirror, crash_after=number)
        swap(world, book, number + 100)
        synced(world, book, mirror)


def swap(world: World, book: dict[str, str], number: int) -> None:
    """One thing comes, one goes, one changes."""
    gone = sorted(book)[0]
    world.delete(gone)
    del book[gone]
    for name, text in ((f"n{number}.txt", "new"), (sorted(book)[-1], f"changed {number}")):
        world.put(name, text)
        book[name] = text


def events_of(world: World, cursor: Mapping[str, Any] | None) -> int:
    return len(list(world.connector.fetch({**world.config}, cursor, world.outside)))


def poison_item(world: World) -> None:
    book = filled(world)
    world.fault("poison item", "c.txt")
    mirror = run(world, Mirror())
    assert mirror.error is None, "one thing stopped the pass"
    assert mirror.texts() == {name: text for name, text in book.items() if name != "c.txt"}
    assert list(mirror.skipped) == ["c.txt"] and mirror.skipped["c.txt"].endswith(".")
    world.mend()
    world.put("c.txt", "well")
    synced(world, book | {"c.txt": "well"}, mirror)


def words(world: World) -> None:
    """What it says of itself is for people, and its settings make the config that the world uses."""
    connector = world.connector
    assert connector.title and connector.help.endswith(".")
    for setting in connector.settings:
        assert setting.label and (not setting.help or setting.help.endswith((".", ":", "/", "com")))
        assert setting.kind != "choice" or setting.choices
    found = checked(connector.settings, {name: value for name, value in world.config.items() if name != "roots"})
    assert not found.wrong
    filled(world, 2)
    findings = list(connector.probe({**found.values, **world.config}, world.outside))
    assert findings and all(one.words.endswith(".") for one in findings) and not [one for one in findings if one.works is False]


def rights_are_said(world: World) -> None:
    """A connector that says it knows rights gives them, and people to go with them; one that does not gives none."""
    filled(world, 2)
    events = list(world.connector.fetch({**world.config}, None, world.outside))
    items = [event for event in events if isinstance(event, Item)]
    if world.connector.rights:
        assert any(item.rights is not None for item in items)
        assert [event for event in events if isinstance(event, Account | Members)] or all(item.rights == PUBLIC for item in items)
    else:
        assert all(item.rights is None for item in items)


CASES: dict[str, Callable[[World], None]] = {
    "words": words,
    "full": full,
    "nothing twice": nothing_twice,
    "incremental": incremental,
    "change": change,
    "delete": delete,
    "come back": come_back,
    "move": move,
    "rights are said": rights_are_said,
    "rights change": rights_change,
    "group change": group_change,
    "nested groups": nested_groups,
    "public": public,
    "unreadable rights": unreadable_rights,
    "rate limit": rate_limit,
    "rate limit deletes nothing": rate_limit_deletes_nothing,
    "token expiry": token_expiry,
    "truncated page": truncated_page,
    "duplicate page": duplicate_page,
    "cursor expiry": cursor_expiry,
    "kill and resume": kill_and_resume,
    "kill later": kill_later,
    "poison item": poison_item,
}
