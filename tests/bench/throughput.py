"""Searches a second for eight clients at once, against what one writes in an afternoon with the same weights (`plain/service.py`).

North answers over its REST API: rights, hybrid search, rows asked again. The plain service searches by vectors alone, for anybody. The two
run one after the other over as many chunks. The plain service's packages are installed in a virtual environment under var/.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import httpx

from tests.bench import search
from tests.bench.figures import Figure, spread, told
from tests.bench.installations import Installations, client
from tests.bench.talking import run
from tests.bench.texts import document, question
from tests.installation import ROOT, wait_until
from tests.settings import free_port

HERE = Path(__file__).resolve().parent / "plain"
VENV = ROOT / "var" / "plain-service"
CHUNKS = int(os.environ.get("NORTH_BENCH_CHUNKS", "20000"))
CLIENTS, SECONDS, WARM_SECONDS = 8, 30, 5
GOAL = 2.0
FILL_SECONDS = 1200
SLUG = "throughput"
MODEL, PREFIX = "multilingual-e5-small-int8", "query: "
THREADS = 1
"""Of each model's runs, here and there."""

Search = Callable[[str], object]


def measure(installations: Installations) -> list[Figure]:
    installation = installations.get("scripted")
    run("filling", installation.environment, seconds=1200, slug=SLUG, email=search.EMAIL, chunks=CHUNKS)
    with ExitStack() as open_clients:
        apis = [open_clients.enter_context(client(installation, SLUG, search.EMAIL)) for _ in range(CLIENTS)]
        ours = asked([partial(post, api) for api in apis])
    models = Path(installation.manage("shell", "-c", "from django.conf import settings; print(settings.MODELS_DIR)").split()[-1])
    installations.close()
    with plain(models / MODEL) as url, ExitStack() as open_clients:
        apis = [open_clients.enter_context(httpx.Client(base_url=url, timeout=120, trust_env=False)) for _ in range(CLIENTS)]
        theirs = asked([partial(post, api) for api in apis])
    return [compared(ours, theirs)]


def post(api: httpx.Client, query: str) -> None:
    api.post("/search", json={"query": query, "top_k": 10}).raise_for_status()


@contextmanager
def plain(model: Path) -> Iterator[str]:
    """The plain service over as many chunks, once it answers: its address."""
    port = free_port()
    command = [str(python()), str(HERE / "service.py"), str(model), str(CHUNKS), str(port), PREFIX, str(THREADS)]
    process = subprocess.Popen(command)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until(lambda: process.poll() is not None or httpx.get(f"{url}/docs", trust_env=False).status_code == 200, FILL_SECONDS, 1)
        if process.poll() is not None:
            raise RuntimeError(f"the plain service ended with {process.returncode}")
        yield url
    finally:
        process.kill()
        process.wait()


def python() -> Path:
    """The interpreter of the plain service's virtual environment, which is made when it is first needed."""
    installed = VENV / "installed"
    if not installed.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
        pip = [str(VENV / "bin" / "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", str(HERE / "requirements.txt")], check=True)
        installed.touch()
    return VENV / "bin" / "python"


def asked(searches: Sequence[Search]) -> list[float]:
    """Each of the clients asks one question after the other; the seconds of those answered within SECONDS, after WARM_SECONDS."""
    seconds: list[float] = []
    start = time.monotonic() + WARM_SECONDS

    def ask(number: int, search: Search) -> None:
        draw = random.Random(number)
        while (began := time.monotonic()) < start + SECONDS:
            search(question(document(4000, draw.randrange(10_000)), draw))
            if start <= (ended := time.monotonic()) < start + SECONDS:
                seconds.append(ended - began)

    with ThreadPoolExecutor(len(searches)) as threads:
        for done in [threads.submit(ask, number, search) for number, search in enumerate(searches)]:
            done.result()
    if not seconds:
        raise RuntimeError(f"no search was answered within {SECONDS} s")
    return seconds


def compared(ours: Sequence[float], theirs: Sequence[float]) -> Figure:
    here, there = len(ours) / SECONDS, len(theirs) / SECONDS
    said = f"{here:.1f} a second against {there:.1f}: {here / there:.1f} x"
    numbers = {"ours": here, "theirs": there, "our_seconds": spread(ours), "their_seconds": spread(theirs)}
    notes = [
        f"{CLIENTS} clients for {SECONDS} s each over {CHUNKS:,} chunks; {MODEL}, {THREADS} thread",
        f"North by POST /api/v1/search (rights, vectors and words, rows asked again): {told(spread(ours))}",
        f"FastAPI and langchain-qdrant in local mode (vectors alone, no rights): {told(spread(theirs))}",
    ]
    return Figure("searches at 8 clients against a plain service", f">= {GOAL:g} x", said, here >= GOAL * there, numbers, notes)
