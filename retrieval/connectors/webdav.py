"""Files of a WebDAV server (RFC 4918), folder by folder.

Each folder is listed by one PROPFIND of depth 1; a file's revision is its etag, or its time and size. Who may see what, plain WebDAV does
not say.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote, unquote, urljoin, urlsplit

from retrieval.connectors import markup
from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Branch, Config, Connector, Finding, Outside, Setting, all_in
from retrieval.errors import ItemBroken, RightMissing, SourceGarbled, SourceMissing, SourceUnreachable
from retrieval.types import Cursor, Fetched, Item, Listing, Rights, Skipped

MAX_BYTES: Final = 200_000_000
MOST_ENTRIES: Final = 1_000_000
DEEPEST: Final = 100
NO_DOCUMENTS: Final = (".", "~$", ".~lock.")
PLAIN: Final = ("resourcetype", "getetag", "getlastmodified", "getcontentlength")
NO_RIGHTS: Final = "WebDAV does not say who may see what: say yourself who may see these files here."


@dataclass(frozen=True, slots=True)
class Entry:
    """`path` below the top, without slashes around it; `said`: its properties as elements, by their names."""

    path: str
    folder: bool
    said: Mapping[str, Any]

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def word(self, name: str) -> str:
        return "".join(self.said[name].itertext()).strip() if name in self.said else ""

    @property
    def revision(self) -> str:
        times = f"{self.word('getlastmodified')} {self.word('getcontentlength')}"
        return self.word("getetag").removeprefix("W/").strip('"') or times.strip()

    @property
    def modified_at(self) -> datetime | None:
        try:
            return parsedate_to_datetime(self.word("getlastmodified")).astimezone(UTC)
        except (ValueError, TypeError, OverflowError):
            return None

    @property
    def size(self) -> int | None:
        said = self.word("getcontentlength")
        return int(said) if said.isascii() and said.isdigit() and len(said) < 20 else None


class Files:
    """The files below one address of a server. `wanted`: more properties to ask for, as XML."""

    def __init__(self, config: Config, outside: Outside, url: str, wanted: str = "") -> None:
        self.top, self.outside = url.rstrip("/") + "/", outside
        self.ask = Asker(outside, self.top, headers=authorization(config), right="read these files", max_bytes=MAX_BYTES)
        self._max = config["megabytes"] * 1_000_000
        names = "".join(f"<d:{name}/>" for name in PLAIN)
        namespaces = 'xmlns:d="DAV:" xmlns:oc="http://owncloud.org/ns" xmlns:nc="http://nextcloud.org/ns"'
        self._body = f'<?xml version="1.0"?><d:propfind {namespaces}><d:prop>{names}{wanted}</d:prop></d:propfind>'.encode()

    def inside(self, folder: str) -> tuple[Entry | None, list[Entry]]:
        """The folder itself, and what lies in it. Raises SourceError; half an answer is none."""
        url = self.url(folder) + ("/" if folder else "")
        headers = {"depth": "1", "content-type": "application/xml", "accept": "application/xml"}
        answer = self.ask.ask(url, method="PROPFIND", body=self._body, headers=headers, accept=(301, 302, 308))
        root = markup.xml(answer.content, self.top) if answer.status_code == 207 else None
        if root is None or not str(root.tag).endswith("}multistatus"):
            raise SourceGarbled(self.top, "no list of files; it may be no WebDAV server, or have another address")
        entries = [entry for one in markup.named(root, "response") if (entry := self._entry(one))]
        below = [one for one in entries if one.path != folder and one.path.rpartition("/")[0] == folder]
        kept = {one.path: one for one in below if not one.name.startswith(NO_DOCUMENTS)}
        return next((one for one in entries if one.path == folder), None), sorted(kept.values(), key=lambda one: one.path)

    def _entry(self, response: Any) -> Entry | None:
        """Of one response; None for what lies elsewhere, as a server that is out to trick might say."""
        try:
            address = unquote(urlsplit(urljoin(self.top, markup.text(response, "href"))).path)
        except ValueError:
            return None
        top = unquote(urlsplit(self.top).path)
        if not f"{address}/".startswith(top) or "/../" in f"{address}/":
            return None
        found: dict[str, Any] = {}
        for one in markup.named(response, "propstat"):
            properties = markup.child(one, "prop")
            if properties is not None and " 200" in markup.text(one, "status"):
                found.update({str(prop.tag).rpartition("}")[2]: prop for prop in properties.iterchildren("*")})
        folder = "resourcetype" in found and markup.child(found["resourcetype"], "collection") is not None
        return Entry(address[len(top) :].strip("/"), folder, found)

    def url(self, path: str) -> str:
        return self.top + quote(path)

    def too_large(self, entry: Entry) -> str:
        size = entry.size or 0
        return f"It has {size / 1e6:,.1f} MB; at most {self._max / 1e6:,.0f} MB are read. Split it." if size > self._max else ""

    def reader(self, entry: Entry) -> Callable[[], bytes]:
        def read() -> bytes:
            try:
                return self.ask.bytes(self.url(entry.path), max_bytes=self._max)
            except (SourceMissing, SourceUnreachable, RightMissing) as error:
                raise ItemBroken(f"It could not be read ({error}).") from error

        return read


def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """Every file by its path. Each pass lists all; what has its revision is not read again."""
    files = Files(config, outside, config["url"])
    yield Listing()
    complete = yield from walked(files, lambda entry, around: (entry.path, None, around), None)
    yield Cursor({}, complete=complete)


Told = Callable[[Entry, Any], tuple[str, Rights | None, Any]]
"""An entry, and what its folder hands down, to: its id, its rights, and what it hands down itself."""


def walked(files: Files, told: Told, around: Any) -> Generator[Fetched, None, bool]:
    """All files; whether all folders could be listed is its value."""
    complete, count, waiting = True, 0, [("", around)]
    while waiting:
        path, handed = waiting.pop()
        try:
            own, entries = files.inside(path)
        except (RightMissing, SourceMissing, SourceUnreachable) as error:
            if not path:
                raise
            complete = False
            yield Skipped(path, path, f"The folder could not be listed ({error}) Its files stay as they were.")
            continue
        if own and not path:
            handed = told(own, handed)[2]
        for entry in entries:
            id, rights, down = told(entry, handed)
            count += 1
            if entry.folder:
                waiting += [] if files.outside.passes_over(entry.path) else [(entry.path, down)]
            elif reason := files.too_large(entry):
                yield Skipped(id, entry.name, reason, entry.path.rpartition("/")[0])
            else:
                yield item(files, entry, id, rights)
        if count > MOST_ENTRIES or path.count("/") > DEEPEST:
            raise SourceGarbled(files.top, f"more than {MOST_ENTRIES:,} files, or than {DEEPEST} folders inside each other")
    return complete


def item(files: Files, entry: Entry, id: str, rights: Rights | None) -> Item:
    folder = entry.path.rpartition("/")[0]
    return Item(id, entry.name, files.reader(entry), entry.modified_at, rights, folder, entry.revision, entry.size, files.url(entry.path))


def authorization(config: Config) -> dict[str, str]:
    said = b64encode(f"{config['user']}:{config['password']}".encode()).decode()
    return {"authorization": f"Basic {said}"} if config["user"] else {}


def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    files = Files(config, outside, config["url"])
    yield from looked(files)
    yield Finding(None, NO_RIGHTS)


def looked(files: Files) -> Iterator[Finding]:
    _own, entries = files.inside("")
    folders = sum(entry.folder for entry in entries)
    yield Finding(True, f"The folder can be listed; {folders:,} folders and {len(entries) - folders:,} files lie at its top.")
    if not entries:
        yield Finding(None, "It is empty. Check that this is the right folder.")
    if any(not entry.revision for entry in entries if not entry.folder):
        yield Finding(None, "The server says neither versions nor times of its files: each is read again with each sync.")


def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    yield from folders(Files(config, outside, config["url"]), path)


def folders(files: Files, path: str) -> Iterator[Branch]:
    for entry in files.inside(path.strip("/"))[1]:
        if entry.folder:
            yield Branch(entry.path, entry.name, patterns=all_in(entry.name))


LARGEST: Final = Setting("megabytes", "Largest file, in MB", kind="number", required=False, default=100, least=1, most=200)

CONNECTOR: Final = Connector(
    title="WebDAV",
    help="Files of a WebDAV server. For Nextcloud, choose that: it also says who may see what.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    settings=(
        Setting("url", "Address of the folder", "As https://files.example.com/webdav/reports.", kind="url"),
        Setting("user", "User name", "Left empty, nobody is named.", required=False),
        Setting("password", "Password", "Best one made for North only, which may read and not write.", kind="secret", required=False),
        LARGEST,
    ),
)
