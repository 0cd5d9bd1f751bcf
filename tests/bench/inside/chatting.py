"""The chat model through North's engine and client, and bare: xllamacpp's server with its own defaults and the same threads, asked over a
plain connection. Both hold the same file; every prompt is new to both, asked of one and then of the other in turns."""

from __future__ import annotations

import http.client
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import xllamacpp
from django.conf import settings
from langchain_core.messages import HumanMessage

from north.inference.installed import where
from north.inference.llama import LlamaServer
from tests.bench.texts import document

CHARACTERS = 1000
KEY = "bare"


class Bare:
    def __init__(self, weights: Path, threads: int) -> None:
        params = xllamacpp.CommonParams()
        params.model.path, params.hostnames, params.port, params.api_keys = str(weights), ["127.0.0.1"], 0, [KEY]
        params.n_ctx, params.n_parallel, params.verbosity = 4096, 1, 0
        for cpu in (params.cpuparams, params.cpuparams_batch):
            cpu.n_threads, cpu.poll = threads, 0
        self.server = xllamacpp.Server(params)
        self.host = urlsplit(self.server.listening_address).netloc

    def __call__(self, prompt: str, most: int) -> Iterator[str]:
        connection = http.client.HTTPConnection(self.host)
        body = {"messages": [{"role": "user", "content": prompt}], "stream": True, "temperature": 0, "max_tokens": most}
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        connection.request("POST", "/v1/chat/completions", json.dumps(body), headers)
        for line in connection.getresponse():
            if line.startswith(b"data: {"):
                yield json.loads(line[6:])["choices"][0]["delta"].get("content") or ""
        connection.close()


def timed(pieces: Iterator[str]) -> dict[str, float]:
    """Seconds and processor seconds until the first word, and of each word after it."""
    began, worked = time.perf_counter(), time.process_time()
    told: list[tuple[float, float]] = [(time.perf_counter(), time.process_time()) for piece in pieces if piece]
    return {
        "first": told[0][0] - began, "first_work": told[0][1] - worked, "words": len(told),
        "each": (told[-1][0] - told[0][0]) / max(1, len(told) - 1), "work": told[-1][1] - worked,
    }  # fmt: skip


def main(count: int, most: int) -> dict[str, Any]:
    config = settings.MODELS["chat"]
    threads = int(str(config["threads"]))
    weights = where(str(config["model"]), Path(str(config["models_dir"]))) / "model.gguf"
    bare, server = Bare(weights, threads), LlamaServer(weights, threads=threads)
    model = server.chat_model()

    def north(prompt: str, most: int) -> Iterator[str]:
        return (chunk.text for chunk in model.stream([HumanMessage(prompt)], temperature=0, max_tokens=most))

    found: dict[str, list[dict[str, float]]] = {"bare": [], "north": []}
    for number in range(-1, count):
        prompt = f"{random.Random(number).random()}\n{document(CHARACTERS, number + 2)}\n\nTell what this is about, in many words."
        for name, ask in (("bare", bare), ("north", north)) if number % 2 else (("north", north), ("bare", bare)):
            said = timed(iter(ask(prompt, most)))
            if number >= 0:
                found[name].append(said)
    return {**found, "threads": threads}
