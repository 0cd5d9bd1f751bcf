"""The index as work of the model worker: a new one is followed from its first document to its last day. The rows are the work; a message
only says "look", may be lost, and may come twice. What compares is reached by dotted path: only the one that does needs its libraries."""

from __future__ import annotations

import logging
from datetime import timedelta

from celery import shared_task
from django.db import transaction
from django.utils import timezone
from django.utils.module_loading import import_string

from north import wiring
from north.documents.models import Copy, Document
from north.hints import hint
from north.indexes.models import UNDER_WAY, Generation, State
from north.inference.errors import ModelError
from north.leases import LeaseLost
from north.reindexing import actions
from north.workspaces.errors import Refused
from retrieval.errors import RetrievalError

logger = logging.getLogger(__name__)
STRAGGLERS = 100
"""While documents come all the time, a hundredth of all may be under way to the new index when it is compared; none when it answers."""
DROPPED_AGAIN = timedelta(hours=1)
"""For so long after a collection went, one that a slow process made anew goes, too."""


@shared_task
def tend() -> None:
    """Begins what changed settings ask for, goes on with what is under way, removes what has had its time."""
    try:
        follow_settings()
        for generation in Generation.objects.filter(state__in=[*UNDER_WAY, State.KEPT]):
            go_on(generation)
        Generation.objects.filter(state=State.KEPT, keep_until__lt=timezone.now()).update(state=State.LEAVING)
        for leaving in Generation.objects.filter(state=State.LEAVING):
            clear(leaving)
        for gone in Generation.objects.filter(state=State.REMOVED, removed_at__gt=timezone.now() - DROPPED_AGAIN):
            wiring.collection(gone).drop()
    except (RetrievalError, ModelError) as error:
        logger.info("The indexes are looked after later: %s", error)


def follow_settings() -> None:
    """Settings that name another model or other chunks than when the newest index was begun have been changed."""
    serving, wanted = actions.adopt(), Generation.of_settings()
    newest = Generation.objects.first()
    if newest is None or newest.made_by == wanted.made_by or Generation.objects.under_way():
        return
    if serving.made_with == wanted.made_with:
        Generation.objects.filter(pk=newest.pk).update(made_by=wanted.made_by)
        return
    try:
        actions.begin(wanted.model, wanted.characters, swaps_itself=True, actor=None)
    except Refused as refusal:
        logger.warning("The settings ask for another index: %s", refusal)


def go_on(generation: Generation) -> None:
    lacking = Document.objects.uncopied(generation)
    if lacking.due().exists():
        hint("documents.index", expires=30)
    if generation.state == State.BUILDING and lacking.count() <= Document.objects.alive().count() // STRAGGLERS:
        generation.move(State.COMPARING, State.BUILDING)
    if generation.state == State.COMPARING:
        hint("reindexing.compare", str(generation.pk), expires=30)
    if generation.swap_asked_at and generation.state in (State.READY, State.KEPT) and actions.swap(generation):
        hint("documents.index")


@shared_task
def compare(generation_id: str) -> None:
    """Compares a new index with the one that answers. Killed, it begins again."""
    generation = Generation.objects.filter(state=State.COMPARING).take(generation_id)
    if generation is None:
        return
    try:
        with generation.kept_alive():
            figures = import_string("north.reindexing.comparing.compared")(generation, generation.renew)
            settle(generation, figures)
    except LeaseLost:
        logger.info("The comparison of an index was stopped, or is another worker's.")
    except (RetrievalError, ModelError) as error:
        generation.give_back(error=str(error), attempts=0, try_at=timezone.now() + timedelta(seconds=10))


def settle(generation: Generation, figures: dict) -> None:
    """Counts that differ from the rows send it back; what is worse waits for a person."""
    if figures["wrong"]:
        generation.give_back(state=State.BUILDING, attempts=0, figures=figures)
        return
    now = timezone.now()
    asked = {"swap_asked_at": now} if generation.swaps_itself and not figures["against"] else {}
    generation.give_back(state=State.READY, ready_at=now, error="", attempts=0, figures=figures, **asked)
    hint("reindexing.tend")


def clear(leaving: Generation) -> None:
    """Its points first, then the rows that stand for them."""
    wiring.collection(leaving).drop()
    with transaction.atomic():
        Copy.objects.filter(generation=leaving).delete()
        leaving.move(State.REMOVED, State.LEAVING, removed_at=timezone.now())
