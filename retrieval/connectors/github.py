"""Issues, pull requests and text files of GitHub repositories, by the document "GitHub REST API" (2022-11-28: issues, pulls, git trees
and blobs, collaborators) and, for addresses, "GitHub GraphQL API" (organizationVerifiedDomainEmails).

Deleted and transferred issues are told by nothing: each pass lists the issues and the tree of every repository, a hundred issues and
the whole tree at a time; comments and contents are fetched only where something is new. A private repository is for its collaborators
("repo:ID", read with every pass, teams and owners among them), a public one for everybody. Wikis have no API: they are Git
repositories. Asked by the Asker: the maintained client libraries cannot go through checked addresses.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote

from retrieval.connectors import hearing
from retrieval.connectors.asking import Asker
from retrieval.connectors.consenting import me, own_app
from retrieval.connectors.contract import Answer, Branch, Config, Connector, Consent, Finding, Outside, Setting, all_in
from retrieval.connectors.oauth import Token
from retrieval.connectors.pages import (
    ONE_THING,
    all_there,
    decoded,
    facts,
    fetched,
    heading,
    in_parts,
    lacking,
    linked,
    markdown,
    moment,
    page,
    sensible,
    several,
    tried,
)  # fmt: skip
from retrieval.errors import ItemBroken, SourceMissing
from retrieval.types import PUBLIC, Account, Fetched, Item, Listing, Members, Rights, Skipped

ACCESS: Final = (("token", "An access token"), ("refresh", "A GitHub App and your consent"))
VERSION: Final = {"x-github-api-version": "2022-11-28"}
MAX_BYTES: Final = 20_000_000
EMAILS: Final = """query($owner: String!, $after: String) { organization(login: $owner) { membersWithRole(first: 100, after: $after) {
  pageInfo { hasNextPage endCursor } nodes { databaseId organizationVerifiedDomainEmails(login: $owner) } } } }"""


@sensible("GitHub")
def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    ask = asker(config, outside)
    found = repositories(ask, config)
    all_there(config["repositories"], (one["name"] for one in found), "repository")
    parts = {str(one["id"]): partial(listed, ask, config, one) for one in found}
    yield from in_parts(cursor, parts, partial(people, ask, config, found))


def asker(config: Config, outside: Outside) -> Asker:
    right = "read access to Issues, Pull requests, Contents and Metadata"
    if config.get("access") != "refresh":
        headers = {"authorization": f"Bearer {config['token']}", **VERSION}
        return Asker(outside, config["url"], headers=headers, right=right, waits=too_often)
    app = {"client_id": config["client_id"], "client_secret": config["client_secret"], "grant_type": "refresh_token"}
    token = Token(outside, f"{site(config)}/login/oauth/access_token", lambda: {**app, "refresh_token": config["refresh"]}, kept="refresh")
    renewed = lambda: {**token.headers(), **VERSION}  # noqa: E731
    return Asker(outside, config["url"], headers=renewed, renew=token.renew, right=right, waits=too_often)


def site(config: Config) -> str:
    """Where people sign in: the Enterprise server itself, or github.com beside its API."""
    return "https://github.com" if config["url"] == "https://api.github.com" else str(config["url"]).removesuffix("/api/v3")


def too_often(answer: Answer) -> float | None:
    """GitHub says so with a 403, and when it ends as a time; or that it was too much at once."""
    if answer.headers.get("x-ratelimit-remaining", "") == "0":
        reset = answer.headers.get("x-ratelimit-reset", "")
        return max(float(reset) - time.time(), 1.0) if reset.isdigit() else 60.0
    return 60.0 if b"secondary rate limit" in answer.content else None


def repositories(ask: Asker, config: Config) -> list[Mapping[str, Any]]:
    """Those of an organisation or a person that the token sees."""
    owner, wanted = config["owner"], {name.casefold() for name in config["repositories"]}
    try:
        found = list(linked(ask, f"orgs/{quote(owner, safe='')}/repos", {"per_page": 100, "type": "all"}, "GitHub"))
    except SourceMissing:
        every = linked(ask, "user/repos", {"per_page": 100, "affiliation": "owner,collaborator,organization_member"}, "GitHub")
        found = [one for one in every if one["owner"]["login"].casefold() == owner.casefold()]
    return [one for one in found if not wanted or one["name"].casefold() in wanted]


def listed(ask: Asker, config: Config, repository: Mapping[str, Any]) -> Iterator[Item | Skipped]:
    asked = {"state": "all", "sort": "created", "direction": "asc", "per_page": 100}
    for one in linked(ask, f"repos/{repository['full_name']}/issues", asked, "GitHub"):
        yield issue(ask, repository, one)
    endings = tuple(ending.casefold() for ending in config["files"])
    for path, blob in tree(ask, repository, repository.get("default_branch") or "HEAD") if endings else ():
        if path.casefold().endswith(endings):
            yield file(ask, repository, path, blob)


def readers(repository: Mapping[str, Any]) -> Rights:
    """Internal ones are for their collaborators, too: who is in the enterprise is not told."""
    public = repository.get("visibility", "private" if repository.get("private", True) else "public") == "public"
    return PUBLIC if public else Rights(groups=frozenset({f"repo:{repository['id']}"}))


def issue(ask: Asker, repository: Mapping[str, Any], about: Mapping[str, Any]) -> Item:
    return Item(
        f"{repository['id']}/issue/{about['number']}",
        f"#{about['number']} {about['title']}",
        fetched(partial(conversation, ask, repository["full_name"], about)),
        moment(about["updated_at"]),
        readers(repository),
        folder=f"{repository['full_name']}/{'pull requests' if 'pull_request' in about else 'issues'}",
        revision=about["updated_at"],
        link=str(about.get("html_url") or ""),
    )


def conversation(ask: Asker, repository: str, about: Mapping[str, Any]) -> bytes:
    """The issue or pull request with its comments, and those on lines of code."""
    number, title = about["number"], f"#{about['number']} {about['title']}"
    labels = ", ".join(str(one.get("name") if isinstance(one, Mapping) else one) for one in about.get("labels") or [])
    who = (about.get("user") or {}).get("login")
    parts = [heading(title), facts(("State", about.get("state")), ("By", who), ("Labels", labels), ("Created", about.get("created_at")))]
    parts.append(markdown(about.get("body") or ""))
    comments = list(linked(ask, f"repos/{repository}/issues/{number}/comments", {"per_page": 100}, "GitHub"))
    if "pull_request" in about:
        comments += linked(ask, f"repos/{repository}/pulls/{number}/comments", {"per_page": 100}, "GitHub")
    for one in sorted(comments, key=lambda one: str(one.get("created_at"))):
        said = f"{(one.get('user') or {}).get('login') or 'Somebody'}, {str(one.get('created_at'))[:10]}"
        parts += [heading(f"{said}, {one['path']}" if one.get("path") else said, 2), markdown(one.get("body") or "")]
    return page(title, *parts)


def tree(ask: Asker, repository: Mapping[str, Any], sha: str, inside: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Every file by its path. One too large to be told at once is told folder by folder; an empty repository has none (409)."""
    path = f"repos/{repository['full_name']}/git/trees/{sha}"
    answer = ask.ask(path, {"recursive": "1"}, accept=(409,))
    if answer.status_code == 409:
        return
    said = decoded(answer, "GitHub")
    whole = not said.get("truncated")
    for one in several(said if whole else ask.json(path), "tree", "GitHub"):
        if one["type"] == "blob":
            yield inside + one["path"], one
        elif one["type"] == "tree" and not whole:
            yield from tree(ask, repository, one["sha"], f"{inside}{one['path']}/")


