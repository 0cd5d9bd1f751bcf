"""How the bench talks with its programs: arguments as JSON on the command line, one line of JSON as the answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from typing import Any

import django

from tests.installation import ROOT


def answer(program: Callable[..., Any], *, with_django: bool = True) -> None:
    """In the program: call it with the arguments that were given, and say what it returns."""
    if with_django:
        django.setup()
    print(json.dumps(program(**json.loads(sys.argv[1]))), flush=True)


def started(name: str, environment: Mapping[str, str], **arguments: Any) -> subprocess.Popen[str]:
    """In the bench: the program `tests.bench.inside.NAME`, running."""
    command = [sys.executable, "-m", f"tests.bench.inside.{name}", json.dumps(arguments)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **environment}, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def ended(process: subprocess.Popen[str], seconds: float) -> Any:
    """What the program said, once it has ended. A program that failed is told with its last words."""
    try:
        said, complaints = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise RuntimeError(f"{process.args[2]} did not end within {seconds:.0f} s") from None  # type: ignore[index]
    if process.returncode:
        raise RuntimeError(f"{process.args[2]} ended with {process.returncode}:\n{complaints[-3000:]}")  # type: ignore[index]
    return json.loads(said.splitlines()[-1])


def run(name: str, environment: Mapping[str, str], *, seconds: float = 300, **arguments: Any) -> Any:
    return ended(started(name, environment, **arguments), seconds)
