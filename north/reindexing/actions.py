"""Verbs on the index as a whole: make another beside it, compare, swap, go back, remove. Refusals are `Refused`, in words."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, OuterRef, Subquery
from django.utils import timezone
from django.utils.translation import gettext as _

from north import wiring
from north.documents.models import Copy, Document
from north.hints import hint
from north.indexes.models import UNDER_WAY, Generation, State, described
from north.inference import catalogue
from north.inference.installed import installed
from north.workspaces.audit import record
from north.workspaces.errors import Refused
from north.workspaces.models import User
from retrieval.errors import IndexFault

LEAST, MOST = 200, 4000
"""Characters of a chunk."""


def models_here() -> list[catalogue.Model]:
    """The embedding models that lie on this machine."""
    known = (model for model in catalogue.known(*settings.MODEL_FOLDERS) if model.role == "embed")
    return [model for model in known if any(installed(model, folder) for folder in settings.MODEL_FOLDERS)]


@transaction.atomic
def begin(model: str, characters: int, *, swaps_itself: bool, actor: User | None) -> Generation:
    """A new index beside the one that answers. What was kept of the one before goes. Raises Refused."""
    try:
        serving = adopt()
    except IndexFault as fault:
        raise Refused(str(fault)) from fault
    Generation.objects.select_for_update().get(pk=serving.pk)
    if Generation.objects.under_way():
        raise Refused(_("A new index is being made already. Stop that one first, or wait until it is swapped in."))
    if not LEAST <= characters <= MOST:
        raise Refused(_("A chunk has between %(least)d and %(most)d characters.") % {"least": LEAST, "most": MOST})
    if model not in {serving.model, Generation.of_settings().model, *(one.name for one in models_here())}:
        raise Refused(_("There is no embedding model %s on this machine. `python manage.py models` says which there are.") % model)
    engine = wiring.engine_of(serving)[0] if model == serving.model else str(settings.MODELS["embed"]["engine"])
    made = Generation(model=model, engine=engine, characters=characters, swaps_itself=swaps_itself)
    made.made_with, made.made_by, made.collection = described(model, characters), Generation.of_settings().made_by, next_name()
    made.save()
    for kept in Generation.objects.filter(state=State.KEPT):
        kept.move(State.LEAVING, State.KEPT)
    record("index.build", actor=actor, thing=made, collection=made.collection, model=model, characters=characters)
    transaction.on_commit(lambda: hint("documents.index"), robust=True)
    return made


def adopt() -> Generation:
    """The row of the index that answers; where there is none yet, for what the vector service holds, whatever the settings say now."""
    row = Generation.objects.filter(state=State.SERVING).first()
    if row is None:
        row = Generation.of_settings()
        held = wiring.collection(row).made() or {}
        if held.get("model", row.model) != row.model:
            row.model = held["model"]
            row.made_with = row.made_by = described(row.model, row.characters)
        row.save()
    return row


def next_name() -> str:
    taken = set(Generation.objects.values_list("collection", flat=True))
    return next(name for number in range(2, len(taken) + 3) if (name := f"{settings.QDRANT_COLLECTION}-{number}") not in taken)


def stop(made: Generation, *, actor: User | None) -> None:
    """The new one is given up and removed; the one that answers is as it was."""
    if not made.move(State.LEAVING, *UNDER_WAY):
        raise Refused(_("There is no index being made any more."))
    record("index.stop", actor=actor, thing=made, collection=made.collection)
    hint("reindexing.tend")


def ask_swap(target: Generation, *, actor: User | None) -> None:
    """Makes the new index answer, or the kept one again, as soon as it holds all that the other holds: seconds. New documents wait until
    then."""
    asked = Generation.objects.filter(pk=target.pk, state__in=[State.READY, State.KEPT])
    if not asked.update(swap_asked_at=timezone.now()):
        raise Refused(_("This index cannot answer: it is still being made, or was removed."))
    record("index.swap", actor=actor, thing=target, collection=target.collection, model=target.model)
    hint("documents.index")
    hint("reindexing.tend")


@transaction.atomic
def swap(target: Generation) -> bool:
    """Whether it answers from here on: not while a document is missing there, or as it was before. Searches under way end in the old one,
    which stays, and is told of all that comes, until its time is over."""
    old = Generation.objects.select_for_update().get(state=State.SERVING)
    new = Generation.objects.select_for_update().filter(pk=target.pk, state__in=[State.READY, State.KEPT]).first()
    if new is None or Document.objects.uncopied(new).exists():
        return False
    exchange(new, old)
    now = timezone.now()
    old.move(State.KEPT, State.SERVING, swapped_at=now, keep_until=now + timedelta(hours=settings.INDEX_KEPT_HOURS), swap_asked_at=None)
    new.move(State.SERVING, State.READY, State.KEPT, swapped_at=now, keep_until=None, swap_asked_at=None)
    record("index.swapped", actor=None, thing=new, collection=new.collection, before=old.collection)
    return True


def exchange(new: Generation, old: Generation) -> None:
    """What rows and copies say of the two indexes changes places; all is in both."""
    copies = Copy.objects.filter(generation=new)
    of_document = Document.objects.filter(pk=OuterRef("document"))
    copies.update(was_chunks=Subquery(of_document.values("chunks")), was_access=Subquery(of_document.values("indexed_access")))
    there = copies.filter(document=OuterRef("pk"))
    Document.objects.alive().exclude(indexed_sha256="").update(
        chunks=Subquery(there.values("chunks")), indexed_access=Subquery(there.values("access"))
    )
    copies.update(generation=old, chunks=F("was_chunks"), access=F("was_access"))


def remove(kept: Generation, *, actor: User | None) -> None:
    """The kept index goes now: nobody can go back to it any more."""
    if not kept.move(State.LEAVING, State.KEPT):
        raise Refused(_("That index is not kept any more."))
    record("index.remove", actor=actor, thing=kept, collection=kept.collection)
    hint("reindexing.tend")
