"""Issues of Jira Cloud with their comments, by the document "The Jira Cloud platform REST API" (v3: issue search by JQL, issue
comments).

The first pass lists project by project. Later ones ask for what was updated since the last, an hour over, and for the numbers of all
issues, 5,000 at a time, which the cursor remembers packed: what is not among them any more is gone, and what has come to be seen is
fetched. Who may see an issue is in its project's group ("project:ID": who holds "Browse projects") and in that of its security level
("level:PROJECT:ID"); both are read with every pass, so that a change of theirs touches no issue (`jira_people.py`). What depends on an
issue's fields (reporter, assignee, custom fields) opens nothing here. Asked by the Asker: the maintained client libraries cannot go
through checked addresses.
"""

from __future__ import annotations

import re
import time
import zlib
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import accumulate, chain
from typing import Any, Final

from retrieval.connectors import atlassian, hearing
from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Branch, Config, Connector, Finding, Outside, Setting, all_in
from retrieval.connectors.jira_people import API, people, values
from retrieval.connectors.pages import all_there, facts, fetched, heading, lacking, moment, page, sensible, several, tried
from retrieval.errors import SourceGarbled
from retrieval.types import Cursor, Deleted, Fetched, Item, Listing, Rights

KEY: Final = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
SCOPES: Final = "read:jira-work read:jira-user manage:jira-project manage:jira-configuration"
"""What is asked of a person. Roles, permission schemes and security levels are told to those only who may manage them."""
OVERLAP: Final = 3600
"""Seconds: JQL counts minutes, and the index of the search lags behind."""
TOLD: Final = "summary,updated,security,project"
SHOWN: Final = "summary,description,status,issuetype,priority,assignee,reporter,labels,created,updated,resolution"
AT_ONCE: Final = 100


@sensible("Jira")
def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """The cursor: `since`, when the last pass began, `ids`, all issues known then, and `after`, the last project that was listed, while the
    first listing goes on."""
    ask, now = asker(config, outside), int(time.time())
    chosen = projects(ask, config["projects"])
    all_there(config["projects"], (one["key"] for one in chosen.values()), "project")
    state = {"since": now, "ids": "", "after": "", **(cursor or {})}
    known, told = unpacked(state["ids"]), dict[str, str]()
    if not cursor:
        yield Listing()
    for id in sorted(chosen) if not cursor or state["after"] else ():
        if id > state["after"]:
            for issue in search(ask, f"project = {id} ORDER BY created ASC", TOLD, AT_ONCE):
                told[issue["id"]] = issue["fields"]["updated"]
                yield item(ask, config, issue)
            known |= {int(one) for one in told}
            yield Cursor({"since": state["since"], "ids": packed(known), "after": id})
    seen = {int(issue["id"]) for issue in search(ask, everything(config), "id", 5000)} if chosen else set()
    yield from changes(ask, config, told, seen - known, now - int(state["since"]) + OVERLAP)
    yield from (Deleted(str(id)) for id in sorted(known - seen))
    yield from people(ask, [*chosen.values()])
    yield Cursor({"since": now, "ids": packed(seen)}, complete=True)


def changes(ask: Asker, config: Config, told: dict[str, str], new: set[int], seconds: int) -> Iterator[Item]:
    """What was updated so many seconds ago or later, and what is new to us; not what was told already as it is now."""
    updated = f"{everything(config)} AND updated >= -{seconds // 60 + 1}m ORDER BY updated ASC"
    fresh = [str(id) for id in sorted(new - {int(id) for id in told})]
    for issue in chain(search(ask, updated, TOLD, AT_ONCE), single(ask, fresh)):
        if told.get(issue["id"]) != issue["fields"]["updated"]:
            told[issue["id"]] = issue["fields"]["updated"]
            yield item(ask, config, issue)


@sensible("Jira")
def again(config: Config, ids: Sequence[str], outside: Outside) -> Iterator[Fetched]:
    ask = asker(config, outside)
    for issue in single(ask, ids):
        yield item(ask, config, issue)


