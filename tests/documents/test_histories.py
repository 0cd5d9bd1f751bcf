"""300 random histories of a source a run (NORTH_HISTORIES=n for another number; NORTH_SEED=n for the history of one seed)."""

from __future__ import annotations

import os

import pytest

from tests.documents import histories

pytestmark = pytest.mark.django_db
NUMBER = int(os.environ.get("NORTH_HISTORIES", "300"))
SEEDS = [int(os.environ["NORTH_SEED"])] if "NORTH_SEED" in os.environ else range(NUMBER)
BATCHES = 10


@pytest.mark.parametrize("batch", range(BATCHES))
def test_what_is_known_is_what_the_source_holds(batch: int) -> None:
    members = histories.people(f"batch{batch}")
    for seed in SEEDS:
        if seed % BATCHES == batch or len(SEEDS) == 1:
            try:
                histories.live(seed, members)
            except AssertionError as error:
                pytest.fail(f"history {seed}: {error}")
