"""Search over 20,000 chunks: through the retriever, with the real model for the query, the vector daemon in its process, and the rows."""

from __future__ import annotations

import random
import time
from typing import Any

from tests.bench.figures import Figure, spread, told
from tests.bench.installations import Installations, client
from tests.bench.talking import run
from tests.bench.texts import document, question
from tests.installation import Installation

CHUNKS, COUNT, JUDGED, BY_REST = 20_000, 200, 80, 40
GOAL_MILLISECONDS, JUDGED_GOAL = 30, 1000
SLUG, EMAIL = "twenty-thousand", "alice@acme.example"
PARTS = {
    "rights": "rights", "embed": "embedding", "index": "vector daemon (HTTP, filter, dense, BM25, fusion)", "recheck": "rows asked again",
}  # fmt: skip
SETTLE_SECONDS = 6
"""The vector daemon writes its log to the disk after some quiet seconds."""


def measure(installations: Installations) -> list[Figure]:
    installation = installations.get("scripted")
    filled = run("filling", installation.environment, seconds=400, slug=SLUG, email=EMAIL, chunks=CHUNKS)
    time.sleep(SETTLE_SECONDS)
    timed = run("searching", installation.environment, slug=SLUG, email=EMAIL, count=COUNT)
    environment = installation.environment | {"NORTH_INFERENCE_THREADS": "2", "NORTH_SCORE_MODEL": "north-reranker-12-int8"}
    judging = run("searching", environment, slug=SLUG, email=EMAIL, count=JUDGED, judged=True)
    return [compared(filled, timed), judged(judging, by_rest(installation))]


def by_rest(installation: Installation) -> dict[str, float]:
    """End to end: web, broker, model worker and back."""
    draw, seconds = random.Random(5), []
    with client(installation, SLUG, EMAIL) as api:
        for number in range(BY_REST):
            query = question(document(4000, number), draw)
            began = time.perf_counter()
            api.post("/search", json={"query": query, "top_k": 10}).raise_for_status()
            seconds.append(time.perf_counter() - began)
    return spread(seconds[5:])


def judged(timed: dict[str, Any], rest: dict[str, float]) -> Figure:
    search = spread(timed["seconds"]["search"], 1)
    said = f"p95 {search['p95']:g} ms (p50 {search['p50']:g})"
    notes = [f"end to end by POST /api/v1/search, with one thread for the models: {told(rest)}", f"{search['n']} queries, two threads"]
    name = "search over the same, put in order by the cross-encoder"
    return Figure(name, f"p95 <= {JUDGED_GOAL} ms", said, search["p95"] <= JUDGED_GOAL, {"search": search, "rest": rest}, notes)


def compared(filled: dict[str, Any], timed: dict[str, Any]) -> Figure:
    search, embed = (spread(timed["seconds"][name], 1) for name in ("search", "embed"))
    over = search["p95"] - embed["p95"]
    parts = {name: spread(seconds, 1) for name, seconds in timed["parts"].items()}
    numbers = {"search": search, "embed": embed, "over": over, "parts": parts, "filled": filled}
    said = (
        f"embedding + {over:.0f} ms: p95 {search['p95']:g} ms (p50 {search['p50']:g}); embedding alone p95 {embed['p95']:g} ms "
        f"(p50 {embed['p50']:g})"
    )
    name, goal = f"search over {filled['chunks']:,} chunks (embed, hybrid, ACL, group)", f"p95 <= embedding + {GOAL_MILLISECONDS} ms"
    notes = [
        "p50 / p95 ms: " + ", ".join(f"{words} {parts[part]['p50']:g} / {parts[part]['p95']:g}" for part, words in PARTS.items()),
        f"{filled['documents']:,} documents of real words with random vectors, half for everyone, half for groups (filled in "
        f"{filled['seconds']:.0f} s); {search['n']} queries of 4 to 8 words, {timed['found']:.1f} passages found each",
    ]
    return Figure(name, goal, said, over <= GOAL_MILLISECONDS, numbers, notes)
