"""Issues, merge requests, wiki pages and text files of GitLab projects, by the document "GitLab REST API" (v4: projects, issues, merge
requests, notes, wikis, repositories, members).

Deletions are told by nothing: each pass lists all of every project, a hundred things at a time; comments and contents are fetched only
where something is new. What GitLab shows from which role on is kept apart: issues and wiki from Guest on ("project:ID:10"),
confidential issues, merge requests and files from Reporter on ("project:ID:20"); a planner counts as a guest. Members are read with
every pass, those of the groups around the project among them. Where a feature is for members only, a public project is, too. Asked by
the Asker: the maintained client library cannot go through checked addresses.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from hashlib import sha256
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from retrieval.connectors import hearing
from retrieval.connectors.asking import Asker
from retrieval.connectors.consenting import me, own_app
from retrieval.connectors.contract import Branch, Config, Connector, Consent, Finding, Outside, Setting, all_in
from retrieval.connectors.oauth import Token
from retrieval.connectors.pages import (
    ONE_THING,
    facts,
    fetched,
    heading,
    in_parts,
    linked,
    markdown,
    moment,
    page,
    plain,
    sensible,
    tried,
)  # fmt: skip
from retrieval.errors import SourceMissing
from retrieval.types import PUBLIC, Account, Fetched, Item, Listing, Members, Rights

API: Final = "/api/v4"
GUEST: Final = 10
REPORTER: Final = 20
EVERYBODY: Final = "everybody"
PAGE: Final = {"per_page": 100}
MAX_BYTES: Final = 20_000_000
ACCESS: Final = (("token", "An access token"), ("refresh", "An OAuth application"))


@sensible("GitLab")
def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    ask = asker(config, outside)
    found = projects(ask, config)
    parts = {str(one["id"]): partial(listed, ask, config, one) for one in found}
    yield from in_parts(cursor, parts, partial(people, ask, found))


def asker(config: Config, outside: Outside) -> Asker:
    right = "read_api, and at least the role Reporter"
    if config["access"] == "token":
        return Asker(outside, f"{config['url']}{API}", headers={"authorization": f"Bearer {config['token']}"}, right=right)
    app = {"client_id": config["client_id"], "client_secret": config["client_secret"], "grant_type": "refresh_token"}
    token = Token(outside, f"{config['url']}/oauth/token", lambda: {**app, "refresh_token": config["refresh"]}, kept="refresh")
    return Asker(outside, f"{config['url']}{API}", headers=token.headers, renew=token.renew, right=right)


def projects(ask: Asker, config: Config) -> list[Mapping[str, Any]]:
    """Those that are named, and all in the groups that are. One that is not there ends the pass: its things are not known to be gone."""
    found: dict[int, Mapping[str, Any]] = {}
    for path in config["projects"]:
        one = ask.json(f"projects/{quote(path.strip('/'), safe='')}")
        found[one["id"]] = one
    for path in config["groups"]:
        asked = {**PAGE, "include_subgroups": "true", "archived": "false"}
        found |= {one["id"]: one for one in linked(ask, f"groups/{quote(path.strip('/'), safe='')}/projects", asked, "GitLab")}
    if not found:
        raise SourceMissing("any GitLab project")
    return [found[id] for id in sorted(found)]


def listed(ask: Asker, config: Config, project: Mapping[str, Any]) -> Iterator[Item]:
    """What is turned off in a project answers 403 or 404 and holds nothing."""
    asked = {**PAGE, "scope": "all", "state": "all", "order_by": "created_at", "sort": "asc"}
    if on(project, "issues"):
        for one in linked(ask, f"projects/{project['id']}/issues", asked, "GitLab"):
            yield thread(ask, project, one, "issues")
    if on(project, "merge_requests"):
        for one in linked(ask, f"projects/{project['id']}/merge_requests", asked, "GitLab"):
            yield thread(ask, project, one, "merge_requests")
    if on(project, "wiki"):
        for one in linked(ask, f"projects/{project['id']}/wikis", {"with_content": "1"}, "GitLab"):
            yield wiki_page(project, one)
    endings = tuple(ending.casefold() for ending in config["files"])
    if endings and on(project, "repository") and not project.get("empty_repo") and project.get("default_branch"):
        tree = {**PAGE, "recursive": "true", "ref": project["default_branch"]}
        for one in linked(ask, f"projects/{project['id']}/repository/tree", tree, "GitLab"):
            if one["type"] == "blob" and one["path"].casefold().endswith(endings):
                yield file(ask, project, one)


def on(project: Mapping[str, Any], feature: str) -> bool:
    return project.get(f"{feature}_access_level", "enabled") != "disabled"


def readers(project: Mapping[str, Any], feature: str, least: int) -> Rights:
    """Public and internal projects are open as far as the feature is."""
    members = f"project:{project['id']}:{least}"
    if project.get(f"{feature}_access_level", "enabled") == "enabled":
        if project["visibility"] == "public":
            return PUBLIC
        if project["visibility"] == "internal":
            return Rights(groups=frozenset({EVERYBODY, members}))
    return Rights(groups=frozenset({members}))


def thread(ask: Asker, project: Mapping[str, Any], about: Mapping[str, Any], kind: str) -> Item:
    """A confidential issue is also for who wrote it and those it is assigned to."""
    if about.get("confidential"):
        own = {str(one["id"]) for one in [about.get("author"), *(about.get("assignees") or [])] if one}
        rights = Rights(frozenset(own), frozenset({f"project:{project['id']}:{REPORTER}"}))
    else:
        rights = readers(project, kind, GUEST if kind == "issues" else REPORTER)
    mark = "#" if kind == "issues" else "!"
    return Item(
        f"{project['id']}/{kind}/{about['iid']}",
        f"{mark}{about['iid']} {about['title']}",
        fetched(partial(conversation, ask, project, about, kind, mark)),
        moment(about["updated_at"]),
        rights,
        folder=f"{project['path_with_namespace']}/{kind.replace('_', ' ')}",
        revision=about["updated_at"],
        link=str(about.get("web_url") or ""),
    )


def conversation(ask: Asker, project: Mapping[str, Any], about: Mapping[str, Any], kind: str, mark: str) -> bytes:
    """Without what GitLab itself notes, and without internal notes, which not all who see the issue see."""
    title, labels = f"{mark}{about['iid']} {about['title']}", ", ".join(str(one) for one in about.get("labels") or [])
    who = (about.get("author") or {}).get("name")
    parts = [heading(title), facts(("State", about.get("state")), ("By", who), ("Labels", labels), ("Created", about.get("created_at")))]
    parts.append(markdown(about.get("description") or ""))
    asked = {**PAGE, "sort": "asc", "order_by": "created_at"}
    for note in linked(ask, f"projects/{project['id']}/{kind}/{about['iid']}/notes", asked, "GitLab"):
        if not (note.get("system") or note.get("internal") or note.get("confidential")):
            said = f"{(note.get('author') or {}).get('name') or 'Somebody'}, {str(note.get('created_at'))[:10]}"
            parts += [heading(said, 2), markdown(note.get("body") or "")]
    return page(title, *parts)


def wiki_page(project: Mapping[str, Any], about: Mapping[str, Any]) -> Item:
    """Comes with its text; its revision is that text, as it has no other."""
    text = str(about.get("content") or "")
    data = page(about["title"], heading(about["title"]), markdown(text) if about.get("format", "markdown") == "markdown" else plain(text))
    return Item(
        f"{project['id']}/wiki/{about['slug']}",
        about["title"],
        data,
        rights=readers(project, "wiki", GUEST),
        folder=f"{project['path_with_namespace']}/wiki",
        revision=sha256(data).hexdigest(),
        size=len(data),
        link=f"{project.get('web_url')}/-/wikis/{quote(about['slug'])}" if project.get("web_url") else "",
    )


def file(ask: Asker, project: Mapping[str, Any], blob: Mapping[str, Any]) -> Item:
    where = PurePosixPath(blob["path"])
    raw = f"projects/{project['id']}/repository/blobs/{blob['id']}/raw"
    return Item(
        f"{project['id']}/file/{blob['path']}",
        where.name,
        fetched(partial(ask.bytes, raw, max_bytes=MAX_BYTES)),
        rights=readers(project, "repository", REPORTER),
        folder=str(PurePosixPath(project["path_with_namespace"]) / where.parent),
        revision=blob["id"],
        link=f"{project.get('web_url')}/-/blob/{project['default_branch']}/{quote(blob['path'])}" if project.get("web_url") else "",
    )


def people(ask: Asker, found: Iterable[Mapping[str, Any]]) -> Iterator[Fetched]:
    """Administrators of a GitLab are told everybody and their addresses; others know the members by name only."""
    yield Listing("people")
    accounts = {account.key: account for account in everybody(ask)}
    if accounts:
        yield Members(EVERYBODY, frozenset(accounts), name="Everybody with an account")
    for project in found:
        inside = members(ask, project)
        for least, name in ((GUEST, "guests"), (REPORTER, "reporters")):
            among = None if inside is None else frozenset(str(one["id"]) for one in inside if reaches(one, least))
            yield Members(f"project:{project['id']}:{least}", among, None if inside is None else frozenset(), f"{project['name']}, {name}")
        for one in inside or ():
            accounts.setdefault(str(one["id"]), Account(str(one["id"]), one.get("name") or "", active=one.get("state") == "active"))
    yield from accounts.values()


def reaches(member: Mapping[str, Any], least: int) -> bool:
    return int(member["access_level"]) >= least and member.get("membership_state", "active") == "active"


def members(ask: Asker, project: Mapping[str, Any]) -> list[Mapping[str, Any]] | None:
    try:
        return list(linked(ask, f"projects/{project['id']}/members/all", PAGE, "GitLab"))
    except ONE_THING:
        return None


def everybody(ask: Asker) -> Iterator[Account]:
    """Who may log in, without those from outside. Nobody where the token is no administrator's: then no address is told."""
    try:
        for one in linked(ask, "users", {**PAGE, "exclude_external": "true", "without_project_bots": "true"}, "GitLab"):
            if "confirmed_at" not in one:
                return
            address = one.get("email") if one["confirmed_at"] else ""
            yield Account(str(one["id"]), one.get("name") or "", address or "", one.get("state") == "active")
    except ONE_THING:
        return


