"""Files of a Nextcloud server, as open as there: the files by WebDAV (`webdav.py`), who may see them by the document "OCS Share API",
people and groups by "Instruction set for users" and "for groups" (the provisioning API).

A file is open to its owner and to those with whom it, or a folder around it, is shared; the shares in a folder come in one request. All
of them are told only to the owner, and to whoever may share it on: what else the account sees (team folders, storage from elsewhere,
shares that may not be passed on) is hidden. A public link opens nothing unless the settings say so; teams, mail addresses and other
servers never do. Files are known by their numbers, which stay when they are moved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Branch, Config, Connector, Finding, Outside, Setting
from retrieval.connectors.pages import ONE_THING, moment, sensible, several, tried
from retrieval.connectors.webdav import LARGEST, Entry, Files, authorization, folders, looked, walked
from retrieval.errors import SourceError, SourceGarbled, TokenRefused
from retrieval.types import Account, Cursor, Fetched, Item, Listing, Members, Rights

WHERE: Final = "Nextcloud"
WANTED: Final = "<oc:fileid/><oc:owner-id/><oc:permissions/><nc:mount-type/>"
SHARES: Final = "/ocs/v2.php/apps/files_sharing/api/v1/shares"
PEOPLE: Final = "/ocs/v2.php/cloud"
OCS: Final = {"ocs-apirequest": "true", "accept": "application/json"}
USER, GROUP, LINK = 0, 1, 3
"""Kinds of shares; there are more."""
READING: Final = 1
"""The bit of a share's permissions; without it one may only leave files there."""
DENIED: Final = (*ONE_THING, TokenRefused)
"""What an account meets that is no administrator: older servers answer 401."""
AT_ONCE: Final = 500


@dataclass(frozen=True, slots=True)
class Around:
    """What a folder hands down; `rights` are None where they cannot be read."""

    owner: str = ""
    rights: Rights | None = None


@dataclass
class Server:
    """One pass. Remembers the users and groups that rights named, by their keys, and their names."""

    config: Config
    outside: Outside
    users: dict[str, str] = field(default_factory=dict)
    groups: dict[str, str] = field(default_factory=dict)
    _inside: tuple[str, list[Mapping[str, Any]] | None] = ("", None)

    def __post_init__(self) -> None:
        self.top = "/".join(part for part in str(self.config["folder"]).split("/") if part)
        files = f"{self.config['url']}/remote.php/dav/files/{quote(self.config['user'], safe='')}/{quote(self.top)}"
        self.files = Files(self.config, self.outside, files, WANTED)
        right = "an administrator's, or a group administrator's"
        self.ask = Asker(self.outside, self.config["url"], headers={**authorization(self.config), **OCS}, right=right)

    def told(self, entry: Entry, around: Around) -> tuple[str, Rights | None, Around]:
        """As `webdav.walked` asks."""
        if not entry.path:
            return "", None, self.at_top(entry)
        owner, id = entry.word("owner-id"), entry.word("fileid")
        rights = self.rights(entry, owner, self.inside(entry.path.rpartition("/")[0])) if self.all_told(entry) else None
        if owner == around.owner:
            rights = both(rights, around.rights)
        return id or entry.path, rights, Around(owner, rights)

    def at_top(self, entry: Entry) -> Around:
        """With what is shared of the folders around it, as far as they are the same owner's."""
        owner, parts, rights = entry.word("owner-id"), self.top.split("/"), None
        if self.all_told(entry):
            rights = Rights(frozenset({owner}))
            for depth in range(1, len(parts) + 1) if self.top else ():
                rights = both(rights, self.opened(owner, self.shares("/".join(parts[:depth]))))
        return Around(owner, rights)

    def all_told(self, entry: Entry) -> bool:
        """Whether this account is told of all shares of it."""
        permissions, mounted, owner = entry.word("permissions"), entry.word("mount-type"), entry.word("owner-id")
        if not owner or "M" in permissions or mounted not in ("", "shared"):
            return False
        return "R" in permissions if mounted else owner.casefold() == str(self.config["user"]).casefold()

    def rights(self, entry: Entry, owner: str, shares: list[Mapping[str, Any]] | None) -> Rights | None:
        own = None if shares is None else [one for one in shares if str(one["item_source"]) == entry.word("fileid")]
        return both(Rights(frozenset({owner})), self.opened(owner, own))

    def inside(self, folder: str) -> list[Mapping[str, Any]] | None:
        """The shares of all that lies in a folder; the last answer is remembered, as each folder's entries come together."""
        if self._inside[0] != f"/{folder}":
            self._inside = f"/{folder}", self.shares("/".join(part for part in (self.top, folder) if part), subfiles="true")
        return self._inside[1]

    def shares(self, path: str, **more: str) -> list[Mapping[str, Any]] | None:
        """None where they cannot be read."""
        try:
            return several(data(self.ask, SHARES, {"path": f"/{path}", "reshares": "true", "format": "json", **more}), "", WHERE)
        except ONE_THING:
            return None

    def opened(self, owner: str, shares: Sequence[Mapping[str, Any]] | None) -> Rights | None:
        if shares is None:
            return None
        named: dict[int, dict[str, str]] = {USER: {}, GROUP: {}}
        public = False
        for one in shares:
            kind = int(one["share_type"])
            if one.get("uid_file_owner", owner) != owner or not int(one["permissions"]) & READING or ended(one):
                continue
            if kind in named:
                named[kind][str(one["share_with"])] = str(one.get("share_with_displayname") or "")
            elif kind == LINK and self.config["links"] and not (one.get("password") or one.get("share_with")):
                public = True
        self.users |= {owner: self.users.get(owner, ""), **named[USER]}
        self.groups |= named[GROUP]
        return Rights(frozenset(named[USER]), frozenset(named[GROUP]), public)

    # --- people ---
    def people(self) -> Iterator[Fetched]:
        """All where the account may list them, else those who were named; and the groups that were."""
        yield Listing("people")
        known = dict(self.users)
        for one in self.listed():
            known.pop(str(one["id"]), None)
            address = str(one.get("email") or "") if self.config["emails"] else ""
            yield Account(str(one["id"]), str(one.get("displayname") or ""), address, one.get("enabled") not in (False, "false"))
        yield from (Account(key, name) for key, name in sorted(known.items()))
        by_hand = groups_by_hand(self.config["members"])
        for group, name in sorted(self.groups.items()):
            try:
                inside = data(self.ask, f"{PEOPLE}/groups/{quote(group, safe='')}/users", {"format": "json"})["users"]
                yield Members(group, frozenset(str(one) for one in inside), name=name)
            except DENIED:
                users = by_hand.get(group.casefold())
                yield Members(group, users, None if users is None else frozenset(), name)

    def listed(self) -> Iterator[Mapping[str, Any]]:
        """Nobody where the account may not list them."""
        seen: set[str] = set()
        while True:
            try:
                said = data(self.ask, f"{PEOPLE}/users/details", {"limit": AT_ONCE, "offset": len(seen), "format": "json"})["users"]
            except DENIED:
                return
            fresh = {id: one for id, one in said.items() if id not in seen and one.get("id")} if said else {}
            if not fresh:
                return
            seen |= set(fresh)
            yield from fresh.values()


