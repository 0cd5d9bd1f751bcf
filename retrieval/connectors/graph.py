"""Microsoft Graph as SharePoint and OneDrive need it: an app's token, pages, batches, permissions, people. By the documents "Microsoft
Graph REST API v1.0" (permission resource, JSON batching, List group transitive members) and "OAuth 2.0 client credentials flow on the
Microsoft identity platform"; its subscriptions by "subscription resource type" and "Receive change notifications through webhooks".
Knows no file.

A link that works for whoever has it, in the organisation or anywhere, opens nothing here: who was not given it does not find the thing
there either. The members of SharePoint's own site groups are not in Graph; the settings say which group of the directory each stands
for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Channel, Config, Outside
from retrieval.connectors.oauth import Token
from retrieval.connectors.pages import ONE_THING, decoded, moment, several
from retrieval.errors import RightMissing, SourceGarbled, SourceMissing, SourceUnreachable
from retrieval.types import Account, Fetched, Listing, Members, Rights

BASE: Final = "https://graph.microsoft.com/v1.0"
LOGIN: Final = "https://login.microsoftonline.com"
EVERYBODY: Final = "tenant"
SCOPES: Final = "offline_access User.Read Sites.Read.All Files.Read.All User.Read.All GroupMember.Read.All"
"""What is asked of a person; apps have permissions instead."""
EVERYTHING: Final = "https://graph.microsoft.com/.default"
AGREED: Final = f"offline_access {EVERYTHING}"
"""What a person agreed to, whatever the settings ask for since: a token for more would be refused, and the pass with it."""
SUBSCRIBING: Final = "Files.ReadWrite.All"
"""The least that Graph documents for subscriptions to drives of organisations, by apps and by people ("Create subscription")."""
BATCH: Final = 20
LASTS: Final = timedelta(days=28)
"""Of a subscription; Graph allows 42,300 minutes for files."""
NOT_ALLOWED: Final = (
    f"Microsoft does not let this app subscribe to changes: it asks for {SUBSCRIBING}, although North only reads. An administrator adds it "
    "in the Microsoft Entra admin center to the app's API permissions (to the application permissions where the app signs in itself, to "
    "the delegated ones where it reads with your consent) and grants admin consent; with your consent, turn on “Subscribe to changes” in "
    "the source's settings, too, and press “Connect” again. Until then North looks by its schedule."
)
SECURITY: Final = {"prefer": "includesecuritywebhooks"}
"""Tells of other permissions, too: by itself Graph tells of contents only."""
SITE: Final = "site:"
OWNERS: Final = "_o"
"""What the claim of a group's owners ends with."""
NO_ROLES: Final = frozenset({"sp.limited access"})
"""To pass through on the way to a thing inside, not to see."""
PEOPLE: Final = {"$select": "id,displayName,mail,userPrincipalName,accountEnabled,userType", "$top": 999}


def asker(config: Config, outside: Outside) -> Asker:
    def form() -> dict[str, str]:
        app = {"client_id": config["client_id"], "client_secret": config["client_secret"]}
        if config.get("access") == "refresh":
            return {**app, "grant_type": "refresh_token", "refresh_token": config["refresh"], "scope": AGREED}
        return {**app, "grant_type": "client_credentials", "scope": EVERYTHING}

    token = Token(outside, f"{LOGIN}/{config['tenant']}/oauth2/v2.0/token", form, kept="refresh")
    right = "Sites.FullControl.All, GroupMember.Read.All and User.Read.All (application permissions, with admin consent)"
    return Asker(outside, BASE, headers=token.headers, renew=token.renew, right=right)


def more_scopes(config: Config) -> str:
    return SUBSCRIBING if config.get("subscribes") else ""


def values(ask: Asker, path: str, params: Mapping[str, Any] | None = None) -> Iterator[Mapping[str, Any]]:
    """All of a collection, page after page."""
    said, seen = ask.json(path, params), set[str]()
    while True:
        yield from several(said, "value", "Microsoft Graph")
        onward = said.get("@odata.nextLink") or ""
        if not onward:
            return
        if onward in seen:
            raise SourceGarbled("Microsoft Graph", "a page that leads to itself")
        seen.add(onward)
        said = ask.json(onward)


def answers(ask: Asker, paths: Sequence[str]) -> dict[str, Any]:
    """What each path answers, twenty in one request; None where it cannot be had. What was asked too often is asked again by itself."""
    found: dict[str, Any] = {}
    for at in range(0, len(paths), BATCH):
        some = {str(number): path for number, path in enumerate(paths[at : at + BATCH])}
        body = {"requests": [{"id": id, "method": "GET", "url": path} for id, path in some.items()]}
        for one in several(ask.json("$batch", method="POST", body=body), "responses", "Microsoft Graph"):
            path = some[str(one["id"])]
            found[path] = one["body"] if one["status"] == 200 else _again(ask, path) if one["status"] in (401, 429, 503) else None
    return {path: found.get(path) for path in paths}


def _again(ask: Asker, path: str) -> Any:
    try:
        return ask.json(path)
    except ONE_THING:
        return None


def rights(ask: Asker, said: Any) -> Rights | None:
    """Who may see a thing by its permissions, inherited ones among them. None where not all of them can be read."""
    try:
        found = several(said, "value", "Microsoft Graph")
        if said.get("@odata.nextLink"):
            found = [*found, *values(ask, said["@odata.nextLink"])]
    except ONE_THING:
        return None
    users: set[str] = set()
    groups: set[str] = set()
    for permission in found:
        if counts(permission):
            for identity in identities(permission):
                _grant(identity, users, groups)
    return Rights(frozenset(users), frozenset(groups))