@sensible("GitLab")
def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    ask = asker(config, outside)
    found = projects(ask, config)
    yield Finding(True, f"{len(found):,} projects can be seen: {', '.join(one['path_with_namespace'] for one in found[:5])}.")
    for one in found[:1]:
        path = f"projects/{one['id']}"
        yield tried(
            "Members of projects can be listed.", partial(ask.json, f"{path}/members/all", {"per_page": 1}), "They would be hidden."
        )
        for feature, where in (("issues", "issues"), ("merge_requests", "merge_requests"), ("wiki", "wikis")):
            if on(one, feature):
                yield tried(f"The project's {where.replace('_', ' ')} can be read.", partial(ask.json, f"{path}/{where}", {"per_page": 1}))
    if not next(everybody(ask), None):
        yield Finding(None, "No addresses are told, as the token is no administrator's: people are mapped to accounts by hand.")


@sensible("GitLab")
def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    """The projects that were named; where none were, all that the account takes part in."""
    ask = asker(config, outside)
    named = config["projects"] or config["groups"]
    for one in projects(ask, config) if named else linked(ask, "projects", {**PAGE, "membership": "true", "archived": "false"}, "GitLab"):
        path = one["path_with_namespace"]
        yield Branch(str(one["id"]), path, False, all_in(path), ("projects", path))


