"""Random histories of a source: 300 a run (NORTH_HISTORIES=n for another number, NORTH_FIRST=n to begin at that seed, NORTH_SEED=n for the
history of one seed). Each NORTH_FOUND-th is also asked of the index, whenever a pass has ended well and when all is gone."""

from __future__ import annotations

import os
from typing import Any

import pytest

from north import wiring
from north.documents import tasks
from north.documents.models import Document, Status
from north.documents.passages import search
from tests.documents import histories
from tests.documents.conftest import read

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker", "vectors")]
FIRST, NUMBER = int(os.environ.get("NORTH_FIRST", "0")), int(os.environ.get("NORTH_HISTORIES", "300"))
SEEDS = [int(os.environ["NORTH_SEED"])] if "NORTH_SEED" in os.environ else range(FIRST, FIRST + NUMBER)
FOUND = int(os.environ.get("NORTH_FOUND", "60"))
BATCHES = 10


@pytest.mark.parametrize("batch", range(BATCHES))
def test_what_is_known_and_found_is_what_the_source_holds(batch: int) -> None:
    members = histories.people(f"batch{batch}")
    wrong = []
    for number, seed in enumerate(SEEDS):
        if number % BATCHES == batch:
            try:
                histories.live(seed, members, indexed=found_by_each if number % FOUND == 0 else histories.unasked)
            except AssertionError as error:
                wrong.append(f"history {seed}: {error}")
    assert not wrong, "\n".join(wrong)


def found_by_each(history: Any) -> None:
    """All that is due is indexed: then the index holds what the source holds and no more, and each person finds what they may read."""
    workspace = history.members[0].workspace
    for document in Document.objects.alive().filter(status=Status.QUEUED, source__name=f"Shelf {history.seed}"):
        read(document, f"quarterly report {history.shelf.things[document.external_id].text}")
    tasks.index()
    rows = {str(pk) for pk in Document.objects.filter(workspace=workspace).values_list("pk", flat=True)}
    held = set(wiring.index().counts(str(workspace.pk)))
    assert held == rows, f"ghosts in the index {held - rows}, missing there {rows - held}"
    names = {thing.id: thing.name for thing in history.shelf.things.values()}
    allowed = {(email, names[id]) for email, id in history.allowed()} if rows else set()
    for member in history.members:
        email = member.user.email
        found = {(email, passage.name) for passage in search(str(workspace.pk), str(member.user_id), "quarterly report", 50)}
        mine = {pair for pair in allowed if pair[0] == email}
        assert found == mine, f"found and hidden {found - mine}, open and not found {mine - found}"
