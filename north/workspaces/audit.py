"""The audit log: who did what to which thing when. Append-only, and so chained that `verify` finds whatever was done to it.

Each event's hash covers the event and the hash before it, so an edited, lost, inserted or moved event breaks the chain. One head row
keeps the newest number and hash under an HMAC of the installation's secret key, so a cut tail shows and a chain that was calculated
anew does too. What it cannot see: the whole database put back to an older state. Against that each append also writes number and hash
to the log, and `verify` compares with what you kept from there.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.utils import timezone
from django.utils.crypto import constant_time_compare, salted_hmac
from django.utils.translation import gettext as _

from north.tracing import trace_id
from north.workspaces.models import AuditEvent, AuditHead, Membership, User, Workspace

logger = logging.getLogger(__name__)
COVERED = ("number", "at", "actor", "actor_id", "workspace_id", "action", "thing", "thing_id", "detail", "trace")
BROKEN = "audit.seal_broken"


@dataclass(frozen=True)
class Problem:
    number: int
    """Of the event where the log is not what it was; the last one where it is the end."""
    message: str

    def __str__(self) -> str:
        return _("event %(number)d: %(message)s") % {"number": self.number, "message": self.message}


def record(
    action: str,
    *,
    actor: User | Membership | None,
    workspace: Workspace | None = None,
    thing: models.Model | None = None,
    **detail: Any,
) -> AuditEvent:
    """Appends one event, in the caller's transaction if there is one: no change without its event. `actor` None: North itself. `detail`
    never holds secrets or documents' text."""
    if isinstance(actor, Membership):
        workspace = workspace or actor.workspace
        actor = actor.user
    with transaction.atomic():
        head = lock()
        if not sealed(head):
            mend(head)
        return append(
            head,
            action=action,
            actor=actor.email if actor else "",
            actor_id=actor.pk if actor else None,
            workspace_id=workspace.pk if workspace else None,
            thing=str(thing._meta.model_name) if thing else "",
            thing_id=str(thing.pk) if thing else "",
            detail=plain(detail),
        )


def lock() -> AuditHead:
    """The head, held until the transaction ends: appends queue up here."""
    return AuditHead.objects.select_for_update().get_or_create(only=1)[0]


def mend(head: AuditHead) -> None:
    """Goes on behind the newest event where somebody else wrote or deleted the head; the log says so for good. A new log has no event."""
    newest = AuditEvent.objects.order_by("-number").first()
    if newest or head.number:
        found = {"number": head.number, "hash": head.hash}
        head.number, head.hash = max(head.number, newest.number if newest else 0), newest.hash if newest else head.hash
        append(head, action=BROKEN, actor="", detail=found)


def append(head: AuditHead, **fields: Any) -> AuditEvent:
    event = AuditEvent(number=head.number + 1, at=timezone.now(), before=head.hash, trace=trace_id.get(), **fields)
    event.hash = hash_of(event)
    event.save()
    head.number, head.hash = event.number, event.hash
    head.seal = seal_of(head.number, head.hash)
    head.save()
    transaction.on_commit(lambda: logger.info("audit %d %s", event.number, event.hash))
    return event


def plain(value: Any) -> Any:
    """The value in the part of JSON that every database gives back as it was put in."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, dict):
        return {plain(str(key)): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    return str(value).replace("\0", "�").encode("utf-8", "replace").decode()


def hash_of(event: AuditEvent) -> str:
    """SHA-256 over the hash before it and the event as canonical JSON."""
    row = {name: getattr(event, name) for name in COVERED}
    row["at"] = event.at.astimezone(timezone.get_default_timezone()).isoformat(timespec="microseconds")
    canonical = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=str)
    return hashlib.sha256((event.before + canonical).encode()).hexdigest()


def seal_of(number: int, newest: str, key: str | bytes | None = None) -> str:
    return salted_hmac("north.workspaces.audit", f"{number}:{newest}", secret=key or settings.SECRET_KEY, algorithm="sha256").hexdigest()


def sealed(head: AuditHead) -> bool:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return any(constant_time_compare(head.seal, seal_of(head.number, head.hash, key)) for key in keys)


def verify(*, expect: tuple[int, str] | None = None) -> list[Problem]:
    """Everything that is wrong with the log; empty: nothing is. `expect`: a number and hash that an earlier line of the log named. Appends
    wait only while the events are read that came in meanwhile."""
    chain = Chain(expect)
    so_far = AuditHead.objects.filter(only=1).values_list("number", flat=True).first() or 0
    chain.follow(AuditEvent.objects.filter(number__lte=so_far))
    with transaction.atomic():
        head = AuditHead.objects.select_for_update().filter(only=1).first()
        chain.follow(AuditEvent.objects.filter(number__gt=so_far))
        chain.close(head)
    return chain.problems


@dataclass
class Chain:
    """How far the events were followed, and what was wrong with them."""

    expect: tuple[int, str] | None
    number: int = 0
    hash: str = "0" * 64
    problems: list[Problem] = field(default_factory=list)

    def follow(self, events: models.QuerySet[AuditEvent]) -> None:
        for event in events.order_by("number").iterator(chunk_size=1000):
            self.problems += [Problem(event.number, message) for message in self.flaws(event)]
            self.number, self.hash = event.number, event.hash
            if self.expect == (self.number, self.hash):
                self.expect = None

    def flaws(self, event: AuditEvent) -> Iterator[str]:
        if event.number != self.number + 1:
            yield _("Event %(number)d should be here: events are missing or were inserted.") % {"number": self.number + 1}
        if event.before != self.hash:
            yield _("It does not continue the event before it: one of them was changed, moved or inserted.")
        if event.hash != hash_of(event):
            yield _("It was changed after it was written.")
        if event.action == BROKEN:
            yield _("Before it, somebody without the secret key wrote to the head of the log, or the key was changed.")

    def close(self, head: AuditHead | None) -> None:
        self.problems += [Problem(self.number, message) for message in self.flaws_of(head)]

    def flaws_of(self, head: AuditHead | None) -> Iterator[str]:
        if self.expect:
            number = self.expect[0]
            yield _("Event %(number)d with the hash that you kept is not in the log: an older state was put back.") % {"number": number}
        if head is None or head.number == 0:
            if self.number or User.objects.exclude(last_login=None).exists():
                yield _("The head of the log is missing: the log was deleted, or a part of it.")
            return
        if head.number != self.number:
            yield _("The newest event should be %(number)d: the end was cut off or added to.") % {"number": head.number}
        elif head.hash != self.hash:
            yield _("The newest event is not the one that was written last.")
        if not sealed(head):
            yield _("The seal does not fit: somebody without the secret key wrote to the head of the log, or the key was changed.")
