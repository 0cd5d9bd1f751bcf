"""How the bench runs its programs of `inside/`: each in a process of its own, in the environment of an installation."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.installation import ROOT

READY = "ready"


def when_to_begin() -> float:
    """In the program: says that it is ready, and waits for the time."""
    print(READY, flush=True)
    return float(sys.stdin.readline())


class Program:
    """The program of this name, running; `said` waits for what it returns."""

    def __init__(self, name: str, environment: Mapping[str, str], **arguments: Any) -> None:
        self.name = name
        command = [sys.executable, "-m", "tests.bench.inside", name, json.dumps(arguments)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def begins(self, at: float) -> None:
        """Tells the program when to begin (seconds since 1970)."""
        assert self.process.stdin
        print(at, file=self.process.stdin, flush=True)

    def is_ready(self) -> None:
        """Waits until the program has said that it is ready to be told when to begin."""
        assert self.process.stdout
        if self.process.stdout.readline() != READY + "\n":
            self.said(10)

    def said(self, seconds: float) -> Any:
        """Raises RuntimeError, with its last words, for a program that fails or takes longer."""
        try:
            said, complaints = self.process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.communicate()
            raise RuntimeError(f"the bench's program {self.name} did not end within {seconds:.0f} s") from None
        if self.process.returncode:
            raise RuntimeError(f"the bench's program {self.name} ended with {self.process.returncode}:\n{complaints[-3000:]}")
        return json.loads(said.splitlines()[-1])


def run(name: str, environment: Mapping[str, str], *, seconds: float = 300, **arguments: Any) -> Any:
    return Program(name, environment, **arguments).said(seconds)