def data(ask: Asker, path: str, params: Mapping[str, Any]) -> Any:
    """What an answer's envelope holds."""
    said = ask.json(path, params)
    try:
        return said["ocs"]["data"]
    except (KeyError, TypeError) as error:
        raise SourceGarbled(WHERE, "an answer without its data") from error


def both(one: Rights | None, other: Rights | None) -> Rights | None:
    """Open to whom either opens it; unknown where either is."""
    if one is None or other is None:
        return None
    return Rights(one.users | other.users, one.groups | other.groups, one.public or other.public)


def ended(share: Mapping[str, Any]) -> bool:
    ends = moment(share.get("expiration"))
    return ends is not None and ends < datetime.now(UTC)


@sensible(WHERE)
def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """Each pass lists all; what has its revision is not read again."""
    server = Server(config, outside)
    yield Listing()
    events, complete = walked(server.files, server.told, Around()), False
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            complete = bool(end.value)
            break
        yield replace(event, link=f"{config['url']}/f/{event.external_id}") if isinstance(event, Item) else event
    yield from server.people()
    yield Cursor({}, complete=complete)


@sensible(WHERE)
def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    server = Server(config, outside)
    yield from looked(server.files)
    asked = {"path": f"/{server.top}", "reshares": "true", "subfiles": "true", "format": "json"}
    yield tried("Shares can be read.", partial(data, server.ask, SHARES, asked), "Files would be hidden.")
    hidden = sum(not server.all_told(entry) for entry in server.files.inside("")[1])
    if hidden:
        yield Finding(None, f"{hidden:,} entries at the top stay hidden: the account neither owns them nor may share them on.")
    yield from may_be_listed(server, "users/details", "People", "only those who share something are known, by their names")
    yield from may_be_listed(server, "groups", "Groups", "say in the settings who is in each group, or what is shared with it stays hidden")
    if not config["emails"]:
        yield Finding(None, "Addresses are not trusted, as people may change theirs in Nextcloud: people are mapped to accounts by hand.")


def may_be_listed(server: Server, path: str, who: str, else_: str) -> Iterator[Finding]:
    try:
        data(server.ask, f"{PEOPLE}/{path}", {"limit": 1, "format": "json"})
    except SourceError:
        yield Finding(None, f"{who} cannot be listed, as the account is no administrator's: {else_}.")
    else:
        yield Finding(True, f"{who} can be listed.")


@sensible(WHERE)
def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    yield from folders(Server(config, outside).files, path)


def groups_by_hand(lines: Iterable[str]) -> dict[str, frozenset[str]]:
    """ "HR = ann, ben" for each."""
    pairs = (line.partition("=") for line in lines)
    return {group.strip().casefold(): frozenset(one.strip() for one in users.split(",") if one.strip()) for group, _, users in pairs}


def lines_of_groups(lines: Sequence[str]) -> str:
    return "" if all("=" in line for line in lines) else "Write each as: id of the group = user names, with commas between them."


CONNECTOR: Final = Connector(
    title="Nextcloud",
    help="Files of a Nextcloud server, open to their owners and to those with whom they are shared there.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    rights=True,
    settings=(
        Setting("url", "Address", "As you open it: https://cloud.example.com.", kind="url"),
        Setting(
            "user",
            "User name",
            "The account's id, as under “Users” in the administration. It should own the files, or may share on what is shared with it.",
        ),
        Setting("password", "App password", "The account makes it in its settings, under Security, Devices & sessions.", kind="secret"),
        Setting("folder", "Folder", "Such as Company/HR. Leave it empty for all that the account has.", required=False),
        LARGEST,
        Setting(
            "members",
            "Members of groups",
            "Only an administrator's account is told who is in a group. For another one, say it here, a group on each line: HR = ann, ben.",
            kind="list",
            required=False,
            check=lines_of_groups,
        ),
        Setting(
            "emails",
            "Addresses in Nextcloud are right",
            "Turn it on where nobody can change their own address there, such as with LDAP: then it says who somebody is here.",
            kind="switch",
            required=False,
            default=False,
        ),
        Setting(
            "links",
            "Whatever has a public link is for everybody",
            "Everybody in this workspace may then read what has a link without a password. Turned off, a link opens nothing.",
            kind="switch",
            required=False,
            default=False,
        ),
    ),
)
