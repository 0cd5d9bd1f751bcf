from __future__ import annotations

import threading
import time

from hypothesis import given
from hypothesis import strategies as some

from north.inference.batching import Lanes, batches


@given(some.lists(some.integers(1, 600)), some.integers(1, 1024))
def test_every_text_is_in_one_batch_and_no_batch_of_several_is_over_budget(lengths: list[int], budget: int) -> None:
    made = list(batches(lengths, budget))
    assert sorted(index for batch in made for index in batch) == list(range(len(lengths)))
    for batch in made:
        assert batch and (len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget)


@given(some.lists(some.integers(1, 600)), some.integers(1, 1024))
def test_batches_go_from_short_to_long(lengths: list[int], budget: int) -> None:
    order = [lengths[index] for batch in batches(lengths, budget) for index in batch]
    assert order == sorted(lengths)


def test_who_is_in_a_hurry_goes_before_all_who_wait() -> None:
    lanes, order = Lanes(), []
    release = threading.Event()

    def use(name: str, hurry: bool) -> None:
        with lanes.turn(hurry=hurry):
            if name == "first":
                release.wait(5)
            order.append(name)

    threads = []
    for name, hurry in (("first", False), ("bulk 1", False), ("bulk 2", False), ("query 1", True), ("query 2", True)):
        threads.append(threading.Thread(target=use, args=(name, hurry)))
        threads[-1].start()
        time.sleep(0.05)
    release.set()
    for thread in threads:
        thread.join(5)
    assert order[0] == "first" and set(order[1:3]) == {"query 1", "query 2"} and set(order[3:]) == {"bulk 1", "bulk 2"}


def test_only_one_has_the_turn_and_an_error_gives_it_back() -> None:
    lanes, inside, most = Lanes(), [0], [0]

    def use(number: int) -> None:
        try:
            with lanes.turn(hurry=number % 2 == 0):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.001)
                inside[0] -= 1
                raise KeyError(number)
        except KeyError:
            pass

    threads = [threading.Thread(target=use, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(5)
    assert most == [1] and inside == [0] and not any(thread.is_alive() for thread in threads)
