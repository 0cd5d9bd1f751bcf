"""Pages of a Notion workspace as text, by the document "Notion API" (2022-06-28: search, retrieve block children, property values).

The API tells neither who may see a page nor what was deleted, and has no feed: each pass lists all pages that the integration was
given, a hundred at a time, and reads the blocks of those that were edited since. Times of edits are whole minutes: a page that was
edited just now is read again with the next pass. The search that lists them is eventually complete, says its document: a page that it
leaves out for a while comes back by itself. Asked by the Asker: the maintained client library cannot go through checked addresses.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from html import escape
from typing import Any, Final

from retrieval.connectors import hearing
from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Branch, Config, Connector, Consent, Finding, Outside, Setting, all_in, just
from retrieval.connectors.pages import facts, fetched, heading, moment, page, sensible, several, tried
from retrieval.errors import SourceGarbled, SourceMissing
from retrieval.types import Cursor, Fetched, Item, Listing

API: Final = "https://api.notion.com/v1"
ACCESS: Final = (("token", "An internal integration's secret"), ("consent", "A public integration and your consent"))
VERSION: Final = "2022-06-28"
PAGES: Final = {"filter": {"property": "object", "value": "page"}, "page_size": 100}
DEEPEST: Final = 20
JUST_NOW: Final = 180
"""Seconds in which another edit may bear the same minute, clocks that differ among them."""
APART: Final = frozenset({"child_page", "child_database"})
"""What lies in a page and is a page of its own."""
TAGS: Final = {
    **{f"heading_{level}": f"h{level + 1}" for level in (1, 2, 3, 4)},
    **dict.fromkeys(("bulleted_list_item", "numbered_list_item", "to_do"), "li"),
    "quote": "blockquote",
    "code": "pre",
}


@sensible("Notion")
def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    ask, now = asker(config, outside), time.time()
    found = pages(ask)
    if not found:
        raise SourceMissing("any Notion page")
    yield Listing()
    yield from (item(ask, one, found, now) for one in found.values())
    yield Cursor({}, complete=True)


def asker(config: Config, outside: Outside) -> Asker:
    headers = {"authorization": f"Bearer {config['granted' if config.get('access') == 'consent' else 'token']}", "notion-version": VERSION}
    return Asker(outside, API, headers=headers, right="Read content")


def pages(ask: Asker) -> dict[str, Mapping[str, Any]]:
    """All that the integration may see, by their ids."""
    found: dict[str, Mapping[str, Any]] = {}
    for said in turned(lambda at: ask.json("search", method="POST", body={**PAGES, **({"start_cursor": at} if at else {})})):
        found |= {one["id"]: one for one in said if not (one.get("archived") or one.get("in_trash"))}
    return found


def turned(ask: Callable[[str], Any]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """Page after page of a listing, asked for by where each begins."""
    at, seen = "", set[str]()
    while at not in seen:
        seen.add(at)
        said = ask(at)
        yield several(said, "results", "Notion")
        if not said.get("has_more"):
            return
        at = said["next_cursor"]
    raise SourceGarbled("Notion", "a page that leads to itself")


def item(ask: Asker, about: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]], now: float) -> Item:
    edited = about["last_edited_time"]
    at = moment(edited)
    fresh = at is not None and at.timestamp() > now - JUST_NOW
    return Item(
        about["id"],
        title(about),
        fetched(partial(document, ask, about)),
        at,
        folder="/".join(around(about, found)),
        revision=f"{edited} read {now:.0f}" if fresh else edited,
        link=str(about.get("url") or ""),
    )


def title(about: Mapping[str, Any]) -> str:
    said: Mapping[str, Any] = next((one for one in (about.get("properties") or {}).values() if one.get("type") == "title"), {})
    return words(said.get("title")) or "Untitled"


def around(about: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The titles of the pages that a page lies in, from the outside in, as far as they are known."""
    names: list[str] = []
    while (parent := found.get((about.get("parent") or {}).get("page_id") or "")) and len(names) < DEEPEST:
        names.append(title(parent).replace("/", "-"))
        about = parent
    return names[::-1]


def document(ask: Asker, about: Mapping[str, Any]) -> bytes:
    """The page's text, below what it is known by where it is a row of a database."""
    known = [(name, value(one)) for name, one in (about.get("properties") or {}).items() if one.get("type") != "title"]
    return page(title(about), heading(title(about)), facts(*known), *blocks(ask, about["id"]))


