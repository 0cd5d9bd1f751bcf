from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.retrieval.connectors.cloud import Cloud, Thing
from tests.retrieval.connectors.conformance import PEOPLE
from tests.retrieval.connectors.outside import Asked, Said

FLAT = "Groups of Jira Cloud hold accounts only, no groups."
NOT_PUBLIC = "What is open to people without an account there is taken to be open to all accounts of the site, not to strangers."
NO_CURSOR = "The cursor holds a time and the numbers of the issues: the service cannot forget it."
SCHEME = "50"


class JiraWorld(Cloud):
    """One project that its role "Members" may browse; who may see an issue is its security level, one for each."""

    kind, host = "jira", "acme.atlassian.net"
    middle = re.compile(r"nextPageToken=|startAt=2")
    impossible: Mapping[str, str] = {"nested groups": FLAT, "public": NOT_PUBLIC, "cursor expiry": NO_CURSOR}

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"url": f"https://{self.host}", "email": "bot@acme.example", "token": "t", "projects": []}
        self.groups["everyone"] = set(PEOPLE), set()
        self.updated: dict[str, datetime] = {}
        self.comments: dict[str, list[dict[str, Any]]] = {}
        self.holders: list[dict[str, Any]] = [{"type": "projectRole", "parameter": "5", "value": "5"}]

    def noted(self, id: str) -> None:
        self.updated[id] = datetime.now(UTC) + timedelta(milliseconds=next(self.numbers))

    def allow(self, name: str, users: Iterable[str] = (), groups: Iterable[str] = (), public: bool = False) -> None:
        """Another level is a change of the issue; others in its level are none."""
        thing = self.there(name)
        before, thing.public = thing.public, public
        thing.users, thing.groups = set(users), set(groups)
        if before != public:
            self.noted(thing.id)

    def serve(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != "Basic Ym90QGFjbWUuZXhhbXBsZTp0":
            return Said.json({"errorMessages": ["Client must be authenticated"]}, 401)
        match asked.path.removeprefix("/rest/api/3").strip("/").split("/"):
            case ["project", "search"]:
                lead = {"accountId": "lea", "displayName": "Lea"}
                return self.counted(asked, [{"id": "10000", "key": "HELP", "name": "Help", "lead": lead}])
            case ["search", "jql"]:
                return self.found(asked)
            case ["issue", "bulkfetch"]:
                known = [self.things[id] for id in asked.body["issueIdsOrKeys"] if id in self.things]
                return Said.json(
                    {"issues": [{"id": one.id, "key": f"HELP-{one.id}", **self.told(one)} for one in known], "issueErrors": []}
                )
            case ["issue", id] if id in self.things:
                return Said.json({}, 500) if id in self.poisoned else Said.json(self.whole(self.things[id]))
            case ["issue", id, "comment"]:
                return self.counted(asked, self.comments.get(id, []), "comments")
            case ["project", "10000", "permissionscheme"]:
                granted = [{"id": 1, "holder": one, "permission": "BROWSE_PROJECTS"} for one in self.holders]
                edit = {"id": 2, "holder": {"type": "anyone"}, "permission": "EDIT_ISSUES"}
                return Said.json({"id": 3, "name": "Default", "permissions": [*granted, edit]})
            case ["project", "10000", "role"]:
                return Said.json({"Members": f"https://{self.host}/rest/api/3/project/10000/role/5"})
            case ["project", "10000", "role", "5"]:
                actor = {"type": "atlassian-group-role-actor", "actorGroup": {"name": "everyone", "groupId": "everyone"}}
                return Said.json({"id": 5, "name": "Members", "actors": [actor]})
            case ["project", "10000", "issuesecuritylevelscheme"]:
                return Said.json({"id": int(SCHEME), "name": "S", "levels": [{"id": one, "name": f"L{one}"} for one in self.things]})
            case ["issuesecurityschemes", "level", "member"]:
                return self.counted(asked, [one for thing in self.things.values() for one in self.level(thing)], size=50)
            case ["applicationrole", "jira-software"]:
                return Said.json({"key": "jira-software", "name": "Jira", "groupDetails": [{"name": "everyone", "groupId": "everyone"}]})
            case ["users", "search"]:
                at = int(asked.query.get("startAt", 0))
                return Said.json([self.user(one) for one in PEOPLE][at : at + 2])
            case ["group", "member"] if asked.query["groupId"] in self.groups:
                return self.counted(asked, [self.user(one) for one in sorted(self.groups[asked.query["groupId"]][0])], size=50)
        return Said.json({"errorMessages": ["not found"]}, 404)

    def counted(self, asked: Asked, things: list[dict[str, Any]], name: str = "values", size: int = 2) -> Said:
        at = int(asked.query.get("startAt", 0))
        last = {} if name == "comments" else {"isLast": at + size >= len(things)}
        return Said.json({name: things[at : at + size], "startAt": at, "maxResults": size, "total": len(things), **last})

    def found(self, asked: Asked) -> Said:
        """Understands the JQL that it is asked, and no more."""
        jql, token = asked.query["jql"], asked.query.get("nextPageToken", "")
        minutes = re.search(r"updated >= -(\d+)m", jql)
        since = datetime.now(UTC) - timedelta(minutes=int(minutes[1])) if minutes else datetime.min.replace(tzinfo=UTC)
        things = [one for one in self.things.values() if self.updated[one.id] >= since]
        page, onward = self.paged(things, token)
        said = [{"id": one.id, "key": f"HELP-{one.id}", **({} if asked.query["fields"] == "id" else self.told(one))} for one in page]
        return Said.json({"issues": said, **({"nextPageToken": onward, "isLast": False} if onward else {"isLast": True})})

    def told(self, thing: Thing) -> dict[str, Any]:
        updated = self.updated[thing.id].isoformat(timespec="milliseconds").replace("+00:00", "+0000")
        project = {"id": "10000", "key": "HELP", "name": "Help"}
        level = {} if thing.public else {"security": {"id": thing.id, "name": f"L{thing.id}"}}
        return {"fields": {"summary": thing.name, "updated": updated, "project": project, **level}}

    def whole(self, thing: Thing) -> dict[str, Any]:
        fields = {**self.told(thing)["fields"], "status": {"name": "Open"}, "reporter": {"displayName": "Ann"}, "labels": ["a", "b"]}
        rendered = {"description": f"<p>{thing.text}</p>"}
        return {"id": thing.id, "key": f"HELP-{thing.id}", "fields": fields, "renderedFields": rendered}

    def level(self, thing: Thing) -> Iterable[dict[str, Any]]:
        """Who is in an issue's level; nothing is told of one that is veiled."""
        holders = [{"type": "user", "parameter": one, "value": one} for one in sorted(thing.users)]
        holders += [{"type": "group", "parameter": one.title(), "value": one} for one in sorted(thing.groups)]
        about = {"issueSecuritySchemeId": SCHEME, "issueSecurityLevelId": thing.id}
        return [] if thing.id in self.veiled else [{"id": f"{thing.id}-{at}", **about, "holder": one} for at, one in enumerate(holders)]

    def user(self, person: str) -> dict[str, Any]:
        known = {"emailAddress": self.email(person), "displayName": person.title(), "active": True}
        return {"accountId": person, "accountType": "atlassian", **known}

    def name_seen(self, name: str) -> str:
        return name.partition(" ")[2]


def world(folder: Path) -> JiraWorld:
    return JiraWorld()
