"""The whole Norths that the figures are measured on: made when they are asked for, one at a time, so that never two load the machine."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import httpx

from tests.installation import SCRIPTED, Installation

KINDS: dict[str, dict[str, str]] = {
    "real": {"NORTH_INFERENCE_THREADS": "2"},
    "scripted": {**SCRIPTED, "SCRIPTED_DELAY": "0.02"},
    "minilm": {**SCRIPTED, "NORTH_EMBED_MODEL": "all-minilm-l6-v2-int8"},
}
"""real: the default models, two threads. The others: a chat model that costs nothing, one thread; minilm: the small English embedding."""
START_SECONDS = 300


class Installations:
    def __init__(self) -> None:
        self.kind = ""
        self.running: Installation | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="north-bench-"))

    def get(self, kind: str) -> Installation:
        """The installation of this kind, with alice as the owner of the workspace acme; the one of another kind is stopped."""
        if self.running is None or kind != self.kind:
            self.close()
            self.kind, self.running = kind, Installation(self.folder / kind, **KINDS[kind])
            self.running.start(START_SECONDS)
            self.running.people(alice="owner")
        return self.running

    def close(self) -> None:
        if self.running:
            self.running.stop()
            self.running = None
            shutil.rmtree(self.folder, ignore_errors=True)


def client(installation: Installation, workspace: str, email: str) -> httpx.Client:
    """The REST API as this person, by a key of their own."""
    key = installation.manage("issue_key", "--workspace", workspace, "--user", email).strip().splitlines()[-1]
    headers = {"Authorization": f"Bearer {key}"}
    return httpx.Client(base_url=f"{installation.url}/api/v1", headers=headers, timeout=60, trust_env=False)


def demo(installation: Installation) -> httpx.Client:
    """The REST API as the owner of the sample company's workspace, which `manage.py demo` has made."""
    return client(installation, "demo", "admin@example.com")
