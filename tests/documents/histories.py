"""Random histories of a source, synced by the real passes into real rows, against a naive oracle: what is known is what the source holds,
nobody reads what they may not, nothing stays that is gone.

The source is the shelf of the conformance suite, with or without its feed of changes; its events come in any order within a page, and
twice. A history fails with its seed. `make bench FIGURES=histories` runs 10,000 of them.
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from north.documents import actions, mapping, tasks
from north.documents.accounts import Identity
from north.documents.models import Document, Source, SyncRun
from north.workspaces.models import Membership, Role, User, Workspace
from retrieval.connectors.contract import Config, Connector, Outside
from retrieval.errors import SourceUnreachable
from retrieval.types import Cursor, Fetched, Item, Listing
from tests.retrieval.connectors import shelf
from tests.retrieval.connectors.outside import Headers, InProcess, Said, once

WORLDS: dict[str, History] = {}
KEYS = ("k0", "k1", "k2", "k3", "k4")
GROUPS = ("staff", "board", "guests")


class Killed(BaseException):
    """As a process that is gone: nobody catches it."""


# --- the connector -----------------------------------------------------------------------------------------------------------------
def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """The shelf's own, or one that can only list; dying where the history says so."""
    history = WORLDS[config["world"]]
    events = shelf.fetch(history.config, cursor, history.outside) if history.feed else listing(history, cursor)
    for number, event in enumerate(history.disturbed(events)):
        if number == history.dies_at:
            raise Killed
        if number == history.fails_at:
            raise SourceUnreachable("the shelf")
        yield event


def listing(history: History, cursor: Mapping[str, Any] | None) -> Iterator[Fetched]:
    ask = shelf.asker(history.config, history.outside)
    at = (cursor or {}).get("next")
    if history.people_first:
        yield from shelf.people(ask)
    if not at:
        yield Listing()
        at = "/things"
    while at:
        page = ask.json(at)
        for thing in page["things"]:
            yield shelf.item(thing, ask)
        at = page.get("next")
        if at:
            yield Cursor({"next": at})
    if not history.people_first:
        yield from shelf.people(ask)
    yield Cursor({}, complete=True)


def again(config: Config, ids: Any, outside: Outside) -> Iterator[Fetched]:
    history = WORLDS[config["world"]]
    return shelf.again(history.config, ids, history.outside)


CONNECTOR = Connector("Memory", "A shelf in memory.", fetch, rights=True, again=again)
WITHOUT_AGAIN = Connector("Memory", "The same, without single things.", fetch, rights=True)


