"""What holds for every answer and every deployment."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from django.test import Client

from north.checks import TAG
from tests.inference import tiny
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


GPU = "north.E009" if find_spec("torch") is None else "north.E010"
"""What stands in the way of a GPU engine here."""


@pytest.mark.parametrize(
    ("environment", "id"),
    [
        ({"NORTH_SECRET_KEY": "short"}, "north.E001"),
        ({"NORTH_FUSION_WEIGHTS": "1,2"}, "north.E011"),
        ({"NORTH_RERANK_BLEND": "much"}, "north.E012"),
        ({"NORTH_VECTORS": "int4"}, "north.E013"),
        ({"NORTH_VECTORS_EXACT": "many"}, "north.E013"),
        ({"NORTH_RERANK_BLEND": "-1"}, "north.E012"),
        ({"NORTH_FUSION_WEIGHTS": "1,two,nan"}, "north.E011"),
        ({"NORTH_DEBUG": "1", "NORTH_HOST": "0.0.0.0"}, "north.E003"),
        ({"NORTH_REDIS_URL": "redis://10.0.0.5:6379/0"}, "north.E004"),
        ({"NORTH_QDRANT_URL": "http://10.0.0.6:6333", "NORTH_QDRANT_API_KEY": "x"}, "north.E005"),
        ({"NORTH_CHAT_ENGINE": "nowhere.engine"}, "north.E006"),
        ({"NORTH_SCORE_MODEL": "verdicts-9"}, "north.E007"),
        ({"NORTH_SCORE_MODEL": "multilingual-e5-small-int8"}, "north.E007"),
        ({"NORTH_EMBED_MODEL": "word2vec"}, "north.E007"),
        ({"NORTH_EMBED_ENGINE": "north.inference.embedding.lode"}, "north.E006"),
        ({"NORTH_EMBED_ENGINE": "north.inference.torch_encoder.load_scorer"}, "north.E006"),
        ({"NORTH_EMBED_ENGINE": "load"}, "north.E006"),
        ({"NORTH_EMBED_ENGINE": "north.inference.torch_encoder.load"}, "north.E008"),
        ({"NORTH_CHAT_ENGINE": "north.inference.transformers_chat.local"}, "north.E008"),
        ({"NORTH_EMBED_ENGINE": "north.inference.torch_encoder.load", "NORTH_EMBED_MODEL": "all-minilm-l6-v2"}, GPU),
    ],
)
def test_a_wrong_setting_is_said_with_a_hint(tmp_path: Path, environment: dict[str, str], id: str) -> None:
    said = manage(tmp_path, "check", "--tag", TAG, **environment)
    assert said.returncode != 0
    assert id in said.stderr and "HINT" in said.stderr


def test_an_engine_on_a_gpu_is_given_its_device_and_one_on_processors_its_threads(tmp_path: Path) -> None:
    engines = {"NORTH_EMBED_ENGINE": "north.inference.torch_encoder.load", "NORTH_DEVICE": "cuda:1", "NORTH_INFERENCE_THREADS": "3"}
    said = manage(tmp_path, "shell", "--no-imports", "-c", "from django.conf import settings; print(settings.MODELS)", **engines)
    models = ast.literal_eval(re.sub(r"PosixPath\(('[^']*')\)", r"\1", said.stdout.splitlines()[-1]))
    assert models["embed"]["device"] == "cuda:1" and "threads" not in models["embed"]
    assert models["chat"]["threads"] == 3 and "device" not in models["chat"]


def test_where_the_model_worker_runs_elsewhere_a_missing_gpu_is_a_warning(tmp_path: Path) -> None:
    elsewhere = {"NORTH_REDIS_URL": "redis://:a-long-password-of-ours@10.0.0.5:6379/0", "NORTH_EMBED_MODEL": "all-minilm-l6-v2"}
    said = manage(tmp_path, "check", "--tag", TAG, NORTH_EMBED_ENGINE="north.inference.torch_encoder.load", **elsewhere)
    assert said.returncode == 0 and GPU in said.stderr


def test_a_model_is_added_from_a_folder_listed_verified_and_removed(tmp_path: Path) -> None:
    models = {"NORTH_MODELS_DIR": str(tmp_path / "models")}
    folder = tmp_path / "brought" / "own-verdicts"
    tiny.save(folder, head=True)
    (folder / "training_args.bin").write_bytes(b"a pickle")
    refused = manage(tmp_path, "models", "add", str(folder), "--role", "score", **models)
    assert refused.returncode != 0 and "--context" in refused.stderr
    added = manage(tmp_path, "models", "add", str(folder), "--role", "score", "--context", str(tiny.CONTEXT), **models)
    assert added.returncode == 0 and "NORTH_SCORE_MODEL=own-verdicts" in added.stdout and "training_args.bin" in added.stdout
    assert "own-verdicts" in manage(tmp_path, "models", "list", **models).stdout
    assert "every byte is right" in manage(tmp_path, "models", "verify", "own-verdicts", **models).stdout
    assert manage(tmp_path, "check", "--tag", TAG, NORTH_SCORE_MODEL="own-verdicts", **models).returncode == 0
    assert "was removed" in manage(tmp_path, "models", "remove", "own-verdicts", **models).stdout
    assert "own-verdicts" not in manage(tmp_path, "models", "list", **models).stdout


def test_the_secret_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    manage(tmp_path, "check", "--tag", TAG)
    key = tmp_path / "secret-key"
    first = key.read_text()
    manage(tmp_path, "check", "--tag", TAG)
    assert key.read_text() == first and len(first) >= 50
    assert key.stat().st_mode & 0o077 == 0
