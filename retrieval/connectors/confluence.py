"""Pages and blog posts of Confluence Cloud, by the documents "Confluence Cloud REST API v2" (spaces, pages, folders, space permissions)
and "Confluence Cloud REST API v1" (content restrictions, groups), which v2 does not have.

Restrictions change without the page's version, and nothing tells of deletions: so each pass lists the pages of every space, 250 at a
time, and their restrictions, 100 at a time; bodies are fetched only where the version is new. Who may see a page is in its space's
group ("space:ID", whose members are read with every pass) and in each restriction of it and of what it lies in. A space role opens
nothing here: its members are not told. Asked by the Asker: the maintained client libraries cannot go through checked addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from retrieval.connectors import atlassian
from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Branch, Config, Connector, Finding, Outside, Setting, all_in, just
from retrieval.connectors.pages import ONE_THING, all_there, fetched, in_parts, lacking, moment, page, sensible, several, tried
from retrieval.errors import SourceGarbled
from retrieval.types import Account, Fetched, Item, Listing, Members, Rights

V2: Final = "/wiki/api/v2"
V1: Final = "/wiki/rest/api"
SCOPES: Final = (
    "read:space:confluence read:space.permission:confluence read:page:confluence read:folder:confluence read:content-details:confluence "
    "read:content.restriction:confluence read:group:confluence read:user:confluence"
)
"""What is asked of a person. v2 knows such narrow ones only."""
EXPAND: Final = "restrictions.read.restrictions.user,restrictions.read.restrictions.group"
DEEPEST: Final = 100
"""Folders around a page; more is a circle."""


@sensible("Confluence")
def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    ask = asker(config, outside)
    wanted = spaces(ask, config["spaces"])
    all_there(config["spaces"], (space["key"] for space in wanted), "space")
    parts = {space["id"]: partial(listed, ask, config, space) for space in wanted}
    yield from in_parts(cursor, parts, partial(people, ask, wanted))


def listed(ask: Asker, config: Config, space: Mapping[str, Any]) -> Iterator[Item]:
    return Space(ask, config, space).items()


def asker(config: Config, outside: Outside) -> Asker:
    return atlassian.asker(config, outside, "confluence", "View spaces, as Confluence administrator")


def spaces(ask: Asker, keys: Iterable[str]) -> list[Mapping[str, Any]]:
    """Those that are wanted, in the order of their ids."""
    wanted = {key.casefold() for key in keys}
    found = {space["id"]: space for space in results(ask, f"{V2}/spaces", {"limit": 250, "status": "current"})}
    return [found[id] for id in sorted(found) if not wanted or found[id]["key"].casefold() in wanted]


def results(ask: Asker, path: str, params: Mapping[str, Any], context: str = "/wiki") -> Iterator[Mapping[str, Any]]:
    """All of a listing, page after page. A link to a page that was seen already would go on for ever. `context`: what links leave out."""
    seen = {path}
    said = ask.json(path, params)
    while True:
        yield from several(said, "results", "Confluence")
        onward = (said.get("_links") or {}).get("next") or ""
        if not onward:
            return
        path = onward if onward.startswith((f"{context}/", "https://")) else f"{context}{onward}"
        if path in seen:
            raise SourceGarbled("Confluence", "a page that leads to itself")
        seen.add(path)
        said = ask.json(path)


@dataclass
class Space:
    """One pass over one space. `restricted`: read restrictions by content; None for those that cannot be read."""

    ask: Asker
    config: Config
    about: Mapping[str, Any]
    pages: dict[str, Mapping[str, Any]] = field(default_factory=dict)
    restricted: dict[str, Rights | None] = field(default_factory=dict)
    folders: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def items(self) -> Iterator[Item]:
        posts: dict[str, Mapping[str, Any]] = {}
        for kind, found in (("pages", self.pages), ("blogposts", posts)):
            for one in results(self.ask, f"{V2}/spaces/{self.about['id']}/{kind}", {"limit": 250, "status": "current"}):
                found[str(one["id"])] = one
        self._restrictions()
        for kind, found in (("pages", self.pages), ("blogposts", posts)):
            yield from (self.item(kind, one) for one in found.values())

    def item(self, kind: str, about: Mapping[str, Any]) -> Item:
        id, around = str(about["id"]), self.around(about)
        names = [self.about["name"], *reversed([str(one.get("title", "")) for one in around])]
        version = about.get("version") or {}
        return Item(
            id,
            about["title"],
            fetched(lambda: body(self.ask, kind, id, about["title"])),
            moment(version.get("createdAt")),
            self.rights([id, *(str(one["id"]) for one in around)]),
            folder="/".join(map(plain, names)),
            revision=f"{version.get('number')}",
            link=f"{self.config['url']}/wiki{(about.get('_links') or {}).get('webui', '')}",
        )

    def around(self, about: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        """What a page lies in, from the inside out."""
        found: list[Mapping[str, Any]] = []
        while (parent := str(about.get("parentId") or "")) and len(found) < DEEPEST:
            about = self.pages.get(parent) or self.folder(parent, str(about.get("parentType") or "page"))
            found.append(about)
        return found

    def folder(self, id: str, kind: str) -> Mapping[str, Any]:
        """What holds pages and is none of those listed: a folder, a whiteboard, a database, or an archived page."""
        if id not in self.folders:
            try:
                self.folders[id] = self.ask.json(f"{V2}/{kind}s/{id}")
            except ONE_THING:
                self.folders[id] = {"id": id, "title": "…"}
                self.restricted[id] = None
        return self.folders[id]

    def rights(self, chain: Iterable[str]) -> Rights | None:
        within = [self.restriction(id) for id in chain]
        if None in within:
            return None
        narrower = tuple(one for one in within if one and not one.public)
        return Rights(groups=frozenset({f"space:{self.about['id']}"}), within=narrower)

    def restriction(self, id: str) -> Rights | None:
        if id not in self.restricted:
            try:
                self.restricted[id] = readers(self.ask.json(f"{V1}/content/{id}/restriction/byOperation/read", {"limit": 200}))
            except ONE_THING:
                self.restricted[id] = None
        return self.restricted[id]

    def _restrictions(self) -> None:
        """Many at once, by a search. What it does not know yet, or tells only a part of, is asked for one by one."""
        if not self.pages:
            return
        query = {"cql": f'space="{self.about["key"]}" and type in (page,blogpost)', "expand": EXPAND, "limit": 100}
        try:
            for one in results(self.ask, f"{V1}/content/search", query):
                found = readers((one.get("restrictions") or {}).get("read"))
                if found:
                    self.restricted[str(one["id"])] = found
        except ONE_THING:
            return


def plain(name: str) -> str:
    return name.replace("/", "-")


def readers(said: Any) -> Rights | None:
    """A read restriction; public where there is none. None where not all of it is told."""
    lists = (said or {}).get("restrictions") or {}
    users, groups = lists.get("user"), lists.get("group")
    if users is None or groups is None or any(len(one["results"]) >= int(one.get("limit") or 200) for one in (users, groups)):
        return None
    named = frozenset(one["accountId"] for one in users["results"]), frozenset(one["id"] for one in groups["results"])
    return Rights(*named, public=not any(named))


def body(ask: Asker, kind: str, id: str, title: str) -> bytes:
    said = ask.json(f"{V2}/{kind}/{id}", {"body-format": "export_view"})
    try:
        return page(title, str(said["body"]["export_view"]["value"]))
    except (KeyError, TypeError) as error:
        raise SourceGarbled("Confluence", "a page without its text") from error


def people(ask: Asker, wanted: Iterable[Mapping[str, Any]]) -> Iterator[Fetched]:
    yield Listing("people")
    for space in wanted:
        yield allowed(ask, space)
    accounts: dict[str, Account] = {}
    for group in list(results(ask, f"{V1}/group", {"limit": 200})):
        try:
            inside = [*results(ask, f"{V1}/group/{group['id']}/membersByGroupId", {"limit": 200})]
        except ONE_THING:
            yield Members(group["id"], None, None, name=group["name"])
            continue
        accounts |= {one["accountId"]: account(one) for one in inside}
        yield Members(group["id"], frozenset(one["accountId"] for one in inside), name=group["name"])
    yield from accounts.values()


def account(said: Mapping[str, Any]) -> Account:
    """Atlassian verifies addresses; whoever hides theirs is mapped by hand."""
    return Account(said["accountId"], said.get("displayName") or said.get("publicName") or "", said.get("email") or "")


def allowed(ask: Asker, space: Mapping[str, Any]) -> Members:
    """Who may see a space."""
    try:
        said = list(results(ask, f"{V2}/spaces/{space['id']}/permissions", {"limit": 250}))
    except ONE_THING:
        return Members(f"space:{space['id']}", None, None, name=space["name"])
    reading = [one["principal"] for one in said if (one["operation"]["key"], one["operation"]["targetType"]) == ("read", "space")]
    named = {kind: frozenset(one["id"] for one in reading if one["type"] == kind) for kind in ("user", "group")}
    return Members(f"space:{space['id']}", named["user"], named["group"], name=space["name"])


@sensible("Confluence")
def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    ask = asker(config, outside)
    wanted = spaces(ask, config["spaces"])
    yield Finding(bool(wanted), f"{len(wanted):,} spaces can be listed." if wanted else "No space can be seen. Let the account see some.")
    yield from lacking(config["spaces"], (space["key"] for space in wanted), "space")
    for space in wanted[:1]:
        asked = partial(ask.json, f"{V2}/spaces/{space['id']}/permissions")
        yield tried("Who may see a space can be read.", asked, "Its pages would be hidden.")
        for one in several(ask.json(f"{V2}/spaces/{space['id']}/pages", {"limit": 1}), "results", "Confluence"):
            asked = partial(ask.json, f"{V1}/content/{one['id']}/restriction/byOperation/read")
            yield tried("Restrictions of pages can be read.", asked, "Pages would be hidden.")
    yield tried("Groups and their members can be listed.", lambda: ask.json(f"{V1}/group"), "Nobody would be known to be in a group.")
    yield Finding(None, "Restricted pages are fetched only where this account may see them: make it a space administrator.")


@sensible("Confluence")
def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    """Spaces, and the pages at the top of each."""
    ask = asker(config, outside)
    if not path:
        for space in spaces(ask, ()):
            yield Branch(space["id"], f"{space['name']} ({space['key']})", True, all_in(plain(space["name"])), ("spaces", space["key"]))
        return
    for one in results(ask, f"{V2}/spaces/{path}/pages", {"limit": 250, "depth": "root"}):
        name = plain(one["title"])
        yield Branch(f"{path}/{one['id']}", one["title"], False, (*just(name), *all_in(name)))


CONNECTOR: Final = Connector(
    title="Confluence",
    help="Pages and blog posts of Confluence Cloud, as open as there: by space, restriction and group.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    consent=atlassian.consent(SCOPES),
    rights=True,
    group="pages",
    settings=(
        *atlassian.settings("Of the account that the token belongs to. It should see all that is wanted.", SCOPES),
        Setting("spaces", "Spaces", "Their keys, such as HR. Leave it empty for all that the account sees.", kind="list", required=False),
    ),
)