def file(ask: Asker, repository: Mapping[str, Any], path: str, blob: Mapping[str, Any]) -> Item:
    def content() -> bytes:
        if int(blob.get("size") or 0) > MAX_BYTES:
            raise ItemBroken(f"It has {blob['size'] / 1_000_000:,.1f} MB; at most {MAX_BYTES // 1_000_000} MB are read.")
        return ask.bytes(f"repos/{repository['full_name']}/git/blobs/{blob['sha']}", headers={"accept": "application/vnd.github.raw+json"})

    where = PurePosixPath(path)
    return Item(
        f"{repository['id']}/file/{path}",
        where.name,
        fetched(content),
        rights=readers(repository),
        folder=str(PurePosixPath(repository["full_name"]) / where.parent),
        revision=blob["sha"],
        size=blob.get("size"),
        link=f"{repository.get('html_url')}/blob/{repository.get('default_branch')}/{path}" if repository.get("html_url") else "",
    )


def people(ask: Asker, config: Config, found: Iterable[Mapping[str, Any]]) -> Iterator[Fetched]:
    yield Listing("people")
    addresses = emails(ask, config)
    accounts: dict[str, Account] = {}
    for repository in found:
        if readers(repository).public:
            continue
        key = f"repo:{repository['id']}"
        try:
            there = list(linked(ask, f"repos/{repository['full_name']}/collaborators", {"affiliation": "all", "per_page": 100}, "GitHub"))
        except ONE_THING:
            yield Members(key, None, None, repository["full_name"])
            continue
        inside = {str(one["id"]): one["login"] for one in there if (one.get("permissions") or {}).get("pull", True)}
        accounts |= {id: Account(id, login, addresses.get(id, "")) for id, login in inside.items()}
        yield Members(key, frozenset(inside), name=repository["full_name"])
    yield from accounts.values()