CONNECTOR: Final = Connector(
    title="GitLab",
    help="Issues, merge requests, wiki pages and text files of projects, for those whose role lets them see each.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    push=hearing.GITLAB,
    consent=Consent(
        lambda config: f"{config['url']}/oauth/authorize",
        lambda config: f"{config['url']}/oauth/token",
        me(lambda config: f"{config['url']}{API}/user", "username"),
        scopes="read_api",
        device=lambda config: f"{config['url']}/oauth/authorize_device",
    ),
    rights=True,
    group="work",
    settings=(
        Setting("url", "Address", "Of your GitLab, without a path.", kind="url", default="https://gitlab.com", required=False),
        Setting("access", "Sign in by", kind="choice", choices=ACCESS, default="token", required=False),
        Setting(
            "token",
            "Access token",
            "Personal, group or project access token with the scope read_api, and at least the role Reporter. Of an administrator of "
            "your own GitLab, it also tells people's addresses.",
            kind="secret",
            when=("access", "token"),
        ),
        *own_app("Of an OAuth application of your own with the scope read_api.", "Application"),
        Setting("groups", "Groups", "Their paths, such as acme/docs: all projects in them.", kind="list", required=False),
        Setting("projects", "Projects", "Their paths, such as acme/docs/handbook.", kind="list", required=False),
        Setting(
            "files",
            "Files to read",
            "The endings of their names. Leave it as it is for documentation.",
            kind="list",
            required=False,
            default=(".md", ".rst", ".adoc", ".txt"),
        ),
    ),
)
