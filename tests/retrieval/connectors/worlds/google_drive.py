from __future__ import annotations

import json
import re
import time
from base64 import urlsafe_b64decode
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.retrieval.connectors.cloud import Cloud, Thing
from tests.retrieval.connectors.conformance import PEOPLE
from tests.retrieval.connectors.outside import Asked, Said

API, LOGIN, ADMIN = "www.googleapis.com", "oauth2.googleapis.com", "admin.googleapis.com"
DRIVE = "0AD"
FOLDER = "application/vnd.google-apps.folder"


@cache
def key() -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


@cache
def key_file() -> str:
    pem = key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return json.dumps(
        {"type": "service_account", "client_email": "bot@project.iam.gserviceaccount.com", "private_key": pem, "token_uri": "https://evil"}
    )


class GoogleDriveWorld(Cloud):
    """One shared drive whose only member is the service account."""

    kind, host, also = "google_drive", API, (LOGIN, ADMIN)
    middle = re.compile(r"/files\?.*pageToken=|directory/v1/users\?.*pageToken")
    impossible: Mapping[str, str] = {}

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"key": key_file(), "subject": "admin@acme.example", "drives": [], "people": []}
        self.changes: list[str] = []
        self.oldest = 0
        self.folders: dict[str, dict[str, Any]] = {}
        self.parents: dict[str, str] = {}
        self.kinds: dict[str, str] = {}
        self.members: list[dict[str, Any]] = [
            {"id": "p-bot", "type": "user", "emailAddress": "bot@project.iam.gserviceaccount.com", "role": "organizer"}
        ]
        self.granted: dict[str, list[dict[str, Any]]] = {}
        self.watching: dict[str, dict[str, Any]] = {}

    def noted(self, id: str) -> None:
        self.changes.append(id)

    def forget(self) -> None:
        self.oldest = len(self.changes)

    def key(self, person: str) -> str:
        return self.email(person)

    def too_often(self) -> Said:
        said = super().too_often()
        return Said(403, b'{"error": {"errors": [{"reason": "userRateLimitExceeded"}]}}', said.headers)

    def serve(self, asked: Asked) -> Said:
        if f"https://{LOGIN}" in asked.url:
            return self.token(asked)
        if not asked.headers.get("authorization", "").startswith("Bearer t-"):
            return Said.json({"error": {"code": 401}}, 401)
        if f"https://{ADMIN}" in asked.url:
            return self.directory(asked)
        return self.drive(asked)

    def token(self, asked: Asked) -> Said:
        """Checks the assertion as Google does."""
        (said,) = parse_qs(asked.body.decode())["assertion"]
        signed, _, signature = said.rpartition(".")
        key().public_key().verify(unpadded(signature), signed.encode(), PKCS1v15(), SHA256())
        claims = json.loads(unpadded(signed.partition(".")[2]))
        right = claims["aud"] == "https://oauth2.googleapis.com/token" and claims["iss"] == "bot@project.iam.gserviceaccount.com"
        return Said.json({"access_token": f"t-{claims.get('sub', '')}"}) if right else Said.json({"error": "invalid_grant"}, 400)

    def drive(self, asked: Asked) -> Said:
        match asked.path.removeprefix("/drive/v3").strip("/").split("/"):
            case ["drives"]:
                return Said.json({"drives": [{"id": DRIVE, "name": "Team"}]})
            case ["changes", "startPageToken"]:
                return Said.json({"startPageToken": str(len(self.changes))})
            case ["changes", "watch"]:
                if not asked.body["address"].startswith("https://"):
                    return Said.json({"error": {"code": 400, "message": "WebHook callback must be HTTPS"}}, 400)
                assert asked.query["pageToken"] and int(asked.body["expiration"]) / 1000 - time.time() < 7 * 24 * 3600 + 1
                channel = {**asked.body, "resourceId": f"res-{asked.body['id']}", "as": asked.headers["authorization"], **asked.query}
                self.watching[asked.body["id"]] = channel
                return Said.json({name: channel[name] for name in ("id", "resourceId", "expiration")})
            case ["channels", "stop"]:
                known = self.watching.get(asked.body["id"])
                if not known or (known["resourceId"], known["as"]) != (asked.body["resourceId"], asked.headers["authorization"]):
                    return Said.json({"error": {"code": 404}}, 404)
                del self.watching[asked.body["id"]]
                return Said(204)
            case ["changes"]:
                return self.feed(int(asked.query["pageToken"]))
            case ["files"]:
                return self.files(asked)
            case ["files", id, "permissions"]:
                return self.permissions(id)
            case ["files", id, "export"] if id in self.things:
                thing = self.things[id]
                return Said(200, f"<html><body><p>{thing.text} as {asked.query['mimeType']}</p></body></html>".encode())
            case ["files", id] if id in self.folders:
                return Said.json(self.folders[id])
            case ["files", id] if id in self.things and asked.query.get("alt") == "media":
                return Said(500) if id in self.poisoned else Said(200, self.things[id].text.encode())
            case ["files", id] if id in self.things:
                return Said.json(self.about(self.things[id]))
        return Said.json({"error": {"code": 404}}, 404)

    def feed(self, since: int) -> Said:
        if since < self.oldest:
            return Said.json({"error": {"code": 400, "errors": [{"reason": "invalid", "location": "pageToken"}]}}, 400)
        page = self.changes[since : since + 2]
        name = "nextPageToken" if since + 2 < len(self.changes) else "newStartPageToken"
        return Said.json({"changes": [self.changed(id) for id in page], name: str(since + len(page))})

    def changed(self, id: str) -> dict[str, Any]:
        about = self.about(self.things[id]) if id in self.things else self.folders.get(id)
        return {"changeType": "file", "fileId": id, "removed": about is None, **({"file": about} if about else {})}

    def files(self, asked: Asked) -> Said:
        inside = re.match(r"'(\w+)' in parents", asked.query["q"])
        if inside:
            there = [self.about(one) for one in self.things.values() if self.parents.get(one.id, DRIVE) == inside[1]]
            return Said.json({"files": [*there, *(one for one in self.folders.values() if one["parents"] == [inside[1]])]})
        page, onward = self.after(asked.query.get("pageToken", ""))
        return Said.json({"files": [self.about(one) for one in page], **({"nextPageToken": onward} if onward else {})})

    def about(self, thing: Thing) -> dict[str, Any]:
        kind = self.kinds.get(thing.id, "text/plain")
        own = {} if "google" in kind else {"md5Checksum": f"md5 of {thing.text}", "size": str(len(thing.text))}
        return {
            "id": thing.id, "name": thing.name, "mimeType": kind, "modifiedTime": thing.changed.isoformat().replace("+00:00", "Z"), **own,
            "parents": [self.parents.get(thing.id, DRIVE)], "webViewLink": f"https://drive.google.com/file/d/{thing.id}", "ownedByMe": True,
        }  # fmt: skip

    def permissions(self, id: str) -> Said:
        if id in self.veiled:
            return Said.json({"error": {"errors": [{"reason": "insufficientFilePermissions"}]}}, 403)
        if id == DRIVE:
            return Said.json({"permissions": self.members})
        thing = self.things[id]
        users = [{"type": "user", "emailAddress": self.email(one).upper()} for one in sorted(thing.users)]
        groups = [{"type": "group", "emailAddress": one} for one in sorted(thing.groups)]
        anyone = [{"type": "anyone", "allowFileDiscovery": True}] if thing.public else []
        said = [{"id": f"{id}-{at}", "role": "reader", **one} for at, one in enumerate([*users, *groups, *anyone])]
        inherited = [{**one, "permissionDetails": [{"inherited": True, "inheritedFrom": DRIVE}]} for one in self.members]
        return Said.json({"permissions": [*self.granted.get(id, inherited), *said]})

    def directory(self, asked: Asked) -> Said:
        match asked.path.removeprefix("/admin/directory/v1").strip("/").split("/"):
            case ["users"]:
                users = [{"primaryEmail": self.email(one), "name": {"fullName": one.title()}} for one in PEOPLE]
                page, onward = self.paged(users, asked.query.get("pageToken", ""))
                return Said.json({"users": page, **({"nextPageToken": onward} if onward else {})})
            case ["groups"]:
                return Said.json({"kind": "admin#directory#groups"})
            case ["groups", name, "members"] if name in self.groups:
                users, groups = self.groups[name]
                inside = [{"type": "USER", "email": self.email(one)} for one in sorted(users)]
                return Said.json({"members": [*inside, *({"type": "GROUP", "email": one} for one in sorted(groups))]})
        return Said.json({"error": {"code": 404}}, 404)

    def text_seen(self, data: bytes) -> str:
        return data.decode(errors="replace")


def unpadded(said: str) -> bytes:
    return urlsafe_b64decode(said + "=" * (-len(said) % 4))


def world(folder: Path) -> GoogleDriveWorld:
    return GoogleDriveWorld()
