from __future__ import annotations

import sys
import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from north.inference.batching import EACH, Batcher, patience
from north.inference.errors import Gone, OutOfMemory, Overloaded
from north.inference.lanes import around
from tests.inference.asking import Asking, Engine, held, until, waiting

NAP = 0.002


# --- what goes together ---------------------------------------------------------------------------------------------------------------
@given(some.lists(some.integers(1, 600), min_size=1), some.integers(1, 1024), some.data())
def test_a_batch_holds_who_is_next_and_no_batch_of_several_is_over_budget(lengths: list[int], budget: int, data: some.DataObject) -> None:
    entries = [(length, number) for number, length in enumerate(sorted(lengths))]
    index = data.draw(some.integers(0, len(entries) - 1))
    chosen = around(entries, index, budget)
    batch = entries[chosen]
    assert entries[index] in batch
    assert len(batch) == 1 or len(batch) * batch[-1][0] <= budget
    if chosen.stop < len(entries):
        assert (len(batch) + 1) * entries[chosen.stop][0] > budget, "one more of the next length would have fitted"
    if chosen.start > 0:
        assert (len(batch) + 1) * batch[-1][0] > budget or entries[index] != batch[-1], "one more of the shorter would have fitted"


@given(some.lists(some.integers(1, 600), min_size=1, max_size=40), some.integers(1, 1024))
def test_a_lone_caller_is_served_from_short_to_long(lengths: list[int], budget: int) -> None:
    engine = Engine()
    assert Batcher(engine, budget=budget)(range(len(lengths)), lengths, hurry=False) == [2 * n for n in range(len(lengths))]
    assert [lengths[item] for batch in engine.ran for item in batch] == sorted(lengths)
    assert all(len(batch) == 1 or len(batch) * max(lengths[item] for item in batch) <= budget for batch in engine.ran)


# --- every caller gets his own -----------------------------------------------------------------------------------------------------------
CALLS = some.lists(
    some.tuples(some.lists(some.integers(1, 60), max_size=12), some.booleans(), some.sampled_from(["well", "poison", "late", "leaves"])),
    min_size=1,
    max_size=10,
)


@settings(max_examples=120, deadline=None)
@given(CALLS, some.integers(1, 200), some.integers(1, 6), some.sampled_from([0.0, 0.0005]), some.integers(1, 3))
def test_everybody_gets_exactly_his_own_in_order_whatever_the_others_do(
    calls: list, budget: int, room: int, nap: float, at_once: int
) -> None:
    """Threads at once: some hand in what breaks a batch, some have no patience, some leave; memory holds `room` items."""
    engine = Engine(nap=nap, room=room, at_once=at_once)
    batcher: Batcher[int, int] = Batcher(engine, budget=budget, most=10**9, at_once=at_once)
    threads = []
    switched_each = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for number, (lengths, hurry, manner) in enumerate(calls):
            items = [1000 * (number + 1) + place for place in range(len(lengths))]
            if manner == "poison" and items:
                items[-1] = -items[-1]
            within = {"late": {"seconds": 0.0}, "leaves": {"gone": lambda: True}}.get(manner, {})
            threads.append(Asking(batcher, items, lengths, hurry=hurry, within=within))
        for thread in threads:
            thread.ended()
    finally:
        sys.setswitchinterval(switched_each)
    ran = {item for batch in engine.ran for item in batch}
    poisoned = any(item < 0 for item in ran)
    for thread, (lengths, _hurry, manner) in zip(threads, calls, strict=True):
        if manner == "late" and lengths:
            assert isinstance(thread.error, Gone) and ran.isdisjoint(thread.items)
        elif manner == "poison" and lengths:
            assert isinstance(thread.error, KeyError)
        elif thread.error is None:
            assert thread.found == [2 * item for item in thread.items]
        else:
            assert (isinstance(thread.error, Gone) and manner == "leaves") or (isinstance(thread.error, KeyError) and poisoned)
    after = batcher.stats()
    assert after.waiting == {"people": 0, "bulk": 0} and after.waiting_tokens == {"people": 0, "bulk": 0} and after.running == 0


def test_what_many_hand_in_runs_together() -> None:
    engine = Engine()
    batcher: Batcher[int, int] = Batcher(engine, budget=100)
    first = held(batcher, engine)
    others = [Asking(batcher, [number], [10], hurry=True) for number in range(1, 21)]
    waiting(batcher, "people", 20)
    engine.gate.set()
    assert [one.ended().found for one in others] == [[2 * number] for number in range(1, 21)] and first.ended().found == [0]
    assert [len(batch) for batch in engine.ran] == [1, 10, 10]


