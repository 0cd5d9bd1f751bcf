"""Embedding and reranking through North's own Embedder and Scorer: texts in, tokenised on the processors while the device works."""

from __future__ import annotations

import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from north.inference.catalogue import Model
from north.inference.encoding import Embedder, Row, Scorer, padded
from north.inference.torch_encoder import BUDGET, TorchBackend
from tests.bench.figures import percentile
from tests.bench.gpu import models
from tests.bench.gpu.device import Roofs, seconds
from tests.bench.gpu.device import Row as Line

TOKENS, QUESTION = 256, 16
READERS, PIECE = (2, 4, 8), 512
"""Threads that embed at once, as the model worker's do (the best number counts), and passages that each hands in."""


def measure(roofs: Roofs, multilingual: Path, english: Path, tell: Callable[[Sequence[Line]], object]) -> list[Line]:
    rows: list[Line] = []
    for row in (
        lambda: embedding("e5-small", models.E5_SMALL, multilingual, roofs, goal=15_000, most=512, pooling="mean"),
        lambda: embedding("bge-m3", models.BGE_M3, multilingual, roofs, goal=1_500, most=8192, pooling="cls"),
        lambda: reranking("12 layers, 384 wide", models.MINILM_L12, english, roofs, goal=10, most=512),
        lambda: reranking("568M (bge-reranker-v2-m3)", models.BGE_M3, multilingual, roofs, goal=60, most=8192),
    ):
        rows.append(row())
        tell(rows[-1:])
    return rows


def embedding(name: str, config: Any, tokenizer: Path, roofs: Roofs, *, goal: float, most: int, pooling: str, took: float = 4.0) -> Line:
    spec = Model(name, "embed", name, "", "", "", most, (), dimensions=config.hidden_size, passage="passage: ", pooling=pooling)  # type: ignore[arg-type]
    model = models.encoder(config, score=False)
    backend = TorchBackend(spec, model)
    with folder(tokenizer) as at:
        embedder = Embedder(spec, at, backend, budget=BUDGET)
    texts = passages(tokenizer, TOKENS - 4, 4096)
    lengths = [
        len(encoding.ids) for encoding in Tokenizer.from_file(str(tokenizer)).encode_batch_fast(["passage: " + text for text in texts])
    ]
    ready = padded([Row(np.random.default_rng(1).integers(5, 30_000, TOKENS)) for _ in range(BUDGET // TOKENS)])
    bare = len(ready.ids) / seconds(lambda: backend(ready))
    words = embedder._tokenizer
    split = {count: pace(count, took, lambda chosen: words.encode_batch_fast(chosen.sample(texts, PIECE))) for count in READERS}
    whole = {count: pace(count, took, lambda chosen: embedder.embed_passages(chosen.sample(texts, PIECE))) for count in READERS}
    rate = max(whole.values())
    bound = roofs.flops / (TOKENS * work(model, config, TOKENS))
    return Line(
        f"{name}: passages of {TOKENS} tokens, tokenisation included",
        f">= {goal:,.0f}/s",
        f"{rate:,.0f}/s",
        f"{bound:,.0f}/s (bf16 peak)",
        rate / bound,
        rate >= goal,
        [
            f"Ready tokens alone: {bare:,.0f}/s. By threads that embed: {told(whole)}; that only tokenise: {told(split)}. "
            f"{np.mean(lengths):.0f} tokens a passage on average."
        ],
        {
            "per_second": rate,
            "ready_tokens_per_second": bare,
            "mean_tokens": float(np.mean(lengths)),
            "by_threads": whole,
            "tokenised": split,
        },
    )


def pace(threads: int, took: float, step: Callable[[random.Random], object]) -> float:
    """Passages a second of so many threads that each do PIECE of them a step, after two seconds to warm up."""
    done, until = [0] * threads, time.monotonic() + took + 2.5

    def read(number: int) -> None:
        chosen = random.Random(number)
        while time.monotonic() < until:
            step(chosen)
            done[number] += PIECE

    running = [threading.Thread(target=read, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    time.sleep(2.0)
    before, began = sum(done), time.monotonic()
    time.sleep(took)
    rate = (sum(done) - before) / (time.monotonic() - began)
    for thread in running:
        thread.join()
    return rate


def told(rates: dict[int, float]) -> str:
    return ", ".join(f"{threads}: {rate:,.0f}/s" for threads, rate in rates.items())


def reranking(name: str, config: Any, tokenizer: Path, roofs: Roofs, *, goal: float, most: int, pairs: int = 100, times: int = 100) -> Line:
    spec = Model(name, "score", name, "", "", "", most, ())
    model = models.encoder(config, score=True)
    backend = TorchBackend(spec, model)
    with folder(tokenizer) as at:
        scorer = Scorer(spec, at, backend, budget=BUDGET)
    question = passages(tokenizer, QUESTION, 1)[0]
    texts = passages(tokenizer, TOKENS - QUESTION - 4, pairs * 8)
    ready = padded([Row(np.random.default_rng(1).integers(5, 30_000, TOKENS)) for _ in range(pairs)])
    bare = [clocked(lambda: backend(ready)) for _ in range(times)][5:]
    split = [clocked(lambda: scorer._tokenizer.encode_batch_fast([(question, text) for text in texts[:pairs]])) for _ in range(20)]
    whole = [clocked(lambda: scorer(question, random.sample(texts, pairs))) for _ in range(times)][5:]
    floor = pairs * TOKENS * work(model, config, TOKENS) / roofs.flops
    engine, p95 = percentile(bare, 95), percentile(whole, 95)
    return Line(
        f"rerank {pairs} pairs x {TOKENS} tokens, {name}: p95 in the engine",
        f"<= {goal:g} ms",
        f"{engine * 1e3:.1f} ms",
        f"{floor * 1e3:.1f} ms (bf16 peak)",
        floor / engine,
        engine * 1e3 <= goal,
        [
            f"p50 {percentile(bare, 50) * 1e3:.1f} ms. With tokenisation (p50 {percentile(split, 50) * 1e3:.1f} ms of it) and batcher: "
            f"p50 {percentile(whole, 50) * 1e3:.1f}, p95 {p95 * 1e3:.1f} ms."
        ],
        {"p50_ms": percentile(bare, 50) * 1e3, "p95_ms": engine * 1e3, "with_texts_p95_ms": p95 * 1e3},
    )


def work(model: Any, config: Any, tokens: int) -> float:
    """Operations for one token of a text of so many: two for each number of a matrix, and attention's two products."""
    return 2 * models.parameters(model.base_model) + 4 * tokens * config.hidden_size * config.num_hidden_layers


def clocked(call: Any) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def passages(tokenizer: Path, tokens: int, count: int) -> Sequence[str]:
    """Of random whole words of the vocabulary, frequent and rare ones as in any language (Zipf's law), about so many tokens each."""
    known = Tokenizer.from_file(str(tokenizer)).get_vocab()
    mark = "▁" if any(word.startswith("▁") for word in known) else ""
    words = sorted(word.removeprefix(mark) for word in known if word.startswith(mark) and word.removeprefix(mark).isalpha())
    chosen = random.Random(7)
    chosen.shuffle(words)
    shares = list(accumulate(1 / (rank + 3) for rank in range(len(words))))
    return [" ".join(chosen.choices(words, cum_weights=shares, k=tokens)) for _ in range(count)]


@contextmanager
def folder(tokenizer: Path) -> Iterator[Path]:
    """One with only this tokenizer in it."""
    with tempfile.TemporaryDirectory() as made:
        shutil.copy(tokenizer, Path(made) / "tokenizer.json")
        yield Path(made)
