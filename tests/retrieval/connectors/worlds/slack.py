from __future__ import annotations

import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.retrieval.connectors.cloud import Cloud, Thing
from tests.retrieval.connectors.conformance import PEOPLE
from tests.retrieval.connectors.outside import Asked, Said

ONE_BY_ONE = "Members of a channel are people; no group of theirs lies in another."
NOT_PUBLIC = "What everybody of a Slack workspace may see is open to its members, not to people without an account."
NO_CURSOR = "The cursor holds times and keys of documents: the service cannot forget it."
LATEST = int(time.time()) - 2000


class SlackWorld(Cloud):
    """One channel. Each thing is a thread: its name is the first message, its text the reply. Who may see it is who is in the channel."""

    kind, host = "slack", "slack.com"
    middle = re.compile(r"history.*cursor=|users.list.*cursor=")
    impossible: Mapping[str, str] = {"nested groups": ONE_BY_ONE, "public": NOT_PUBLIC, "cursor expiry": NO_CURSOR}

    def __init__(self) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "access": "token", "token": "xoxb-1", "channels": [], "documents": "thread", "days": 730, "window": 14,
            
        }  # fmt: skip
        self.channels = {"C1": "help"}
        self.token = "xoxb-1"
        self.loose: list[dict[str, Any]] = []

    def serve(self, asked: Asked) -> Said:
        if asked.headers.get("authorization") != f"Bearer {self.token}":
            return self.refused()
        match asked.path.removeprefix("/api/"):
            case "auth.test":
                return Said.json({"ok": True, "team": "Acme", "url": "https://acme.slack.com/"})
            case "conversations.list":
                return self.listed(asked, "channels", [self.channel(id) for id in self.channels])
            case "conversations.history":
                newest = sorted([*map(self.root, self.things.values()), *self.loose], key=lambda one: one["ts"], reverse=True)
                return self.listed(asked, "messages", [one for one in newest if float(one["ts"]) >= float(asked.query.get("oldest", 0))])
            case "conversations.replies":
                return self.replies(asked)
            case "conversations.members":
                veiled = {"ok": False, "error": "missing_scope", "needed": "groups:read"}
                return Said.json(veiled) if self.veiled else self.listed(asked, "members", self.inside_channel())
            case "users.list":
                return self.listed(asked, "members", [*map(self.user, PEOPLE), {"id": "B1", "is_bot": True}])
        return Said.json({"ok": False, "error": "unknown_method"})

    def refused(self) -> Said:
        return Said.json({"ok": False, "error": "token_revoked"})

    def listed(self, asked: Asked, name: str, things: list[Any]) -> Said:
        page, at = self.paged(things, asked.query.get("cursor", ""))
        return Said.json({"ok": True, name: page, "response_metadata": {"next_cursor": at}})

    def inside_channel(self) -> list[str]:
        """Whoever may see the things in it, which all have the same readers here."""
        inside = [thing.users | {one for group in thing.groups for one in self.inside(group)} for thing in self.things.values()]
        return sorted(set().union(*inside))

    def channel(self, id: str) -> dict[str, Any]:
        private = any(not thing.public for thing in self.things.values())
        return {"id": id, "name": self.channels[id], "is_private": private, "is_member": True}

    def ts(self, thing: Thing) -> str:
        return f"{LATEST + int(thing.id) - 1000}.000100"

    def root(self, thing: Thing) -> dict[str, Any]:
        ts = self.ts(thing)
        return {"type": "message", "user": "ann", "text": thing.name, "ts": ts, "thread_ts": ts, "reply_count": 1}

    def replies(self, asked: Asked) -> Said:
        thing = next(one for one in self.things.values() if self.ts(one) == asked.query["ts"])
        if thing.id in self.poisoned:
            return Said.json({"ok": False, "error": "fatal_error"})
        reply = {"type": "message", "user": "ben", "text": thing.text, "ts": f"{self.ts(thing)[:-1]}1", "thread_ts": self.ts(thing)}
        return self.listed(asked, "messages", [self.root(thing), reply])

    def user(self, person: str) -> dict[str, Any]:
        return {"id": person, "name": person, "real_name": person.title(), "profile": {"email": self.email(person), "display_name": person}}


def world(folder: Path) -> SlackWorld:
    return SlackWorld()
