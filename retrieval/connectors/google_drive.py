"""Files of Google's shared drives and of people's My Drives, by the document "Google Drive API v3" (files, changes, permissions, drives).

Each drive has a feed of changes, whose mark is taken before it is listed. A folder in the feed has moved, has another name or is shared
otherwise, so all in it is looked at again; a folder that is thrown away, a drive that is gone, a feed that has forgotten, and a day that
has passed make a full listing. Docs come as HTML, Sheets and Slides as Office files; forms, drawings and shortcuts are left out. Asked
by the Asker: the maintained client libraries cannot go through checked addresses.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from typing import Any, Final

from retrieval.connectors import google, hearing
from retrieval.connectors.asking import Asker
from retrieval.connectors.consenting import own_app
from retrieval.connectors.contract import Branch, Config, Connector, Finding, Outside, Setting, all_in, just
from retrieval.connectors.pages import ONE_THING, decoded, fetched, moment, sensible, several, tried
from retrieval.errors import CursorExpired, ItemBroken, RightMissing, SourceGarbled, SourceMissing, SourceUnreachable
from retrieval.types import Cursor, Deleted, Fetched, Item, Listing, Members, Rights

WHERE: Final = "Google Drive"
GOOGLE: Final = "application/vnd.google-apps."
FOLDER: Final = f"{GOOGLE}folder"
OFFICE: Final = "application/vnd.openxmlformats-officedocument"
EXPORTED: Final = {
    f"{GOOGLE}document": "text/html",
    f"{GOOGLE}spreadsheet": f"{OFFICE}.spreadsheetml.sheet",
    f"{GOOGLE}presentation": f"{OFFICE}.presentationml.presentation",
}
TOLD: Final = "id,name,mimeType,modifiedTime,md5Checksum,size,parents,webViewLink,trashed,ownedByMe"
MAX_BYTES: Final = 200_000_000
AFRESH: Final = 24 * 3600
"""Seconds after which everything is listed again."""
ALL: Final = {"supportsAllDrives": "true", "includeItemsFromAllDrives": "true", "pageSize": 1000}
DEEPEST: Final = 50
DRIVES: Final = "nextPageToken,drives(id,name)"
FIELDS: Final = f"nextPageToken,files({TOLD})"
CHANGES: Final = {"includeRemoved": "true", "fields": f"nextPageToken,newStartPageToken,changes(changeType,removed,fileId,file({TOLD}))"}


@sensible(WHERE)
def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """The cursor: `feeds`, where to go on in each drive; `users` and `groups` named in rights; when all was `listed`; `listing` while it
    is."""
    found, state = drives(config, outside), dict(cursor or {})
    if not state.get("listing") and time.time() - float(state.get("listed", 0)) > AFRESH:
        state = {}
    feeds, named = dict(state.get("feeds", {})), {kind: set(state.get(kind, [])) for kind in ("users", "groups")}
    if set(feeds) - {drive.key for drive in found}:
        raise CursorExpired(WHERE)
    if not state:
        yield Listing()
    whole = {"listed": state.get("listed", int(time.time())), "listing": state.get("listing", not state)}
    for drive in found:
        drive.named = named
        for events, onward in drive.read(feeds.get(drive.key, {})):
            yield from events
            feeds[drive.key] = onward
            yield Cursor({"feeds": {**feeds}, **{kind: sorted(keys) for kind, keys in named.items()}, **whole})
    members = [drive.members() for drive in found if drive.shared]
    for group in members:
        named["users"] |= group.users or set()
        named["groups"] |= group.groups or set()
    yield from google.people(directory(config, outside), named["users"], {one for one in named["groups"] if not one.startswith("drive:")})
    yield from members
    yield Cursor({"feeds": feeds, **{kind: sorted(keys) for kind, keys in named.items()}, "listed": whole["listed"]}, complete=True)


@sensible(WHERE)
def again(config: Config, ids: Sequence[str], outside: Outside) -> Iterator[Fetched]:
    found = {drive.key: drive for drive in drives(config, outside)}
    for key in ids:
        drive, _, id = key.partition("/")
        yield from found[drive].again(id) if drive in found else [Deleted(key)]


def drives(config: Config, outside: Outside) -> list[Drive]:
    """The shared drives that are wanted, and the My Drives of these people. Raises SourceMissing where one is not to be seen."""
    ask = google.asker(config, outside, config["subject"])
    wanted = {name.casefold() for name in config["drives"]}
    shared = {one["id"]: one["name"] for one in google.values(ask, "drives", {"pageSize": 100, "fields": DRIVES}, "drives")}
    unseen = wanted - {known.casefold() for one in shared.items() for known in one}
    if unseen:
        raise SourceMissing(f"shared drive {min(unseen)}")
    chosen = {id: name for id, name in shared.items() if not wanted or wanted & {id.casefold(), name.casefold()}}
    found = [Drive(ask, id, name, shared=True) for id, name in sorted(chosen.items())]
    if google.by_consent(config):
        own = {google.address(ask): ask} if config["mine"] else {}
    else:
        own = {person: google.asker(config, outside, person) for person in sorted({one.lower() for one in config["people"]})}
    found += [Drive(as_owner, person, f"My Drive of {person}") for person, as_owner in own.items()]
    if not found:
        raise SourceMissing("any shared drive")
    return found


def directory(config: Config, outside: Outside) -> Asker | None:
    """Where people and groups are asked for: only in the name of an administrator. Whether whoever agreed is one, Google knows."""
    if not config["subject"] and not google.by_consent(config):
        return None
    ask = google.asker(config, outside, config["subject"], google.DIRECTORY, google.PEOPLE_SCOPES)
    if google.by_consent(config):
        try:
            ask.json("users", {"customer": "my_customer", "maxResults": 1})
        except RightMissing:
            return None
    return ask


@dataclass
class Drive:
    """One pass over one drive. Adds to `named` the users and groups that its rights name."""

    ask: Asker
    key: str
    name: str
    shared: bool = False
    named: dict[str, set[str]] = field(default_factory=lambda: {"users": set(), "groups": set()})
    folders: dict[str, tuple[str, list[str]]] = field(default_factory=dict)
    looked: set[str] = field(default_factory=set)
    _around: list[Mapping[str, Any]] | None = None
    _asked: bool = False

    def read(self, feed: Mapping[str, str]) -> Iterator[tuple[Iterable[Fetched], dict[str, str]]]:
        """What came and where to go on, page by page: `mark` in the feed of changes, and `page` of the listing before that."""
        mark = feed.get("mark") or self._said("changes/startPageToken", {**self.corpus(), "supportsAllDrives": "true"})["startPageToken"]
        at = feed.get("page", "" if "mark" not in feed else None)
        while at is not None:
            said = self._listed(at)
            onward = said.get("nextPageToken")
            if onward and onward == at:
                raise SourceGarbled(WHERE, "a page that leads to itself")
            at = onward
            yield self._events(several(said, "files", WHERE)), {"mark": mark, **({"page": at} if at else {})}
        more = True
        while more:
            said = self._said("changes", {**ALL, **self.corpus(), **CHANGES, "pageToken": mark})
            onward, more = said.get("nextPageToken") or said["newStartPageToken"], "nextPageToken" in said
            if more and onward == mark:
                raise SourceGarbled(WHERE, "a page of changes that leads to itself")
            mark = onward
            yield self._changed(several(said, "changes", WHERE)), {"mark": mark}

    def _listed(self, at: str) -> Mapping[str, Any]:
        query = "trashed = false" if self.shared else "trashed = false and 'me' in owners"
        corpus = {"corpora": "drive", "driveId": self.key} if self.shared else {"corpora": "user"}
        told = {"q": query, "fields": f"nextPageToken,incompleteSearch,files({TOLD})", **({"pageToken": at} if at else {})}
        said = self._said("files", {**ALL, **corpus, **told})
        if said.get("incompleteSearch"):
            raise SourceUnreachable(WHERE, "it listed only a part")
        return said

    def corpus(self) -> dict[str, str]:
        return {"driveId": self.key} if self.shared else {"restrictToMyDrive": "true"}

    def _said(self, path: str, params: Mapping[str, Any]) -> Mapping[str, Any]:
        """A mark that is not known any more is answered as a wrong one."""
        answer = self.ask.ask(path, params, accept=(400, 404) if "pageToken" in params else ())
        if answer.status_code >= 400:
            raise CursorExpired(WHERE)
        said: Mapping[str, Any] = decoded(answer, WHERE)
        return said

    def _changed(self, changes: Sequence[Mapping[str, Any]]) -> Iterator[Fetched]:
        latest = {one["fileId"]: one for one in changes if one.get("changeType", "file") == "file"}
        files: list[Mapping[str, Any]] = []
        for id, one in latest.items():
            about = one.get("file") or {}
            gone = one.get("removed") or about.get("trashed") or not (self.shared or about.get("ownedByMe"))
            if about.get("mimeType") == FOLDER:
                if gone:
                    raise CursorExpired(WHERE)
                files += self._inside(id)
            elif gone:
                yield Deleted(f"{self.key}/{id}")
            else:
                files.append(about)
        yield from self._events(files)

    def _inside(self, folder: str) -> Iterator[Mapping[str, Any]]:
        """All files in a folder and in those in it; each folder once a pass."""
        waiting = [folder]
        while waiting:
            if (one := waiting.pop()) not in self.looked:
                self.looked.add(one)
                asked = {**ALL, "q": f"'{one}' in parents and trashed = false", "fields": FIELDS}
                for child in google.values(self.ask, "files", asked, "files"):
                    waiting += [child["id"]] if child["mimeType"] == FOLDER else []
                    yield child

    def _events(self, files: Iterable[Mapping[str, Any]]) -> Iterator[Item]:
        for one in {file["id"]: file for file in files}.values():
            if not one["mimeType"].startswith(GOOGLE) or one["mimeType"] in EXPORTED:
                yield self._item(one)

    def again(self, id: str) -> Iterator[Fetched]:
        try:
            about = self.ask.json(f"files/{id}", {"fields": TOLD, "supportsAllDrives": "true"})
        except SourceMissing:
            about = {"trashed": True}
        if about.get("trashed"):
            yield Deleted(f"{self.key}/{id}")
        else:
            yield from self._events([about])

    def _item(self, about: Mapping[str, Any]) -> Item:
        found = self._rights(about["id"])
        if found:
            self.named["users"] |= found.users
            self.named["groups"] |= found.groups
        return Item(
            f"{self.key}/{about['id']}",
            about["name"],
            fetched(partial(self._content, about)),
            moment(about.get("modifiedTime")),
            found,
            folder="/".join([self.name, *self._path(about)]),
            revision=str(about.get("md5Checksum") or about.get("modifiedTime") or ""),
            size=int(about["size"]) if "size" in about else None,
            link=str(about.get("webViewLink") or ""),
        )

    def _rights(self, file: str) -> Rights | None:
        said, around = google.permissions(self.ask, file), self.around()
        if said is None:
            return None
        if not self.shared or around is None:
            return google.rights(said)
        return google.rights(said, self.key, frozenset(one["id"] for one in around if google.counts(one)))

    def around(self) -> list[Mapping[str, Any]] | None:
        """The permissions of a shared drive itself; None where they cannot be read."""
        if self.shared and not self._asked:
            self._around, self._asked = google.permissions(self.ask, self.key), True
        return self._around

    def members(self) -> Members:
        around = self.around()
        if around is None:
            return Members(f"drive:{self.key}", None, None, self.name)
        found = google.rights(around)
        return Members(f"drive:{self.key}", found.users, found.groups, self.name)

    def _path(self, about: Mapping[str, Any]) -> list[str]:
        """The names of the folders around a file, from the outside in."""
        names: list[str] = []
        parents = about.get("parents") or []
        while parents and parents[0] != self.key and len(names) < DEEPEST:
            name, parents = self._folder(parents[0])
            names += [name.replace("/", "-")] if parents else []
        return names[::-1]

    def _folder(self, id: str) -> tuple[str, list[str]]:
        """Its name and what it lies in; nothing for the top, and for what may not be seen."""
        if id not in self.folders:
            try:
                said = self.ask.json(f"files/{id}", {"fields": "name,parents", "supportsAllDrives": "true"})
            except ONE_THING:
                said = {}
            self.folders[id] = str(said.get("name") or ""), list(said.get("parents") or [])
        return self.folders[id]

    def _content(self, about: Mapping[str, Any]) -> bytes:
        if int(about.get("size") or 0) > MAX_BYTES:
            raise ItemBroken(f"It has {int(about['size']) / 1_000_000:,.1f} MB; at most {MAX_BYTES // 1_000_000} MB are read. Split it.")
        if kind := EXPORTED.get(about["mimeType"]):
            try:
                return self.ask.bytes(f"files/{about['id']}/export", {"mimeType": kind})
            except RightMissing as error:
                raise ItemBroken("Google does not export it: it is larger than 10 MB, or may not be downloaded.") from error
        return self.ask.bytes(f"files/{about['id']}", {"alt": "media", "supportsAllDrives": "true"}, redirects=2, max_bytes=MAX_BYTES)


@sensible(WHERE)
def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    if google.by_consent(config):
        yield Finding(True, f"It reads as {google.address(google.asker(config, outside, ''))}.")
    else:
        yield Finding(True, f"The key belongs to {google.service_account(config['key'])[0]}.")
    found = drives(config, outside)
    yield Finding(True, f"{len(found):,} drives can be read: {', '.join(drive.name for drive in found[:5])}.")
    for drive in found[:5]:
        asked = partial(drive.ask.json, "changes/startPageToken", {**drive.corpus(), "supportsAllDrives": "true"})
        yield tried(f"Changes of {drive.name} can be read.", asked)
    for drive in [drive for drive in found if drive.shared][:1]:
        told = drive.around() is not None
        yield Finding(told, "Permissions can be read." if told else "Permissions cannot be read: give the account the role of a manager.")
    ask = directory(config, outside)
    if not ask:
        yield Finding(None, "Without an administrator, members of groups are not known: what is shared with a group stays hidden.")
        return
    nobody = "What is shared with groups would be hidden. Let the account act for an administrator with the two directory scopes."
    yield tried("People can be listed.", partial(ask.json, "users", {"customer": "my_customer", "maxResults": 1}), nobody)
    yield tried("Groups can be listed.", partial(ask.json, "groups", {"customer": "my_customer", "maxResults": 1}), nobody)


@sensible(WHERE)
def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    """Drives, and the folders in them."""
    found = {drive.key: drive for drive in drives(config, outside)}
    if not path:
        yield from (Branch(drive.key, drive.name, True, all_in(drive.name)) for drive in found.values())
        return
    key, _, folder = path.partition("/")
    asked = {**ALL, "q": f"'{folder or (key if found[key].shared else 'root')}' in parents and trashed = false", "fields": FIELDS}
    for one in google.values(found[key].ask, "files", asked, "files"):
        inner = one["mimeType"] == FOLDER
        yield Branch(f"{key}/{one['id']}", one["name"], inner, all_in(one["name"].replace("/", "-")) if inner else just(one["name"]))


def office(config: Config, outside: Outside) -> google.Watches:
    """A My Drive's key is its owner's address."""
    found = cache(lambda: {drive.key: drive.corpus() for drive in drives(config, outside)})
    return google.Watches(found, lambda key: google.asker(config, outside, key if "@" in key else config["subject"]))


CONNECTOR: Final = Connector(
    title="Google Drive",
    help="Files of Google's shared drives and of people's My Drives, as open as there.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    push=replace(hearing.GOOGLE, office=office),
    consent=google.CONSENT,
    again=again,
    rights=True,
    settings=(
        Setting(
            "access",
            "Sign in by",
            "A service account reads shared drives and everybody's own. With the consent of a person, it reads what that person sees; who "
            "else may see a file it knows only where the person may manage it.",
            kind="choice",
            choices=(("key", "A service account"), ("refresh", "An app of your own and your consent")),
            default="key",
            required=False,
        ),
        *own_app(
            "Of an OAuth client (web application) of your own Google Cloud project, with the Drive API and the Admin SDK turned on. Groups "
            "are known where whoever agrees is an administrator."
        ),
        Setting("mine", "My Drive, too", "Of whoever agrees.", kind="switch", required=False, when=("access", "refresh"), default=False),
        Setting(
            "key",
            "Key of a service account",
            "The whole JSON file that Google Cloud gives for a service account of your own project, with the Drive API and the Admin SDK "
            "turned on. Nobody signs in: add the account to the shared drives as a manager, or let it act for people of your domain.",
            kind="secret",
            when=google.BY_KEY,
        ),
        Setting(
            "subject",
            "Administrator to act for",
            "The address in whose name the account reads shared drives, people and groups. In the Admin console, under domain-wide "
            "delegation, allow its client id these scopes: drive.readonly, admin.directory.user.readonly, "
            "admin.directory.group.readonly. Without it, what is shared with groups stays hidden.",
            required=False,
            when=google.BY_KEY,
        ),
        Setting("drives", "Shared drives", "Their names or ids. Leave it empty for all that can be seen.", kind="list", required=False),
        Setting(
            "people",
            "My Drives",
            "Addresses of people whose own drive is wanted; needs domain-wide delegation.",
            kind="list",
            required=False,
            when=google.BY_KEY,
        ),
    ),
)
