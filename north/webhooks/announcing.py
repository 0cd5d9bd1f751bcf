"""What has happened, told to whoever wants to know: `announce` writes the messages, the workers send them.

A message says what happened to which thing by ids and never quotes a question, an answer or a document: whoever may see the thing asks
for it with their own key.
"""

from __future__ import annotations

import json
import uuid
from functools import partial
from typing import Any

from django.db import transaction
from django.utils import timezone

from north.hints import hint
from north.webhooks.models import Delivery, Event, Webhook

HINT_SECONDS = 30


def announce(event: Event, *, workspace: uuid.UUID, **data: Any) -> None:
    """Queues a message to each webhook of the workspace that wants the event, in the caller's transaction if there is one: what is rolled
    back is not told, and what is durable is. `data`: plain values and ids; no text of people's. One query where nobody wants it."""
    wanting = [hook for hook in Webhook.objects.filter(workspace=workspace, disabled_at=None) if event in hook.events]
    if wanting:
        with transaction.atomic():
            for hook in wanting:
                queue(hook, event, data)


def queue(hook: Webhook, event: str, data: dict[str, Any], *, now: bool = False) -> Delivery:
    """As the Standard Webhooks lay it out: `type`, `timestamp`, `data`. `now`: also where the webhook fails just now."""
    body = {"type": str(event), "timestamp": timezone.now().isoformat(), "data": {"workspace": hook.workspace_id, **data}}
    delivery = Delivery.objects.create(webhook=hook, event=event, body=json.dumps(body, default=str, separators=(",", ":")))
    if now or hook.failing_since is None:
        transaction.on_commit(partial(hint, "webhooks.deliver", delivery.pk, expires=HINT_SECONDS), robust=True)
    return delivery
