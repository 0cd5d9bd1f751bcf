"""Files of SharePoint sites and of people's OneDrives, by the documents "Microsoft Graph REST API v1.0" (driveItem: delta, List
permissions) and "Best practices for discovering files and detecting changes at scale" (Prefer headers).

Each document library is a drive with a feed of changes. Its first reading names everything; later ones what changed, what was shared
otherwise and what is gone. A folder in the feed has moved, has another name or is shared otherwise, so all in it is looked at again;
what is gone and not said to be a file, a library that is gone, a feed that has forgotten (410), and a day that has passed make a full
listing, as the feed does not promise to name all that is inside. Asked by the Asker with an app's own secret: the maintained client
libraries cannot go through checked addresses.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit

from retrieval.connectors import hearing
from retrieval.connectors.asking import Asker
from retrieval.connectors.consenting import BY_CONSENT, REFRESH, me
from retrieval.connectors.contract import Branch, Config, Connector, Consent, Finding, Outside, Setting, all_in, just
from retrieval.connectors.graph import (
    BASE,
    LOGIN,
    SCOPES,
    SITE,
    SUBSCRIBING,
    Subscriptions,
    answers,
    asker,
    more_scopes,
    people,
    rights,
    values,
)
from retrieval.connectors.pages import fetched, moment, sensible, several, tried
from retrieval.errors import CursorExpired, ItemBroken, SourceError, SourceGarbled, SourceMissing
from retrieval.types import Cursor, Deleted, Fetched, Item, Listing

WHERE: Final = "SharePoint"
FEED: Final = {
    "Prefer": "deltashowremovedasdeleted, deltatraversepermissiongaps, deltashowsharingchanges, hierarchicalsharing",
    "deltaExcludeParent": "true",
}
MAX_BYTES: Final = 200_000_000
AFRESH: Final = 24 * 3600
"""Seconds after which everything is listed again."""


@sensible(WHERE)
def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """The cursor: `feeds`, the next address of each drive; `groups` that were named in rights; when all was `listed`; `listing` while it
    is."""
    ask, found, state = asker(config, outside), drives(asker(config, outside), config), dict(cursor or {})
    if not state.get("listing") and time.time() - float(state.get("listed", 0)) > AFRESH:
        state = {}
    feeds, groups = dict(state.get("feeds", {})), set(state.get("groups", []))
    if set(feeds) - set(found):
        raise CursorExpired(WHERE)
    if not state:
        yield Listing()
    whole = {"listed": state.get("listed", int(time.time())), "listing": state.get("listing", not state)}
    for id in sorted(found):
        drive = Drive(ask, id, found[id], groups)
        for events, onward in drive.read(feeds.get(id, "")):
            yield from events
            feeds[id] = onward
            yield Cursor({"feeds": {**feeds}, "groups": sorted(groups), **whole})
    stands_for = site_groups(config)
    yield from people(ask, groups, {name.casefold(): id for name, id in stands_for.items()})
    yield Cursor({"feeds": feeds, "groups": sorted(groups), "listed": whole["listed"]}, complete=True)


@sensible(WHERE)
def again(config: Config, ids: Sequence[str], outside: Outside) -> Iterator[Fetched]:
    ask = asker(config, outside)
    found = drives(ask, config)
    for key in ids:
        drive, _, id = key.partition("/")
        try:
            about = ask.json(f"drives/{drive}/items/{id}") if drive in found else None
        except SourceMissing:
            about = None
        if about is None:
            yield Deleted(key)
        else:
            yield from Drive(ask, drive, found[drive], set()).items([about])


def drives(ask: Asker, config: Config) -> dict[str, str]:
    """The drives of the sites and people that are wanted, and their names."""
    found: dict[str, str] = {}
    for address in config["sites"]:
        site = ask.json(site_path(address))
        for drive in values(ask, f"sites/{site['id']}/drives"):
            found[drive["id"]] = f"{site.get('displayName') or site.get('name')}/{drive['name']}"
    for person in config["people"]:
        drive = ask.json(f"users/{quote(person, safe='@')}/drive")
        found[drive["id"]] = f"OneDrive/{person}"
    if not found:
        raise SourceMissing("any site or OneDrive")
    return found


def site_path(address: str) -> str:
    """https://acme.sharepoint.com/sites/hr is sites/acme.sharepoint.com:/sites/hr"""
    parts = urlsplit(address if "://" in address else f"https://{address}")
    return f"sites/{parts.hostname}:{parts.path.rstrip('/')}" if parts.path.strip("/") else f"sites/{parts.hostname}"


def site_groups(config: Config) -> dict[str, str]:
    pairs = (line.partition("=") for line in config["site_groups"])
    return {name.strip(): id.strip() for name, _, id in pairs}


