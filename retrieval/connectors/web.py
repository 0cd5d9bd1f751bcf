"""The pages of a web site, and the files that they lead to: by its sitemap, or by following links within a scope. robots.txt holds, pages
that ask not to be found are not, and one page under many addresses is taken once, under the one that it calls canonical.

A site has no list of what is gone: what neither sitemap nor links lead to any more is gone. Rights it has none: what it shows without
asking who is there, or with the name and password given, is all there is.
"""

from __future__ import annotations

import hashlib
import time
from base64 import b64encode
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import unquote, urljoin, urlsplit

from retrieval.connectors import markup, robots, sitemaps, webpages
from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Answer, Branch, Config, Connector, Finding, Outside, Setting
from retrieval.errors import ItemBroken, RateLimited, RightMissing, SourceError, SourceMissing, SourceNotAllowed, SourceUnreachable
from retrieval.types import Cursor, Fetched, Item, Listing, Skipped

MAX_BYTES: Final = 50_000_000
EVERY: Final = 100
"""Pages between two cursors, and more as the crawl grows: a cursor holds all addresses seen."""
IN_A_ROW: Final = 5
"""So many pages that fail one after the other are a site that is down."""
PATIENCE: Final = 3
"""Passes in which a page that fails holds back deletions: nobody knows where it leads."""
NO_DOCUMENTS: Final = ("image/", "video/", "audio/", "font/", "text/css", "text/javascript", "application/javascript")
MOVED: Final = (301, 302, 303, 307, 308)
GONE: Final = (404, 410)


def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """Pages by their addresses. A page's revision is a hash of its words, a file's is what the server calls its version.

    The cursor keeps what was known of pages, which of them fail, and in the middle of a crawl where it stands (`Site.state`).
    """
    where = dict(cursor or {})
    site = Site(config, outside, where)
    if "waiting" not in where:
        yield Listing()
    yield from crawled(site, where) if site.crawls else listed(site)
    if site.left_out:
        reason = f"There are more than {config['most']:,} pages. Raise the limit, or narrow the scope."
        yield Skipped(f"{site.start}#more", "More pages", reason)
    yield Cursor({"known": site.known_now, "failing": site.failing_now}, complete=not site.left_out and not site.unsure)


def listed(site: Site) -> Iterator[Fetched]:
    for url, changed in site.sitemap():
        if site.takes(url) and (item := site.look(url, changed, meant=True).item):
            yield item


