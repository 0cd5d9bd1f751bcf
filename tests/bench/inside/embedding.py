"""Embedding through North's embedder and batcher, and bare, by tokenizers and onnxruntime (see `bare_loop.py`): the same texts, the same
threads, in turns."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings

from north import wiring
from north.indexes.models import Generation
from tests.bench.inside.bare_loop import BATCHES, Bare
from tests.bench.texts import document

CHARACTERS = 1000
SAMPLE = 16


def timed(call: Callable[[], np.ndarray]) -> tuple[dict[str, float], np.ndarray]:
    began, worked = time.perf_counter(), time.process_time()
    found = call()
    return {"seconds": time.perf_counter() - began, "work": time.process_time() - worked}, found


def main(count: int, rounds: int) -> dict[str, Any]:
    """`count` texts in each of the rounds."""
    config = settings.MODELS["embed"]
    threads = int(str(config["threads"]))
    bare = Bare(Path(str(config["models_dir"])) / str(config["model"]), threads)
    embedder = wiring.embedder(Generation.of_settings())
    texts = [document(CHARACTERS, number) for number in range(count)]
    whole = [embedder.spec.passage + text for text in texts]
    bare.embed(whole[:4], 1)
    embedder.embed_passages(texts[:4])
    tried = {batch: timed(lambda batch=batch: bare.embed(whole[:SAMPLE], batch))[0]["seconds"] for batch in BATCHES}
    batch = min(tried, key=lambda size: tried[size])
    calls = {"bare": lambda: bare.embed(whole, batch), "north": lambda: embedder.embed_passages(texts)}
    found: dict[str, list[dict[str, float]]] = {"bare": [], "north": []}
    vectors = {}
    for number in range(rounds):
        for name in list(calls)[:: 1 if number % 2 else -1]:
            said, vectors[name] = timed(calls[name])
            found[name].append(said)
    cosine = float(np.einsum("nd,nd->n", vectors["bare"], vectors["north"]).min())
    return {**found, "texts": count, "batch": batch, "tried": tried, "threads": threads, "cosine": cosine}
