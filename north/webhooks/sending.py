"""One attempt to deliver a message, by the scheme of the Standard Webhooks (https://www.standardwebhooks.com, version 1): the headers
`webhook-id`, `webhook-timestamp` (seconds since 1970) and `webhook-signature` (`v1,` and the base64 of HMAC-SHA256 over
`id.timestamp.body`; one for each secret that signs, separated by spaces). Any status of 200 to 299 is a success, 410 means "no more".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import time
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from north.outbound import Outbound, OutboundError
from north.sealing import Unreadable
from north.webhooks.models import Delivery

SECONDS = 10.0
ANSWER_BYTES = 65_536
KEPT = 500
GONE = 410
LONGEST_WAIT = 24 * 3600


@dataclass(frozen=True, slots=True)
class Outcome:
    """`error` is empty where the message was taken. `retry_after`: seconds, as the receiver asks; `permanent`: no use trying again."""

    error: str = ""
    answered: int | None = None
    answer: str = ""
    milliseconds: int = 0
    retry_after: float = 0.0
    permanent: bool = False


def outbound() -> Outbound:
    """To public addresses, and to those that the settings allow. No redirect is followed: the address that was given is the receiver."""
    return Outbound(settings.OUTBOUND_ALLOWED, seconds=SECONDS, max_bytes=ANSWER_BYTES)


def signature(secret: str, message_id: str, timestamp: int, body: str) -> str:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = hmac.new(key, f"{message_id}.{timestamp}.{body}".encode(), hashlib.sha256).digest()
    return "v1," + base64.b64encode(signed).decode()


def send(delivery: Delivery) -> Outcome:
    try:
        secrets = delivery.webhook.secrets()
    except Unreadable:
        return Outcome(_("The secret cannot be read, since this server's own was changed. Give the webhook a new secret."), permanent=True)
    now, started = int(time.time()), time.monotonic()
    headers = {
        "content-type": "application/json",
        "webhook-id": delivery.message_id,
        "webhook-timestamp": str(now),
        "webhook-signature": " ".join(signature(secret, delivery.message_id, now, delivery.body) for secret in secrets),
    }
    try:
        response = outbound().request("POST", delivery.webhook.url, headers=headers, content=delivery.body.encode())
    except OutboundError as fault:
        return Outcome(str(fault), milliseconds=since(started), permanent=fault.permanent)
    error, status = "", response.status_code
    if not 200 <= status < 300:
        error = _("%(host)s answered %(status)d.") % {"host": delivery.webhook.host, "status": status}
    answer = response.content[:KEPT].decode("utf-8", "replace").replace("\0", "")
    wait = response.headers.get("retry-after", "")
    return Outcome(error, status, answer, since(started), min(float(wait), LONGEST_WAIT) if wait.isdecimal() else 0.0)


def since(started: float) -> int:
    return round((time.monotonic() - started) * 1000)
