"""A whole North of a test's own: every process, started by the command that people use, in a temporary folder; and ways to hurt it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from tests.settings import free_port

ROOT = Path(__file__).resolve().parent.parent
SCRIPTED = {"NORTH_CHAT_ENGINE": "tests.scripted.engine", "NORTH_CHAT_MODEL": "scripted"}


class Installation:
    """Starts `manage.py up` and waits until it says where it runs. `output` holds all that it printed."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {name: value for name, value in os.environ.items() if not name.startswith("NORTH_") or name == "NORTH_MODELS_DIR"}
        self.environment = kept | {
            "NORTH_DATA_DIR": str(folder),
            "PORT": str(self.port),
            "NORTH_EDGE_PORT": str(free_port()),
            "NORTH_INFERENCE_THREADS": "1",
            "NORTH_LEASE_SECONDS": "8",
            "NORTH_MODEL_RETRY_SECONDS": "15",
            "DJANGO_SETTINGS_MODULE": "north.settings",
            "PYTHONPATH": str(ROOT),
            "NORTH_FOLDER_ROOTS": str(folder / "shares"),
            **environment,
        }
        self.output: list[str] = []
        self.process: subprocess.Popen[str] | None = None
        self.keys: dict[str, str] = {}
        (folder / "shares").mkdir(parents=True, exist_ok=True)

    def start(self, seconds: float = 150) -> Installation:
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up"], cwd=ROOT, env=self.environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        threading.Thread(target=self._listen, args=(self.process,), daemon=True).start()
        wait_until(lambda: any("Ctrl-C stops it" in line for line in self.output) or self.process.poll() is not None, seconds)
        assert self.process.poll() is None, "".join(self.output)
        return self

    def _listen(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self.output.append(line)

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.process.kill()

    def manage(self, *arguments: str) -> str:
        """What a command of manage.py prints, in this installation."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            text=True,
            capture_output=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def run_python(self, code: str) -> str:
        return self.manage("shell", "--no-imports", "-c", code)

    def people(self, workspace: str = "acme", **roles: str) -> None:
        """Users NAME@acme.example with these roles in a workspace, made if it is not there."""
        self.run_python(
            "from north.workspaces.models import *\n"
            f"w, _ = Workspace.objects.get_or_create(slug={workspace!r}, defaults={{'name': {workspace.title()!r}}})\n"
            f"for name, role in {roles!r}.items():\n"
            "    user = User.objects.create_user(f'{name}@acme.example', 'correct horse battery', name=name.title())\n"
            "    Membership.objects.create(workspace=w, user=user, role=role)\n"
        )

    def api(self, name: str = "alice", workspace: str = "acme") -> httpx.Client:
        """A client of the REST API as this person."""
        if name not in self.keys:
            said = self.manage("issue_key", "--workspace", workspace, "--user", f"{name}@acme.example")
            self.keys[name] = said.strip().splitlines()[-1]
        headers = {"Authorization": f"Bearer {self.keys[name]}"}
        return httpx.Client(base_url=f"{self.url}/api/v1", headers=headers, timeout=30, trust_env=False)

    def part(self, name: str) -> psutil.Process:
        """The process of this part: broker, vectors, gpu, cpu, beat or web."""
        marks = {"broker": "valkey-server", "vectors": "retrieval.edge", "gpu": "gpu@", "cpu": "cpu@", "beat": "beat", "web": "uvicorn"}
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children():
            if any(marks[name] in word for word in child.cmdline()):
                return child
        raise LookupError(name)

    def kill(self, name: str) -> None:
        """kill -9 of the part and of the processes that it started."""
        victim = self.part(name)
        for process in [*victim.children(recursive=True), victim]:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        victim.wait(10)

    def ready(self) -> dict[str, Any]:
        return httpx.get(f"{self.url}/readyz", trust_env=False, timeout=10).json()


def wait_until(true: Callable[[], Any], seconds: float = 60, every: float = 0.1) -> Any:
    """What `true` returns, as soon as that is not false. A connection that fails counts as false."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if said := true():
                return said
        except (httpx.HTTPError, LookupError, psutil.NoSuchProcess):
            pass
        assert time.monotonic() < deadline, f"did not come true within {seconds} s"
        time.sleep(every)


def events(lines: Iterator[str]) -> Iterator[tuple[str, str, Any]]:
    """(id, event, data) of a stream of server-sent events; the data as JSON."""
    current: dict[str, str] = {}
    for line in lines:
        if not line and current:
            yield current.get("id", ""), current.get("event", "message"), json.loads(current.get("data", "null"))
            current = {}
        elif line and not line.startswith(":"):
            name, _, value = line.partition(": ")
            current[name] = value