@dataclass
class Drive:
    """One pass over one drive. Adds to `groups` those that its rights name."""

    ask: Asker
    id: str
    name: str
    groups: set[str]
    folders: dict[str, str] = field(default_factory=dict)
    looked: set[str] = field(default_factory=set)

    def read(self, feed: str) -> Iterator[tuple[Iterable[Fetched], str]]:
        """What came and where to go on, page by page. A first reading goes on to what changed while it was read."""
        first, at = not feed or feed.endswith("#first"), feed.removesuffix("#first")
        seen: set[str] = set()
        while True:
            said = self.ask.json(at or f"drives/{self.id}/root/delta", headers=FEED)
            found = several(said, "value", WHERE)
            onward, end = said.get("@odata.nextLink") or "", said.get("@odata.deltaLink") or ""
            if not (onward or end) or (onward and onward in seen):
                raise SourceGarbled(WHERE, "a page of changes that leads nowhere")
            seen.add(onward)
            yield [*self.events(found, first)], f"{onward}#first" if onward and first else onward or end
            if end and not first:
                return
            first, at = first and not end, onward or end

    def events(self, found: Sequence[Mapping[str, Any]], first: bool) -> Iterator[Fetched]:
        latest = {one["id"]: one for one in found}
        files = [one for one in latest.values() if "file" in one and "deleted" not in one]
        for one in latest.values():
            if "deleted" in one:
                if "file" not in one:
                    raise CursorExpired(WHERE)
                yield Deleted(self._key(one))
            elif "folder" in one and "root" not in one and not first:
                files += self.inside(one["id"])
        yield from self.items(files)

    def inside(self, folder: str) -> Iterator[Mapping[str, Any]]:
        """All files in a folder and in those in it; each folder once a pass."""
        waiting = [folder]
        while waiting:
            if (one := waiting.pop()) in self.looked:
                continue
            self.looked.add(one)
            for child in values(self.ask, f"drives/{self.id}/items/{one}/children", {"$top": 200}):
                if "folder" in child:
                    waiting.append(child["id"])
                elif "file" in child:
                    yield child

    def items(self, files: Sequence[Mapping[str, Any]]) -> Iterator[Item]:
        asked = {one["id"]: f"/drives/{self.id}/items/{one['id']}/permissions" for one in files}
        told = answers(self.ask, [*asked.values()])
        self._places({str((one.get("parentReference") or {}).get("id") or "") for one in files})
        for one in {file["id"]: file for file in files}.values():
            yield self.item(one, told[asked[one["id"]]])

    def item(self, about: Mapping[str, Any], permissions: Any) -> Item:
        found = rights(self.ask, permissions)
        self.groups |= found.groups if found else set()
        parent = str((about.get("parentReference") or {}).get("id") or "")
        return Item(
            self._key(about),
            about["name"],
            fetched(partial(self.content, about)),
            moment(about.get("lastModifiedDateTime")),
            found,
            folder="/".join(part for part in (self.name, self.folders.get(parent, "")) if part),
            revision=str(about.get("cTag") or about.get("eTag") or ""),
            size=about.get("size"),
            link=str(about.get("webUrl") or ""),
        )

    def content(self, about: Mapping[str, Any]) -> bytes:
        """The bytes lie elsewhere, at an address that opens by itself for a while: it is followed without the token."""
        if int(about.get("size") or 0) > MAX_BYTES:
            raise ItemBroken(f"It has {about['size'] / 1_000_000:,.1f} MB; at most {MAX_BYTES // 1_000_000} MB are read. Split it.")
        return self.ask.bytes(f"drives/{self.id}/items/{about['id']}/content", redirects=3, max_bytes=MAX_BYTES)

    def _places(self, parents: set[str]) -> None:
        """Where these folders lie: the feed does not say."""
        asked = {id: f"/drives/{self.id}/items/{id}?$select=name,root,parentReference" for id in parents - {""} if id not in self.folders}
        told = answers(self.ask, [*asked.values()])
        for id, path in asked.items():
            said = told[path] or {}
            inside = unquote(str((said.get("parentReference") or {}).get("path") or "").partition("root:")[2]).strip("/")
            own = "" if "root" in said else str(said.get("name") or "")
            self.folders[id] = f"{inside}/{own}".strip("/")

    def _key(self, about: Mapping[str, Any]) -> str:
        return f"{self.id}/{about['id']}"


@sensible(WHERE)
def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    ask = asker(config, outside)
    found = drives(ask, config)
    yield Finding(True, f"{len(found):,} document libraries can be read: {', '.join(sorted(found.values())[:5])}.")
    hidden = "Files would be hidden."
    for id in sorted(found)[:1]:
        yield tried("Their changes can be read.", partial(ask.json, f"drives/{id}/root/delta", headers=FEED))
        yield tried("Permissions can be read.", partial(ask.json, f"drives/{id}/root/permissions"), hidden)
        yield from unmapped(ask, id, config)
    yield tried("People can be listed.", partial(ask.json, "users", {"$top": 1}), "Nobody would be known. Grant User.Read.All.")
    yield tried("Groups can be read.", partial(ask.json, "groups", {"$top": 1}), "Grant GroupMember.Read.All.")
    yield Finding(None, "Without Sites.FullControl.All, another sharing of a file that did not change is noticed only once a day.")


