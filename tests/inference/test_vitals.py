from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from north.inference import vitals
from north.inference.errors import OutOfMemory


def silent(role: str) -> float:
    return max((silence.seconds for silence in vitals.silences() if silence.role == role), default=0.0)


def at_work(role: str, until: threading.Event) -> threading.Thread:
    def work() -> None:
        with vitals.working(role, "device"):
            until.wait(20)

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def test_who_is_not_at_work_is_not_silent() -> None:
    with vitals.working("idle", "device"):
        pass
    time.sleep(0.05)
    assert not [silence for silence in vitals.silences() if silence.role == "idle"]


def test_a_call_that_never_ends_grows_silent() -> None:
    over = threading.Event()
    thread = at_work("stuck", over)
    time.sleep(0.2)
    assert silent("stuck") >= 0.15
    over.set()
    thread.join()
    assert silent("stuck") == 0


def test_who_waits_is_alive_as_long_as_another_call_of_its_role_moves() -> None:
    over = threading.Event()
    thread = at_work("queue", over)
    for _ in range(6):
        time.sleep(0.05)
        with vitals.working("queue", "device"):
            pass
    assert silent("queue") < 0.1
    over.set()
    thread.join()


def test_a_long_answer_is_no_silence_and_its_reader_may_take_his_time() -> None:
    def pieces() -> Iterator[int]:
        for number in range(5):
            time.sleep(0.05)
            yield number

    longest, taken = 0.0, []
    for piece in vitals.watched(pieces(), "long", "processor"):
        time.sleep(0.2)
        longest = max(longest, silent("long"))
        taken.append(piece)
    assert taken == [0, 1, 2, 3, 4]
    assert longest == 0


def test_another_model_in_the_same_place_is_at_work_until_a_moment_after_its_last_sign() -> None:
    over = threading.Event()
    thread = at_work("talker", over)
    assert vitals.others_at_work("encoder", "device")
    assert not vitals.others_at_work("talker", "device") and not vitals.others_at_work("encoder", "remote")
    over.set()
    thread.join()
    assert vitals.others_at_work("encoder", "device"), "between two words of an answer"
    time.sleep(vitals.QUIET_SECONDS + 0.05)
    assert not vitals.others_at_work("encoder", "device")


@pytest.mark.parametrize("error", [MemoryError(), OutOfMemory("e5")])
def test_lack_of_memory_is_said_in_words_and_remembered(error: Exception) -> None:
    role = f"short-{type(error).__name__}"
    with pytest.raises(OutOfMemory, match="smaller model"), vitals.working(role, "processor"):
        raise error
    assert role in vitals.short_of_memory(5)
    assert role not in vitals.short_of_memory(0)
