"""What holds for every answer and every deployment."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

from tests.installation import ROOT

POLICY = {
    "default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self' blob:", "connect-src 'self'", "form-action 'self'",
    "base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'",
}  # fmt: skip


def manage(tmp_path: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("NORTH_", "PORT", "DJANGO"))}
    return subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, env=kept | {"NORTH_DATA_DIR": str(tmp_path)} | environment,
        text=True, capture_output=True, timeout=120, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("path", ["/sign-in", "/nowhere", "/healthz", "/api/v1/documents", "/api/openapi.json", "/w/acme/documents"])
def test_every_answer_has_the_policy(db: None, path: str) -> None:
    answer = Client().get(path)
    said = {part.strip() for part in answer.headers["Content-Security-Policy"].split(";")}
    assert said >= POLICY and "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff" and answer.headers["X-Frame-Options"] == "DENY"


def test_a_deployment_behind_tls_has_nothing_to_mend(tmp_path: Path) -> None:
    said = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING", NORTH_PUBLIC_URL="https://north.example.com")
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize(
    ("environment", "id"),
    [
        ({"NORTH_SECRET_KEY": "short"}, "north.E001"),
        ({"NORTH_DEBUG": "1", "NORTH_HOST": "0.0.0.0"}, "north.E003"),
        ({"NORTH_REDIS_URL": "redis://10.0.0.5:6379/0"}, "north.E004"),
        ({"NORTH_QDRANT_URL": "http://10.0.0.6:6333", "NORTH_QDRANT_API_KEY": "x"}, "north.E005"),
        ({"NORTH_CHAT_ENGINE": "nowhere.engine"}, "north.E006"),
        ({"NORTH_SCORE_MODEL": "verdicts-9"}, "north.E007"),
        ({"NORTH_SCORE_MODEL": "multilingual-e5-small-int8"}, "north.E007"),
        ({"NORTH_EMBED_MODEL": "word2vec"}, "north.E007"),
    ],
)
def test_a_wrong_setting_is_said_with_a_hint(tmp_path: Path, environment: dict[str, str], id: str) -> None:
    said = manage(tmp_path, "check", **environment)
    assert said.returncode != 0
    assert id in said.stderr and "HINT" in said.stderr


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    manage(tmp_path, "check")
    key = tmp_path / "secret-key"
    first = key.read_text()
    manage(tmp_path, "check")
    assert key.read_text() == first and len(first) >= 50
    assert key.stat().st_mode & 0o077 == 0
