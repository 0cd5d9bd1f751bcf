"""Is each part well? What pages, `doctor`, `/readyz` and the supervisor ask. Workers say how they are in the broker (`heartbeat.py`); the
rest is tried.

Messages are sentences for people: what is wrong, and how to mend it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils.translation import gettext as _

from north.broker import redis_client

LOCAL = build_opener(ProxyHandler({}))
FRESH_SECONDS = 12
"""A worker that said nothing for so long is not well."""
KNOWN_SECONDS = 3600
STILL_SECONDS = 5
"""A worker must be seen silent for so long before it is started again: the broker itself may have been away."""
TOLD_SECONDS = 600
"""For so long a page says why a worker was started again."""
STUCK_SECONDS = {"gpu": 60, "cpu": 300}
SILENT: dict[str, float] = {}


@dataclass(frozen=True, slots=True)
class Health:
    name: str
    ok: bool
    message: str
    kind: str = ""
    """What is wrong, for programs: "", away, silent, loading, failed, hung, memory."""
    mend: str = ""
    """What to do, where the message does not say it."""


@dataclass(slots=True)
class ModelHealth:
    role: str
    name: str
    state: str = "loading"
    """loading, ready, failed or hung"""
    error: str = ""
    """Of a ready model: what is wrong with it just now."""
    since: float = 0.0
    kind: str = ""
    stats: dict[str, Any] | None = None
    """Of its batcher (north.inference.batching.Stats)."""


def database() -> Health:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        said = _("The database does not answer (%s). Check NORTH_DATABASE_URL and that it runs.") % error
        return Health("database", False, said, "away")
    return Health("database", True, connection.vendor)


def broker() -> Health:
    try:
        redis_client().ping()
    except redis.RedisError as error:
        said = _("The broker does not answer (%s). It is started by `make run`; see logs/broker.log.") % error
        return Health("broker", False, said, "away")
    return Health("broker", True, settings.REDIS_URL.split("@")[-1])


def vectors() -> Health:
    request = Request(f"{settings.QDRANT_URL}/readyz", headers={"api-key": settings.QDRANT_API_KEY})  # noqa: S310
    try:
        with LOCAL.open(request, timeout=2):
            return Health("vectors", True, settings.QDRANT_URL)
    except (URLError, OSError) as error:
        said = _("The vector service does not answer (%s). It is started by `make run`; see logs/vectors.log.") % error
        return Health("vectors", False, said, "away")


def reports(worker: str) -> list[dict]:
    """What the workers of this name, one a machine, said last, the newest first; those of the last hour."""
    try:
        said: dict[str, str] = redis_client().hgetall(said_key(worker))  # type: ignore[assignment]
    except redis.RedisError:
        return []
    return known(said)


def known(said: dict[str, str]) -> list[dict]:
    """Of what `said_key` holds, that of the last hour, the newest first."""
    found = [json.loads(one) for one in said.values()]
    return sorted((one for one in found if age(one) < KNOWN_SECONDS), key=age)


def said_key(worker: str) -> str:
    return f"north:health:{worker}"


def age(report: dict) -> float:
    """Seconds since the worker said it."""
    return time.time() - report["at"]


def fresh(worker: str) -> list[dict]:
    return [report for report in reports(worker) if age(report) < FRESH_SECONDS]


def worker(name: str) -> Health:
    """Well as long as one of that name is; the others' faults are told."""
    found = fresh(name)
    why = why_ended(name)
    if not found:
        said = _("The worker `%(name)s` has not been heard of for %(seconds)d s. It is started by `make run`; see logs/%(name)s.log.")
        words = [said % {"name": name, "seconds": FRESH_SECONDS}, why]
        return Health(name, False, " ".join(filter(None, words)), "silent")
    faults = [model for report in found for model in report["models"] if model["error"]]
    well = any(all(model["state"] == "ready" and not model["error"] for model in report["models"]) for report in found)
    if faults:
        return Health(name, well, " ".join(dict.fromkeys(model["error"] for model in faults)), faults[0]["kind"])
    loading = [model for report in found for model in report["models"] if model["state"] == "loading"]
    if loading and not well:
        for_long = max(time.time() - model["since"] for model in loading)
        said = _("loading %(models)s, for %(seconds)d s") % {"models": ", ".join(m["name"] for m in loading), "seconds": for_long}
        return Health(name, False, f"{said}. {why}".strip(". "), "loading", _("Wait until it is loaded."))
    said = _("process %s") % ", ".join(str(report["pid"]) for report in found)
    return Health(name, True, f"{said}. {why}" if why else said)


