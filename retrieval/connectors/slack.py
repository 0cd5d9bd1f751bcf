"""Messages of Slack channels, a day or a thread to a document, by the document "Slack Web API" (conversations.list, .history, .replies,
.members, users.list; token rotation).

The API has no feed of changes: the first pass reads each channel as far back as is wanted, later ones the days of the window again,
which is how edits and deletions are noticed; once a week, and where a channel is gone, everything is listed afresh. A thread is read
with the day that it began on. Who may see a channel is in its group ("channel:ID", whose members are read with every pass); a public
one is open to everybody of the Slack workspace but guests. Files are named, not read. Asked by the Asker: the maintained client library
cannot go through checked addresses.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from html import unescape
from itertools import groupby
from typing import Any, Final

from retrieval.connectors import hearing
from retrieval.connectors.asking import Asker
from retrieval.connectors.contract import Branch, Config, Connector, Consent, Finding, Outside, Setting, all_in
from retrieval.connectors.oauth import Token
from retrieval.connectors.pages import ONE_THING, all_there, heading, lacking, page, plain, sensible, several, tried
from retrieval.errors import CursorExpired, RateLimited, RightMissing, SourceGarbled, SourceMissing, SourceUnreachable, TokenRefused
from retrieval.types import Account, Cursor, Deleted, Fetched, Item, Listing, Members, Rights, Skipped

API: Final = "https://slack.com/api"
EVERYBODY: Final = "everybody"
DAY: Final = 24 * 3600
AFRESH: Final = 7 * DAY
REFUSED: Final = frozenset({"invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired", "invalid_refresh_token"})
MISSING: Final = frozenset(
    {"missing_scope", "not_in_channel", "no_permission", "not_allowed_token_type", "access_denied", "ekm_access_denied"}
)
NO_WORDS: Final = frozenset({"channel_join", "channel_leave", "channel_topic", "channel_purpose", "channel_name", "bot_add", "bot_remove"})
MARKED: Final = re.compile(r"<([@#!]?)([^<>|]*)(?:\|([^<>]*))?>")
ACCESS: Final = (("token", "A bot token"), ("refresh", "A refresh token, where tokens rotate"))
LONGEST_NAME: Final = 80


@sensible("Slack")
def fetch(config: Config, cursor: Mapping[str, Any] | None, outside: Outside) -> Iterator[Fetched]:
    """The cursor: `known`, the documents of the window by channel; when all was `listed`; `after`, the last channel read, while it is."""
    slack, state = Slack(config, outside), dict(cursor or {})
    if "after" not in state and time.time() - float(state.get("listed", 0)) > AFRESH:
        state = {}
    channels = slack.chosen()
    known = {id: set(keys) for id, keys in state.get("known", {}).items()}
    if set(known) - set(channels):
        raise CursorExpired("Slack")
    slack.users = users = {one["id"]: one for one in slack.all("users.list", "members")}
    slack.home = str(slack.say("auth.test").get("url") or slack.home).rstrip("/")
    listed = state.get("listed", int(time.time()))
    if not state:
        yield Listing()
    for id in sorted(channels) if not state or "after" in state else ():
        if id > state.get("after", ""):
            yield from Channel(slack, channels[id], known.setdefault(id, set())).read(slack.begin)
            yield Cursor({"listed": listed, "known": written(known), "after": id})
    for id in sorted(channels) if state else ():
        before, known[id] = known.get(id, set()), set()
        yield from Channel(slack, channels[id], known[id]).read(slack.window)
        yield from (Deleted(f"{id}/{key}") for key in sorted(before - known[id]) if slack.within(key))
    yield from people(slack, channels, users)
    yield Cursor({"listed": listed, "known": written(known)}, complete=True)


def written(known: Mapping[str, set[str]]) -> dict[str, list[str]]:
    return {id: sorted(keys) for id, keys in known.items()}


class Slack:
    """Asks Slack, whose refusals come as a 200 with `ok` false. `begin` and `window`: how far back all is read, and again each time."""

    def __init__(self, config: Config, outside: Outside) -> None:
        self.config, self.users, self.home = config, dict[str, Mapping[str, Any]](), "https://slack.com"
        midnight = int(time.time()) // DAY * DAY
        self.begin, self.window = (midnight - config[name] * DAY for name in ("days", "window"))
        self._token: Token | None = None
        if config["access"] == "refresh":
            app = {"client_id": config["client_id"], "client_secret": config["client_secret"], "grant_type": "refresh_token"}
            form = {**app, "refresh_token": config["refresh"]}
            self._token = Token(outside, f"{API}/oauth.v2.access", lambda: form, kept="refresh")
        fixed = {"authorization": f"Bearer {config.get('token', '')}"}
        self.ask = Asker(outside, API, headers=self._token.headers if self._token else fixed)

    def say(self, method: str, params: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        said: Mapping[str, Any] = self.ask.json(method, params)
        if self._token and said.get("error") == "token_expired" and self._token.renew():
            said = self.ask.json(method, params)
        if said.get("ok") is not True:
            refuse(str(said.get("error")), str(said.get("needed") or method))
        return said

    def all(self, method: str, name: str, **params: Any) -> Iterator[Mapping[str, Any]]:
        """All of a listing, page after page."""
        yield from (one for said in self.pages(method, params) for one in several(said, name, "Slack"))

    def pages(self, method: str, params: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
        at, seen = "", set[str]()
        while at not in seen:
            seen.add(at)
            said = self.say(method, {**params, "limit": 200, **({"cursor": at} if at else {})})
            yield said
            at = (said.get("response_metadata") or {}).get("next_cursor") or ""
            if not at:
                return
        raise SourceGarbled("Slack", "a page that leads to itself")

    def seen(self) -> list[Mapping[str, Any]]:
        return list(self.all("conversations.list", "channels", types="public_channel,private_channel"))

    def chosen(self) -> dict[str, Mapping[str, Any]]:
        """Those that are wanted and that the app is in."""
        wanted = {name.lstrip("#").casefold() for name in self.config["channels"]}
        there = {one["id"]: one for one in self.seen() if one.get("is_member") and (not wanted or one["name"].casefold() in wanted)}
        all_there(wanted, (one["name"] for one in there.values()), "channel")
        return there

    def within(self, key: str) -> bool:
        """Whether a document of this key would be in the window."""
        return key >= day(self.window) if "-" in key else float(key) >= self.window

    def name(self, id: str) -> str:
        about = self.users.get(id) or {}
        return str((about.get("profile") or {}).get("display_name") or about.get("real_name") or about.get("name") or "somebody")


def refuse(error: str, needed: str) -> None:
    if error in REFUSED:
        raise TokenRefused("Slack")
    if error in MISSING:
        raise RightMissing("Slack", needed)
    if error in ("ratelimited", "rate_limited"):
        raise RateLimited("Slack")
    if error in ("channel_not_found", "thread_not_found", "message_not_found"):
        raise SourceMissing("Slack channel or thread")
    if error == "invalid_cursor":
        raise CursorExpired("Slack")
    raise SourceUnreachable("Slack", re.sub(r"\W", " ", error)[:60])


def day(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()


@dataclass
class Channel:
    """One pass over one channel; `known` gets the keys of its documents that lie in the window."""

    slack: Slack
    about: Mapping[str, Any]
    known: set[str] = field(default_factory=set)

    def read(self, since: float) -> Iterator[Fetched]:
        """Messages come newest first, so that a day is whole when another one begins."""
        asked = {"channel": self.about["id"], "oldest": f"{since:.6f}", "inclusive": "true"}
        seen: set[str] = set()
        said = (one for one in self.slack.all("conversations.history", "messages", **asked) if one.get("subtype") not in NO_WORDS)
        for date, found in groupby(said, lambda one: day(float(one["ts"]))):
            roots = [one for one in found if one["ts"] not in seen and one.get("thread_ts", one["ts"]) == one["ts"]]
            seen |= {one["ts"] for one in roots}
            yield from self._day(date, sorted(roots, key=lambda one: float(one["ts"])))

    def _day(self, date: str, roots: Sequence[Mapping[str, Any]]) -> Iterator[Fetched]:
        apart = self.slack.config["documents"] == "thread"
        threads = [one for one in roots if apart and one.get("reply_count")]
        for root in threads:
            first = next(iter(self._words(root).splitlines()), "").strip()
            yield self._document(root["ts"], first[:LONGEST_NAME] or f"#{self.about['name']}, {date}", [root])
        rest = [one for one in roots if one not in threads]
        if rest:
            yield self._document(date, f"#{self.about['name']}, {date}", rest)

    def _document(self, key: str, name: str, roots: Sequence[Mapping[str, Any]]) -> Item | Skipped:
        id = f"{self.about['id']}/{key}"
        if self.slack.within(key):
            self.known.add(key)
        try:
            messages = [one for root in roots for one in self._thread(root)]
        except ONE_THING as error:
            return Skipped(id, name, f"A thread in it could not be fetched. {error}")
        data = page(name, heading(name), *(self._part(one) for one in messages))
        return Item(
            id,
            name,
            data,
            datetime.fromtimestamp(max(float(one["ts"]) for one in messages), UTC),
            Rights(groups=frozenset({f"channel:{self.about['id']}"})),
            folder=f"#{self.about['name']}",
            revision=sha256(data).hexdigest(),
            size=len(data),
            link=f"{self.slack.home}/archives/{self.about['id']}/p{roots[0]['ts'].replace('.', '')}",
        )

    def _thread(self, root: Mapping[str, Any]) -> list[Mapping[str, Any]]:
        if not root.get("reply_count"):
            return [root]
        found = self.slack.all("conversations.replies", "messages", channel=self.about["id"], ts=root["ts"])
        replies = {one["ts"]: one for one in found if one["ts"] != root["ts"]}
        return [root, *(replies[ts] for ts in sorted(replies, key=float))]

    def _part(self, message: Mapping[str, Any]) -> str:
        who = message.get("username") or self.slack.name(str(message.get("user") or message.get("bot_id") or ""))
        when = datetime.fromtimestamp(float(message["ts"]), UTC).strftime("%Y-%m-%d %H:%M")
        named = [str(file.get("title") or file.get("name") or "") for file in message.get("files") or []]
        shown = [str(one.get("text") or one.get("fallback") or "") for one in message.get("attachments") or []]
        parts = [f"{who}, {when}", self._words(message), *map(self._plain, shown), *(f"File: {one}" for one in named if one)]
        return "".join(plain(part) for part in parts)

    def _words(self, message: Mapping[str, Any]) -> str:
        return self._plain(str(message.get("text") or ""))

    def _plain(self, text: str) -> str:
        """Slack's marks as words: <@U1> is a name, <https://x|y> is y (https://x)."""

        def word(found: re.Match[str]) -> str:
            mark, target, label = found[1], found[2], found[3]
            if mark == "@":
                return f"@{label or self.slack.name(target)}"
            if mark:
                return f"{'#' if mark == '#' else '@'}{label or target}"
            return f"{label} ({target})" if label and label != target else target

        return unescape(MARKED.sub(word, text))


