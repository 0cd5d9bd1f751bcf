"""`/metrics`: how the whole installation is, for Prometheus. Whichever web process is asked reads rows, queues and what the workers said of
themselves; no name of a person, a workspace or a document is in it.

Read with `Authorization: Bearer NORTH_METRICS_TOKEN`; without that setting by this machine alone. A 404 to everybody else.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any

import redis
from django.conf import settings
from django.db.models import Count, Min, Sum
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from north import health
from north.api.exposition import CONTENT_TYPE, Family, text
from north.broker import queued, redis_client
from north.documents.models import Document, Status
from north.memory import memory
from north.threads.models import Run
from north.usage.models import Usage, today

LOOPBACK = {"127.0.0.1", "::1"}
STATES = ("loading", "ready", "failed", "hung", "memory")
BATCHER = {
    "batches": "Forward passes.",
    "entries": "Texts in them: divided by the passes, a pass's size.",
    "tokens": "Tokens in them, without padding: its rate is tokens a second.",
    "busy": "Seconds in forward passes.",
    "refused": "Calls refused because too much waited.",
    "gone": "Calls whose caller did not wait any more.",
    "halved": "Batches made smaller because memory ran out.",
    "budget": "Tokens allowed in one pass now.",
    "waiting": "Texts that wait, by lane.",
    "waiting_tokens": "Tokens that wait, by lane.",
    "oldest": "Seconds that the oldest waiting call has waited, by lane.",
    "longest_wait": "Seconds of the longest wait so far, by lane.",
    "running": "Seconds that the pass of this moment has run.",
}
"""The figures of north.inference.batching.Stats."""
COUNTED = {"batches", "entries", "tokens", "busy", "refused", "gone", "halved"}


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    if not may_read(request):
        raise Http404
    return HttpResponse(text([*queues(), *work(), *tokens(), *workers(), *processes()]), content_type=CONTENT_TYPE)


def may_read(request: HttpRequest) -> bool:
    """What a proxy passes on comes from elsewhere, whatever its address."""
    if settings.METRICS_TOKEN:
        return constant_time_compare(request.headers.get("Authorization", ""), f"Bearer {settings.METRICS_TOKEN}")
    passed_on = {"X-Forwarded-For", "X-Real-Ip", "Forwarded"} & request.headers.keys()
    return request.META.get("REMOTE_ADDR") in LOOPBACK and not passed_on


def queues() -> Iterator[Family]:
    """Messages are hints: what is behind them, and for how long it waits, say the rows (runs_waiting, documents_waiting)."""
    length = Family("queue_messages", "gauge", "Messages that wait in a queue of the broker.")
    oldest = Family("queue_age_seconds", "gauge", "Seconds that the oldest message has waited.")
    try:
        for queue in sorted({queue for worker in settings.WORKERS.values() for queue in worker}):
            count, age = queued(queue)
            length.add(count, queue=queue)
            if age is not None:
                oldest.add(age, queue=queue)
    except redis.RedisError:
        return  # up{part="broker"} says so
    yield from (length, oldest)


def work() -> Iterator[Family]:
    runs = Family("runs", "gauge", "Questions by status.")
    found = dict(Run.objects.order_by().values_list("status").annotate(Count("pk")))
    for status in Run.Status.values:
        runs.add(found.get(status, 0), status=status)
    waiting = Family("runs_oldest_waiting_seconds", "gauge", "Seconds since the oldest question was asked that no worker has taken.")
    waiting.add(seconds_since(Run.objects.filter(status=Run.Status.PENDING).aggregate(at=Min("created_at"))["at"]))
    documents = Family("documents", "gauge", "Documents by status.")
    ages = Family("documents_oldest_waiting_seconds", "gauge", "Seconds that the oldest document has had this status.")
    rows = Document.objects.alive().order_by().values_list("status").annotate(Count("pk"), Min("status_at"))
    counts = {status: (count, at) for status, count, at in rows}
    for status in Status.values:
        count, at = counts.get(status, (0, None))
        documents.add(count, status=status)
        if status not in {Status.READY, Status.FAILED, Status.SKIPPED}:
            ages.add(seconds_since(at), status=status)
    yield from (runs, waiting, documents, ages)


def tokens() -> Iterator[Family]:
    """Counted from midnight (UTC), when they begin anew; Prometheus' rate() and increase() take that for a restart."""
    moved = Family("tokens_total", "counter", "Tokens since midnight UTC; cached ones are among those read.")
    held = Family("model_seconds_total", "counter", "Seconds since midnight UTC that calls held the model.")
    uses = Family("uses_total", "counter", "Questions, searches and documents since midnight UTC.")
    figures = {name: Sum(name) for name in ("count", "tokens_in", "tokens_cached", "tokens_out", "milliseconds")}
    rows: Iterable[Any] = Usage.objects.filter(day=today()).order_by("kind", "model").values("kind", "model").annotate(**figures)
    for row in rows:
        labels = {"kind": row["kind"], "model": row["model"]}
        for way in ("in", "cached", "out"):
            moved.add(row[f"tokens_{way}"], **labels, way=way)
        held.add(row["milliseconds"] / 1000, **labels)
        uses.add(row["count"], **labels)
    yield from (moved, held, uses)


