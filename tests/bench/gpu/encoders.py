"""Embedding and reranking through North's own Embedder and Scorer: texts in, tokenised by processes of their own while the device works."""

from __future__ import annotations

import atexit
import multiprocessing
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from north.inference.catalogue import Model
from north.inference.encoding import Embedder, Row, Scorer
from north.inference.tokenizer_processes import default_count
from north.inference.torch_encoder import AT_ONCE, BUDGET, TorchBackend
from north.memory import memory
from tests.bench.figures import percentile
from tests.bench.gpu import models
from tests.bench.gpu.device import Roofs, seconds
from tests.bench.gpu.device import Row as Line

TOKENS, QUESTION = 256, 16
READERS, PIECE = (1, 2, 4, 8), 512
"""Threads that embed at once, as the model worker's do (the best number counts), and passages that each hands in."""
WARM = 20
"""Calls before those that count: each shape of a batch that comes again is captured once."""
ROUNDS = 6
"""Of all texts, until each process has met their words."""


def figures(multilingual: Path, english: Path, texts: Sequence[str]) -> dict[str, Callable[[Roofs], Line]]:
    """By name; each loads its model. `texts`: real ones, each embedded once by e5-small."""
    return {
        "embed": lambda roofs: embedding("e5-small", models.E5_SMALL, multilingual, roofs, texts, goal=15_000, most=512, pooling="mean"),
        "embed-large": lambda roofs: embedding("bge-m3", models.BGE_M3, multilingual, roofs, (), goal=1_500, most=8192, pooling="cls"),
        "rerank": lambda roofs: reranking("12 layers, 384 wide", models.MINILM_L12, english, roofs, goal=10, most=512),
        "rerank-large": lambda roofs: reranking("568M (bge-reranker-v2-m3)", models.BGE_M3, multilingual, roofs, goal=60, most=8192),
    }


