"""Google's APIs as Drive needs them: tokens, permissions, people. By the documents "Using OAuth 2.0 for Server to Server Applications" (the
signed assertion, RFC 7523), "Using OAuth 2.0 for Web Server Applications", "Google Drive API v3" (permissions, changes: watch,
channels: stop) and "Admin SDK: Directory API". Knows no file.

Codes to type in (RFC 8628) are no way here: Google gives by them only the files that the app made itself.

Accounts and groups are known by their addresses, which Google verifies. What is open only to whoever has the link opens nothing here:
who was not given it does not find the thing there either.
"""

from __future__ import annotations

import json
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from retrieval.connectors.asking import Asker
from retrieval.connectors.consenting import BY_CONSENT
from retrieval.connectors.contract import Answer, Channel, Config, Consent, Outside
from retrieval.connectors.oauth import Token
from retrieval.connectors.pages import ONE_THING, decoded, moment, several
from retrieval.errors import SettingWrong, SourceError, SourceGarbled, SourceUnreachable
from retrieval.types import Account, Fetched, Listing, Members, Rights

TOKENS: Final = "https://oauth2.googleapis.com/token"
DRIVE: Final = "https://www.googleapis.com/drive/v3"
DIRECTORY: Final = "https://admin.googleapis.com/admin/directory/v1"
FILES_SCOPE: Final = "https://www.googleapis.com/auth/drive.readonly"
PEOPLE_SCOPES: Final = (
    "https://www.googleapis.com/auth/admin.directory.user.readonly https://www.googleapis.com/auth/admin.directory.group.readonly"
)
WEEK: Final = 7 * 24 * 3600
"""The longest that a channel lasts, in seconds."""
BY_KEY: Final = ("access", "key")
TOLD: Final = "id,type,emailAddress,domain,role,allowFileDiscovery,deleted,expirationTime,view,permissionDetails(inherited,inheritedFrom)"
KINDS: Final = ("USER", "GROUP")
MACHINES: Final = ".gserviceaccount.com"
OFTEN: Final = ("rateLimitExceeded", "userRateLimitExceeded", "dailyLimitExceeded", "quotaExceeded")


def asker(config: Config, outside: Outside, subject: str, base: str = DRIVE, scope: str = FILES_SCOPE) -> Asker:
    """Asks as whoever agreed, as the service account itself, or as somebody of the domain in whose name it may act."""
    if by_consent(config):
        app = {"client_id": config["client_id"], "client_secret": config["client_secret"], "grant_type": "refresh_token"}
        given = Token(outside, TOKENS, lambda: {**app, "refresh_token": config["refresh"]}, kept="refresh")
        return Asker(outside, base, headers=given.headers, renew=given.renew, right=scope, waits=too_often)
    key = service_account(config["key"])

    def form() -> dict[str, str]:
        return {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion(key, subject, scope, int(time.time()))}

    token = Token(outside, TOKENS, form)
    return Asker(outside, base, headers=token.headers, renew=token.renew, right=scope, waits=too_often)


def by_consent(config: Config) -> bool:
    return bool(config.get("access") == BY_CONSENT[1])


def address(ask: Asker) -> str:
    """Of whoever agreed."""
    return str(ask.json("about", {"fields": "user(emailAddress)"})["user"]["emailAddress"]).lower()


def who(config: Config, said: Mapping[str, Any], token: str, outside: Outside) -> str:
    return address(Asker(outside, DRIVE, headers={"authorization": f"Bearer {token}"}))


def too_often(answer: Answer) -> float | None:
    """Google says so with a 403 and a reason in the body."""
    return 60.0 if any(reason.encode() in answer.content for reason in OFTEN) else None


