"""Pages and blog posts of Confluence Data Center (and Server), by the documents "Confluence Data Center REST API" (space, content with
restrictions, groups) and, for who may see a space, "Confluence JSON-RPC APIs" (getSpacePermissionSets), which REST does not have in all
versions.

As with the Cloud (`confluence.py`), each pass lists the pages of every space, a hundred at a time and with their restrictions. Accounts
are known by user name; the service tells no addresses, so people are mapped by hand. Asked with a personal access token by the Asker:
the maintained client libraries cannot go through checked addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Final
from urllib.parse import quote

from retrieval.connectors import hearing
from retrieval.connectors.asking import Asker
from retrieval.connectors.confluence import EXPAND, results
from retrieval.connectors.contract import Branch, Config, Connector, Finding, Outside, Setting, all_in
from retrieval.connectors.pages import ONE_THING, all_there, fetched, in_parts, lacking, moment, page, sensible, several, tried
from retrieval.types import Account, Fetched, Item, Listing, Members, Rights

API: Final = "rest/api"
RPC: Final = "rpc/json-rpc/confluenceservice-v2"
LIMIT: Final = 100
Holders = tuple[frozenset[str], frozenset[str], bool]
"""Users, groups, and whether people without an account."""


@sensible("Confluence")
def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    ask = asker(config, outside)
    wanted = spaces(ask, config["spaces"])
    all_there(config["spaces"], wanted, "space")
    open_to = {key: viewers(ask, key) for key in wanted}
    parts = {key: partial(listed, ask, config, wanted[key], open_to[key]) for key in wanted}
    yield from in_parts(cursor, parts, partial(people, ask, open_to))


def asker(config: Config, outside: Outside) -> Asker:
    headers = {"authorization": f"Bearer {config['token']}", "x-atlassian-token": "no-check"}
    return Asker(outside, config["url"], headers=headers, right="Confluence administrator")


def spaces(ask: Asker, keys: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    wanted = {key.casefold() for key in keys}
    found = results(ask, f"{API}/space", {"limit": LIMIT, "status": "current"}, "")
    return {one["key"]: one for one in found if not wanted or one["key"].casefold() in wanted}


def viewers(ask: Asker, key: str) -> Holders | None:
    """Who may see a space; None where that cannot be read."""
    body = {"jsonrpc": "2.0", "id": 1, "method": "getSpacePermissionSets", "params": [key]}
    try:
        sets = several(ask.json(RPC, method="POST", body=body), "result", "Confluence")
    except ONE_THING:
        return None
    holders = [one for some in sets if some["type"] == "VIEWSPACE" for one in some["spacePermissions"]]
    users = frozenset(str(one["userName"]).lower() for one in holders if one.get("userName"))
    groups = frozenset(one["groupName"] for one in holders if one.get("groupName"))
    return users, groups, any(not one.get("userName") and not one.get("groupName") for one in holders)


def listed(ask: Asker, config: Config, space: Mapping[str, Any], open_to: Holders | None) -> Iterator[Item]:
    """All pages first: who may see one is also in what lies around it."""
    asked = {"spaceKey": space["key"], "status": "current", "limit": LIMIT, "expand": f"version,ancestors,{EXPAND}"}
    found: dict[str, Mapping[str, Any]] = {}
    for kind in ("page", "blogpost"):
        found |= {str(one["id"]): one for one in results(ask, f"{API}/content", {**asked, "type": kind}, "")}
    restricted = {id: readers((one.get("restrictions") or {}).get("read")) for id, one in found.items()}
    for id, one in found.items():
        chain = [id, *(str(outer["id"]) for outer in one.get("ancestors") or [])]
        yield item(ask, config, space, one, rights(space, open_to, [restricted.get(outer) for outer in chain]))


def rights(space: Mapping[str, Any], open_to: Holders | None, chain: Iterable[Rights | None]) -> Rights | None:
    within = list(chain)
    if None in within or open_to is None:
        return None
    narrower = tuple(one for one in within if one and not one.public)
    return Rights(groups=frozenset({f"space:{space['key']}"}), public=open_to[2], within=narrower)


def readers(said: Any) -> Rights | None:
    """A read restriction; public where there is none, None where not all of it is told."""
    lists = (said or {}).get("restrictions") or {}
    users, groups = lists.get("user"), lists.get("group")
    if users is None or groups is None or any(len(one["results"]) >= int(one.get("limit") or LIMIT) for one in (users, groups)):
        return None
    named = frozenset(one["username"].lower() for one in users["results"]), frozenset(one["name"] for one in groups["results"])
    return Rights(*named, public=not any(named))


def item(ask: Asker, config: Config, space: Mapping[str, Any], about: Mapping[str, Any], found: Rights | None) -> Item:
    version = about.get("version") or {}
    names = [space["name"], *(str(one.get("title", "")) for one in about.get("ancestors") or [])]
    return Item(
        str(about["id"]),
        about["title"],
        fetched(partial(body, ask, str(about["id"]), about["title"])),
        moment(version.get("when")),
        found,
        folder="/".join(name.replace("/", "-") for name in names),
        revision=f"{version.get('number')}",
        link=f"{config['url']}{(about.get('_links') or {}).get('webui', '')}",
    )


def body(ask: Asker, id: str, title: str) -> bytes:
    said = ask.json(f"{API}/content/{id}", {"expand": "body.export_view"})
    return page(title, str(said["body"]["export_view"]["value"]))


def people(ask: Asker, open_to: Mapping[str, Holders | None]) -> Iterator[Fetched]:
    yield Listing("people")
    for key, holders in open_to.items():
        yield Members(f"space:{key}", holders[0], holders[1], key) if holders else Members(f"space:{key}", None, None, key)
    accounts: dict[str, Account] = {}
    for group in list(results(ask, f"{API}/group", {"limit": LIMIT}, "")):
        try:
            inside = [*results(ask, f"{API}/group/{quote(group['name'], safe='')}/member", {"limit": LIMIT}, "")]
        except ONE_THING:
            yield Members(group["name"], None, None)
            continue
        accounts |= {one["username"].lower(): Account(one["username"].lower(), one.get("displayName") or "") for one in inside}
        yield Members(group["name"], frozenset(one["username"].lower() for one in inside))
    yield from accounts.values()


@sensible("Confluence")
def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    ask = asker(config, outside)
    wanted = spaces(ask, config["spaces"])
    yield Finding(bool(wanted), f"{len(wanted):,} spaces can be listed." if wanted else "No space can be seen. Let the account see some.")
    yield from lacking(config["spaces"], wanted, "space")
    for key in list(wanted)[:1]:
        told = viewers(ask, key) is not None
        hidden = "Who may see a space cannot be read: turn on the remote API, and make the account an administrator. Pages would be hidden."
        yield Finding(told, "Who may see a space can be read." if told else hidden)
    yield tried("Groups can be listed.", partial(ask.json, f"{API}/group", {"limit": 1}), "Nobody would be known to be in a group.")
    yield Finding(None, "Confluence Data Center tells no addresses: map its accounts to people by hand.")


@sensible("Confluence")
def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    for key, space in spaces(asker(config, outside), ()).items():
        yield Branch(key, f"{space['name']} ({key})", False, all_in(space["name"].replace("/", "-")), ("spaces", key))


CONNECTOR: Final = Connector(
    title="Confluence Data Center",
    help="Pages and blog posts of a Confluence of your own, as open as there: by space, restriction and group.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    push=hearing.ATLASSIAN,
    rights=True,
    group="pages",
    settings=(
        Setting("url", "Address", "As you open it, with its path if it has one: https://wiki.example.com/confluence.", kind="url"),
        Setting(
            "token",
            "Personal access token",
            "Of an administrator's account, made in its profile under Personal Access Tokens.",
            kind="secret",
        ),
        Setting("spaces", "Spaces", "Their keys, such as HR. Leave it empty for all that the account sees.", kind="list", required=False),
    ),
)