def test_a_second_batch_is_handed_over_while_the_first_runs_and_no_third() -> None:
    engine = Engine(at_once=2)
    batcher: Batcher[int, int] = Batcher(engine, budget=20, at_once=2)
    engine.gate.clear()
    asking = [Asking(batcher, [number, number + 1], [5, 5], hurry=False) for number in (10, 20, 30)]
    until(lambda: len(engine.ran) == 2, "a second never ran")
    waiting(batcher, "bulk", 2)
    engine.gate.set()
    assert [one.ended().found for one in asking] == [[20, 22], [40, 42], [60, 62]]
    assert [len(batch) for batch in engine.ran] == [2, 2, 2], "each of half the budget"


def test_who_is_in_another_s_batch_sleeps_though_a_place_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, looks = Engine(at_once=2), []
    batcher: Batcher[int, int] = Batcher(engine, budget=200, at_once=2)
    engine.gate.clear()
    first = [Asking(batcher, [number], [10], hurry=False) for number in (0, 1)]
    until(lambda: len(engine.ran) == 2, "two never ran")
    second = [Asking(batcher, [number], [10], hurry=False) for number in (2, 3)]
    waiting(batcher, "bulk", 2)
    assert engine.gate_after() and len(engine.ran[-1]) == 2
    assert [one.ended().found for one in first] == [[0], [2]]
    looked = batcher._rest
    monkeypatch.setattr(batcher, "_rest", lambda: looks.append(0) or looked())
    time.sleep(0.05)
    engine.gate.set()
    assert [one.ended().found for one in second] == [[4], [6]]
    assert len(looks) < 10


def test_a_failing_batch_fails_only_whose_entries_are_in_it() -> None:
    engine = Engine()
    batcher: Batcher[int, int] = Batcher(engine, budget=10)
    held(batcher, engine)
    broken, well = Asking(batcher, [-7, 8], [5, 9], hurry=False), Asking(batcher, [3, 4], [9, 9], hurry=False)
    waiting(batcher, "bulk", 4)
    engine.gate.set()
    assert isinstance(broken.ended().error, KeyError) and well.ended().found == [6, 8]
    assert [8] not in engine.ran, "what is left of a failed call costs no batch"


def test_a_backend_that_gives_too_few_results_is_an_error_and_not_a_wrong_answer() -> None:
    with pytest.raises(ValueError, match="1 results for 2 items"):
        Batcher(lambda items: items[:1], budget=100)([1, 2], [1, 1], hurry=True)


def test_when_who_leads_is_interrupted_the_others_are_served() -> None:
    class Interrupted(BaseException):
        pass

    engine, interrupted = Engine(), []

    def run(items: list[int]) -> list[int]:
        if 99 in items and not interrupted:
            interrupted.append(items)
            raise Interrupted
        return engine(items)

    batcher: Batcher[int, int] = Batcher(run, budget=100)
    held(batcher, engine)
    threads = [Asking(batcher, [number], [10], hurry=False) for number in (99, 1, 2, 3)]
    waiting(batcher, "bulk", 4)
    engine.gate.set()
    ended = [thread.ended() for thread in threads]
    assert sorted(type(thread.error).__name__ for thread in ended) == ["Interrupted", "NoneType", "NoneType", "NoneType"]
    assert all(thread.found == [2 * item for item in thread.items] for thread in ended if thread.error is None)


# --- lanes ------------------------------------------------------------------------------------------------------------------------------
def test_people_go_before_bulk_that_came_first() -> None:
    engine = Engine()
    batcher: Batcher[int, int] = Batcher(engine, budget=1)
    threads = [held(batcher, engine), Asking(batcher, [1, 2], [1, 1], hurry=False)]
    waiting(batcher, "bulk", 2)
    threads += [Asking(batcher, [10 + number], [1], hurry=True) for number in range(3)]
    waiting(batcher, "people", 3)
    engine.gate.set()
    for thread in threads:
        thread.ended()
    assert engine.ran[0] == [0] and sorted(engine.ran[1:4]) == [[10], [11], [12]] and engine.ran[4:] == [[1], [2]]