def people(slack: Slack, channels: Mapping[str, Mapping[str, Any]], users: Mapping[str, Mapping[str, Any]]) -> Iterator[Fetched]:
    yield Listing("people")
    yield from (account(one) for one in users.values() if not one.get("is_bot"))
    full = [id for id, one in users.items() if not (one.get("is_bot") or one.get("is_restricted") or one.get("deleted"))]
    yield Members(EVERYBODY, frozenset(full), name="Everybody but guests")
    for id, about in sorted(channels.items()):
        key, name = f"channel:{id}", f"#{about['name']}"
        try:
            said = slack.pages("conversations.members", {"channel": id})
            inside = frozenset(str(one) for one_page in said for one in one_page["members"])
        except ONE_THING:
            yield Members(key, None, None, name)
            continue
        yield Members(key, inside, frozenset() if about.get("is_private") else frozenset({EVERYBODY}), name)


def account(said: Mapping[str, Any]) -> Account:
    """An address that its owner has not confirmed is nobody's."""
    about = said.get("profile") or {}
    address = about.get("email") if said.get("is_email_confirmed", True) else ""
    return Account(said["id"], said.get("real_name") or said.get("name") or "", address or "", not said.get("deleted"))


@sensible("Slack")
def probe(config: Config, outside: Outside) -> Iterator[Finding]:
    slack = Slack(config, outside)
    yield Finding(True, f"The app is known in {slack.say('auth.test').get('team') or 'Slack'}.")
    there = slack.seen()
    inside = [one for one in there if one.get("is_member")]
    said = f"The app is in {len(inside):,} of the {len(there):,} channels that it can see."
    yield Finding(bool(inside), said if inside else f"{said} Invite it, by /invite in each channel that is wanted.")
    yield from lacking((name.lstrip("#") for name in config["channels"]), (one["name"] for one in inside), "channel")
    for one in inside[:1]:
        asked = {"channel": one["id"], "limit": 1}
        yield tried(
            "Messages can be read.", partial(slack.say, "conversations.history", asked), "Grant channels:history and groups:history."
        )
        yield tried("Members of channels can be read.", partial(slack.say, "conversations.members", asked), "Messages would be hidden.")
    yield tried("People can be listed.", partial(slack.say, "users.list", {"limit": 1}), "Nobody would be known. Grant users:read.")
    yield Finding(None, "People are known by their addresses only with users:read.email.")