def blocks(ask: Asker, id: str, depth: int = 0) -> Iterator[str]:
    def children(at: str) -> Any:
        return ask.json(f"blocks/{id}/children", {"page_size": 100, **({"start_cursor": at} if at else {})})

    for one in (block for some in turned(children) for block in some):
        kind = one["type"]
        inner = "".join(blocks(ask, one["id"], depth + 1)) if one.get("has_children") and kind not in APART and depth < DEEPEST else ""
        yield shown(kind, one.get(kind) or {}, inner)


def shown(kind: str, said: Mapping[str, Any], inner: str) -> str:
    """A block as HTML. What shows something from elsewhere is named by its caption and address."""
    if kind == "table_row":
        return "<tr>" + "".join(f"<td>{escape(words(cell))}</td>" for cell in said.get("cells") or []) + "</tr>"
    if kind == "table":
        return f"<table>{inner}</table>"
    if kind in APART:
        return f"<p>{escape(str(said.get('title') or ''))}</p>"
    text = words(said.get("rich_text")) or words(said.get("caption")) or str(said.get("expression") or said.get("name") or "")
    if kind == "to_do":
        text = f"{'[x]' if said.get('checked') else '[ ]'} {text}"
    address = said.get("url") or (said.get("external") or {}).get("url") or ""
    tag = TAGS.get(kind, "p")
    line = " ".join(part for part in (text, str(address)) if part)
    if tag == "li":
        return f"<ul><li>{escape(line)}{inner}</li></ul>"
    return (f"<{tag}>{escape(line)}</{tag}>" if line else "") + inner


def words(said: Any) -> str:
    return "".join(str(one.get("plain_text") or "") for one in said or [])


def value(said: Mapping[str, Any]) -> str:
    """A property of a database's row in words; nothing for those that are files or lead to other rows."""
    kind = str(said.get("type"))
    held = said.get(kind)
    if kind == "rich_text":
        return words(held)
    if kind in ("select", "status", "created_by", "last_edited_by"):
        return str((held or {}).get("name") or "")
    if kind in ("multi_select", "people"):
        return ", ".join(str(one.get("name") or "") for one in held or [])
    if kind == "date":
        return " to ".join(str(held[end]) for end in ("start", "end") if held.get(end)) if held else ""
    if kind == "checkbox":
        return "yes" if held else "no"
    return str(held) if isinstance(held, str | int | float) else ""


@sensible("Notion")
def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    ask = asker(config, outside)
    found = pages(ask)
    said = f"{len(found):,} pages can be read."
    yield Finding(bool(found), said if found else "No page can be seen. Connect the integration to the pages that are wanted.")
    for one in list(found)[:1]:
        yield tried("Their text can be read.", partial(ask.json, f"blocks/{one}/children", {"page_size": 1}))
    yield Finding(None, "Notion does not tell who may see a page: say who may read what comes from here.")


@sensible("Notion")
def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    """Pages, and the pages in them."""
    found = pages(asker(config, outside))
    inside = {id: (one.get("parent") or {}).get("page_id") or "" for id, one in found.items()}
    holding = set(inside.values())
    for id, parent in inside.items():
        if (parent if parent in found else "") == path:
            name = title(found[id])
            yield Branch(id, name, id in holding, (*just(name), *all_in(name.replace("/", "-"))))


CONNECTOR: Final = Connector(
    title="Notion",
    help="Pages of a Notion workspace as text. Notion does not tell who may see a page, so you say who may read what comes from here.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    push=hearing.NOTION,
    consent=Consent(
        lambda config: f"{API}/oauth/authorize",
        lambda config: f"{API}/oauth/token",
        lambda config, said, token, outside: str(said["workspace_name"]),
        more={"owner": "user"},
        when=("access", "consent"),
        kept="granted",
        given="access_token",
        basic=True,
    ),
    group="pages",
    settings=(
        Setting("access", "Sign in by", kind="choice", choices=ACCESS, default="token", required=False),
        Setting(
            "token",
            "Integration secret",
            "At https://www.notion.so/profile/integrations, make an internal integration of your own that may read content, and copy its "
            "secret. Then connect it to each page that is wanted: those in it come along.",
            kind="secret",
            when=("access", "token"),
        ),
        Setting("client_id", "OAuth client id", "Of a public integration of your own.", when=("access", "consent")),
        Setting("client_secret", "OAuth client secret", "Of that integration.", kind="secret", when=("access", "consent")),
        Setting(
            "granted",
            "Token",
            "Left empty, it comes when you press “Connect” after saving.",
            kind="secret",
            required=False,
            when=("access", "consent"),
        ),
    ),
)
