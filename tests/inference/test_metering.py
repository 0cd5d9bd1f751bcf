from __future__ import annotations

from contextvars import copy_context
from threading import Thread

from north.inference.metering import Used, metered, note


def test_what_is_noted_counts_for_whoever_measures_also_in_threads_of_theirs() -> None:
    with metered() as used:
        note(5, 0.5)
        thread = Thread(target=copy_context().run, args=(note, 7, 0.25))
        thread.start()
        thread.join()
        with metered() as inner:
            note(2, 0.1)
    note(100, 1.0)
    assert used == Used(tokens_in=12, seconds=0.75)
    assert inner == Used(tokens_in=2, seconds=0.1)