def test_bulk_has_each_nth_batch_while_people_keep_coming() -> None:
    engine = Engine()
    batcher: Batcher[int, int] = Batcher(engine, budget=1)
    threads = [held(batcher, engine), Asking(batcher, [-0, 500, 501], [1, 1, 1], hurry=False)]
    waiting(batcher, "bulk", 3)
    threads.append(Asking(batcher, list(range(1, 61)), [1] * 60, hurry=True))
    waiting(batcher, "people", 60)
    engine.gate.set()
    for thread in threads:
        thread.ended()
    order = [batch[0] for batch in engine.ran[1:]]
    assert [place for place, item in enumerate(order) if item in (0, 500, 501)] == [EACH - 1, 2 * EACH - 1, 3 * EACH - 1]


def test_long_work_of_one_caller_keeps_no_other_of_his_lane_waiting() -> None:
    engine = Engine()
    batcher: Batcher[int, int] = Batcher(engine, budget=100)
    threads = [held(batcher, engine), Asking(batcher, range(100, 120), [100] * 20, hurry=True)]
    waiting(batcher, "people", 20)
    threads.append(Asking(batcher, [7], [100], hurry=True))
    waiting(batcher, "people", 21)
    engine.gate.set()
    for thread in threads:
        thread.ended()
    assert engine.ran.index([7]) <= 2


# --- who is gone --------------------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("within", [{"seconds": 0.05}, {"gone": lambda: True}], ids=["no patience left", "cancelled"])
def test_who_is_gone_costs_no_batch(within: dict) -> None:
    engine = Engine()
    batcher: Batcher[int, int] = Batcher(engine, budget=1)
    first = held(batcher, engine)
    left, stays = Asking(batcher, [1, 2, 3], [1, 1, 1], hurry=True, within=within), Asking(batcher, [4], [1], hurry=True)
    assert isinstance(left.ended().error, Gone), "it is told at once, while the batch of another still runs"
    engine.gate.set()
    assert stays.ended().found == [8] and first.ended().found == [0]
    assert engine.ran == [[0], [4]] and batcher.stats().gone == 1


def test_who_leads_may_lose_patience_too_and_another_goes_on() -> None:
    engine = Engine(nap=0.02)
    batcher: Batcher[int, int] = Batcher(engine, budget=1)
    leads = Asking(batcher, list(range(200)), [1] * 200, hurry=True, within={"seconds": 0.2})
    until(lambda: engine.ran, "nothing ran")
    other = Asking(batcher, list(range(20)), [1] * 20, hurry=False)
    assert isinstance(leads.ended().error, Gone) and other.ended().found == list(range(0, 40, 2))
    assert len(engine.ran) < 60


def test_a_slow_question_whether_a_caller_is_gone_holds_nobody_up() -> None:
    engine, asked, answer = Engine(), threading.Event(), threading.Event()

    def slow() -> bool:
        asked.set()
        return not answer.wait(10)

    batcher: Batcher[int, int] = Batcher(engine, budget=1)
    first = held(batcher, engine)
    slowly = Asking(batcher, [1], [1], hurry=True, within={"gone": slow})
    waiting(batcher, "people", 1)
    others = [Asking(batcher, [number], [1], hurry=False) for number in (2, 3)]
    waiting(batcher, "bulk", 2)
    assert asked.wait(5)
    engine.gate.set()
    assert first.ended().found == [0] and [one.ended().found for one in others] == [[4], [6]]
    answer.set()
    assert slowly.ended().found == [2]


def test_whose_time_is_up_costs_no_batch_though_he_is_elsewhere_just_then() -> None:
    engine, asked, answer = Engine(), threading.Event(), threading.Event()
    batcher: Batcher[int, int] = Batcher(engine, budget=1)
    first = held(batcher, engine)
    elsewhere = Asking(batcher, [1], [1], hurry=True, within={"seconds": 0.4, "gone": lambda: [asked.set(), answer.wait(10)][1] is None})
    assert asked.wait(5)
    other = Asking(batcher, [2], [1], hurry=False)
    waiting(batcher, "bulk", 1)
    time.sleep(0.3)
    engine.gate.set()
    assert first.ended().found == [0] and other.ended().found == [4]
    answer.set()
    assert isinstance(elsewhere.ended().error, Gone) and engine.ran == [[0], [2]]


