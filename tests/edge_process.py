"""The vector service as a process of its own, for tests."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent


class Edge(NamedTuple):
    process: subprocess.Popen[str]
    url: str
    api_key: str


def launch(folder: Path, api_key: str, port: int = 0) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "retrieval.edge", "--dir", str(folder), "--port", str(port)]
    environment = {**os.environ, "NORTH_EDGE_API_KEY": api_key}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def start_edge(folder: Path, api_key: str = "", port: int = 0) -> Edge:
    """Starts the service on a free port (or on `port`, to start it again where clients know it) and waits until it listens."""
    api_key = api_key or secrets.token_urlsafe(32)
    process = launch(folder, api_key, port)
    said = process.stdout.readline()
    if not said:
        raise RuntimeError(f"The vector service did not start: {process.stderr.read()}")
    return Edge(process, said.split()[-1], api_key)


def stop_edge(edge: Edge) -> int:
    edge.process.terminate()
    code = edge.process.wait(20)
    edge.process.stdout.close()
    edge.process.stderr.close()
    return code
