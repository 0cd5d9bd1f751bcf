"""Random histories of a source: 300 a run (NORTH_HISTORIES=n for another number; NORTH_SEED=n for the history of one seed)."""

from __future__ import annotations

import os
from typing import Any

import pytest

from north.documents import tasks
from north.documents.models import Document, Status
from north.documents.passages import search
from tests.documents import histories
from tests.documents.conftest import read

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("broker")]
NUMBER = int(os.environ.get("NORTH_HISTORIES", "300"))
LANE, LANES = map(int, os.environ.get("NORTH_LANE", "0/1").split("/"))
SEEDS = [int(os.environ["NORTH_SEED"])] if "NORTH_SEED" in os.environ else range(LANE, NUMBER, LANES)
BATCHES = 10


@pytest.mark.parametrize("batch", range(BATCHES))
def test_what_is_known_is_what_the_source_holds(batch: int) -> None:
    members = histories.people(f"batch{batch}")
    wrong = []
    for number, seed in enumerate(SEEDS):
        if number % BATCHES == batch:
            try:
                histories.live(seed, members)
            except AssertionError as error:
                wrong.append(f"history {seed}: {error}")
    assert not wrong, "\n".join(wrong)


def test_what_is_found_is_what_may_be_read(vectors: str) -> None:
    """The same through the index, for a few: nothing but what the source holds and lets each person read."""
    members = histories.people("found")
    for seed in range(20_000, 20_004):
        histories.live(seed, members, at_the_end=found_by_each)


def found_by_each(history: Any) -> None:
    for document in Document.objects.alive().filter(status=Status.QUEUED):
        thing = history.shelf.things[document.external_id]
        read(document, f"quarterly report {thing.text}")
    tasks.index()
    names = {(thing.id, thing.name) for thing in history.shelf.things.values()}
    allowed = {(email, name) for email, id in history.allowed() for other, name in names if other == id}
    for member in history.members:
        email = member.user.email
        found = {(email, passage.name) for passage in search(str(member.workspace_id), str(member.user_id), "quarterly report", 50)}
        assert found == {pair for pair in allowed if pair[0] == email}