def models() -> list[dict]:
    for report in fresh("gpu"):
        return report["models"]
    error = _("The model worker is not running.")
    return [asdict(ModelHealth(role, str(config["model"]), "failed", error)) for role, config in settings.MODELS.items() if config]


def read() -> dict[str, list[dict]]:
    parts = [database(), broker(), vectors(), worker("gpu"), worker("cpu")]
    return {"parts": [asdict(part) for part in parts], "models": models()}


def worker_is_ready(name: str) -> Callable[[int], bool]:
    """For the supervisor: has the worker process with this id said that it takes work and that its models are loaded or have failed?"""

    def ready(pid: int) -> bool:
        return any(report["pid"] == pid and all(model["state"] != "loading" for model in report["models"]) for report in fresh(name))

    return ready


# --- memory of parts that do not speak for themselves ------------------------------------------------------------------------------------
def tell_memory(host: str, held: dict[str, dict[str, int]]) -> None:
    """By the supervisor of a machine: what each of its parts holds (see north.memory)."""
    try:
        redis_client().set(f"north:memory:{host}", json.dumps({"at": time.time(), "host": host, "held": held}), ex=KNOWN_SECONDS)
        redis_client().sadd("north:memory", host)
    except redis.RedisError:
        return


def held_memory() -> list[tuple[str, str, dict[str, int]]]:
    """(part, host, bytes by kind), as told in the last minute."""
    try:
        client = redis_client()
        hosts: set[str] = client.smembers("north:memory")  # type: ignore[assignment]
        said = [json.loads(one) for host in sorted(hosts) if (one := client.get(f"north:memory:{host}"))]  # type: ignore[arg-type]
    except redis.RedisError:
        return []
    return [(part, one["host"], held) for one in said if age(one) < TOLD_SECONDS / 10 for part, held in one["held"].items()]


# --- for the supervisor: what lives but works no more, and why it ended ------------------------------------------------------------------
def stuck(name: str, pid: int, *, since: float) -> str:
    """Why this worker, which runs since then on the monotonic clock, must be started again; empty where it works."""
    if name not in STUCK_SECONDS:
        return ""
    if is_silent(name, pid):
        return _("It said nothing for %d s, though its process lived.") % FRESH_SECONDS
    if takes_nothing(name, since):
        return _("It took no work for %d s, though some waited.") % STUCK_SECONDS[name]
    return ""


def is_silent(name: str, pid: int) -> bool:
    """True for a process that said how it was and then stopped saying it: something in it holds all its threads up."""
    said = [report for report in reports(name) if report["pid"] == pid]
    if not said or age(said[0]) < FRESH_SECONDS:
        SILENT.pop(name, None)
        return False
    return time.monotonic() - SILENT.setdefault(name, time.monotonic()) > STILL_SECONDS


def takes_nothing(name: str, since: float) -> bool:
    """True where work waits and none was begun for long (Celery is known to stop consuming in silence)."""
    limit = STUCK_SECONDS[name]
    if time.monotonic() - since < limit:
        return False
    try:
        client = redis_client()
        waiting = any(client.llen(queue) for queue in settings.WORKERS[name])
        begun = float(client.get(f"north:begun:{name}") or 0)  # type: ignore[arg-type]
    except redis.RedisError:
        return False
    return waiting and time.time() - begun > limit


def task_begun(hostname: str) -> None:
    """Called as each task begins."""
    try:
        redis_client().set(f"north:begun:{hostname.split('@', maxsplit=1)[0]}", time.time())
    except redis.RedisError:
        return


def tell_end(name: str, why: str) -> None:
    """Why a worker is ended or has ended, for the pages."""
    try:
        redis_client().set(f"north:ended:{name}", json.dumps({"at": time.time(), "why": why}), ex=TOLD_SECONDS)
    except redis.RedisError:
        return


def why_ended(name: str, seconds: float = TOLD_SECONDS) -> str:
    """When and why it was started again last, if that was in the last so many seconds."""
    try:
        said = redis_client().get(f"north:ended:{name}")
    except redis.RedisError:
        return ""
    if not said:
        return ""
    ended = json.loads(said)  # type: ignore[arg-type]
    if age(ended) > seconds:
        return ""
    words = _("It was ended and started again %(seconds)d s ago: %(why)s")
    return words % {"seconds": time.time() - ended["at"], "why": ended["why"]}