@sensible("Slack")
def browse(config: Config, path: str, outside: Outside) -> Iterator[Branch]:
    for one in Slack(config, outside).seen():
        name = f"#{one['name']}"
        told = name + ("" if one.get("is_member") else " (the app is not in it)")
        yield Branch(one["id"], told, False, all_in(name), ("channels", one["name"]))


CONNECTOR: Final = Connector(
    title="Slack",
    help="Messages of channels, a day or a thread to a document, for those who are in the channel.",
    fetch=fetch,
    probe=probe,
    browse=browse,
    push=hearing.SLACK,
    consent=Consent(
        lambda config: "https://slack.com/oauth/v2/authorize",
        lambda config: f"{API}/oauth.v2.access",
        lambda config, said, token, outside: str(said["team"]["name"]),
        scopes="channels:read,channels:history,groups:read,groups:history,users:read,users:read.email",
        lacking="Slack gave no token that is refreshed. Turn on token rotation under OAuth & Permissions of the app, and connect again.",
    ),
    rights=True,
    group="messages",
    settings=(
        Setting("access", "Sign in by", kind="choice", choices=ACCESS, default="token", required=False),
        Setting(
            "token",
            "Bot token",
            "Of an app of your own, under OAuth & Permissions; begins with xoxb-. It needs the scopes channels:read, channels:history, "
            "groups:read, groups:history, users:read and users:read.email, and to be invited to each channel that is wanted.",
            kind="secret",
            when=("access", "token"),
        ),
        Setting("client_id", "Client id", "Of an app of your own with those scopes, under Basic Information.", when=("access", "refresh")),
        Setting("client_secret", "Client secret", "Of that app.", kind="secret", when=("access", "refresh")),
        Setting(
            "refresh",
            "Refresh token",
            "Where token rotation is turned on for the app; begins with xoxe-. "
            "Left empty, it comes when you press “Connect” after saving. It is replaced by itself with every use.",
            kind="secret",
            required=False,
            when=("access", "refresh"),
        ),
        Setting("channels", "Channels", "Their names. Leave it empty for all that the app is in.", kind="list", required=False),
        Setting(
            "documents",
            "What makes a document",
            "Threads suit channels with questions and answers; days suit those with small talk. Messages without replies are kept by day.",
            kind="choice",
            choices=(("thread", "A thread"), ("day", "A day")),
            default="thread",
            required=False,
        ),
        Setting(
            "days",
            "Days to go back",
            "How old the oldest messages may be.",
            kind="number",
            default=730,
            least=1,
            most=36_500,
            required=False,
        ),
        Setting(
            "window",
            "Days to look at again",
            "With every sync, for edits, deletions and replies. Older ones are noticed once a week.",
            kind="number",
            default=14,
            least=1,
            most=365,
            required=False,
        ),
    ),
)
