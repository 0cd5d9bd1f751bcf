"""Channels that a source's service tells of changes by, to the door that was opened for it. A sweep opens and renews them, and closes those
of a source that is paused; which and how, `retrieval.connectors.channels` knows. What each is to do next stands in its door's row; those
of a door that is gone stand in a row of their own until they are closed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from north import wiring
from north.documents import reaching
from north.documents.hooks import REMEMBERED, Closing, Hook
from north.documents.models import Source
from north.hints import hint
from retrieval.connectors import channels
from retrieval.connectors.contract import Channel, Config, Office, Outside
from retrieval.errors import SourceError

logger = logging.getLogger(__name__)
EVERY, LATER, MUCH_LATER = timedelta(days=1), timedelta(minutes=15), timedelta(hours=1)
HELD = timedelta(minutes=10)
"""How long one worker is left alone with a door."""
WAITED = 10.0
"""Seconds that a person waits for channels to be closed."""
NOT_PUBLIC = ("localhost", "127.0.0.1", "::1")
Kept = Mapping[str, Channel]


def kind_of(source: Source) -> Callable[[Config, Outside], Office] | None:
    """How its service is asked; None where somebody enters the address there by hand."""
    found = wiring.connectors().get(source.connector)
    return found.push.office if found and found.push else None


def due() -> QuerySet[Hook]:
    return Hook.objects.filter(tend_at__lte=timezone.now())


def look_again(source: Source) -> None:
    """Something has changed that channels hang on: they are looked after once this is durable."""
    if kind_of(source) and Hook.objects.filter(source=source).update(tend_at=timezone.now()):
        transaction.on_commit(partial(hint, "documents.tend_channels", str(source.pk)), robust=True)


def tend(source_id: UUID) -> None:
    """What is due at a source's door. Twice at once is once; what is asked for meanwhile is due again after it."""
    until = timezone.now() + HELD
    if not due().filter(pk=source_id).update(tend_at=until):
        return
    hook = Hook.objects.select_related("source").get(pk=source_id)
    fault, again = "", EVERY
    try:
        for kept in steps(hook):
            if not remember(hook, kept):
                return
    except SourceError as error:
        fault, again = str(error), MUCH_LATER if error.permanent else LATER
        logger.warning("Channels of a source wait: %s", error, extra={"source": source_id})
    Hook.objects.filter(pk=hook.pk, key=hook.key).update(fault=fault)
    Hook.objects.filter(pk=hook.pk, key=hook.key, tend_at=until).update(tend_at=timezone.now() + again)


def steps(hook: Hook) -> Iterator[Kept]:
    """The channels after each step. Raises SourceError."""
    if hook.source.paused_at:
        return channels.closed(office_of(hook.source), hook.channels) if hook.channels else iter(())
    address = urlsplit(hook.address)
    if address.scheme != "https" or address.hostname in NOT_PUBLIC:
        raise SourceError(
            _(
                "North has no public address that the service could reach. Set NORTH_PUBLIC_URL on the server to an https address that is "
                "open to the internet, and start North again."
            )
        )
    return channels.tended(office_of(hook.source), hook.channels, hook.address, hook.secret, time.time())


def office_of(source: Source) -> Office:
    kind = kind_of(source)
    assert kind, "only doors of such sources are ever due"
    return kind(reaching.config_of(source), reaching.Way(source, seconds=WAITED))


def remember(hook: Hook, kept: Kept) -> bool:
    """Whether the door is still there; if not, its channels are closed: with the door went only those that it knew."""
    ends = min((float(one["until"]) for one in kept.values()), default=0.0)
    values: dict[str, Any] = {"channels": dict(kept), "told_until": datetime.fromtimestamp(ends, UTC) if ends else None}
    if Hook.objects.filter(pk=hook.pk, key=hook.key).update(**values):
        return True
    if kept:
        Closing.begin(hook.source, kept)
    return False


def withdraw(source: Source) -> None:
    """Closes them while their source can still be asked to, as far as that goes within seconds; what stays ends by itself within days, and
    is believed no more than before."""
    hook = Hook.objects.filter(source=source).first()
    if hook is None or not hook.channels:
        return
    until = time.monotonic() + WAITED
    try:
        for _left in channels.closed(office_of(source), hook.channels):
            if time.monotonic() > until:
                break
    except SourceError as error:
        logger.info("Channels end by themselves: %s", error, extra={"source": source.pk})
    Hook.objects.filter(pk=hook.pk, key=hook.key).update(channels={}, told_until=None)


# --- of doors that are gone ----------------------------------------------------------------------------------------------------------
def closings() -> QuerySet[Closing]:
    """Those that are due."""
    return Closing.objects.filter(try_at__lte=timezone.now())


def close(number: int) -> None:
    """Twice at once is once. Where nobody is left who could mend what is wrong, nothing is tried again: the channels end by themselves
    within days, and their messages meet nothing."""
    if not closings().filter(pk=number).update(try_at=timezone.now() + HELD):
        return
    row = Closing.objects.get(pk=number)
    last = timezone.now() > row.created_at + REMEMBERED
    if last:
        Closing.objects.filter(pk=number).delete()
    source = Source(pk=row.source, connector=row.connector, name=row.name, config=row.config, secrets=row.secrets)
    try:
        for left in channels.closed(office_of(source), row.channels) if kind_of(source) else ():
            Closing.objects.filter(pk=number).update(channels=left)
    except SourceError as error:
        if not (last or error.permanent):
            Closing.objects.filter(pk=number).update(try_at=timezone.now() + LATER)
            return
        logger.info("Channels end by themselves: %s", error, extra={"source": row.source})
    Closing.objects.filter(pk=number).delete()
