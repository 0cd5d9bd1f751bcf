"""News of RSS (0.9 to 2.0) and Atom feeds (RFC 4287, paged by RFC 5005, tombstones of RFC 6721). An entry is a document.

A feed names the newest only, so what is named no more is kept, unless the settings say that the feed is whole. The cursor keeps etag and
time of the feed: unchanged, it costs one short answer. Feeds say nothing about who may read them.
"""

from __future__ import annotations

import hashlib
import html
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

from lxml import etree

from retrieval.connectors import markup, webpages
from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Config, Connector, Finding, Outside, Setting
from retrieval.errors import ItemBroken, RightMissing, SourceError, SourceGarbled, SourceMissing, SourceNotAllowed, SourceUnreachable
from retrieval.types import Cursor, Deleted, Fetched, Item, Listing

MAX_BYTES: Final = 20_000_000
MOST_PAGES: Final = 1000
NO_RIGHTS: Final = "A feed does not say who may read it: say yourself who may see its entries here."


@dataclass(frozen=True, slots=True)
class Entry:
    """`kind` of its text: "html" or "text"."""

    id: str
    title: str
    text: str
    kind: str
    link: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Page:
    entries: tuple[Entry, ...]
    gone: tuple[str, ...] = ()
    onward: str = ""


def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """A whole feed is listed afresh where it has changed; of others only what it names is told."""
    ask, before = asker(config, outside), dict(cursor or {})
    headers = {"if-none-match": before.get("etag", ""), "if-modified-since": before.get("modified", "")}
    answer = ask.ask(config["url"], headers={name: value for name, value in headers.items() if value}, accept=(304,), redirects=3)
    if answer.status_code == 304 and cursor is not None:
        yield Cursor(before, complete=True)
        return
    if cursor is None or config["whole"]:
        yield Listing()
    for page in listed(ask, config["url"], answer.content):
        for entry in page.entries:
            yield item(entry, ask, config)
        for id in page.gone:
            yield Deleted(id)
    yield Cursor({"etag": answer.headers.get("etag", ""), "modified": answer.headers.get("last-modified", "")}, complete=True)


def listed(ask: Asker, url: str, first: bytes) -> Iterator[Page]:
    """This page of the feed, and the older ones that it leads to."""
    seen, data = {url}, first
    while True:
        page = read(data, url)
        yield page
        url = page.onward
        if not url or url in seen:
            return
        if len(seen) >= MOST_PAGES:
            raise SourceGarbled(url, f"more than {MOST_PAGES} pages")
        seen.add(url)
        data = ask.bytes(url, redirects=3)


def read(data: bytes, url: str) -> Page:
    """Raises SourceGarbled for what is no feed, such as half of one."""
    root = markup.xml(data, url)
    kind = etree.QName(root).localname.lower()
    if kind not in ("rss", "rdf", "feed"):
        raise SourceGarbled(url, "no RSS or Atom; look for the feed's own address on the site")
    entries = tuple(filter(None, (_entry(one, url) for one in markup.named(root, "item", "entry"))))
    gone = tuple(one.get("ref", "") for one in markup.named(root, "deleted-entry") if one.get("ref"))
    top = root if kind == "feed" else markup.child(root, "channel")
    links = [] if top is None else [one for one in top.iterchildren("{*}link") if one.get("rel") == "next"]
    return Page(entries, gone, webpages.plain(url, links[0].get("href", "")) if links else "")


def _entry(one: Any, url: str) -> Entry | None:
    link = _link(one, url)
    text, kind = _text(one)
    title = " ".join(html.unescape(markup.text(one, "title")).split())[:300]
    id = markup.text(one, "id", "guid") or one.get("{http://www.w3.org/1999/02/22-rdf-syntax-ns#}about", "") or link
    if not id:
        id = hashlib.sha256(f"{title}\0{text}".encode(errors="replace")).hexdigest() if title or text else ""
    return (
        Entry(id[:2000], title or "Without a title", text, kind, link, _time(markup.text(one, "updated", "pubDate", "date", "published")))
        if id
        else None
    )


def _link(one: Any, url: str) -> str:
    for link in one.iterchildren("{*}link"):
        if link.get("rel", "alternate") == "alternate" and (found := webpages.plain(url, link.get("href", "") or link.text or "")):
            return found
    return ""