def test_who_leaves_while_his_batch_fails_for_memory_is_not_tried_again() -> None:
    engine = Engine(room=1)
    batcher: Batcher[int, int] = Batcher(engine, budget=10)
    engine.gate.clear()
    left = threading.Event()
    first = Asking(batcher, [0, 9], [1, 10], hurry=False)  # leads for all, since its second item comes last
    assert engine.entered.wait(10)
    threads = [Asking(batcher, [number], [1], hurry=True, within=within) for number, within in ((1, {"gone": left.is_set}), (2, {}))]
    waiting(batcher, "people", 2)
    assert engine.gate_after()
    left.set()
    assert isinstance(threads[0].ended().error, Gone)
    engine.gate.set()
    assert threads[1].ended().found == [4] and first.ended().found == [0, 18]
    assert sorted(engine.ran[1]) == [1, 2] and engine.ran[2:] == [[2], [9]] and batcher.stats().waiting["people"] == 0


def test_an_inner_patience_is_no_longer_than_the_outer() -> None:
    engine = Engine()
    batcher: Batcher[int, int] = Batcher(engine, budget=1)
    with patience(0.0), patience(60), pytest.raises(Gone):
        batcher([1], [1], hurry=True)
    assert batcher([1], [1], hurry=True) == [2] and engine.ran == [[1]]


# --- bounds -------------------------------------------------------------------------------------------------------------------------------
def test_beyond_the_bound_a_caller_is_told_at_once_when_to_come_again() -> None:
    engine = Engine(nap=0.1)
    batcher: Batcher[int, int] = Batcher(engine, budget=100, most=1000)
    batcher([0], [100], hurry=False)
    a_token = batcher.stats().busy / 100
    engine.nap = 0.0
    held(batcher, engine)
    threads = [Asking(batcher, [1], [4000], hurry=False)]
    waiting(batcher, "bulk", 1)
    with pytest.raises(Overloaded) as told:
        batcher([2], [1], hurry=False)
    assert told.value.retry_after == pytest.approx(4000 * a_token, rel=0.1), "as long as what waits takes at the pace so far"
    threads.append(Asking(batcher, [3], [900], hurry=True))
    waiting(batcher, "people", 1)
    with pytest.raises(Overloaded):
        batcher([4], [101], hurry=True)
    threads.append(Asking(batcher, [5], [100], hurry=True))
    waiting(batcher, "people", 2)
    engine.gate.set()
    assert [thread.ended().found for thread in threads] == [[2], [6], [10]] and batcher.stats().refused == 2
    assert batcher([6], [10**6], hurry=True) == [12], "where nothing waits, any size is welcome"


def test_out_of_memory_halves_the_batches_and_is_remembered() -> None:
    engine = Engine(room=4)
    batcher: Batcher[int, int] = Batcher(engine, budget=320)
    assert batcher(range(40), [10] * 40, hurry=False) == list(range(0, 80, 2))
    assert [len(batch) for batch in engine.ran] == [32, 16, 8] + [4] * 10
    assert batcher.stats().halved == 3 and batcher.stats().budget == 40
    engine.ran.clear()
    batcher(range(8), [10] * 8, hurry=False)
    assert [len(batch) for batch in engine.ran] == [4, 4]


def test_one_item_that_is_too_much_alone_is_told_and_the_others_go_on() -> None:
    def run(items: list[int]) -> list[int]:
        if 13 in items:
            raise MemoryError
        return items

    batcher: Batcher[int, int] = Batcher(run, budget=100)
    with pytest.raises(OutOfMemory, match="ran out of memory"):
        batcher([1, 13, 2], [10, 10, 10], hurry=False)
    assert batcher([1, 2], [10, 10], hurry=False) == [1, 2]


def test_the_counters_say_what_was_done() -> None:
    engine = Engine(nap=0.01)
    batcher: Batcher[int, int] = Batcher(engine, budget=20)
    batcher([1, 2, 3], [10, 10, 5], hurry=True)
    held(batcher, engine)
    late = Asking(batcher, [4, 5], [3, 4], hurry=True)
    waiting(batcher, "people", 2)
    time.sleep(0.05)
    now = batcher.stats()
    assert (now.batches, now.entries, now.tokens) == (2, 3, 25) and now.waiting == {"people": 2, "bulk": 0}
    assert now.waiting_tokens["people"] == 7 and now.oldest["people"] >= 0.05 and now.running >= 0.05 and now.busy >= 0.02
    engine.gate.set()
    late.ended()
    assert batcher.stats().longest_wait["people"] >= 0.05 and batcher.stats().running == 0