def emails(ask: Asker, config: Config) -> dict[str, str]:
    """Addresses in the domains that the organisation has verified: the only ones that anybody vouches for. None for a person's account."""
    path = config["url"].removesuffix("/v3") + "/graphql"
    found: dict[str, str] = {}
    after: str | None = None
    while True:
        try:
            said = ask.json(path, method="POST", body={"query": EMAILS, "variables": {"owner": config["owner"], "after": after}})
        except ONE_THING:
            return found
        members = ((said.get("data") or {}).get("organization") or {}).get("membersWithRole") or {}
        for one in members.get("nodes") or []:
            if one and one.get("organizationVerifiedDomainEmails"):
                found[str(one["databaseId"])] = one["organizationVerifiedDomainEmails"][0]
        onward = (members.get("pageInfo") or {}).get("endCursor") if (members.get("pageInfo") or {}).get("hasNextPage") else None
        if not onward or onward == after:
            return found
        after = onward


@sensible("GitHub")
def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    ask = asker(config, outside)
    found = repositories(ask, config)
    yield Finding(bool(found), f"{len(found):,} repositories can be seen." if found else "None can be seen. Let the token reach some.")
    yield from lacking(config["repositories"], (one["name"] for one in found), "repository")
    for one in sorted(found, key=lambda one: readers(one).public)[:1]:
        path = f"repos/{one['full_name']}"
        yield tried("Issues can be read.", partial(ask.json, f"{path}/issues", {"per_page": 1}))
        yield tried("Files can be read.", partial(ask.ask, f"{path}/git/trees/{one.get('default_branch') or 'HEAD'}", accept=(409,)))
        if not readers(one).public:
            asked = partial(ask.json, f"{path}/collaborators", {"per_page": 1})
            yield tried("Collaborators can be listed.", asked, "They would be hidden: the token's owner needs push access.")
    if found and not emails(ask, config):
        yield Finding(None, "No addresses are told: people are mapped to accounts by hand, or the organisation verifies its domain.")


@sensible("GitHub")
def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    for one in repositories(asker(config, outside), {**config, "repositories": []}):
        yield Branch(one["name"], one["full_name"], False, all_in(one["full_name"]), ("repositories", one["name"]))


CONNECTOR: Final = Connector(
    title="GitHub",
    help="Issues, pull requests and text files of repositories; private ones for their collaborators.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    push=hearing.GITHUB,
    consent=Consent(
        lambda config: f"{site(config)}/login/oauth/authorize",
        lambda config: f"{site(config)}/login/oauth/access_token",
        me(lambda config: f"{config['url']}/user", "login"),
        device=lambda config: f"{site(config)}/login/device/code",
        lacking="GitHub gave no token that is refreshed. Turn on “Expire user authorization tokens” in the GitHub App, and connect again.",
    ),
    rights=True,
    group="work",
    settings=(
        Setting("access", "Sign in by", kind="choice", choices=ACCESS, default="token", required=False),
        Setting(
            "token",
            "Token",
            "A fine-grained personal access token (Settings, Developer settings) that may read Issues, Pull requests, Contents and "
            "Metadata. "
            "Its owner needs push access to private repositories: only then GitHub tells who may see them.",
            kind="secret",
            when=("access", "token"),
        ),
        *own_app("Of a GitHub App of your own that may read what a token would."),
        Setting("owner", "Organisation or person", "Whose repositories they are, as in github.com/acme: acme."),
        Setting("repositories", "Repositories", "Their names. Leave it empty for all that the token sees.", kind="list", required=False),
        Setting(
            "files",
            "Files to read",
            "The endings of their names. Leave it as it is for documentation.",
            kind="list",
            required=False,
            default=(".md", ".rst", ".adoc", ".txt"),
        ),
        Setting(
            "url",
            "Address of the API",
            "Change it for an Enterprise server only, to https://HOST/api/v3.",
            kind="url",
            default="https://api.github.com",
            required=False,
        ),
    ),
)
