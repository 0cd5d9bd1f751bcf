"""Tests of chat models as work of the model worker. The card is the job; a message only says "look at this one", may be lost, and may come
twice."""

from __future__ import annotations

import logging

from celery import shared_task
from django.conf import settings
from django.utils.translation import gettext as _

from north import wiring
from north.cards.examination import Watch, carry_out, machine_of
from north.cards.models import Card, identity
from north.hints import hint
from north.inference.conformance import Stopped
from north.inference.errors import ModelError
from north.leases import OPEN, LeaseLost
from north.tracing import trace_id

logger = logging.getLogger(__name__)


@shared_task
def examine(card_id: int) -> None:
    """Tests the chat model of this worker, if this card is its own and due."""
    card = Card.objects.take(card_id, status__in=OPEN, **identity(settings.MODELS["chat"]))
    if card is None:
        return
    try:
        with card.kept_alive() as lost:
            if card.attempts > settings.ATTEMPTS:
                fail(card, _("North was interrupted %(count)d times while it tested this model.") % {"count": settings.ATTEMPTS})
                return
            work(card, Watch(card, lost))
    except LeaseLost:
        logger.warning("The test of a model was taken over by another worker.")


def work(card: Card, watch: Watch) -> None:
    """One test and what becomes of it. `except Exception` here is the edge: no test ends without words."""
    try:
        for _told in carry_out(card, wiring.chat_model(), machine_of(settings.MODELS["chat"]), watch):
            continue
    except Stopped:
        card.give_back(status=Card.Status.CANCELLED, doing="")
    except LeaseLost:
        raise
    except ModelError as error:
        fail(card, str(error))
    except Exception:
        fail(card, _("Something in North broke. It is in the logs under the number %s.") % (trace_id.get() or "-"))
        raise


def fail(card: Card, words: str) -> None:
    card.give_back(status=Card.Status.FAILED, doing="", error=words)


@shared_task
def sweep() -> None:
    """Hints again at tests that are due; ends those of models that this installation does not use any more."""
    due = Card.objects.open().due()
    mine = identity(settings.MODELS["chat"])
    for pk in due.filter(**mine).values_list("pk", flat=True):
        hint("cards.examine", pk, expires=30)
    words = _("The test of this model was interrupted.")
    due.exclude(**mine).filter(lease_until__isnull=False).update(
        status=Card.Status.FAILED, doing="", error=words, lease_token=None, lease_until=None
    )
