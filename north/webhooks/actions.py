"""Verbs of a workspace's owners on its webhooks: rows, then an audit event, in one transaction; work on commit. For pages and REST."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from north.hints import hint
from north.leases import OPEN
from north.outbound import OutboundError
from north.webhooks.announcing import queue
from north.webhooks.models import TEST, Delivery, Event, Webhook
from north.webhooks.sending import outbound
from north.workspaces.access import demand
from north.workspaces.audit import record
from north.workspaces.errors import Refused, Unfit
from north.workspaces.models import Membership, Role

MOST = 20
OLD_SECRET = timedelta(hours=24)


def create(url: str, events: Collection[str], *, actor: Membership) -> tuple[Webhook, str]:
    """The webhook, and the secret that its messages are signed with, which is not shown again. Raises Refused."""
    demand(actor, Role.OWNER)
    allowed(url)
    if actor.workspace.webhooks.count() >= MOST:
        raise Refused(_("There are %(most)d webhooks already. Delete one first.") % {"most": MOST})
    hook = Webhook(workspace=actor.workspace, url=url, events=known(events), made_by=actor.user)
    with transaction.atomic():
        secret = hook.set_secret()
        hook.old_sealed, hook.old_until = "", None
        hook.save(force_insert=True)
        record("webhook.create", actor=actor, thing=hook, host=hook.host, events=hook.events)
    return hook, secret


def change(hook: Webhook, url: str, events: Collection[str], *, actor: Membership, looked_up: str = "") -> None:
    """Raises Refused. `looked_up`: the address that a caller who holds a transaction has asked `allowed` about before it."""
    owned(hook, actor)
    if url not in (hook.url, looked_up):
        allowed(url)
    with transaction.atomic():
        hook.url, hook.events = url, known(events)
        hook.save(update_fields=["url", "events"])
        record("webhook.change", actor=actor, thing=hook, host=hook.host, events=hook.events)


def allowed(url: str) -> None:
    """Raises Unfit where the workers would not be let out to this address. It asks the name service, which may take seconds: not in a
    transaction, which others would wait for."""
    try:
        outbound().check(url)
    except OutboundError as error:
        raise Unfit("url", str(error)) from error


def known(events: Collection[str]) -> list[str]:
    chosen = [event for event in Event.values if event in events]
    if not chosen or len(chosen) < len(set(events)):
        raise Unfit("events", _("Choose at least one event, of these: %s.") % ", ".join(Event.values))
    return chosen


@transaction.atomic
def new_secret(hook: Webhook, *, actor: Membership) -> str:
    """A new secret, which is not shown again; for a day the one so far signs as well."""
    owned(hook, actor)
    secret = hook.set_secret(old_lasts=OLD_SECRET)
    hook.save(update_fields=["sealed", "old_sealed", "old_until"])
    record("webhook.secret", actor=actor, thing=hook, host=hook.host)
    return secret


@transaction.atomic
def test(hook: Webhook, *, actor: Membership) -> Delivery:
    """A message that says nothing but that it is a test, sent now."""
    owned(hook, actor)
    if hook.disabled_at:
        raise Refused(_("This webhook is switched off. Switch it on first."))
    return queue(hook, TEST, {"webhook": hook.pk}, now=True)


@transaction.atomic
def again(delivery: Delivery, *, actor: Membership) -> None:
    """The same message once more, now, whatever became of it."""
    owned(delivery.webhook, actor)
    if delivery.webhook.disabled_at:
        raise Refused(_("This webhook is switched off. Switch it on first."))
    fresh = {"status": Delivery.Status.PENDING, "try_at": None, "attempts": 0, "ended_at": None, "error": ""}
    held = Q(lease_until__gte=timezone.now())
    if not Delivery.objects.filter(~held, pk=delivery.pk).update(**fresh):
        raise Refused(_("This message is being sent at this moment."))
    record("webhook.again", actor=actor, thing=delivery.webhook, message=delivery.message_id)
    transaction.on_commit(partial(hint, "webhooks.deliver", delivery.pk, expires=30), robust=True)


@transaction.atomic
def switch(hook: Webhook, on: bool, *, actor: Membership) -> None:
    """Off: nothing is queued or sent. On: what waits is sent, and what happened meanwhile is not told."""
    owned(hook, actor)
    hook.disabled_at, hook.disabled_why = (None if on else timezone.now()), ""
    hook.failing_since = hook.try_at = None
    hook.save(update_fields=["disabled_at", "disabled_why", "failing_since", "try_at"])
    if on:
        hook.deliveries.filter(status__in=OPEN).update(try_at=None)
    record("webhook.enable" if on else "webhook.disable", actor=actor, thing=hook, host=hook.host)


@transaction.atomic
def delete(hook: Webhook, *, actor: Membership) -> None:
    owned(hook, actor)
    record("webhook.delete", actor=actor, thing=hook, host=hook.host)
    hook.delete()


def owned(hook: Webhook, actor: Membership) -> None:
    demand(actor, Role.OWNER)
    if hook.workspace_id != actor.workspace_id:
        raise Http404
