"""Reranking as a program meets it: POST /v2/rerank to the web process, through the broker, to a model worker with the cross-encoder on the
device. A broker, a worker and a web process in a new folder; no index, no chat model and no embedder, since none is asked."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import torch
from transformers import AutoModelForSequenceClassification

from tests.bench.figures import percentile
from tests.bench.gpu import models
from tests.bench.gpu.device import Row
from tests.bench.gpu.encoders import QUESTION, TOKENS, passages

GOAL, PAIRS, TIMES, WARM = 30, 100, 200, 60
NAME = "random-12-layers"
RUN = """
import signal, sys
from north.supervisor import Supervisor, parts
here = Supervisor([part for part in parts() if part.name in {"broker", "gpu", "web"}], print)
signal.signal(signal.SIGTERM, here.stop)
here.start()
print("up", flush=True)
here.watch()
"""
PEOPLE = """
from north.workspaces.models import Membership, Role, User, Workspace
workspace = Workspace.objects.create(name="Bench", slug="bench")
Membership.objects.create(user=User.objects.create_user("a@bench.example"), workspace=workspace, role=Role.OWNER)
"""


def figure(tokenizer: Path, device: str = "cuda") -> Row:
    texts = passages(tokenizer, TOKENS - QUESTION - 4, PAIRS * 8)
    question = passages(tokenizer, QUESTION, 1)[0]
    with tempfile.TemporaryDirectory() as made, installation(Path(made), tokenizer, device) as api:

        def ask() -> float:
            body = {"model": NAME, "query": question, "documents": random.sample(texts, PAIRS), "top_n": 10}
            began = time.perf_counter()
            api.post("/v2/rerank", json=body).raise_for_status()
            return time.perf_counter() - began

        for _ in range(WARM):
            ask()
        taken = [ask() * 1e3 for _ in range(TIMES)]
    p50, p95 = percentile(taken, 50), percentile(taken, 95)
    return Row(
        f"rerank {PAIRS} pairs x {TOKENS} tokens, 12 layers, 384 wide: p95 through North's API",
        f"<= {GOAL} ms",
        f"{p95:.1f} ms",
        "-",
        None,
        p95 <= GOAL,
        [f"POST /v2/rerank over loopback, one client, {TIMES} times: p50 {p50:.1f} ms, longest {max(taken):.1f} ms."],
        {"p50_ms": p50, "p95_ms": p95, "longest_ms": max(taken)},
    )


@contextmanager
def installation(folder: Path, tokenizer: Path, device: str) -> Iterator[httpx.Client]:
    """A client with a key."""
    environment = os.environ | {
        "NORTH_DATA_DIR": str(folder / "data"),
        "NORTH_MODELS_DIR": str(folder / "models"),
        "DJANGO_SETTINGS_MODULE": "north.settings",
        "PORT": str(free_port()),
        "NORTH_SCORE_MODEL": NAME,
        "NORTH_SCORE_ENGINE": "north.inference.torch_encoder.load_scorer",
        "NORTH_DEVICE": device,
        "NORTH_CHAT_ENGINE": "tests.scripted.engine",
        "NORTH_CHAT_MODEL": "scripted",
    }
    write(folder / NAME, tokenizer)
    manage(environment, "models", "add", str(folder / NAME), "--role", "score")
    manage(environment, "migrate", "-v", "0")
    manage(environment, "shell", "--no-imports", "-c", PEOPLE)
    key = manage(environment, "issue_key", "--workspace", "bench", "--user", "a@bench.example").split()[-1]
    running = subprocess.Popen([sys.executable, "manage.py", "shell", "--no-imports", "-c", RUN], env=environment)
    at, known = f"http://127.0.0.1:{environment['PORT']}", {"Authorization": f"Bearer {key}"}
    try:
        with httpx.Client(base_url=at, headers=known, timeout=60) as api:
            wait_until_it_answers(api)
            yield api
    finally:
        running.terminate()
        running.wait(30)


def write(folder: Path, tokenizer: Path) -> None:
    """A cross-encoder with random weights, as its makers would give it."""
    torch.manual_seed(0)
    AutoModelForSequenceClassification.from_config(models.MINILM_L12, dtype=torch.bfloat16).save_pretrained(folder)
    shutil.copy(tokenizer, folder / "tokenizer.json")


def manage(environment: dict[str, str], *words: str) -> str:
    done = subprocess.run([sys.executable, "manage.py", *words], env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"manage.py {words[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_it_answers(api: httpx.Client, seconds: float = 180) -> None:
    end, said = time.monotonic() + seconds, ""
    while time.monotonic() < end:
        try:
            answer = api.post("/v2/rerank", json={"model": NAME, "query": "a", "documents": ["b"]})
        except httpx.TransportError as error:
            said = str(error)
        else:
            if answer.status_code == 200:
                return
            said = answer.text
        time.sleep(0.5)
    raise TimeoutError(f"The installation did not come up: {said[:500]}")
