"""What North's engines cost beside the bare libraries, and what bulk work costs people who wait."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from tests.bench.answers import ask, fill
from tests.bench.figures import Figure, percentile, spread
from tests.bench.installations import Installations, client, demo
from tests.bench.talking import run
from tests.bench.texts import document
from tests.bench.upload import uploaded
from tests.installation import Installation, wait_until

TEXTS, ROUNDS = 48, 8
COUNT, WORDS = 6, 48
SEARCHES, BULK = 30, 60
BARE_GOAL, SEARCH_GOAL, FIRST_GOAL = 1.1, 2.0, 1.5
QUESTIONS = (
    "By when will the delayed halogen lamps arrive?", "Wie hoch darf eine Hotelrechnung in Tokio sein?",
    "How long is the probation period?",
    "What does error E17 on the AX-200 mean, and how do I get rid of it?",
)  # fmt: skip


def measure(installations: Installations) -> list[Figure]:
    installation = installations.get("real")
    return [embedding(installation), chat(installation), *people_beside_bulk(installation)]


def embedding(installation: Installation) -> Figure:
    said = run("embedding", installation.environment, count=TEXTS, rounds=ROUNDS)
    middle = {name: {key: percentile([one[key] for one in said[name]], 50) for key in said[name][0]} for name in ("bare", "north")}
    ratios = {key: middle["north"][key] / middle["bare"][key] for key in ("seconds", "work")}
    notes = [
        f"{name}: {TEXTS / one['seconds']:.1f} texts/s, {one['work'] / TEXTS * 1000:.1f} processor ms each" for name, one in middle.items()
    ]
    notes.append(
        f"medians of {ROUNDS} rounds of {TEXTS} texts of 1,000 characters, {said['threads']} threads, in turns; bare in batches of "
        f"{said['batch']}, the quickest of {', '.join(said['tried'])}; cosine at least {said['cosine']:.4f}"
    )
    name, told = "embedding through the batcher to bare onnxruntime", f"{ratios['seconds']:.2f} x, {ratios['work']:.2f} x processor"
    return Figure(name, f"<= {BARE_GOAL} x", told, ratios["work"] <= BARE_GOAL, {**said, "ratios": ratios}, notes)


def chat(installation: Installation) -> Figure:
    """Beside each other in one process, on the machine as the installation leaves it: idle."""
    said = run("chatting", installation.environment, seconds=500, count=COUNT, most=WORDS)
    middle = {name: {key: percentile([one[key] for one in said[name]], 50) for key in said[name][0]} for name in ("bare", "north")}
    ratios = {key: middle["north"][key] / middle["bare"][key] for key in ("first", "first_work", "each", "work")}
    told = f"first word {ratios['first']:.2f} x, each further {ratios['each']:.2f} x"
    notes = [
        f"{name}: first word {one['first']:.2f} s ({one['first_work']:.2f} processor s), {1 / one['each']:.1f} words/s, {one['work']:.2f} "
        f"processor s in all" for name, one in middle.items()
    ]  # fmt: skip
    notes.append(f"medians of {COUNT} prompts of some 300 tokens, {WORDS} tokens each, {said['threads']} threads, in turns")
    met = max(ratios["first"], ratios["each"]) <= BARE_GOAL
    return Figure("chat through North to bare xllamacpp", f"<= {BARE_GOAL} x each", told, met, {**said, "ratios": ratios}, notes)


def people_beside_bulk(installation: Installation) -> list[Figure]:
    """Before each half the model worker is started anew, so that it knows no prompt from before."""
    fill(installation)
    with demo(installation) as api, client(installation, "acme", "alice@acme.example") as own:
        idle, idle_first = as_people(installation, api)
        with bulk(installation, own):
            busy, busy_first = as_people(installation, api)
            left = own.get("/documents").json()["counts"]
    waiting = sum(left[name] for name in ("queued", "fetching", "parsing", "indexing"))
    quick, slow = spread(idle), spread(busy)
    searched = slow["p95"] / quick["p95"]
    answered = percentile(busy_first, 50) / percentile(idle_first, 50)
    note = f"bulk: {BULK} documents of 50 kB uploaded at once, {waiting} of them still waiting at the end"
    return [
        Figure(
            "search with bulk ingestion running, to idle", f"p95 <= {SEARCH_GOAL:g} x", f"{searched:.2f} x: p95 {slow['p95']} ms against "
            f"{quick['p95']} ms", searched <= SEARCH_GOAL and waiting > 0, {"idle": quick, "busy": slow}, [note],
        ),
        Figure(
            "first answer token with bulk ingestion running, to idle", f"<= {FIRST_GOAL:g} x", f"{answered:.2f} x: p50 "
            f"{percentile(busy_first, 50):.1f} s against {percentile(idle_first, 50):.1f} s", answered <= FIRST_GOAL and waiting > 0,
            {"idle": idle_first, "busy": busy_first}, [note],
        ),
    ]  # fmt: skip


def as_people(installation: Installation, api: httpx.Client) -> tuple[list[float], list[float]]:
    """Seconds of each search, and until each answer's first word."""
    installation.kill("gpu")
    wait_until(lambda: installation.part("gpu") and installation.ready()["status"] == "ok", 120, every=0.5)
    ask(api, "Who is the head of purchasing?")  # waits until the worker takes work again
    searches = []
    for number in range(SEARCHES):
        began = time.perf_counter()
        api.post("/search", json={"query": f"hotel in Tokyo {number}"}).raise_for_status()
        searches.append(time.perf_counter() - began)
    return searches, [one.token or one.end for one in (ask(api, question) for question in QUESTIONS)]


@contextmanager
def bulk(installation: Installation, api: httpx.Client) -> Iterator[None]:
    """Many documents at work, uploaded beside."""
    uploading = threading.Thread(
        target=lambda: [uploaded(api, f"bulk-{number}.md", document(50_000, 9000 + number).encode()) for number in range(BULK)]
    )
    uploading.start()
    try:
        yield
    finally:
        uploading.join()
        installation.run_python("from north.documents.models import Document\nDocument.objects.filter(name__startswith='bulk-').bury()")