# --- a history ---------------------------------------------------------------------------------------------------------------------
@dataclass
class History:
    """One source and what happens to it. `ever`: (person, thing) that were allowed at any time since the last whole sync; what an owner
    says of an account holds for all of that time, which is why its `moments` are kept."""

    seed: int
    chance: random.Random
    members: list[Membership]
    shelf: shelf.Shelf = field(default_factory=shelf.Shelf)
    feed: bool = True
    people_first: bool = False
    """Where there is no feed."""
    dies_at: int | None = None
    fails_at: int | None = None
    inactive: set[str] = field(default_factory=set)
    mapped: dict[str, str | None] = field(default_factory=dict)
    ever: set[tuple[str, str]] = field(default_factory=set)
    moments: list[shelf.Shelf] = field(default_factory=list)
    synced: set[str] = field(default_factory=set)
    made: int = 0

    def __post_init__(self) -> None:
        self.outside = InProcess(shelf.HOST, self.shelf.serve)
        self.config = {"url": f"https://{shelf.HOST}", "token": shelf.TOKEN}

    def begin(self) -> Source:
        WORLDS[str(self.seed)] = self
        workspace = self.members[0].workspace
        kind = self.chance.choice(["memory", "memory-plain"])
        self.feed = self.chance.random() < 0.6
        self.people_first = self.chance.random() < 0.5
        for number, key in enumerate(KEYS):
            self.shelf.people[key] = self.address(number)
        values = {"connector": kind, "name": f"Shelf {self.seed}", "config": {"world": str(self.seed)}, "as_source": True, "schedule": 3600}
        return Source.objects.create(workspace=workspace, **values)

    def address(self, number: int) -> str:
        """Of a person here, however it is written there; or none that the source vouches for, or a stranger's."""
        email = self.members[number % len(self.members)].user.email
        return self.chance.choice([email, email.upper(), f" {email}", "", "stranger@elsewhere.example"])

    def disturbed(self, events: Iterator[Fetched]) -> Iterator[Fetched]:
        """Things between two other events in any order, some of them twice."""
        waiting: list[Fetched] = []
        for event in events:
            if isinstance(event, Item):
                waiting.append(event)
                continue
            yield from self.shuffled(waiting)
            waiting = []
            yield event
        yield from self.shuffled(waiting)

    def shuffled(self, items: list[Fetched]) -> list[Fetched]:
        more = [*items, *(item for item in items if self.chance.random() < 0.2)]
        self.chance.shuffle(more)
        return more

    # --- what happens --------------------------------------------------------------------------------------------------------------
    def step(self) -> None:
        names = [thing.name for thing in self.shelf.things.values()]
        kind = self.chance.choice(
            [
                "create",
                "create",
                "change",
                "move",
                "delete",
                "rights",
                "rights",
                "group",
                "group",
                "person",
                "map",
                "veil",
                "poison",
                "expire",
            ]
        )
        if kind == "create" or not names:
            self.made += 1
            self.shelf.put(f"n{self.made}.txt", f"text {self.chance.random()}")
            self.allow(self.shelf.named(f"n{self.made}.txt"))
            return
        thing = self.shelf.named(self.chance.choice(names))
        assert thing
        match kind:
            case "change":
                self.shelf.put(thing.name, f"text {self.chance.random()}")
            case "move":
                self.made += 1
                thing.name = f"m{self.made}.txt"
                self.shelf.note(thing.id)
            case "delete":
                self.shelf.delete(thing.name)
            case "rights":
                self.allow(thing)
            case "group":
                self.group()
            case "person":
                number = self.chance.randrange(len(KEYS))
                self.shelf.people[KEYS[number]] = self.address(number)
            case "map":
                self.map()
            case "veil":
                (self.shelf.veiled.remove if thing.id in self.shelf.veiled else self.shelf.veiled.add)(thing.id)
                self.shelf.note(thing.id)
            case "poison":
                self.shelf.poisoned.add(thing.id)
            case "expire":
                self.shelf.oldest = self.shelf.number + 1
                self.shelf.note("")

    def some(self, of: tuple[str, ...]) -> list[str]:
        return [one for one in of if self.chance.random() < 0.35]

    def allow(self, thing: Any) -> None:
        said: dict[str, Any] = {"users": self.some(KEYS), "groups": self.some(GROUPS)}
        if self.chance.random() < 0.3:
            said["within"] = [{"users": self.some(KEYS), "groups": self.some(GROUPS)}, {"public": True}]
        thing.rights = {"public": True} if self.chance.random() < 0.2 else said
        self.shelf.note(thing.id)

    def group(self) -> None:
        """Groups in groups, also in a circle; or none of that name any more."""
        name = self.chance.choice(GROUPS)
        if self.chance.random() < 0.15:
            self.shelf.groups.pop(name, None)
        else:
            self.shelf.groups[name] = {"users": self.some(KEYS), "groups": self.some(GROUPS)}

    def map(self) -> None:
        """An owner says who an account is, or that it is nobody."""
        row = Identity.objects.filter(source__name=f"Shelf {self.seed}").filter(key=self.chance.choice(KEYS)).first()
        if row is not None:
            user = self.chance.choice([None, *(member.user for member in self.members)])
            mapping.map_identity(row, user, actor=self.members[0])
            self.mapped[row.key] = user.email if user else None
            now = self.shelf
            for moment in self.moments:
                self.shelf = moment
                self.ever |= self.allowed()
            self.shelf = now

    # --- the oracle ----------------------------------------------------------------------------------------------------------------
    def allowed(self) -> set[tuple[str, str]]:
        """(address of a person, id of a thing), by the words of the contract and nothing else."""
        return {
            (member.user.email, thing.id)
            for member in self.members
            for thing in self.shelf.things.values()
            if thing.id not in self.shelf.veiled and thing.rights is not None and self.opens(member.user.email, thing.rights)
        }

    def opens(self, email: str, rights: dict[str, Any]) -> bool:
        """By one account: rights of two accounts of a person do not add up to what neither of them has."""
        accounts: list[str | None] = [key for key in KEYS if self.person(key) == email]
        return any(self.passes(key, rights) for key in [*accounts, None])

    def passes(self, key: str | None, rights: dict[str, Any]) -> bool:
        inner = bool(rights.get("public")) or (key is not None and self.within(key, rights))
        return inner and all(self.passes(key, outer) for outer in rights.get("within", ()))

    def person(self, key: str) -> str | None:
        return self.mapped[key] if key in self.mapped else (self.shelf.people[key].strip().lower() or None)

    def within(self, key: str, rights: dict[str, Any]) -> bool:
        return key in rights.get("users", ()) or any(key in self.members_of(group, set()) for group in rights.get("groups", ()))

    def members_of(self, group: str, seen: set[str]) -> set[str]:
        if group in seen or group not in self.shelf.groups:
            return set()
        seen.add(group)
        inside = self.shelf.groups[group]
        return {*inside["users"], *(key for inner in inside["groups"] for key in self.members_of(inner, seen))}


