from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.retrieval.connectors.cloud import Cloud, Thing
from tests.retrieval.connectors.conformance import PEOPLE
from tests.retrieval.connectors.outside import Asked, Said

SAYS_ITSELF = "A repository says itself whether it is public; one whose collaborators cannot be read is in test_github.py."
EVERY_PASS = "Each pass lists all issues afresh: no cursor of the service outlives one."


class GitHubWorld(Cloud):
    """One repository. Each thing is an issue; who may see it is who may see the repository. Teams let in whoever is in them."""

    kind, host = "github", "api.github.com"
    middle = re.compile(r"[?&]page=")
    impossible: Mapping[str, str] = {"unreadable rights": SAYS_ITSELF, "cursor expiry": EVERY_PASS}

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"token": "t", "owner": "acme", "repositories": [], "files": [".md"], "url": f"https://{self.host}"}
        self.files: dict[str, bytes] = {}
        self.pulls: set[str] = set()
        self.truncated = False
        self.hidden = False

    def key(self, person: str) -> str:
        return str(PEOPLE.index(person) + 1)

    def too_often(self) -> Said:
        return Said.json({"message": "API rate limit exceeded"}, 403, **{"retry-after": "600", "x-ratelimit-remaining": "0"})

    def serve(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != "Bearer t":
            return Said.json({"message": "Bad credentials"}, 401)
        match asked.path.strip("/").split("/"):
            case ["graphql"]:
                nodes = [{"databaseId": int(self.key(one)), "organizationVerifiedDomainEmails": [self.email(one)]} for one in PEOPLE]
                return Said.json({"data": {"organization": {"membersWithRole": {"pageInfo": {"hasNextPage": False}, "nodes": nodes}}}})
            case ["orgs", "acme", "repos"]:
                return self.listed(asked, [self.repository()])
            case ["repos", "acme", "docs", "issues"]:
                return self.listed(asked, [self.issue(one) for one in self.things.values()])
            case ["repos", "acme", "docs", "issues", number, "comments"]:
                return Said(502) if number in self.poisoned else self.listed(asked, [self.comment(self.things[number])])
            case ["repos", "acme", "docs", "pulls", number, "comments"]:
                return self.listed(asked, [{**self.comment(self.things[number]), "path": "a.py", "body": "on a line"}])
            case ["repos", "acme", "docs", "collaborators"]:
                return Said.json({}, 403) if self.hidden else self.listed(asked, [self.collaborator(one) for one in self.let_in()])
            case ["repos", "acme", "docs", "git", "trees", sha]:
                return self.tree("" if sha == "main" else sha, "recursive" in asked.query)
            case ["repos", "acme", "docs", "git", "blobs", sha]:
                assert asked.headers["accept"] == "application/vnd.github.raw+json"
                return Said(200, self.files[sha])
        return Said.json({"message": "Not Found"}, 404)

    def listed(self, asked: Asked, things: list[dict[str, Any]]) -> Said:
        found, at = self.paged(things, asked.query.get("page", ""))
        return Said.json(found, **({"link": f'<https://{self.host}{asked.path}?page={at}>; rel="next", <x>; rel="last"'} if at else {}))

    def repository(self) -> dict[str, Any]:
        public = all(one.public for one in self.things.values())
        about = {"id": 7, "name": "docs", "full_name": "acme/docs", "owner": {"login": "acme"}, "default_branch": "main"}
        return {**about, "visibility": "public" if public else "private", "private": not public, "html_url": "https://github.com/acme/docs"}

    def issue(self, thing: Thing) -> dict[str, Any]:
        about = {"number": int(thing.id), "title": thing.name, "state": "open", "user": {"login": "ann"}, "body": "**see** below"}
        pull = {"pull_request": {"url": "x"}} if thing.id in self.pulls else {}
        return {**about, **pull, "updated_at": thing.changed.isoformat().replace("+00:00", "Z"), "labels": [{"name": "bug"}]}

    def comment(self, thing: Thing) -> dict[str, Any]:
        return {"user": {"login": "ben"}, "created_at": "2026-11-02T10:00:00Z", "body": thing.text}

    def let_in(self) -> list[str]:
        found = [thing.users | {one for group in thing.groups for one in self.inside(group)} for thing in self.things.values()]
        return sorted(set().union(*found))

    def collaborator(self, person: str) -> dict[str, Any]:
        return {"id": int(self.key(person)), "login": person, "permissions": {"pull": True, "push": False}}

    def tree(self, inside: str, recursive: bool) -> Said:
        """Trees are known by their path here, files by their number."""
        if not self.files:
            return Said.json({"message": "Git Repository is empty."}, 409)
        here = {path.removeprefix(f"{inside}/" if inside else ""): path for path in self.files if path.startswith(inside)}
        if not recursive:
            folders = {name.partition("/")[0] for name in here if "/" in name}
            blobs = [self.blob(name, path) for name, path in here.items() if "/" not in name]
            trees = [{"path": one, "type": "tree", "sha": f"{inside}/{one}" if inside else one} for one in sorted(folders)]
            return Said.json({"tree": [*blobs, *trees]})
        whole = not self.truncated or bool(inside)
        return Said.json({"truncated": not whole, "tree": [self.blob(*one) for one in here.items()] if whole else []})

    def blob(self, name: str, path: str) -> dict[str, Any]:
        return {"path": name, "type": "blob", "sha": path, "size": len(self.files[path])}

    def name_seen(self, name: str) -> str:
        return name.partition(" ")[2]


def world(folder: Path) -> GitHubWorld:
    return GitHubWorld()