def counts(permission: Mapping[str, Any]) -> bool:
    ends = moment(permission.get("expirationDateTime"))
    scope = (permission.get("link") or {}).get("scope", "users")
    return scope == "users" and bool(set(permission.get("roles") or ()) - NO_ROLES) and not (ends and ends < datetime.now(UTC))


def identities(permission: Mapping[str, Any]) -> Iterable[Mapping[str, Any]]:
    several_of = permission.get("grantedToIdentitiesV2") or permission.get("grantedToIdentities") or []
    one = permission.get("grantedToV2") or permission.get("grantedTo")
    return [*several_of, *([one] if one else [])]


def _grant(identity: Mapping[str, Any], users: set[str], groups: set[str]) -> None:
    """A claim says more than the name beside it; who has neither an id nor a claim that is known is nobody."""
    claim = str((identity.get("siteUser") or {}).get("loginName") or "").lower()
    if (identity.get("user") or {}).get("id"):
        users.add(identity["user"]["id"])
    elif (identity.get("group") or {}).get("id"):
        groups.add(identity["group"]["id"] + (OWNERS if claim.endswith(OWNERS) else ""))
    elif (identity.get("siteGroup") or {}).get("displayName"):
        groups.add(f"{SITE}{identity['siteGroup']['displayName']}")
    elif claim.startswith("c:0-.f|rolemanager|spo-grid-all-users") or claim == "c:0(.s|true":
        groups.add(EVERYBODY)
    elif claim.startswith(("c:0o.c|federateddirectoryclaimprovider|", "c:0t.c|tenant|")):
        groups.add(claim.rpartition("|")[2])


def people(ask: Asker, groups: Iterable[str], stands_for: Mapping[str, str]) -> Iterator[Fetched]:
    """Everybody of the directory, and these groups with all who are in them, however deep. `stands_for`: a site group's name in small
    letters -> a directory group's id."""
    yield Listing("people")
    employed = set()
    for one in values(ask, "users", PEOPLE):
        yield account(one)
        if one.get("userType") != "Guest":
            employed.add(one["id"])
    yield Members(EVERYBODY, frozenset(employed), name="Everyone except external users")
    wanted = set(groups) - {EVERYBODY}
    for group in sorted(one for one in wanted if one.startswith(SITE)):
        id = stands_for.get(group.removeprefix(SITE).casefold())
        yield Members(group, frozenset(), frozenset({id}), group.removeprefix(SITE)) if id else Members(group, None, None, group)
        wanted |= {id} if id else set()
    for group in sorted(one for one in wanted if not one.startswith(SITE)):
        yield members(ask, group)


def account(said: Mapping[str, Any]) -> Account:
    """The directory vouches for its members' addresses; a guest's is another's to vouch for, and is mapped by hand."""
    own = said.get("userType") != "Guest"
    address = (said.get("mail") or said.get("userPrincipalName") or "") if own else ""
    return Account(said["id"], said.get("displayName") or "", address, said.get("accountEnabled") is not False)


def members(ask: Asker, group: str) -> Members:
    kind = "owners" if group.endswith(OWNERS) else "transitiveMembers"
    try:
        inside = [*values(ask, f"groups/{group.removesuffix(OWNERS)}/{kind}", {"$select": "id", "$top": 999})]
    except ONE_THING:
        return Members(group, None, None)
    return Members(
        group, frozenset(one["id"] for one in inside if one.get("@odata.type", "#microsoft.graph.user") == "#microsoft.graph.user")
    )


@dataclass(frozen=True)
class Subscriptions:
    """To the roots of drives: Graph tells of nothing smaller. `drives`: the ids of those that are wanted."""

    ask: Asker
    drives: Callable[[], Iterable[str]]

    def keys(self) -> Iterable[str]:
        return self.drives()

    def open(self, key: str, address: str, secret: str, before: Channel | None) -> Channel:
        """Graph tries the address first, and waits for its answer."""
        until = {"expirationDateTime": (datetime.now(UTC) + LASTS).strftime("%Y-%m-%dT%H:%M:%SZ")}
        if before:
            with suppress(SourceMissing):
                return self._told(f"subscriptions/{before['id']}", "PATCH", until)
        about = {"changeType": "updated", "notificationUrl": address, "resource": f"/drives/{key}/root", "clientState": secret}
        return self._told("subscriptions", "POST", {**about, **until})

    def _told(self, path: str, method: str, body: Mapping[str, str]) -> Channel:
        try:
            answer = self.ask.ask(path, method=method, body=body, accept=(400,), headers=SECURITY)
        except RightMissing as error:
            raise RightMissing.from_message(NOT_ALLOWED) from error
        said = decoded(answer, "Microsoft Graph")
        if answer.status_code == 400:
            why = str((said.get("error") or {}).get("message") or "no reason given")[:200]
            raise SourceUnreachable.from_message(
                f"Microsoft did not take North's address ({why}). Let it be reached from the internet by https, with a certificate that is "
                "trusted everywhere. It is tried again by itself."
            )
        ends = moment(said["expirationDateTime"])
        if ends is None:
            raise SourceGarbled("Microsoft Graph", "a subscription without an end")
        return {"id": str(said["id"]), "until": ends.timestamp()}

    def close(self, key: str, channel: Channel) -> None:
        self.ask.ask(f"subscriptions/{channel['id']}", method="DELETE")