def workers() -> Iterator[Family]:
    up = Family("up", "gauge", "1 where this part is well, as on the page Models and health.")
    for part in health.read()["parts"]:
        up.add(part["ok"], part=part["name"])
    beat = Family("worker_heartbeat_age_seconds", "gauge", "Seconds since the worker said last that it lives.")
    states = Family("model_state", "gauge", "1 at the state that the model is in; memory: it ran out of it within the last minute.")
    batchers = {name: batcher_family(name) for name in BATCHER}
    for name in settings.WORKERS:
        for report in health.reports(name):
            where = {"worker": name, "host": report["host"]}
            beat.add(health.age(report), **where)
            for model in report["models"]:
                labels = {**where, "role": model["role"], "model": model["name"]}
                now = "memory" if model["kind"] == "memory" else model["state"]
                for state in STATES:
                    states.add(state == now, **labels, state=state)
                for figure, value in (model["stats"] or {}).items():
                    if figure in batchers:
                        add_each(batchers[figure], value, labels)
    yield from (up, beat, states, *batchers.values())


def batcher_family(figure: str) -> Family:
    timed = figure in {"busy", "oldest", "longest_wait", "running"}
    name = f"batcher_{figure}{'_seconds' if timed else ''}"
    return Family(f"{name}_total", "counter", BATCHER[figure]) if figure in COUNTED else Family(name, "gauge", BATCHER[figure])


def add_each(family: Family, value: Any, labels: dict[str, str]) -> None:
    """A figure of the batcher, or one for each of its lanes."""
    for lane, one in value.items() if isinstance(value, dict) else [(None, value)]:
        family.add(one, **labels, **({"lane": lane} if lane else {}))


def processes() -> Iterator[Family]:
    """Of each part, with the processes that it started; pss counts what several share once."""
    held = Family("process_memory_bytes", "gauge", "Memory that a part's processes hold, as the kernel counts it.")
    parts = [("web", platform.node(), memory(os.getpid()))]
    for name in settings.WORKERS:
        parts += [(name, report["host"], report["memory"]) for report in health.reports(name)]
    parts += [(part, host, figures) for part, host, figures in health.held_memory() if part not in {*settings.WORKERS, "web"}]
    for part, host, figures in parts:
        for kind, value in figures.items():
            held.add(value, part=part, host=host, kind=kind)
    data = Family("broker_data_bytes", "gauge", "What the broker holds in memory.")
    with contextlib.suppress(redis.RedisError):
        data.add(redis_client().info("memory")["used_memory"])  # type: ignore[index]
    yield from (held, data)


def seconds_since(moment: datetime | None) -> float:
    return (timezone.now() - moment).total_seconds() if moment else 0.0