def unmapped(ask: Asker, drive: str, config: Config) -> Iterator[Finding]:
    """The site groups of a library that nobody has said anything about."""
    try:
        found = rights(ask, ask.json(f"drives/{drive}/root/permissions"))
    except SourceError:
        return
    known = {name.casefold() for name in site_groups(config)}
    for group in sorted(found.groups if found else ()):
        name = group.removeprefix(SITE)
        if group.startswith(SITE) and name.casefold() not in known:
            yield Finding(None, f'The site group "{name}" opens nothing until the settings say which group of the directory it stands for.')


@sensible(WHERE)
def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    """Libraries, and the folders in them; where no site was named, the sites that there are first."""
    ask = asker(config, outside)
    if path.startswith(SITE):
        for library in values(ask, f"sites/{path.removeprefix(SITE)}/drives"):
            yield Branch(library["id"], library["name"], True, all_in(library["name"]))
        return
    if not path and not config["sites"] and not config["people"]:
        for site in values(ask, "sites", {"search": "*"}):
            name = str(site.get("displayName") or site.get("name"))
            yield Branch(f"{SITE}{site['id']}", name, True, all_in(name), ("sites", site["webUrl"]))
        return
    if not path:
        yield from (Branch(id, name, True, all_in(name)) for id, name in sorted(drives(ask, config).items(), key=lambda one: one[1]))
        return
    drive, _, item = path.partition("/")
    for one in values(ask, f"drives/{drive}/items/{item or 'root'}/children", {"$top": 200}):
        inner = "folder" in one
        yield Branch(f"{drive}/{one['id']}", one["name"], inner, all_in(one["name"]) if inner else just(one["name"]))


def office(config: Config, outside: Outside) -> Subscriptions:
    ask = asker(config, outside)
    return Subscriptions(ask, lambda: drives(ask, config))


def pairs(lines: Sequence[str]) -> str:
    return "" if all("=" in line for line in lines) else "Write each as: name of the site group = id of the directory's group."


CONNECTOR: Final = Connector(
    title="SharePoint and OneDrive",
    help="Files of SharePoint sites and of people's OneDrives in Microsoft 365, as open as there.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    push=replace(hearing.MICROSOFT, office=office),
    consent=Consent(
        lambda config: f"{LOGIN}/{config['tenant']}/oauth2/v2.0/authorize",
        lambda config: f"{LOGIN}/{config['tenant']}/oauth2/v2.0/token",
        me(lambda config: f"{BASE}/me", "userPrincipalName", "displayName"),
        scopes=SCOPES,
        also=more_scopes,
        device=lambda config: f"{LOGIN}/{config['tenant']}/oauth2/v2.0/devicecode",
    ),
    again=again,
    rights=True,
    settings=(
        Setting("tenant", "Directory (tenant) id", "In the Microsoft Entra admin center, on the overview of the app that you registered."),
        Setting("client_id", "Application (client) id", "On the same page."),
        Setting(
            "access",
            "Sign in by",
            "An app with permissions of its own reads everything. With the consent of a person, it reads what that person sees, and who "
            "else may see it only where the person may know that.",
            kind="choice",
            choices=(("app", "The app itself"), ("refresh", "The app and your consent")),
            default="app",
            required=False,
        ),
        Setting(
            "client_secret",
            "Client secret",
            "Under Certificates & secrets of the app. The app needs the application permissions Sites.FullControl.All (to read who may see "
            f"a file), GroupMember.Read.All and User.Read.All, with admin consent; {SUBSCRIBING} as well, if it is to be told of "
            "changes at once.",
            kind="secret",
        ),
        REFRESH,
        Setting(
            "subscribes",
            "Subscribe to changes",
            f"Microsoft lets North be told of changes at once only with {SUBSCRIBING}, the right to change files, though North only ever "
            "reads them. Turned on, your consent is asked for that, too: press “Connect” again after saving. Turned off, North looks by "
            "its schedule.",
            kind="switch",
            required=False,
            default=False,
            when=BY_CONSENT,
        ),
        Setting(
            "sites",
            "Sites",
            "Their addresses, such as https://acme.sharepoint.com/sites/hr, one on each line.",
            kind="list",
            required=False,
        ),
        Setting("people", "OneDrives", "The sign-in names of the people whose OneDrive is wanted.", kind="list", required=False),
        Setting(
            "site_groups",
            "Site groups",
            "SharePoint does not tell apps who is in a site's own groups. Say which group of the directory each stands for, one on each "
            "line: HR Members = 4d7c2f0e-1111-2222-3333-444455556666.",
            kind="list",
            required=False,
            check=pairs,
        ),
    ),
)
