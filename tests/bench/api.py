"""What North's API costs over the bare engine: web process, broker, worker and back."""

from __future__ import annotations

from tests.bench.figures import Figure, percentile
from tests.bench.installations import Installations
from tests.bench.talking import run

TEXTS, DOCUMENTS, ROUNDS = 96, 100, 20
JUDGE = "north-reranker-12-int8"
"""As an installation has it unless told; the settings of tests have none."""
EMBED_GOAL, RERANK_GOAL, FIRST_GOAL = 1.15, 1.1, 60
"""Times the engine's, twice; milliseconds more than the engine's."""


def measure(installations: Installations) -> list[Figure]:
    installation = installations.get("scripted")
    installation.api()
    asked = {"url": installation.url, "key": installation.keys["alice"], "texts": TEXTS, "documents": DOCUMENTS, "rounds": ROUNDS}
    said = run("programs", installation.environment | {"NORTH_SCORE_MODEL": JUDGE}, seconds=900, **asked)
    middle = {what: {name: percentile(times, 50) for name, times in both.items()} for what, both in said.items()}
    figures = [
        times(f"embedding {TEXTS} short texts by the API, to the engine", middle["embed"], EMBED_GOAL, said["embed"]),
        times(f"reranking {DOCUMENTS} passages by the API, to the engine", middle["rerank"], RERANK_GOAL, said["rerank"]),
    ]
    more = (middle["chat"]["api"] - middle["chat"]["engine"]) * 1000
    note = f"medians of {ROUNDS} in turns, scripted model: engine {middle['chat']['engine'] * 1000:.0f} ms"
    return [
        *figures,
        Figure("first word of a chat by the API, over the engine's", f"<= {FIRST_GOAL} ms more", f"{more:.0f} ms more", more <= FIRST_GOAL,
               said["chat"], [note]),
    ]  # fmt: skip


def times(name: str, middle: dict[str, float], goal: float, said: dict[str, list[float]]) -> Figure:
    ratio = middle["api"] / middle["engine"]
    notes = [f"medians of {len(said['api'])} in turns: engine {middle['engine'] * 1000:.0f} ms, API {middle['api'] * 1000:.0f} ms"]
    return Figure(name, f"<= {goal} x", f"{ratio:.2f} x", ratio <= goal, said, notes)
