"""Who may see what in Jira Cloud: those who hold "Browse projects" in a project and those in its security levels, by the document "The
Jira Cloud platform REST API" (permission schemes, project roles, issue security levels, groups, users). Knows no issue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from retrieval.connectors.asking import Asker
from retrieval.connectors.pages import ONE_THING, several
from retrieval.types import Account, Fetched, Listing, Members

API: Final = "/rest/api/3"
EVERYBODY: Final = "everybody"
"""All accounts of the site: whoever is signed in, and for want of a better word whoever "anyone" is."""
Holders = tuple[frozenset[str], frozenset[str]]


def values(ask: Asker, path: str, params: Mapping[str, Any], name: str = "values") -> Iterator[Mapping[str, Any]]:
    """All of a listing that is counted by `startAt`."""
    at = 0
    while True:
        said = ask.json(path, {**params, "startAt": at})
        found = several(said, name, "Jira")
        yield from found
        at = int(said.get("startAt", at)) + len(found)
        if not found or said.get("isLast", at >= int(said.get("total", 0))):
            return


def people(ask: Asker, projects: Sequence[Mapping[str, Any]]) -> Iterator[Fetched]:
    """Fewer requests than there are people: only the groups and roles that open something are asked for."""
    yield Listing("people")
    accounts = {one["accountId"]: account(one) for one in users(ask)}
    yield from accounts.values()
    yield Members(EVERYBODY, frozenset(accounts), name="Everybody")
    used = _Used(ask)
    for project in projects:
        yield used.browsing(project)
        yield from used.levels(project)
    yield from used.roles()
    yield from used.applications()
    for group in sorted(used.groups):
        yield used.group(group)


def users(ask: Asker) -> Iterator[Mapping[str, Any]]:
    at = 0
    while found := several(ask.json(f"{API}/users/search", {"startAt": at, "maxResults": 200}), "", "Jira"):
        yield from found
        at += len(found)


def account(said: Mapping[str, Any]) -> Account:
    """Atlassian verifies addresses; whoever hides theirs is mapped by hand."""
    active = bool(said.get("active")) and said.get("accountType", "atlassian") == "atlassian"
    return Account(said["accountId"], said.get("displayName") or "", said.get("emailAddress") or "", active)


@dataclass
class _Used:
    """What the holders of rights name, to be told afterwards: groups by id, roles by project and number, applications by key."""

    ask: Asker
    groups: set[str] = field(default_factory=set)
    wanted: dict[str, tuple[str, str]] = field(default_factory=dict)
    products: set[str] = field(default_factory=set)

    def browsing(self, project: Mapping[str, Any]) -> Members:
        key, name = f"project:{project['id']}", str(project.get("name", ""))
        try:
            said = self.ask.json(f"{API}/project/{project['id']}/permissionscheme", {"expand": "all"})
        except ONE_THING:
            return Members(key, None, None, name)
        holders = [one["holder"] for one in several(said, "permissions", "Jira") if one["permission"] == "BROWSE_PROJECTS"]
        return Members(key, *self.held(holders, project), name)

    def levels(self, project: Mapping[str, Any]) -> Iterator[Members]:
        """The security levels of a project's scheme, each as a group of that project's: a role in it is the project's own. Where
        it has none (404), or they cannot be read, no group is told, and what has such a level opens to nobody."""
        try:
            scheme = self.ask.json(f"{API}/project/{project['id']}/issuesecuritylevelscheme")
            asked = {"schemeId": scheme["id"], "maxResults": 50, "expand": "all"}
            inside = [*values(self.ask, f"{API}/issuesecurityschemes/level/member", asked)]
        except ONE_THING:
            return
        for level in scheme.get("levels") or []:
            holders = [one["holder"] for one in inside if str(one["issueSecurityLevelId"]) == str(level["id"])]
            yield Members(f"level:{project['id']}:{level['id']}", *self.held(holders, project), str(level.get("name", "")))

    def held(self, holders: Sequence[Mapping[str, Any]], project: Mapping[str, Any]) -> Holders:
        """The accounts and groups that these holders are; what depends on the issue is none."""
        users: set[str] = set()
        groups: set[str] = set()
        for holder in holders:
            value = str(holder.get("value") or holder.get("parameter") or "")
            match holder["type"]:
                case "user":
                    users.add(value)
                case "projectLead":
                    users |= {one["accountId"] for one in [project.get("lead")] if one}
                case "group":
                    groups.add(self._group(value))
                case "projectRole":
                    groups.add(self._role(str(project["id"]), value))
                case "applicationRole":
                    groups.add(self._product(value))
                case "anyone":
                    groups.add(EVERYBODY)
        return frozenset(users), frozenset(groups)

    def _group(self, id: str) -> str:
        self.groups.add(id)
        return id

    def _role(self, project: str, role: str) -> str:
        self.wanted[f"role:{project}:{role}"] = project, role
        return f"role:{project}:{role}"

    def _product(self, key: str) -> str:
        if key:
            self.products.add(key)
        return f"application:{key}" if key else EVERYBODY

    def roles(self) -> Iterator[Members]:
        for key, (project, role) in sorted(self.wanted.items()):
            try:
                said = self.ask.json(f"{API}/project/{project}/role/{role}")
            except ONE_THING:
                yield Members(key, None, None)
                continue
            actors = several(said, "actors", "Jira")
            users = frozenset(one["actorUser"]["accountId"] for one in actors if one.get("actorUser"))
            groups = frozenset(self._group(one["actorGroup"]["groupId"]) for one in actors if one.get("actorGroup"))
            yield Members(key, users, groups, str(said.get("name", "")))

    def applications(self) -> Iterator[Members]:
        for key in sorted(self.products):
            try:
                said = self.ask.json(f"{API}/applicationrole/{key}")
            except ONE_THING:
                yield Members(f"application:{key}", None, None)
                continue
            groups = frozenset(self._group(one["groupId"]) for one in said.get("groupDetails") or [])
            yield Members(f"application:{key}", frozenset(), groups, str(said.get("name", "")))

    def group(self, id: str) -> Members:
        try:
            inside = [*values(self.ask, f"{API}/group/member", {"groupId": id, "maxResults": 50})]
        except ONE_THING:
            return Members(id, None, None)
        return Members(id, frozenset(one["accountId"] for one in inside))
