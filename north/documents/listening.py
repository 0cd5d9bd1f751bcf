"""Being told by a source that something changed. A message proves that it is the source's own and counts once; what it says is not read: a
pass over the source begins, and as many messages as come meanwhile begin one more."""

from __future__ import annotations

import hashlib
import time

from django.db import IntegrityError, transaction
from django.http import Http404
from django.utils import timezone
from django.utils.translation import gettext as _

from north.broker import redis_client
from north.documents import actions, channels, configuring
from north.documents.errors import Refused
from north.documents.hooks import Hook
from north.documents.models import Source
from north.hints import hint
from north.sealing import Unreadable
from north.workspaces.audit import record
from north.workspaces.models import Membership
from retrieval.connectors.contract import Called, Heard, Push
from retrieval.connectors.hearing import BY_TOKEN

REMEMBERED = 24 * 3600
"""Seconds that a message is known again."""


# --- what people do ----------------------------------------------------------------------------------------------------------------
def open_door(source: Source, *, actor: Membership) -> tuple[Hook, str]:
    """The door, and its secret where that was made here; it is not shown again."""
    actions.owned(source, actor)
    hook, ours = Hook(source=source), push_of(source).whose == "ours"
    secret = hook.set_secret() if ours else ""
    try:
        with transaction.atomic():
            hook.save(force_insert=True)
            channels.look_again(source)
            record("source.hook_open", actor=actor, thing=source, name=source.name)
    except IntegrityError:
        raise Refused(_("It has an address already. Close that one first."), field="") from None
    return hook, secret


def enter_secret(hook: Hook, secret: str, *, actor: Membership) -> None:
    """The source's own, by which it signs."""
    actions.owned(hook.source, actor)
    if not secret.strip() or len(secret) > 500 or "\0" in secret:
        raise Refused(_("Copy the secret from the source's settings into this field."), field="secret")
    with transaction.atomic():
        hook.set_secret(secret.strip())
        hook.note(sealed=hook.sealed, refused_at=None)
        record("source.hook_secret", actor=actor, thing=hook.source, name=hook.source.name)


def register(hook: Hook, *, actor: Membership) -> None:
    """Its channels are looked after now."""
    actions.owned(hook.source, actor)
    with transaction.atomic():
        channels.look_again(hook.source)
        record("source.hook_register", actor=actor, thing=hook.source, name=hook.source.name)


def close_door(hook: Hook, *, actor: Membership) -> None:
    actions.owned(hook.source, actor)
    with transaction.atomic():
        Hook.objects.filter(pk=hook.pk).delete()
        record("source.hook_close", actor=actor, thing=hook.source, name=hook.source.name)


def push_of(source: Source) -> Push:
    return configuring.connector(source.connector).push or BY_TOKEN


# --- what comes in -----------------------------------------------------------------------------------------------------------------
def hear(key: str, called: Called) -> Heard:
    """What the source is to be answered. Whoever cannot prove to be it gets what an unknown address gets. Raises redis.RedisError where
    no message can be remembered: the source sends it again."""
    hook = Hook.objects.select_related("source").filter(key=key).first()
    if hook is None:
        raise Http404
    heard = push_of(hook.source).hear(called, secret_of(hook), time.time())
    if heard is None:
        hook.note(refused_at=timezone.now())
        raise Http404
    if heard.secret:
        hook.set_secret(heard.secret)
        hook.note(sealed=hook.sealed)
    if heard.changed and is_new(hook, heard):
        hook.note(wanted_at=timezone.now(), heard_at=timezone.now())
        if run := hook.look():
            hint("documents.sync", str(run))
    return heard


def secret_of(hook: Hook) -> str:
    try:
        return hook.secret
    except Unreadable:
        return ""


def is_new(hook: Hook, heard: Heard) -> bool:
    """Messages with an id count once. Those of a source that gives none cost at most a pass that finds nothing new."""
    if not heard.id:
        return True
    seen = hashlib.sha256(heard.id.encode(errors="replace")).hexdigest()
    return bool(redis_client().set(f"north:hook:{hook.pk}:{seen}", 1, nx=True, ex=REMEMBERED))
