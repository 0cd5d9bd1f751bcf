"""What a program waits for at the API, and for the engine alone in this process: the same texts, in turns, while the installation
is idle."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import httpx
from langchain_core.messages import HumanMessage

from north import wiring
from tests.bench.texts import document

SHORT, PASSAGE = 60, 500
QUESTION = "How long is the notice period?"


def timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def in_turns(engine: Callable[[], object], api: Callable[[], object], rounds: int) -> dict[str, list[float]]:
    """Seconds of each call, after one of each that does not count."""
    found: dict[str, list[float]] = {"engine": [], "api": []}
    calls = {"engine": engine, "api": api}
    for number in range(rounds + 1):
        for name in list(calls)[:: 1 if number % 2 else -1]:
            seconds = timed(calls[name])
            if number:
                found[name].append(seconds)
    return found


def main(url: str, key: str, texts: int, documents: int, rounds: int) -> dict[str, Any]:
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=300, trust_env=False) as client:

        def posted(path: str, body: dict[str, Any]) -> None:
            client.post(path, json=body).raise_for_status()

        def first_word() -> None:
            body = {"model": "chat", "messages": [{"role": "user", "content": QUESTION}], "stream": True}
            with client.stream("POST", "/v2/chat", json=body) as answer:
                next(line for line in answer.iter_lines() if line.startswith("event: content-delta"))

        short = [document(SHORT, number)[:SHORT] for number in range(texts)]
        asked = {"model": "embed", "input_type": "search_document", "texts": short}
        embedder = wiring.embedder()
        found = {"embed": in_turns(lambda: embedder.embed_passages(short), lambda: posted("/v2/embed", asked), rounds)}
        passages = [document(PASSAGE, number)[:PASSAGE] for number in range(documents)]
        wanted = {"model": "rerank", "query": QUESTION, "documents": passages}
        scorer = wiring.scorer()
        found["rerank"] = in_turns(lambda: scorer(QUESTION, passages), lambda: posted("/v2/rerank", wanted), max(rounds // 4, 3))
        model = wiring.chat_model()
        found["chat"] = in_turns(lambda: next(iter(model.stream([HumanMessage(QUESTION)]))), first_word, rounds)
    return found
