"""What administrators do with the card of the chat model in use. Each verb: row and audit event in one transaction, work on commit."""

from __future__ import annotations

from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from north.cards.models import Card, identity
from north.hints import hint
from north.workspaces.audit import record
from north.workspaces.errors import Refused
from north.workspaces.models import User


@transaction.atomic
def test(*, full: bool, actor: User) -> Card:
    """Asks the model worker to test the chat model. Raises `Refused` where a test is under way."""
    card = ask(identity(settings.MODELS["chat"]), full=full)
    if card is None:
        raise Refused(_("A test of this model is under way already."))
    record("model.test", actor=actor, thing=card, model=card.model, full=full)
    transaction.on_commit(partial(hint, "cards.examine", card.pk), robust=True)
    return card


def ask(named: dict[str, str], *, full: bool) -> Card | None:
    """The card of this model, waiting to be tested; `None` where it is being tested. What the last test found stays until this one ends."""
    card = Card.objects.get_or_create(**named, defaults={"status": Card.Status.CANCELLED})[0]
    fresh = {"told": [], "doing": "", "error": "", "cancel_requested": False, "attempts": 0, "try_at": None}
    lease = {"lease_token": None, "lease_until": None, "asked_at": timezone.now()}
    idle = Card.objects.over().filter(pk=card.pk)
    if not idle.update(status=Card.Status.PENDING, wants_full=full, **fresh, **lease):
        return None
    card.refresh_from_db()
    return card


@transaction.atomic
def stop(card: Card, *, actor: User) -> None:
    """A test that waits ends now, one that works at the model's next word."""
    row = Card.objects.filter(pk=card.pk)
    waiting = row.filter(status=Card.Status.PENDING).update(status=Card.Status.CANCELLED)
    if waiting or row.filter(status=Card.Status.RUNNING).update(cancel_requested=True):
        record("model.test_stop", actor=actor, thing=card, model=card.model)
