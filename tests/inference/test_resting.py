"""Bulk leaves the cores to people whom other models serve, and rests for a moment after it has served one itself."""

from __future__ import annotations

import time

from north.inference.batching import REST_SECONDS, SHARE, Batcher
from north.inference.errors import Gone
from north.inference.vitals import QUIET_SECONDS
from tests.inference.asking import Asking, Engine, until


class Elsewhere:
    """Whether people's work needs the same cores."""

    def __init__(self, at_work: bool = True) -> None:
        self.at_work = at_work

    def __call__(self) -> bool:
        return self.at_work


def test_bulk_has_its_share_of_the_time_while_people_are_served_elsewhere() -> None:
    engine = Engine(nap=0.02)
    batcher: Batcher[int, int] = Batcher(engine, budget=1, others_at_work=Elsewhere())
    began = time.monotonic()
    assert batcher(range(4), [1] * 4, hurry=False) == [0, 2, 4, 6], "it goes on, however long people's work lasts"
    seconds, busy = time.monotonic() - began, batcher.stats().busy
    assert seconds >= (busy - 0.03) / SHARE * 0.7, f"{busy} s of work within {seconds} s"


def test_bulk_that_rests_goes_on_as_soon_as_people_need_the_cores_no_more() -> None:
    elsewhere, engine = Elsewhere(), Engine(nap=0.2)
    batcher: Batcher[int, int] = Batcher(engine, budget=1, others_at_work=elsewhere)
    bulk = Asking(batcher, [1, 2], [1, 1], hurry=False)
    until(lambda: batcher.stats().batches == 1, "the first batch never ran")
    time.sleep(0.3)
    assert len(engine.ran) == 1, "it rests for 1.8 s"
    elsewhere.at_work = False
    ended = time.monotonic()
    assert bulk.ended().found == [2, 4] and time.monotonic() - ended < 1


def test_one_rest_is_bounded_however_long_a_batch_took() -> None:
    engine = Engine(nap=REST_SECONDS / 5)
    batcher: Batcher[int, int] = Batcher(engine, budget=1, others_at_work=Elsewhere())
    began = time.monotonic()
    batcher([1, 2], [1, 1], hurry=False)
    assert time.monotonic() - began < 2 * engine.nap + REST_SECONDS + 1, "a tenth would be nine seconds of rest"


def test_a_person_waits_for_no_rest_of_bulk() -> None:
    engine = Engine(nap=0.1)
    batcher: Batcher[int, int] = Batcher(engine, budget=1, others_at_work=Elsewhere())
    bulk = Asking(batcher, [1, 2], [1, 1], hurry=False, within={"seconds": 5})
    until(lambda: batcher.stats().batches == 1, "the first batch never ran")
    for number in range(3):
        began = time.monotonic()
        assert batcher([10 + number], [1], hurry=True) == [20 + 2 * number] and time.monotonic() - began < 0.2
    assert len(engine.ran) == 4 and bulk.ended().found == [2, 4]


def test_bulk_rests_for_a_moment_after_a_person_was_served_and_not_where_nobody_came() -> None:
    engine = Engine(nap=0.05)
    batcher: Batcher[int, int] = Batcher(engine, budget=1)
    began = time.monotonic()
    batcher(range(4), [1] * 4, hurry=False)
    assert time.monotonic() - began < 4 * engine.nap + 0.15
    batcher([9], [1], hurry=True)
    served = time.monotonic()
    batcher([1], [1], hurry=False)
    assert time.monotonic() - served >= QUIET_SECONDS


def test_whose_patience_ends_while_bulk_rests_is_told_and_another_goes_on() -> None:
    engine = Engine(nap=0.1)
    batcher: Batcher[int, int] = Batcher(engine, budget=1, others_at_work=Elsewhere())
    batcher([0], [1], hurry=False)
    threads = [Asking(batcher, [1], [1], hurry=False, within={"seconds": 0.2}), Asking(batcher, [2], [1], hurry=False)]
    assert isinstance(threads[0].ended().error, Gone) and threads[1].ended().found == [4] and engine.ran == [[0], [2]]