def embedding(
    name: str, config: Any, tokenizer: Path, roofs: Roofs, real: Sequence[str], *, goal: float, most: int, pooling: str, took: float = 3.0
) -> Line:
    spec = Model(name, "embed", name, "", "", "", most, (), dimensions=config.hidden_size, passage="passage: ", pooling=pooling)  # type: ignore[arg-type]
    model = models.encoder(config, score=False)
    backend = TorchBackend(spec, model)
    embedder = Embedder(spec, folder(tokenizer), backend, budget=BUDGET, at_once=AT_ONCE, where="device", processes=default_count())
    texts = passages(tokenizer, TOKENS - 4, 4096)
    lengths = [
        len(encoding.ids) for encoding in Tokenizer.from_file(str(tokenizer)).encode_batch_fast(["passage: " + text for text in texts])
    ]
    ready = [Row(np.random.default_rng(1).integers(5, 30_000, TOKENS)) for _ in range(BUDGET // TOKENS)]
    bare = len(ready) / seconds(lambda: backend(ready))
    real_cold = once(embedder, real) if real else 0.0
    cold = len(texts) / clocked(lambda: embedder.words(["passage: " + text for text in texts]))
    for _ in range(ROUNDS):
        embedder.words(["passage: " + text for text in texts])
    split = pace(max(READERS), took, lambda chosen: embedder.words(prefixed(chosen, texts)))
    whole = {count: pace(count, took, lambda chosen: embedder.embed_passages(chosen.sample(texts, PIECE))) for count in READERS}
    rate = max(whole.values())
    spent = own_time(lambda: embedder.embed_passages(random.sample(texts, PIECE))) / PIECE
    bound = roofs.flops / (TOKENS * work(model, config, TOKENS))
    return Line(
        f"{name}: passages of {TOKENS} tokens, tokenisation included",
        f">= {goal:,.0f}/s",
        f"{rate:,.0f}/s",
        f"{bound:,.0f}/s (bf16 peak)",
        rate / bound,
        rate >= goal,
        [
            f"Ready tokens alone: {bare:,.0f}/s. By threads that embed: {told(whole)}; {max(READERS)} that only tokenise: {split:,.0f}/s. "
            f"{np.mean(lengths):.0f} tokens a passage on average. {default_count()} processes tokenise, {held() / 2**20:.0f} MB each, and "
            f"remember words: who meets each for the first time is given {cold:,.0f}/s. This process itself spends "
            f"{spent * 1e6:.0f} us of a processor on a passage.",
            *([f"{len(real):,} real texts, each once, by processes that had met no word: {real_cold:,.0f}/s."] if real else []),
        ],
        {
            "per_second": rate,
            "ready_tokens_per_second": bare,
            "mean_tokens": float(np.mean(lengths)),
            "by_threads": whole,
            "tokenised": split,
            "tokenised_first_time": cold,
            "tokenising_processes": default_count(),
            "bytes_a_process": held(),
            "own_seconds_a_passage": spent,
            "real_texts_once_per_second": real_cold,
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


def once(embedder: Embedder, texts: Sequence[str]) -> float:
    """Passages a second where each is embedded once, by as many threads as may be."""
    parts = [texts[at : at + PIECE] for at in range(0, len(texts), PIECE)]
    with ThreadPoolExecutor(max(READERS)) as threads:
        return len(texts) / clocked(lambda: list(threads.map(embedder.embed_passages, parts)))


def prefixed(chosen: random.Random, texts: Sequence[str]) -> list[str]:
    return ["passage: " + text for text in chosen.sample(texts, PIECE)]


def told(rates: dict[int, float]) -> str:
    return ", ".join(f"{threads}: {rate:,.0f}/s" for threads, rate in rates.items())


def reranking(name: str, config: Any, tokenizer: Path, roofs: Roofs, *, goal: float, most: int, pairs: int = 100, times: int = 100) -> Line:
    spec = Model(name, "score", name, "", "", "", most, ())
    model = models.encoder(config, score=True)
    backend = TorchBackend(spec, model)
    scorer = Scorer(spec, folder(tokenizer), backend, budget=BUDGET, at_once=AT_ONCE, where="device", processes=default_count())
    question = passages(tokenizer, QUESTION, 1)[0]
    texts = passages(tokenizer, TOKENS - QUESTION - 4, pairs * 8)
    ready = [Row(np.random.default_rng(1).integers(5, 30_000, TOKENS)) for _ in range(pairs)]
    bare = [clocked(lambda: backend(ready)) for _ in range(times)][5:]
    cold = clocked(lambda: scorer.words(texts[:pairs]))
    for _ in range(ROUNDS):
        scorer.words(texts)
    split = [clocked(lambda: scorer.words(random.sample(texts, pairs))) for _ in range(20)]
    for _ in range(WARM):
        scorer(question, random.sample(texts, pairs))
    whole = [clocked(lambda: scorer(question, random.sample(texts, pairs))) for _ in range(times)]
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
            f"p50 {percentile(bare, 50) * 1e3:.1f} ms. With tokenisation (p50 {percentile(split, 50) * 1e3:.1f} ms of it where the words "
            f"were met before, {cold * 1e3:.1f} ms where not) and batcher: p50 {percentile(whole, 50) * 1e3:.1f}, p95 {p95 * 1e3:.1f} ms."
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


def own_time(call: Callable[[], object], times: int = 10) -> float:
    """Processor seconds of this process and its threads alone for one call; waiting for the device may be some of it."""
    before = time.process_time()
    for _ in range(times):
        call()
    return (time.process_time() - before) / times


def held() -> float:
    """Bytes of a process that tokenises, pages that it shares divided."""
    found = [memory(child.pid)["pss"] for child in multiprocessing.active_children() if child.pid]
    return sum(found) / max(len(found), 1)


def folder(tokenizer: Path) -> Path:
    """A new one with only this tokenizer in it, until the end: the processes that tokenise read it when they start."""
    made = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    shutil.copy(tokenizer, made / "tokenizer.json")
    return made