def crawled(site: Site, where: Mapping[str, Any]) -> Iterator[Fetched]:
    """Nearest pages first."""
    waiting = deque((str(url), int(depth), bool(meant)) for url, depth, meant in where.get("waiting") or [(site.start, 0, False)])
    seen = set(where.get("seen") or [site.start])
    mark = EVERY
    while waiting:
        url, depth, meant = waiting[0]
        try:
            look = site.look(url, meant=meant)
        except RateLimited:
            yield Cursor(site.state(waiting, seen))
            raise
        waiting.popleft()
        if look.item:
            yield look.item
        onward = [(look.onward, depth, True)] if look.onward else []
        for link in [*onward, *((one, depth + 1, False) for one in look.links)]:
            if link[0] not in seen and link[1] <= site.depth and site.fits(link[0]) and site.room(len(seen)):
                seen.add(link[0])
                waiting.append(link)
        if len(seen) - len(waiting) >= mark:
            mark += max(EVERY, len(seen) // 2)
            yield Cursor(site.state(waiting, seen))


@dataclass(frozen=True, slots=True)
class Look:
    """What one address gave: perhaps a document, where it leads, and `onward` what it says is its true address."""

    item: Item | Skipped | None = None
    links: tuple[str, ...] = ()
    onward: str = ""


class Site:
    """One pass over a site. `known`: url -> (time in the sitemap, etag, last modified, name, revision) as the pass before left it;
    `failing`: url -> passes in which it failed; both with `_now` as this pass finds them. `left_out`, `unsure`: not all was listed."""

    def __init__(self, config: Config, outside: Outside, where: Mapping[str, Any]) -> None:
        self._config, self._outside = config, outside
        self.start, self._within = scope(config)
        self._without = [one.lower() for one in config["without"]]
        self.depth, self.crawls = config["depth"], config["find"] == "crawl"
        self._ask = asker(config, outside)
        self.known, self.failing = dict(where.get("known") or {}), dict(where.get("failing") or {})
        self.known_now: dict[str, list[str]] = dict(where.get("known_now") or {})
        self.failing_now: dict[str, int] = dict(where.get("failing_now") or {})
        self.left_out, self.unsure = bool(where.get("left_out")), bool(where.get("unsure"))
        self._broken, self._taken, self._asked = 0, 0, 0.0
        self.robots = self._robots()

    def state(self, waiting: Iterable[tuple[str, int, bool]], seen: Iterable[str]) -> dict[str, Any]:
        now = {"known_now": self.known_now, "failing_now": self.failing_now, "left_out": self.left_out, "unsure": self.unsure}
        return {"waiting": [[*one] for one in waiting], "seen": sorted(seen), "known": self.known, "failing": self.failing, **now}

    def _robots(self) -> robots.Robots:
        """As RFC 9309 has it: none is no refusal; one that cannot be had refuses everything, so the pass ends."""
        answer = self._ask.ask("/robots.txt", accept=(*MOVED, 400, 401, 403, *GONE), redirects=3, max_bytes=5_000_000)
        return robots.read(answer.content) if answer.status_code == 200 else robots.Robots()

    def fits(self, url: str) -> bool:
        inside = url == self.start or url.startswith(self._within)
        return inside and not any(one in url.lower() for one in self._without) and self.robots.allow(url)

    def room(self, taken: int) -> bool:
        self.left_out = self.left_out or taken >= self._config["most"]
        return taken < self._config["most"]

    def takes(self, url: str) -> bool:
        """Whether a page of the sitemap is in scope, and still within the limit."""
        if not url or not self.fits(url) or not self.room(self._taken):
            return False
        self._taken += 1
        return True

    def sitemap(self) -> Iterator[sitemaps.Place]:
        given = [self._config["sitemap"]] if self._config["sitemap"] else list(self.robots.sitemaps)
        seen: set[str] = set()
        for start in given or [urljoin(self.start, "/sitemap.xml")]:
            for url, changed in sitemaps.read(start, lambda one: self._ask.bytes(one, redirects=3)):
                if url not in seen:
                    seen.add(url)
                    yield url, changed

    def look(self, url: str, changed: str = "", *, meant: bool = False, hops: int = 3) -> Look:
        """`changed`: when, as the sitemap says. `meant`: the page is taken under this address, whatever it calls canonical."""
        before = self.known.get(url)
        if before and "T" in changed and before[0] == changed:
            return self._as_before(url, before)
        try:
            answer = self._get(url, _conditional(before))
        except (SourceUnreachable, SourceNotAllowed, RightMissing) as error:
            return self._failed(url, error)
        self._broken = 0
        if answer.status_code == 304 and before:
            return self._as_before(url, before)
        if answer.status_code in MOVED:
            onward = webpages.plain(url, answer.headers.get("location", ""))
            return self._onward(url, onward, hops) if onward and self.fits(onward) else Look()
        if answer.status_code in (304, 401, *GONE):
            if url == self.start and self.crawls:
                raise SourceMissing(url)
            return Look()
        return self._page(url, answer, changed, meant)

    def _get(self, url: str, headers: Mapping[str, str]) -> Answer:
        if self._asked and self.robots.delay:
            self._outside.sleep(max(0.0, self.robots.delay - (time.monotonic() - self._asked)))
        self._asked = time.monotonic()
        closed = () if self._config["user"] else (401,)
        return self._ask.ask(url, headers=headers, accept=(*MOVED, *GONE, *closed, 304))

    def _failed(self, url: str, error: SourceError) -> Look:
        """The page stays as it was; where nobody knows what it leads to, nothing is deleted for a while."""
        self._broken += 1
        if (url == self.start and self.crawls) or self._broken >= IN_A_ROW:
            raise error
        self.failing_now[url] = min(int(self.failing.get(url, 0)) + 1, PATIENCE)
        self.unsure = self.unsure or (self.crawls and self.failing_now[url] < PATIENCE)
        return Look(Skipped(url, _name(url), str(error)))

    def _onward(self, url: str, onward: str, hops: int) -> Look:
        if self.crawls:
            return Look(links=(onward,))
        return self.look(onward, meant=True, hops=hops - 1) if hops else Look()

    def _page(self, url: str, answer: Answer, changed: str, meant: bool) -> Look:
        kind = answer.headers.get("content-type", "").lower()
        if "html" not in kind:
            return self._file(url, answer, kind, changed)
        page = webpages.read(answer.content, url, kind, answer.headers.get("x-robots-tag", ""))
        if page is None:
            return Look()
        if page.canonical and page.canonical != url and not meant and self.fits(page.canonical):
            return Look(None, page.links, page.canonical)
        name = page.title or _name(url)
        if not self.crawls:
            self._note(url, answer, changed, name, page.words if page.wanted else "")
        data = markup.whole_page(answer.content)
        return Look(self._item(url, name, data, page.words, _time(answer)) if page.wanted else None, page.links)

    def _file(self, url: str, answer: Answer, kind: str, changed: str) -> Look:
        if not self._config["files"] or kind.startswith(NO_DOCUMENTS):
            return Look()
        revision = _version(answer) or hashlib.sha256(answer.content).hexdigest()
        self._note(url, answer, changed, _name(url), revision)
        return Look(self._item(url, _name(url), answer.content, revision, _time(answer)))

    def _note(self, url: str, answer: Answer, changed: str, name: str, revision: str) -> None:
        self.known_now[url] = [changed, answer.headers.get("etag", ""), answer.headers.get("last-modified", ""), name, revision]

    def _as_before(self, url: str, before: list[str]) -> Look:
        self.known_now[url] = before
        return Look(self._item(url, before[3], lambda: self._again(url), before[4], None)) if before[4] else Look()

    def _again(self, url: str) -> bytes:
        try:
            answer = self._ask.ask(url, redirects=3)
        except (SourceMissing, SourceUnreachable, RightMissing) as error:
            raise ItemBroken(f"The page could not be had ({error}).") from error
        return markup.whole_page(answer.content) if "html" in answer.headers.get("content-type", "").lower() else answer.content

    def _item(self, url: str, name: str, data: bytes | Callable[[], bytes], revision: str, at: datetime | None) -> Item:
        folder = unquote(urlsplit(url).path).strip("/").rpartition("/")[0]
        return Item(url, name, data, at, folder=folder, revision=revision, size=len(data) if isinstance(data, bytes) else None, link=url)


def scope(config: Config) -> tuple[str, tuple[str, ...]]:
    """Where to begin, and what the addresses of all pages begin with: as said, or the folder that the beginning is or lies in."""
    start = webpages.plain("", config["url"])
    last = urlsplit(start).path.rpartition("/")[2]
    folder = start if not last else start[: start.rindex("/") + 1] if "." in last or urlsplit(start).query else f"{start}/"
    return start, tuple(filter(None, (webpages.plain("", one) for one in config["within"]))) or (folder,)


def asker(config: Config, outside: Outside) -> Asker:
    credentials = b64encode(f"{config['user']}:{config['password']}".encode()).decode()
    headers = {"accept": "text/html, */*;q=0.5", **({"authorization": f"Basic {credentials}"} if config["user"] else {})}
    root = "{0.scheme}://{0.netloc}".format(urlsplit(webpages.plain("", config["url"])))
    return Asker(outside, root, headers=headers, right="see these pages", max_bytes=MAX_BYTES)


def _conditional(before: list[str] | None) -> dict[str, str]:
    if not before:
        return {}
    return {name: value for name, value in (("if-none-match", before[1]), ("if-modified-since", before[2])) if value}


def _version(answer: Answer) -> str:
    etag = answer.headers.get("etag", "").removeprefix("W/").strip('"')
    return etag or f"{answer.headers.get('last-modified', '')} {len(answer.content)}" * bool(answer.headers.get("last-modified"))


def _time(answer: Answer) -> datetime | None:
    try:
        return parsedate_to_datetime(answer.headers.get("last-modified", "")).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return None


def _name(url: str) -> str:
    parts = urlsplit(url)
    return unquote(parts.path.rstrip("/").rpartition("/")[2]) or parts.hostname or url


def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    site = Site(config, outside, {})
    if not site.robots.allow(site.start):
        yield Finding(False, "The site's robots.txt asks programs to keep away from this address. Ask its administrator to let North in.")
        return
    if site.crawls:
        look = site.look(site.start)
        further = [one for one in look.links if site.fits(one)]
        yield Finding(True, f"The first page can be read; {len(further):,} of its {len(look.links):,} links are in scope.")
        if not further and not look.onward:
            yield Finding(None, "It leads to no other page in scope. If its links are made by a script, use the sitemap.")
    else:
        found = sum(1 for url, _changed in site.sitemap() if url and site.fits(url))
        yield Finding(bool(found), f"The sitemap lists {found:,} pages in scope." + ("" if found else " Check its address, and the scope."))
    yield Finding(None, "A web site does not say who may see what: say yourself who may see its pages here.")


def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    """Where a page leads to, in scope."""
    site = Site({**config, "find": "crawl"}, outside, {})
    for link in sorted(site.look(path or site.start).links if not path or site.fits(path) else ()):
        if site.fits(link) and link != path:
            yield Branch(link, _name(link))


def no_address(given: str | list[str]) -> str:
    wrong = [line for line in ([given] if isinstance(given, str) else given) if not webpages.plain("", line)]
    return f"{wrong[0]!r} is no address. Write it whole, as https://host/path/." if wrong else ""


CONNECTOR: Final = Connector(
    title="Web site",
    help="The pages of a web site, and the files that they lead to, such as PDF. robots.txt holds.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    group="pages",
    settings=(
        Setting("url", "Where to begin", "The address of a page, as https://www.example.com/help/.", check=no_address),
        Setting(
            "find",
            "How pages are found",
            "A sitemap is the site's own list of its pages: quicker, and sure to notice what is gone.",
            kind="choice",
            default="crawl",
            choices=(("crawl", "Follow the links"), ("sitemap", "Read the sitemap")),
        ),
        Setting("sitemap", "Address of the sitemap", "Left empty, robots.txt says it, or it is /sitemap.xml.", kind="url", required=False,
                when=("find", "sitemap")),
        Setting(
            "within",
            "Only addresses that begin with",
            "One on each line. Left empty: the folder in which the site begins, such as https://www.example.com/help/.",
            kind="list",
            required=False,
            check=no_address,
        ),
        Setting("without", "Not those that contain", "One on each line, such as /archive/ or ?print=.", kind="list", required=False),
        Setting("depth", "Links away from there, at most", kind="number", required=False, default=5, most=50, when=("find", "crawl")),
        Setting("most", "Pages, at most", kind="number", required=False, default=2000, least=1, most=50_000),
        Setting("files", "Files too", "PDF, office files and text that pages lead to, and not only the pages.", kind="switch",
                required=False, default=True),
        Setting("user", "User name", "Only if the site asks for a name and a password before it shows anything.", required=False),
        Setting("password", "Password", kind="secret", required=False),
    ),
)  # fmt: skip
