"""Messages as work: one task that tries one of them, and the sweeper that finds what is due, lets go of what is old, and switches off who
has not answered for days. The row is the job; a hint may be lost, and may come twice."""

from __future__ import annotations

import logging
import random
import threading
from datetime import timedelta

from celery import shared_task
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from north.hints import hint
from north.leases import OPEN, LeaseLost
from north.webhooks.models import Delivery, Webhook
from north.webhooks.sending import GONE, Outcome, send
from north.workspaces.audit import record

logger = logging.getLogger(__name__)

BACKOFF = (5, 60, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000)
"""Seconds from each failed attempt to the next, a fifth more or less; after the last one a message is given up."""
HOOK_SECONDS = 300
"""A webhook that fails is tried again at least so often while messages wait for it."""
PATIENCE = timedelta(days=5)
"""One that fails for so long is switched off."""
KEPT_DAYS, SWEPT, AT_ONCE = 30, 50, 4
SLOTS = threading.BoundedSemaphore(AT_ONCE)
"""A receiver that does not answer holds a thread for seconds: so many, not all."""


@shared_task
def deliver(number: int) -> None:
    """Tries this message, if it is due and this process has room; the sweeper finds what is left."""
    if not SLOTS.acquire(blocking=False):
        return
    try:
        delivery = Delivery.objects.select_related("webhook__workspace").take(number, status__in=OPEN, webhook__disabled_at=None)
        if delivery:
            with delivery.kept_alive():
                outcome = send(delivery) if delivery.attempts <= len(BACKOFF) + 1 else interrupted()
            settle(delivery, outcome)
    except LeaseLost as loss:
        logger.warning("%s", loss)
    finally:
        SLOTS.release()


def interrupted() -> Outcome:
    """Of a message whose worker ended again and again before it could write down what became of it."""
    return Outcome(_("North stopped several times while it sent this message, so it was put aside. Send it again by hand."), permanent=True)


@transaction.atomic
def settle(delivery: Delivery, outcome: Outcome) -> None:
    """The message's next step, and what it says of its webhook. Raises `LeaseLost`."""
    now, tries = timezone.now(), delivery.attempts
    told = {
        "tried_at": now,
        "answered": outcome.answered,
        "answer": outcome.answer,
        "milliseconds": outcome.milliseconds,
        "error": outcome.error,
    }
    if not outcome.error:
        delivery.give_back(status=Delivery.Status.DONE, ended_at=now, try_at=None, **told)
        Webhook.objects.filter(pk=delivery.webhook_id).exclude(failing_since=None).update(failing_since=None, try_at=None)
        return
    given_up = outcome.permanent or outcome.answered == GONE or tries > len(BACKOFF)
    wait = max(BACKOFF[min(tries, len(BACKOFF)) - 1] * random.uniform(0.8, 1.2), outcome.retry_after)  # noqa: S311
    if given_up:
        delivery.give_back(status=Delivery.Status.FAILED, ended_at=now, try_at=None, **told)
    else:
        delivery.give_back(status=Delivery.Status.PENDING, try_at=now + timedelta(seconds=wait), **told)
    failed(delivery.webhook, outcome, timedelta(seconds=min(wait, HOOK_SECONDS)))


def failed(hook: Webhook, outcome: Outcome, wait: timedelta) -> None:
    hook = Webhook.objects.select_for_update().select_related("workspace").get(pk=hook.pk)
    now = timezone.now()
    hook.failing_since, hook.try_at = hook.failing_since or now, now + wait
    if outcome.answered == GONE:
        switch_off(hook, _("It answered 410 (gone): it wants no more messages."))
    elif now - hook.failing_since > PATIENCE:
        switch_off(
            hook, _("It took no message for %(days)d days. The last error: %(error)s") % {"days": PATIENCE.days, "error": outcome.error}
        )
    hook.save(update_fields=["failing_since", "try_at", "disabled_at", "disabled_why"])


def switch_off(hook: Webhook, why: str) -> None:
    """The owners see it on the settings and the page of webhooks until one of them switches it on again."""
    if hook.disabled_at is None:
        hook.disabled_at, hook.disabled_why = timezone.now(), why
        record("webhook.disable", actor=None, workspace=hook.workspace, thing=hook, host=hook.host, why=why)


@shared_task
def sweep() -> None:
    """Hints at what is due; removes what ended long ago."""
    for number in Delivery.objects.sendable().values_list("number", flat=True)[:SWEPT]:
        hint("webhooks.deliver", number, expires=30)
    old = Delivery.objects.filter(created_at__lt=timezone.now() - timedelta(days=KEPT_DAYS)).values_list("number", flat=True)[:1000]
    Delivery.objects.filter(number__in=list(old)).delete()
