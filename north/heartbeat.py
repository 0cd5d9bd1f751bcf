"""In a worker process: loads its models, says every two seconds how it is, and ends it where a model hangs, so that it is started anew."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import signal
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass, replace
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, close_old_connections
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from north import health
from north.broker import redis_client
from north.health import ModelHealth
from north.inference import vitals
from north.inference.errors import ModelError, OutOfMemory
from north.memory import memory

logger = logging.getLogger(__name__)
BEAT_SECONDS, LOADING_SECONDS = 2.0, 0.3
"""Between two beats; while models load, whoever starts North waits for them."""
MEMORY_SECONDS = 60.0
"""The kernel walks all pages for it: tens of milliseconds for a large process."""
RETRY_SECONDS = settings.MODEL_RETRY_SECONDS
HANG_SECONDS = 10.0
"""A model at work that gives no sign for so long hangs,"""
HANG_BUSY_SECONDS = 60.0
"""or for so long, where it may be a long step on a slow processor: the process uses BUSY of a core."""
BUSY = 0.1
SHORT_SECONDS = 60.0
"""How long it is told that a model ran out of memory."""
SEEN_SECONDS = 2.0
"""Between saying that a model hangs and ending the process."""


class Reporter:
    """`loaders`: what gives the model of each role, by dotted path."""

    def __init__(self, worker: str, loaders: Mapping[str, str]) -> None:
        self.worker, self.host = worker, platform.node()
        self.loaders = {role: loader for role, loader in loaders.items() if settings.MODELS.get(role)}
        self.models = {role: ModelHealth(role, str(settings.MODELS[role]["model"]), since=time.time()) for role in self.loaders}
        self.engines: dict[str, Any] = {}
        self.spent: deque[tuple[float, float]] = deque([(time.monotonic(), time.process_time())], maxlen=100)
        """Moments, and the processor seconds that this process had used by then."""
        self.memory: tuple[float, dict[str, int]] = (-MEMORY_SECONDS, {})

    def start(self) -> None:
        threading.Thread(target=self.beat, name="heartbeat", daemon=True).start()
        for role, loader in self.loaders.items():
            threading.Thread(target=self.load, args=(role, loader), name=f"load-{role}", daemon=True).start()

    def load(self, role: str, loader: str) -> None:
        """Until it is loaded. `except Exception` is the edge of this thread: a model library may raise anything at a file or a device,
        and whatever it is, people must see that the model failed, and it is tried again."""
        while True:
            try:
                self.engines[role] = import_string(loader)()
            except Exception as fault:
                logger.exception("The model of the role %s could not be loaded.", role)
                kind = "memory" if isinstance(fault, MemoryError) else "failed"
                self.models[role] = ModelHealth(role, self.models[role].name, "failed", self.words(role, fault), time.time(), kind)
                time.sleep(RETRY_SECONDS)
            else:
                self.models[role] = ModelHealth(role, self.models[role].name, "ready", since=time.time())
                return

    def words(self, role: str, fault: Exception) -> str:
        name = self.models[role].name
        if isinstance(fault, ModelError):
            return str(fault)
        if isinstance(fault, MemoryError):
            said = _("The model %(name)s does not fit into this machine's memory. Choose a smaller one with %(setting)s, or free memory.")
        else:
            said = _("The model %(name)s could not be loaded (%(fault)s). See logs/%(worker)s.log, or choose another with %(setting)s.")
        told = f"{type(fault).__name__}: {fault}"
        words = {"name": name, "setting": f"NORTH_{role.upper()}_MODEL", "fault": told, "worker": self.worker}
        return f"{said % words} {_('North tries it again every %d s.') % RETRY_SECONDS}"

    # --- the beat ---------------------------------------------------------------------------------------------------------------------
    def beat(self) -> None:
        while True:
            self.spent.append((time.monotonic(), time.process_time()))
            silences = {silence.role: silence for silence in vitals.silences() if silence.seconds >= HANG_SECONDS}
            self.follow()
            hung = next((silence for silence in silences.values() if self.hangs(silence)), None)
            self.say([self.state(role, silences) for role in self.models])
            if hung:
                self.end(hung)
            time.sleep(LOADING_SECONDS if any(model.state == "loading" for model in self.models.values()) else BEAT_SECONDS)

    def follow(self) -> None:
        """The index may have another embedding model meanwhile, or be about to: it is loaded before searches need it. The database may be
        away: then this waits."""
        model = self.models.get("embed")
        loader: Any = import_string(self.loaders["embed"]) if model else None
        if model is None or model.state == "loading" or not hasattr(loader, "follow"):
            return
        try:
            for coming in loader.follow():
                threading.Thread(target=self.load_ahead, args=(loader, coming), name="load-ahead", daemon=True).start()
            name, engine = loader.here()
        except DatabaseError:
            return
        finally:
            close_old_connections()
        if engine is not None:
            self.engines["embed"] = engine
            self.models["embed"] = replace(model, name=name, state="ready", error="") if name != model.name else model
        elif model.state == "ready":
            self.models["embed"], self.engines["embed"] = ModelHealth("embed", name, since=time.time()), None
            threading.Thread(target=self.load, args=("embed", self.loaders["embed"]), name="load-embed", daemon=True).start()

    def load_ahead(self, loader: Any, coming: Any) -> None:
        """What goes wrong with it is said by the index that is built with it."""
        try:
            loader(coming)
        except (ModelError, MemoryError, DatabaseError) as fault:
            logger.warning("The embedding model of an index that is about to serve could not be loaded: %s", fault)

    def hangs(self, silence: vitals.Silence) -> bool:
        """A remote model's hang is not mended by a new process here; a busy process may be at a long step."""
        if silence.where == "remote":
            return False
        return silence.where == "device" or silence.seconds >= HANG_BUSY_SECONDS or not self.busy()

    def busy(self) -> bool:
        """Whether this process used its processors in the last HANG_SECONDS."""
        now, used = self.spent[-1]
        before, had_used = next(sample for sample in self.spent if sample[0] >= now - HANG_SECONDS)
        return used - had_used >= BUSY * (now - before) > 0

    def state(self, role: str, silences: Mapping[str, vitals.Silence]) -> ModelHealth:
        model, silence = self.models[role], silences.get(role)
        if silence and self.hangs(silence):
            said = _("The model %(name)s gave no sign of life for %(seconds)d s while it was at work; its worker is started again.")
            return replace(model, state="hung", error=said % {"name": model.name, "seconds": silence.seconds}, kind="hung")
        if silence and silence.where == "remote":
            said = _("The server of the model %(name)s has sent nothing for %(seconds)d s though it was asked. Look at that server.")
            return replace(model, error=said % {"name": model.name, "seconds": silence.seconds}, kind="hung")
        if role in vitals.short_of_memory(SHORT_SECONDS):
            return replace(model, error=str(OutOfMemory(model.name)), kind="memory", stats=self.stats(role))
        return replace(model, stats=self.stats(role))

    def stats(self, role: str) -> dict[str, Any] | None:
        batcher = getattr(self.engines.get(role), "batcher", None)
        stats = batcher.stats() if batcher else None
        return asdict(stats) if is_dataclass(stats) and not isinstance(stats, type) else None

    def say(self, models: list[ModelHealth]) -> None:
        measured, held = self.memory
        if time.monotonic() - measured >= MEMORY_SECONDS:
            held = memory(os.getpid())
            self.memory = time.monotonic(), held
        said = {"pid": os.getpid(), "host": self.host, "at": time.time(), "models": [asdict(model) for model in models], "memory": held}
        with contextlib.suppress(redis.RedisError):
            redis_client().hset(health.said_key(self.worker), self.host, json.dumps(said))

    def end(self, hung: vitals.Silence) -> None:
        """No thread can be ended from outside, so the process is, at once; whoever started it starts it again, and what it worked on is
        taken up when its leases have run out."""
        name = self.models[hung.role].name
        words = _("The model %(name)s hung. If that happens again, choose another model; see logs/%(worker)s.log.")
        logger.error("The model %s gave no sign of life for %.0f s while it was at work: this process ends.", name, hung.seconds)
        health.tell_end(self.worker, words % {"name": name, "worker": self.worker})
        time.sleep(SEEN_SECONDS)
        os.kill(os.getpid(), signal.SIGKILL)