def _text(one: Any) -> tuple[str, str]:
    """The longest that the entry says of itself: what it has in full, or else its summary."""
    for name in ("encoded", "content", "description", "summary"):
        found = markup.child(one, name)
        if found is None or not (len(found) or (found.text or "").strip()):
            continue
        if found.get("type") == "xhtml" or len(found):
            return "".join(etree.tostring(inner, encoding="unicode") for inner in found), "html"
        return (found.text or "").strip(), "text" if found.get("type") == "text" or "<" not in (found.text or "") else "html"
    return "", "text"


def item(entry: Entry, ask: Asker, config: Config) -> Item:
    """A text says nothing of its kind, so its name has to; HTML does."""
    if config["linked"] and entry.link:
        revision = hashlib.sha256(f"{entry.title}\0{entry.text}\0{entry.at}".encode(errors="replace")).hexdigest()
        return Item(entry.id, entry.title, behind(entry, ask), entry.at, revision=revision, link=entry.link)
    plain = entry.kind == "text"
    title = f"<title>{html.escape(entry.title)}</title>"
    text = html.unescape(entry.text) if plain else f"<!doctype html>\n<html><head>{title}</head><body>{entry.text}</body></html>"
    data = (text or entry.title).encode(errors="replace")
    name = entry.title if not plain or entry.title.endswith(".txt") else f"{entry.title}.txt"
    return Item(entry.id, name, data, entry.at, revision=hashlib.sha256(data).hexdigest(), size=len(data), link=entry.link)


def behind(entry: Entry, ask: Asker) -> Callable[[], bytes]:
    def page() -> bytes:
        try:
            return markup.whole_page(ask.bytes(entry.link, redirects=3))
        except (SourceMissing, SourceUnreachable, SourceNotAllowed, RightMissing) as error:
            raise ItemBroken(f"The page that the entry leads to could not be had ({error}).") from error

    return page


def _time(said: str) -> datetime | None:
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            at = parse(said.replace("Z", "+00:00") if parse is datetime.fromisoformat else said)
            return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
        except (ValueError, TypeError, OverflowError):
            continue
    return None


def asker(config: Config, outside: Outside) -> Asker:
    accept = {"accept": "application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5"}
    secret = {config["header"]: config["secret"]} if config["header"] and config["secret"] else {}
    return Asker(outside, config["url"], headers={**accept, **secret}, right="read this feed", max_bytes=MAX_BYTES)


def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    ask = asker(config, outside)
    page = read(ask.bytes(config["url"], redirects=3), config["url"])
    yield Finding(
        True, f"The feed can be read; it names {len(page.entries)} entries{' and older ones on further pages' * bool(page.onward)}."
    )
    if not page.entries:
        yield Finding(None, "It holds nothing yet.")
    short = [one for one in page.entries if len(one.text) < 300]
    if page.entries and len(short) > len(page.entries) / 2 and not config["linked"]:
        yield Finding(None, "Most entries hold only a few lines. Choose the pages behind them to have the whole text.")
    first = next((one for one in page.entries if one.link), None)
    if config["linked"] and first:
        try:
            behind(first, ask)()
            yield Finding(True, "The page behind the first entry can be read.")
        except SourceError as error:
            yield Finding(False, str(error))
    yield Finding(None, NO_RIGHTS)


def no_address(value: str) -> str:
    return "" if webpages.plain("", value) else "Write the whole address, as https://host/path, without a name or password in it."


CONNECTOR: Final = Connector(
    title="RSS or Atom feed",
    help="The entries of a feed: news, posts, releases.",
    fetch=fetch,
    probe=probe,
    group="pages",
    settings=(
        Setting("url", "Address of the feed", "As https://www.example.com/news/feed.xml.", check=no_address),
        Setting(
            "linked",
            "The pages behind the entries",
            "And not only the text in the feed itself.",
            kind="switch",
            required=False,
            default=False,
        ),
        Setting(
            "whole",
            "The feed is whole",
            "Then entries that it names no more are deleted here. Most feeds name only the newest: leave this off for them.",
            kind="switch",
            required=False,
            default=False,
        ),
        Setting("header", "Header with a secret", "Its name, such as Authorization, if the feed wants one.", required=False),
        Setting("secret", "Value of that header", "As Bearer and the token.", kind="secret", required=False),
    ),
)
