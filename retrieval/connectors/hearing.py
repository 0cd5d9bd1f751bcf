"""How sources say that something changed: who may call, told from the request alone. What a message says is never trusted: it is a reason
to look, and the look is a sync. Knows no source of ours and keeps nothing.

By the documents "Validating webhook deliveries" (GitHub), "Webhooks" (GitLab), "Verifying requests from Slack", "Change notifications"
(Microsoft Graph), "Push notifications" (Google Drive), "Manage webhooks" (Jira Cloud), "Managing webhooks" (Confluence Data Center) and
"Webhooks" (Notion).
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, Final

from retrieval.connectors.contract import Called, Heard, Push

FRESH: Final = 300.0
"""Seconds that a dated message is good for, as Slack says."""


def signed(called: Called, header: str, secret: str, said: bytes | None = None, before: str = "sha256=") -> bool:
    """By HMAC-SHA256 over the body, or over what is given."""
    mine = before + hmac.new(secret.encode(), called.body if said is None else said, hashlib.sha256).hexdigest()
    return bool(secret) and same(called.headers.get(header, ""), mine)


def same(theirs: str, mine: str) -> bool:
    return bool(mine) and hmac.compare_digest(theirs.encode(errors="replace"), mine.encode())


def body_of(called: Called) -> dict[str, Any]:
    try:
        said = json.loads(called.body)
    except (ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def github(called: Called, secret: str, now: float) -> Heard | None:
    if not signed(called, "x-hub-signature-256", secret):
        return None
    return Heard(called.headers.get("x-github-delivery", ""), changed=called.headers.get("x-github-event") != "ping")


def gitlab(called: Called, secret: str, now: float) -> Heard | None:
    if not same(called.headers.get("x-gitlab-token", ""), secret):
        return None
    return Heard(called.headers.get("idempotency-key", "") or called.headers.get("x-gitlab-event-uuid", ""))


def slack(called: Called, secret: str, now: float) -> Heard | None:
    sent = called.headers.get("x-slack-request-timestamp", "")
    old = not sent.isdecimal() or len(sent) > 12 or abs(now - int(sent)) > FRESH
    if old or not signed(called, "x-slack-signature", secret, b"v0:" + sent.encode() + b":" + called.body, "v0="):
        return None
    said = body_of(called)
    if said.get("type") == "url_verification":
        return Heard(reply=str(said.get("challenge", ""))[:500], changed=False)
    return Heard(str(said.get("event_id", "")))


def microsoft(called: Called, secret: str, now: float) -> Heard | None:
    """A new subscription is tried first: what is in the address is to be said again, by whoever asks. Messages carry the secret."""
    if token := called.query.get("validationToken", ""):
        return Heard(reply=token[:500], changed=False)
    told = body_of(called).get("value")
    states = [one.get("clientState") for one in told if isinstance(one, dict)] if isinstance(told, list) else []
    return Heard() if states and all(isinstance(state, str) and same(state, secret) for state in states) else None


def google(called: Called, secret: str, now: float) -> Heard | None:
    if not same(called.headers.get("x-goog-channel-token", ""), secret):
        return None
    number = f"{called.headers.get('x-goog-channel-id', '')} {called.headers.get('x-goog-message-number', '')}"
    return Heard(number.strip(), changed=called.headers.get("x-goog-resource-state") != "sync")


def atlassian(called: Called, secret: str, now: float) -> Heard | None:
    return Heard(called.headers.get("x-atlassian-webhook-identifier", "")) if signed(called, "x-hub-signature", secret) else None


def notion(called: Called, secret: str, now: float) -> Heard | None:
    """The first message tells the secret, which its owner confirms at Notion; all others are signed with it."""
    said = body_of(called)
    token = said.get("verification_token")
    if not secret and isinstance(token, str) and token:
        return Heard(changed=False, secret=token[:500])
    return Heard(str(said.get("id", ""))) if signed(called, "x-notion-signature", secret) else None


def by_token(called: Called, secret: str, now: float) -> Heard | None:
    return Heard() if same(called.headers.get("authorization", ""), f"Bearer {secret}" if secret else "") else None


BY_TOKEN: Final = Push(
    "Let whatever changes the source, such as a hook of the server or an automation rule, send a POST to the address with the header "
    "“Authorization: Bearer” and the secret. What it sends does not matter.",
    by_token,
)
GITHUB: Final = Push(
    "In the organisation's or each repository's settings, under Webhooks: the address as Payload URL, application/json, the secret, and "
    "“Send me everything”, or at least Issues, Issue comments, Pull requests, Pushes, Repositories and Collaborators.",
    github,
)
GITLAB: Final = Push(
    "In the group's or project's settings, under Webhooks: the address, the secret as Secret token, and the triggers Push, Comments, "
    "Issues, Merge requests, Wiki pages and Members.",
    gitlab,
)
SLACK: Final = Push(
    "In your app's settings, copy the Signing Secret under Basic Information into the field here first. Then turn on Event Subscriptions, "
    "give the address as Request URL, and subscribe to the bot events message.channels, message.groups, member_joined_channel and "
    "member_left_channel.",
    slack,
    whose="theirs",
)
MICROSOFT: Final = Push(
    "North subscribes at Microsoft Graph to each document library with this address, and renews that before it expires: nothing is to be "
    "entered there. Microsoft asks for the right Files.ReadWrite.All for it, the least that it documents, although North only reads. In "
    "the Microsoft Entra admin center, under App registrations, your app, API permissions, Microsoft Graph, add it as application "
    "permission where the app signs in itself, as delegated permission where it reads with your consent, and grant admin consent; with "
    "your consent, also turn on “Subscribe to changes” in the source's settings and connect it again. Microsoft must reach the address "
    "from the internet.",
    microsoft,
)
GOOGLE: Final = Push(
    "North opens a channel at the Drive API for each drive with this address, and a new one before that expires: nothing is to be entered "
    "there. Google must reach the address from the internet, by https.",
    google,
)
ATLASSIAN: Final = Push(
    "In the administration, under System, WebHooks: the address, the secret, and everything about issues and comments, or about pages, "
    "spaces and permissions.",
    atlassian,
)
NOTION: Final = Push(
    "In your integration's settings, under Webhooks, make a subscription to this address with all events of pages and comments. Notion "
    "sends a token, which is shown here; confirm with it there.",
    notion,
    whose="told",
)
