"""Writes the journals of many runs at once, as many scripted models would: each run's pieces at a steady rate, by the same `Recorder` and
`Journal` that the worker uses, with the answer's row at the end. (200 runs at once are more than one worker takes; the load on the
stream is the same.)

Each piece says when it was written. The runs write one after the other within each beat; those of a group go to the broker together.
"""

from __future__ import annotations

import hashlib
import time
from datetime import timedelta
from typing import Any

from django.utils import timezone

from agents.events import Answered, StepFinished, StepStarted
from north.threads import journal
from north.threads.models import Run
from north.threads.recording import Recorder
from tests.bench.talking import when_to_begin

GROUP = 10


def main(runs: list[str], seconds: float, rate: float) -> dict[str, Any]:
    recorders = [opened(run) for run in Run.objects.select_related("thread").filter(pk__in=runs)]
    begin = when_to_begin()
    lags, beats = [], int(seconds * rate)
    groups = [recorders[start : start + GROUP] for start in range(0, len(recorders), GROUP)]
    pipe = journal.pen().pipeline(transaction=False)
    for recorder in recorders:
        recorder.journal.client = pipe
    for beat in range(beats):
        for number, group in enumerate(groups):
            due = begin + (beat + number / len(groups)) / rate
            time.sleep(max(0.0, due - time.time()))
            lags.append(time.time() - due)
            for recorder in group:
                write(recorder)
            pipe.execute()
    return ended(recorders) | {"beats": beats, "seconds": time.time() - begin, "lags": sorted(lags)[:: max(1, len(lags) // 1000)]}


def opened(run: Run) -> Recorder:
    """A run's journal with one step, and its lease again for an hour: writing a step has cut it to seconds."""
    recorder = Recorder(run, journal.pen())
    recorder.record(StepStarted("search:1", "search", {"query": "how"}))
    recorder.record(StepFinished("search:1", "search", {"query": "how", "found": []}))
    run.write(lease_until=timezone.now() + timedelta(hours=1))
    return recorder


def write(recorder: Recorder) -> None:
    offset, text = len(recorder.answer), f"{time.time():.4f} "
    recorder.answer += text
    recorder.journal.append("delta", {"offset": offset, "text": text})


def ended(recorders: list[Recorder]) -> dict[str, Any]:
    """Every run done, and the sha256 of each answer as the row holds it."""
    for recorder in recorders:
        recorder.journal.client = journal.pen()
        recorder.done(Answered(recorder.answer, (), (), False, (), ()))
    rows = Run.objects.filter(pk__in=[recorder.run.pk for recorder in recorders]).values_list("pk", "status", "answer")
    return {"answers": {str(pk): hashlib.sha256(text.encode()).hexdigest() for pk, status, text in rows if status == Run.Status.DONE}}
