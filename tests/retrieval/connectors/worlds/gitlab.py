from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.retrieval.connectors.cloud import Cloud, Thing
from tests.retrieval.connectors.conformance import PEOPLE
from tests.retrieval.connectors.outside import Asked, Said

SAYS_ITSELF = "A project says itself whether it is public; one whose members cannot be read is in test_gitlab.py."
EVERY_PASS = "Each pass lists all things afresh: no cursor of the service outlives one."


class GitLabWorld(Cloud):
    """One project. Each thing is an issue; who may see it is who is in the project, also by groups that were invited."""

    kind, host = "gitlab", "gitlab.com"
    middle = re.compile(r"[?&]page=")
    impossible: Mapping[str, str] = {"unreadable rights": SAYS_ITSELF, "cursor expiry": EVERY_PASS}

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "url": f"https://{self.host}", "access": "token", "token": "t", "groups": ["acme"], "projects": [], "files": [".md"],
            
        }  # fmt: skip
        self.files: dict[str, bytes] = {}
        self.wiki: dict[str, str] = {}
        self.notes: list[dict[str, Any]] = []
        self.levels = dict.fromkeys(PEOPLE, 10)
        self.more: dict[str, Any] = {}
        self.of_issue: dict[str, Any] = {}
        self.hidden = False
        self.administrator = True

    def key(self, person: str) -> str:
        return str(PEOPLE.index(person) + 1)

    def serve(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != "Bearer t":
            return Said.json({"message": "401 Unauthorized"}, 401)
        match asked.path.removeprefix("/api/v4").strip("/").split("/"):
            case ["groups", "acme", "projects"]:
                return self.listed(asked, [self.project()])
            case ["projects"] if asked.query.get("membership"):
                return self.listed(asked, [self.project()])
            case ["projects", "acme%2Fdocs"]:
                return Said.json(self.project())
            case ["users"]:
                return self.listed(asked, [self.user(one) for one in PEOPLE])
            case ["projects", "7", *rest]:
                return self.within(asked, rest)
        return Said.json({"message": "404 Not Found"}, 404)

    def within(self, asked: Asked, rest: list[str]) -> Said:
        match rest:
            case ["issues"]:
                return self.listed(asked, [self.issue(one) for one in self.things.values()])
            case ["merge_requests"]:
                return self.listed(asked, [])
            case ["issues", number, "notes"]:
                said = {
                    "author": {"name": "Ben"},
                    "created_at": "2026-11-02T10:00:00.000Z",
                    "body": self.things[number].text,
                    "system": False,
                }
                return Said(502) if number in self.poisoned else self.listed(asked, [*self.notes, said])
            case ["wikis"]:
                return Said.json([{"slug": one, "title": one, "format": "markdown", "content": text} for one, text in self.wiki.items()])
            case ["repository", "tree"]:
                return self.listed(asked, [{"id": one.replace("/", "+"), "path": one, "type": "blob"} for one in self.files])
            case ["repository", "blobs", sha, "raw"]:
                return Said(200, self.files[sha.replace("+", "/")])
            case ["members", "all"]:
                return Said.json({}, 403) if self.hidden else self.listed(asked, [self.member(one) for one in self.let_in()])
        return Said.json({"message": "404 Not Found"}, 404)

    def listed(self, asked: Asked, things: list[dict[str, Any]]) -> Said:
        found, at = self.paged(things, asked.query.get("page", ""))
        return Said.json(found, **({"link": f'<https://{self.host}{asked.path}?page={at}&per_page=2>; rel="next"'} if at else {}))

    def project(self) -> dict[str, Any]:
        public = all(one.public for one in self.things.values())
        about = {
            "id": 7,
            "name": "Docs",
            "path_with_namespace": "acme/docs",
            "default_branch": "main",
            "web_url": "https://gitlab.com/acme/docs",
        }
        return {**about, "visibility": "public" if public else "private", "empty_repo": not self.files, **self.more}

    def issue(self, thing: Thing) -> dict[str, Any]:
        about = {"iid": int(thing.id), "title": thing.name, "state": "opened", "author": {"id": 3, "name": "Cem"}, "labels": ["bug"]}
        return {**about, "updated_at": thing.changed.isoformat(), "description": "see below", "confidential": False, **self.of_issue}

    def let_in(self) -> list[str]:
        found = [thing.users | {one for group in thing.groups for one in self.inside(group)} for thing in self.things.values()]
        return sorted(set().union(*found))

    def member(self, person: str) -> dict[str, Any]:
        return {"id": int(self.key(person)), "name": person.title(), "state": "active", "access_level": self.levels[person]}

    def user(self, person: str) -> dict[str, Any]:
        about = {"id": int(self.key(person)), "name": person.title(), "state": "active"}
        return {**about, **({"email": self.email(person), "confirmed_at": "2026-01-01T00:00:00Z"} if self.administrator else {})}

    def name_seen(self, name: str) -> str:
        return name.partition(" ")[2]


def world(folder: Path) -> GitLabWorld:
    return GitLabWorld()