def readable(history: History, source: Source) -> set[tuple[str, str]]:
    return {
        (member.user.email, id)
        for member in history.members
        for id in actions.readable(member).filter(source=source).values_list("external_id", flat=True)
    }


def synced(history: History, source: Source) -> SyncRun:
    """One pass, by the task; where it dies, its lease has run out when the next one comes."""
    source.refresh_from_db()
    run = source.begin() or source.sync_runs.get(status__in=SyncRun.WORKING)
    SyncRun.objects.filter(pk=run.pk).update(lease_token=None, lease_until=None, try_at=None, attempts=0)
    with contextlib.suppress(Killed):
        tasks.sync(str(run.pk))
    run.refresh_from_db()
    return run


def trouble(history: History) -> None:
    kind = history.chance.choice(["die", "die", "fail", "wait", "half", "refuse"])
    at = history.chance.randrange(12)
    match kind:
        case "die":
            history.dies_at = at
        case "fail":
            history.fails_at = at
        case "wait":
            later = Said(429, headers=Headers({"retry-after": "600"}))
            history.outside.faults = [once(later, lambda asked: history.chance.random() < 0.4)]
        case "half":
            broken = Said(200, b'{"things": [{"id"')
            history.outside.faults = [once(broken, lambda asked: "/text" not in asked.path and history.chance.random() < 0.4)]
        case "refuse":
            history.outside.faults = [lambda asked: Said(401) if history.chance.random() < 0.3 else None]


def unasked(_: History) -> None:
    """The rows are compared, and no index."""


def live(seed: int, members: list[Membership], indexed: Callable[[History], None] = unasked) -> None:
    """`indexed` is asked whenever a pass has ended well, and once more when all is gone."""
    history = History(seed, random.Random(seed), members)
    source = history.begin()
    for _part in range(history.chance.randint(1, 3)):
        for _step in range(history.chance.randint(1, 6)):
            history.step()
            history.ever |= history.allowed()
            history.moments.append(copy.deepcopy(history.shelf))
        if history.chance.random() < 0.5:
            trouble(history)
            synced(history, source)
            check_in_trouble(history, source)
            calm(history)
        else:
            check(history, source)
            indexed(history)
    check(history, source)
    indexed(history)
    Document.objects.filter(source=source).bury()
    source.delete()
    indexed(history)
    del WORLDS[str(seed)]


def calm(history: History) -> None:
    history.dies_at = history.fails_at = None
    history.outside.faults = []


def check_in_trouble(history: History, source: Source) -> None:
    """A pass that failed or died has deleted nothing that is there, and opened nothing that was not open since the last whole one."""
    alive = set(Document.objects.alive().filter(source=source).values_list("external_id", flat=True))
    lost = (history.synced & set(history.shelf.things)) - alive
    assert not lost, f"deleted, and still there: {lost}"
    assert readable(history, source) <= history.ever, "a leak in the middle"


def check(history: History, source: Source) -> None:
    """Whole passes without trouble, until nothing is owed: then rows and source are the same. What is poisoned heals first."""
    history.shelf.poisoned.clear()
    for _pass in range(1 if history.feed else 2):
        whole(history, source)
    for _pass in range(20):
        if source.owed:
            whole(history, source)
    assert not source.owed
    rows = Document.objects.alive().filter(source=source)
    held = {(row.external_id, row.name, row.sha256) for row in rows}
    there = {(thing.id, thing.name, hashlib.sha256(thing.text.encode()).hexdigest()) for thing in history.shelf.things.values()}
    assert held == there, f"ghosts {held - there}, missing {there - held}"
    allowed = history.allowed()
    found = readable(history, source)
    assert found == allowed, f"leaks {found - allowed}, hidden {allowed - found}"
    history.ever, history.synced, history.moments = allowed, set(history.shelf.things), [copy.deepcopy(history.shelf)]


def whole(history: History, source: Source) -> None:
    run = synced(history, source)
    assert run.status == SyncRun.Status.DONE, run.error
    source.refresh_from_db()


def people(slug: str) -> list[Membership]:
    workspace = Workspace.objects.create(slug=slug, name="Histories")
    roles = [Role.OWNER, Role.EDITOR, Role.READER]
    users = [User.objects.create(email=f"{slug}-{number}@worlds.example") for number in range(len(roles))]
    return [Membership.objects.create(workspace=workspace, user=user, role=role) for user, role in zip(users, roles, strict=True)]
