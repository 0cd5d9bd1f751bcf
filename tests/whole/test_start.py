"""The command that starts everything: said twice, stopped, on a taken port, with a model that is damaged."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from django.conf import settings

from tests.installation import ROOT, SCRIPTED, Installation

pytestmark = pytest.mark.whole


def up(installation: Installation, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env=installation.environment | environment,
        text=True,
        capture_output=True,
        timeout=90,
        check=False,
    )


def test_it_starts_once_prints_a_link_and_leaves_no_process_behind(tmp_path: Path) -> None:
    north = Installation(tmp_path, **SCRIPTED).start()
    try:
        assert any("/welcome/" in line for line in north.output), "the link for the first administrator"
        assert north.process is not None
        family = psutil.Process(north.process.pid).children(recursive=True)
        assert len(family) >= 6
        second = up(north)
        assert second.returncode != 0 and "already runs" in second.stderr
        doctor = north.manage("doctor")
        assert "Everything is well" in doctor
    finally:
        north.stop()
    _gone, alive = psutil.wait_procs(family, timeout=10)
    assert not alive, [process.cmdline() for process in alive]


def test_a_taken_port_is_said_with_the_way_out(tmp_path: Path) -> None:
    north = Installation(tmp_path, **SCRIPTED)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", north.port))
        taken.listen()
        said = up(north)
    assert said.returncode != 0
    assert f"Port {north.port}" in said.stderr and "PORT=" in said.stderr


def test_a_damaged_model_file_is_named_with_the_mending_step(tmp_path: Path) -> None:
    name = "all-minilm-l6-v2-int8"
    shutil.copytree(settings.MODELS_DIR / name, tmp_path / "models" / name)
    model = next((tmp_path / "models" / name).glob("*.onnx"))
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 0xFF
    os.chmod(model, 0o600)
    model.write_bytes(bytes(data))
    models = {"NORTH_MODELS_DIR": str(tmp_path / "models"), "NORTH_EMBED_MODEL": name, "NORTH_SCORE_MODEL": "none"}
    north = Installation(tmp_path / "data", **SCRIPTED, **models)
    said = up(north)
    assert said.returncode != 0
    assert name in said.stderr and "models pull" in said.stderr and "--again" in said.stderr
