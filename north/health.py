"""Is each part well? What pages, `doctor`, `/readyz` and the supervisor ask. Workers say how they are in the broker; the rest is tried.

Messages are sentences for people: what is wrong, and how to mend it.
"""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from urllib.error import URLError
from urllib.request import ProxyHandler, Request, build_opener

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from north.broker import redis_client
from north.inference.errors import ModelError

LOCAL = build_opener(ProxyHandler({}))
REPORT_SECONDS = 3
ENGINE_ERRORS = (ModelError, ImportError, RuntimeError, OSError)
"""What an engine may raise while it loads."""
STUCK_SECONDS = {"gpu": 60, "cpu": 300}


@dataclass(frozen=True, slots=True)
class Health:
    name: str
    ok: bool
    message: str


@dataclass(slots=True)
class ModelHealth:
    role: str
    name: str
    state: str = "loading"
    """loading, ready or failed"""
    error: str = ""
    since: float = 0.0


def database() -> Health:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError as error:
        return Health("database", False, _("The database does not answer (%s). Check NORTH_DATABASE_URL and that it runs.") % error)
    return Health("database", True, connection.vendor)


def broker() -> Health:
    try:
        redis_client().ping()
    except redis.RedisError as error:
        return Health("broker", False, _("The broker does not answer (%s). It is started by `make run`; see logs/broker.log.") % error)
    return Health("broker", True, settings.REDIS_URL.split("@")[-1])


def vectors() -> Health:
    request = Request(f"{settings.QDRANT_URL}/readyz", headers={"api-key": settings.QDRANT_API_KEY})  # noqa: S310
    try:
        with LOCAL.open(request, timeout=2):
            return Health("vectors", True, settings.QDRANT_URL)
    except (URLError, OSError) as error:
        return Health(
            "vectors", False, _("The vector service does not answer (%s). It is started by `make run`; see logs/vectors.log.") % error
        )


def report_of(worker: str) -> dict | None:
    """What this worker said last, if that is recent."""
    try:
        said = redis_client().get(f"north:health:{worker}")
    except redis.RedisError:
        return None
    return json.loads(said) if said else None  # type: ignore[arg-type]


def worker(name: str) -> Health:
    report = report_of(name)
    if report is None:
        return Health(
            name, False, _("The worker `%s` has not been heard of for 15 s. It is started by `make run`; see logs/%s.log.") % (name, name)
        )
    failed = [model for model in report["models"] if model["state"] == "failed"]
    if failed:
        return Health(name, False, " ".join(model["error"] for model in failed))
    loading = [model["name"] for model in report["models"] if model["state"] == "loading"]
    return Health(name, not loading, _("loading %s") % ", ".join(loading) if loading else _("process %s") % report["pid"])


def models() -> list[dict]:
    report = report_of("gpu")
    if report:
        return report["models"]
    error = _("The model worker is not running.")
    return [asdict(ModelHealth(role, str(config["model"]), "failed", error)) for role, config in settings.MODELS.items()]


def read() -> dict[str, list[dict]]:
    parts = [database(), broker(), vectors(), worker("gpu"), worker("cpu")]
    return {"parts": [asdict(part) for part in parts], "models": models()}


def worker_is_ready(name: str) -> Callable[[int], bool]:
    """For the supervisor: has the worker process with this id said that it takes work and that its models are loaded or have failed?"""

    def ready(pid: int) -> bool:
        report = report_of(name)
        return report is not None and report["pid"] == pid and all(model["state"] != "loading" for model in report["models"])

    return ready


def is_stuck(name: str, *, since: float) -> bool:
    """True for a worker that runs, has work waiting, and has begun none for long (Celery is known to stop consuming in silence)."""
    limit = STUCK_SECONDS.get(name)
    if limit is None or time.monotonic() - since < limit:
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


class Reporter:
    """In a worker process: loads its models, and says every few seconds how it is."""

    def __init__(self, worker: str, loaders: Mapping[str, str]) -> None:
        self.worker = worker
        self.loaders = {role: loader for role, loader in loaders.items() if role in settings.MODELS}
        self.models = {role: ModelHealth(role, str(settings.MODELS[role]["model"]), since=time.time()) for role in self.loaders}

    def start(self) -> None:
        threading.Thread(target=self.report, name="health", daemon=True).start()
        for role, loader in self.loaders.items():
            threading.Thread(target=self.load, args=(role, loader), name=f"load-{role}", daemon=True).start()

    def load(self, role: str, loader: str) -> None:
        state, error = "ready", ""
        try:
            import_string(loader)()
        except ENGINE_ERRORS as fault:
            state, error = "failed", str(fault)
        self.models[role] = ModelHealth(role, self.models[role].name, state, error, time.time())

    def report(self) -> None:
        while True:
            said = json.dumps({"pid": os.getpid(), "at": time.time(), "models": [asdict(model) for model in self.models.values()]})
            with contextlib.suppress(redis.RedisError):
                redis_client().set(f"north:health:{self.worker}", said, ex=15)
            time.sleep(REPORT_SECONDS if all(model.state != "loading" for model in self.models.values()) else 0.3)