def service_account(text: str) -> tuple[str, RSAPrivateKey]:
    """The address and the key in the file that Google Cloud gives. Raises SettingWrong."""
    try:
        said = json.loads(text)
        key = load_pem_private_key(said["private_key"].encode(), password=None, unsafe_skip_rsa_key_validation=True)
        address = said["client_email"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingWrong("key", "This is no key of a service account. Paste the whole JSON file that Google Cloud gave you.") from error
    if not isinstance(key, RSAPrivateKey) or not isinstance(address, str):
        raise SettingWrong("key", "This is no key of a service account. Paste the whole JSON file that Google Cloud gave you.")
    return address, key


def assertion(key: tuple[str, RSAPrivateKey], subject: str, scope: str, now: int) -> str:
    """A JSON Web Token, signed with RSA and SHA-256 (RFC 7515), good for an hour."""
    claims = {"iss": key[0], "scope": scope, "aud": TOKENS, "iat": now, "exp": now + 3600, **({"sub": subject} if subject else {})}
    signed = b".".join(_encoded(json.dumps(part).encode()) for part in ({"alg": "RS256", "typ": "JWT"}, claims))
    return b".".join([signed, _encoded(key[1].sign(signed, PKCS1v15(), SHA256()))]).decode()


def _encoded(part: bytes) -> bytes:
    return urlsafe_b64encode(part).rstrip(b"=")


def values(ask: Asker, path: str, params: Mapping[str, Any], name: str) -> Iterator[Mapping[str, Any]]:
    """All of a collection, page after page."""
    token, seen = "", set[str]()
    while token not in seen:
        seen.add(token)
        said = ask.json(path, {**params, **({"pageToken": token} if token else {})})
        yield from several(said if name in said else {**said, name: []}, name, "Google")
        token = said.get("nextPageToken") or ""
        if not token:
            return
    raise SourceGarbled("Google", "a page that leads to itself")


def permissions(ask: Asker, file: str) -> list[Mapping[str, Any]] | None:
    """Those of a file or a shared drive, inherited ones among them; None where they cannot be read."""
    asked = {"supportsAllDrives": "true", "pageSize": 100, "fields": f"nextPageToken,permissions({TOLD})"}
    try:
        return list(values(ask, f"files/{file}/permissions", asked, "permissions"))
    except ONE_THING:
        return None


def rights(said: Iterable[Mapping[str, Any]], drive: str = "", everybody: frozenset[str] = frozenset()) -> Rights:
    """Who may see a thing by its permissions. `everybody`: the permissions of the shared drive around it. Who has them all from there is
    in the drive's own group, so that a change of its members touches no file; where a folder is closed to some, each is named."""
    said = [one for one in said if counts(one)]
    inherited = {one["id"] for one in said if any(detail.get("inheritedFrom") == drive for detail in one.get("permissionDetails") or [])}
    whole = bool(drive) and everybody <= inherited
    users, groups, public = set[str](), {f"drive:{drive}"} if whole else set[str](), False
    for one in said:
        if whole and one["id"] in everybody:
            continue
        address = str(one.get("emailAddress") or "").lower()
        if one["type"] == "user" and address:
            users.add(address)
        elif one["type"] == "group" and address:
            groups.add(address)
        elif one["type"] == "domain" and one.get("allowFileDiscovery"):
            groups.add(f"domain:{one['domain'].lower()}")
        elif one["type"] == "anyone" and one.get("allowFileDiscovery"):
            public = True
    return Rights(frozenset(users), frozenset(groups), public)


def counts(permission: Mapping[str, Any]) -> bool:
    """Not those that are over, of deleted accounts, or for the name only (`view`)."""
    ends = moment(permission.get("expirationTime"))
    return not (permission.get("deleted") or permission.get("view") or (ends and ends < datetime.now(UTC)))


def people(directory: Asker | None, users: Iterable[str], groups: Iterable[str]) -> Iterator[Fetched]:
    """Everybody of the directory where it may be read, whoever else was named, and these groups; they may lie in each other."""
    yield Listing("people")
    active: dict[str, bool] = {}
    if directory:
        asked = {"customer": "my_customer", "maxResults": 500}
        for one in values(directory, "users", asked, "users"):
            address = one["primaryEmail"].lower()
            active[address] = not one.get("suspended")
            yield Account(address, (one.get("name") or {}).get("fullName") or "", address, active[address])
    yield from (Account(address, email=address) for address in sorted(set(users) - set(active)) if not address.endswith(MACHINES))
    waiting, told = sorted(groups), set[str]()
    while waiting:
        group = waiting.pop()
        if group not in told:
            told.add(group)
            found = of_domain(group, active if directory else None) if group.startswith("domain:") else members(directory, group)
            yield found
            waiting += sorted(found.groups or ())


def of_domain(group: str, known: Mapping[str, bool] | None) -> Members:
    if known is None:
        return Members(group, None, None)
    return Members(group, frozenset(one for one, active in known.items() if active and one.endswith(f"@{group.removeprefix('domain:')}")))


def members(directory: Asker | None, group: str) -> Members:
    """A customer's whole domain may be a member; it opens nothing, as it has no address."""
    if directory is None:
        return Members(group, None, None)
    try:
        inside = [*values(directory, f"groups/{group}/members", {"maxResults": 200}, "members")]
    except ONE_THING:
        return Members(group, None, None)
    users, groups = (frozenset(one["email"].lower() for one in inside if one["type"] == kind and one.get("email")) for kind in KINDS)
    return Members(group, users, groups)


CONSENT: Final = Consent(
    lambda config: "https://accounts.google.com/o/oauth2/v2/auth",
    lambda config: TOKENS,
    who,
    scopes=f"{FILES_SCOPE} {PEOPLE_SCOPES}",
    more={"access_type": "offline", "prompt": "consent"},
    lacking="Google gave no token that lasts. Press “Connect” once more, and agree to all that the app asks for.",
)


@dataclass(frozen=True)
class Watches:
    """Of the changes of drives. `drives`: those that are wanted, and what names each in a request; `ask`: in whose name each is read."""

    drives: Callable[[], Mapping[str, Mapping[str, str]]]
    ask: Callable[[str], Asker]

    def keys(self) -> Iterable[str]:
        return self.drives()

    def open(self, key: str, address: str, secret: str, before: Channel | None) -> Channel:
        """A channel cannot be made to last: another takes its place."""
        ask, where = self.ask(key), {**self.drives()[key], "supportsAllDrives": "true"}
        mark = ask.json("changes/startPageToken", where)["startPageToken"]
        until = str(int((time.time() + WEEK) * 1000))
        body = {"id": str(uuid.uuid4()), "type": "web_hook", "address": address, "token": secret, "expiration": until}
        asked = {**where, "includeItemsFromAllDrives": "true", "includeRemoved": "true", "pageToken": mark}
        answer = ask.ask("changes/watch", asked, method="POST", body=body, accept=(400,))
        said = decoded(answer, "Google")
        if answer.status_code == 400:
            why = str((said.get("error") or {}).get("message") or "no reason given")[:200]
            raise SourceUnreachable.from_message(
                f"Google did not take North's address ({why}). It must begin with https and have a certificate that is trusted everywhere. "
                "It is tried again by itself."
            )
        if before:
            with suppress(SourceError):  # it ends by itself within two days, and what it tells is told twice until then
                self.close(key, before)
        return {"id": body["id"], "resource": str(said["resourceId"]), "until": int(said["expiration"]) / 1000}

    def close(self, key: str, channel: Channel) -> None:
        self.ask(key).ask("channels/stop", method="POST", body={"id": channel["id"], "resourceId": channel["resource"]})