def single(ask: Asker, ids: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """These issues; those that are gone are passed over, which a search would not do."""
    for at in range(0, len(ids), AT_ONCE):
        body = {"issueIdsOrKeys": list(ids[at : at + AT_ONCE]), "fields": TOLD.split(",")}
        yield from several(ask.json(f"{API}/issue/bulkfetch", method="POST", body=body), "issues", "Jira")


def everything(config: Config) -> str:
    keys = ", ".join(f'"{key}"' for key in config["projects"])
    return f"project in ({keys})" if keys else "project is not EMPTY"


def asker(config: Config, outside: Outside) -> Asker:
    return atlassian.asker(config, outside, "jira", "Administer Jira")


def projects(ask: Asker, keys: Iterable[str]) -> dict[str, Mapping[str, Any]]:
    wanted = {key.casefold() for key in keys}
    found = values(ask, f"{API}/project/search", {"expand": "lead", "maxResults": 50})
    return {one["id"]: one for one in found if not wanted or one["key"].casefold() in wanted}


def search(ask: Asker, jql: str, fields: str, size: int) -> Iterator[Mapping[str, Any]]:
    seen: set[str] = set()
    token = ""
    while token not in seen:
        seen.add(token)
        onward = {"nextPageToken": token} if token else {}
        said = ask.json(f"{API}/search/jql", {"jql": jql, "fields": fields, "maxResults": size, **onward})
        yield from several(said, "issues", "Jira")
        token = said.get("nextPageToken") or ""
        if not token:
            return
    raise SourceGarbled("Jira", "a page that leads to itself")


def item(ask: Asker, config: Config, issue: Mapping[str, Any]) -> Item:
    """Who sees it is in the groups of its project and of its security level, whose members come with the people."""
    known = issue["fields"]
    project, level = known["project"], known.get("security")
    within = (Rights(groups=frozenset({f"level:{project['id']}:{level['id']}"})),) if level else ()
    return Item(
        issue["id"],
        f"{issue['key']} {known['summary']}",
        fetched(partial(document, ask, issue["id"])),
        moment(known["updated"]),
        Rights(groups=frozenset({f"project:{project['id']}"}), within=within),
        folder=str(project.get("name") or project["key"]).replace("/", "-"),
        revision=known["updated"],
        link=f"{config['url']}/browse/{issue['key']}",
    )


def document(ask: Asker, id: str) -> bytes:
    """The issue and its comments in their order. A comment that only some may see is left out: the document is for all who see it."""
    issue = ask.json(f"{API}/issue/{id}", {"fields": SHOWN, "expand": "renderedFields"})
    known, title = issue["fields"], f"{issue['key']} {issue['fields']['summary']}"
    named = {name: (known.get(name) or {}).get("displayName") for name in ("assignee", "reporter")}
    about = {name: (known.get(name) or {}).get("name") for name in ("issuetype", "status", "priority", "resolution")}
    parts = [heading(title), facts(("Type", about["issuetype"]), ("Status", about["status"]), ("Priority", about["priority"]))]
    parts.append(facts(("Resolution", about["resolution"]), ("Assignee", named["assignee"]), ("Reporter", named["reporter"])))
    parts.append(facts(("Labels", ", ".join(known.get("labels") or [])), ("Created", known.get("created"))))
    parts.append((issue.get("renderedFields") or {}).get("description") or "")
    asked = {"expand": "renderedBody", "orderBy": "created", "maxResults": 100}
    for comment in values(ask, f"{API}/issue/{id}/comment", asked, "comments"):
        if not comment.get("visibility"):
            who = (comment.get("author") or {}).get("displayName") or "Somebody"
            parts += [heading(f"{who}, {str(comment.get('created'))[:10]}", 2), comment.get("renderedBody") or ""]
    return page(title, *parts)


def packed(ids: Iterable[int]) -> str:
    """Numbers in few characters: the steps from each to the next, pressed."""
    last, steps = 0, []
    for id in sorted(ids):
        steps.append(str(id - last))
        last = id
    return b64encode(zlib.compress(",".join(steps).encode(), 9)).decode()


def unpacked(said: str) -> set[int]:
    steps = zlib.decompress(b64decode(said)).decode() if said else ""
    return set(accumulate(int(step) for step in steps.split(","))) if steps else set()


@sensible("Jira")
def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    ask = asker(config, outside)
    chosen = projects(ask, config["projects"])
    seen = f"{len(chosen):,} projects can be seen." if chosen else "No project can be seen. Let the account browse some."
    yield Finding(bool(chosen), seen)
    yield from lacking(config["projects"], (one["key"] for one in chosen.values()), "project")
    hidden = "Its issues would be hidden."
    for id in sorted(chosen)[:1]:
        asked = {"jql": f"project = {id}", "fields": "id", "maxResults": 1}
        yield tried("Issues can be found.", partial(ask.json, f"{API}/search/jql", asked))
        yield tried("Who may browse a project can be read.", partial(ask.json, f"{API}/project/{id}/permissionscheme"), hidden)
        yield tried("Who has a role in a project can be read.", partial(ask.json, f"{API}/project/{id}/role"), hidden)
    levels = partial(ask.json, f"{API}/issuesecurityschemes/level/member", {"maxResults": 1})
    yield tried("Who is in a security level can be read.", levels, "Issues with a security level would be hidden.")
    yield tried("People can be listed.", partial(ask.json, f"{API}/users/search", {"maxResults": 1}), "Nobody would be known.")


@sensible("Jira")
def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    for one in projects(asker(config, outside), ()).values():
        inside = all_in(str(one.get("name") or one["key"]).replace("/", "-"))
        yield Branch(one["id"], f"{one['name']} ({one['key']})", False, inside, ("projects", one["key"]))


CONNECTOR: Final = Connector(
    title="Jira",
    help="Issues of Jira Cloud with their comments, as open as there: by project, security level, role and group.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    push=hearing.ATLASSIAN,
    again=again,
    consent=atlassian.consent(SCOPES),
    rights=True,
    group="work",
    settings=(
        *atlassian.settings("Of the account that the token belongs to; a Jira administrator sees all rights.", SCOPES),
        Setting(
            "projects",
            "Projects",
            "Their keys, such as HELP. Leave it empty for all that the account sees.",
            kind="list",
            required=False,
            check=lambda keys: "" if all(KEY.fullmatch(key) for key in keys) else "Write keys such as HELP, one on each line.",
        ),
    ),
)
