"""Chat through North's own TransformersChatModel: text in, pieces of text out, as many threads as there are askers."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from north.inference.continuous import Batching
from north.inference.transformers_chat import TransformersChatModel
from tests.bench.figures import percentile
from tests.bench.gpu import models
from tests.bench.gpu.device import DATASHEET_BANDWIDTH, Roofs, Row

CONTEXT = 8192
HOSTED = 213
"""Requests a minute of a hosted 32B model at 32 at once, 2,000 tokens in, 200 out."""


@dataclass(slots=True)
class Answer:
    """When it was asked, and when each piece came, on time.perf_counter's clock; how many tokens each had; the usage at its end."""

    asked: float
    pieces: list[float] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)

    @property
    def first(self) -> float:
        return self.pieces[0] - self.asked

    @property
    def whole(self) -> float:
        return self.pieces[-1] - self.asked


class Chat:
    """A model with random weights behind the engine, for the while of a block."""

    def __init__(self, name: str, config: Any, **limits: Any) -> None:
        began = time.monotonic()
        self.config = config
        self.loaded, tokenizer = models.chat(config)
        self.batching = Batching(self.loaded, name, **{"context": CONTEXT, "parallel": 64, **limits})
        self.model = TransformersChatModel(batching=self.batching, tokenizer=tokenizer)
        self.started = time.monotonic() - began

    def __enter__(self) -> Chat:
        return self

    def __exit__(self, *_: object) -> None:
        self.batching.stop()
        del self.model, self.batching, self.loaded
        gc.collect()
        torch.cuda.empty_cache()

    def prompt(self, tokens: int) -> str:
        return models.prompt(tokens, self.config.vocab_size)

    def ask(self, prompt: str, tokens: int) -> Answer:
        answer = Answer(time.perf_counter())
        for chunk in self.model.stream(prompt, max_tokens=tokens):
            if chunk.content:
                answer.pieces.append(time.perf_counter())
                answer.tokens.append(len(str(chunk.content).split()))
            if chunk.usage_metadata:
                answer.usage = dict(chunk.usage_metadata)
        return answer

    def at_once(self, prompts: Sequence[str], tokens: int) -> list[Answer]:
        return together(len(prompts), lambda number: [self.ask(prompts[number], tokens)])

    def in_a_loop(self, askers: int, tokens: int, answer: int, seconds: float) -> tuple[list[Answer], float]:
        """Each asks anew when answered; what was asked in the first quarter is for warming up. Returns the rest and requests a second."""
        began = time.perf_counter()
        until = began + seconds

        def ask(_: int) -> list[Answer]:
            answers = []
            while time.perf_counter() < until:
                answers.append(self.ask(self.prompt(tokens), answer))
            return answers

        answers = together(askers, ask)
        since = began + seconds / 4
        ended = [given for given in answers if since <= given.pieces[-1] <= until]
        return [given for given in answers if since <= given.asked], len(ended) / (until - since)


def together(many: int, work: Callable[[int], list[Answer]]) -> list[Answer]:
    found: list[list[Answer]] = [[] for _ in range(many)]
    threads = [threading.Thread(target=lambda n=n: found[n].extend(work(n))) for n in range(many)]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [answer for answers in found for answer in answers]


def measure(roofs: Roofs, progress: Callable[[Sequence[Row]], None], only: Sequence[str] = ("llama", "command")) -> list[Row]:
    rows: list[Row] = []
    if "llama" in only:
        rows += llama(roofs, progress)
    if "command" in only:
        rows += command_r7b(roofs, progress)
    return rows


def llama(roofs: Roofs, progress: Callable[[Sequence[Row]], None]) -> list[Row]:
    rows: list[Row] = []
    with Chat("Llama-3.1-8B", models.LLAMA_8B) as chat:
        chat.ask(chat.prompt(512), 32)
        for row in (alone, streams, first_tokens, second_question, loop):
            rows.append(row(chat, roofs))
            progress(rows[-1:])
    return rows


def command_r7b(roofs: Roofs, progress: Callable[[Sequence[Row]], None]) -> list[Row]:
    rows: list[Row] = []
    with Chat("Command-R7B", models.COMMAND_R7B) as chat:
        chat.at_once([chat.prompt(600) for _ in range(8)], 16)
        for found in ([alone(chat, roofs)], command(chat, roofs)):
            rows += found
            progress(found)
    return rows


def alone(chat: Chat, roofs: Roofs) -> Row:
    answers = [chat.ask(chat.prompt(512), 256) for _ in range(3)]
    rate = max(sum(answer.tokens[1:]) / (answer.pieces[-1] - answer.pieces[0]) for answer in answers)
    size = 2 * sum(weight.numel() for weight in chat.loaded.parameters())
    bound, reachable = DATASHEET_BANDWIDTH / size, roofs.bytes / size
    return Row(
        f"{chat.batching.name}: one stream, tokens a second",
        f">= {0.6 * bound:,.0f}/s (60 %)",
        f"{rate:,.0f}/s",
        f"{bound:,.0f}/s (3.35 TB/s)",
        rate / bound,
        rate >= 0.6 * bound,
        [
            f"{size / 1e9:.1f} GB of weights; at the copy's rate here the bound is {reachable:,.0f}/s, of which {rate / reachable:.0%}. "
            f"The engine started in {chat.started:.0f} s."
        ],
        {"per_second": rate, "start_seconds": chat.started},
    )


def streams(chat: Chat, roofs: Roofs, many: int = 64, tokens: int = 1024, answer: int = 256) -> Row:
    chat.at_once([chat.prompt(tokens) for _ in range(many)], 16)
    answers = chat.at_once([chat.prompt(tokens) for _ in range(many)], answer)
    since, until = max(given.pieces[0] for given in answers), min(given.pieces[-1] for given in answers)
    seen = [tokens for given in answers for at, tokens in zip(given.pieces, given.tokens, strict=True) if since < at <= until]
    rate = sum(seen) / (until - since)
    over_all = many * answer / (max(given.pieces[-1] for given in answers) - min(given.asked for given in answers))
    config, size = chat.config, 2 * sum(weight.numel() for weight in chat.loaded.parameters())
    pages = many * (tokens + answer / 2) * 4 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    bound = many * DATASHEET_BANDWIDTH / (size + pages)
    return Row(
        f"{chat.batching.name}: {many} streams of {tokens:,} tokens of context, tokens a second",
        ">= 5,000/s",
        f"{rate:,.0f}/s",
        f"{bound:,.0f}/s (3.35 TB/s)",
        rate / bound,
        rate >= 5000,
        [f"While all {many} write. With the reading of their prompts, {answer} tokens each: {over_all:,.0f}/s."],
        {"per_second": rate, "with_prompts_per_second": over_all},
    )


def first_tokens(chat: Chat, roofs: Roofs, many: int = 32, tokens: int = 2048) -> Row:
    answers = chat.at_once([chat.prompt(tokens) for _ in range(many)], 16)
    firsts = [answer.first for answer in answers]
    floor = many * tokens * 2 * models.parameters(chat.loaded) / roofs.flops
    p95 = percentile(firsts, 95)
    return Row(
        f"{chat.batching.name}: {many} prompts of {tokens:,} tokens at one instant, first token p95",
        "<= 400 ms",
        f"{p95 * 1e3:,.0f} ms",
        f"{floor * 1e3:,.0f} ms for the last (bf16 peak)",
        floor / max(firsts),
        p95 <= 0.4,
        [
            f"p50 {percentile(firsts, 50) * 1e3:,.0f} ms. {many * tokens:,} tokens in one instant are beyond the chip: its peak takes "
            f"{floor:.2f} s. See the loop of {many} below for askers who do not start together."
        ],
        {"p50_ms": percentile(firsts, 50) * 1e3, "p95_ms": p95 * 1e3},
    )


def second_question(chat: Chat, roofs: Roofs, tokens: int = 4096, times: int = 5) -> Row:
    ratios, firsts, cached = [], [], []
    for _ in range(times):
        context = chat.prompt(tokens)
        one, two = (chat.ask(f"{context} {chat.prompt(24)}", 8) for _ in range(2))
        ratios.append(two.first / one.first)
        firsts.append(one.first)
        cached.append(two.usage["input_token_details"]["cache_read"])
    ratio = percentile(ratios, 50)
    return Row(
        f"{chat.batching.name}: second question on the same {tokens:,} tokens, first token",
        "<= 0.35 x the first's",
        f"{ratio:.2f} x",
        "-",
        None,
        ratio <= 0.35,
        [f"First: p50 {percentile(firsts, 50) * 1e3:.0f} ms; cached: {min(cached):,} of {tokens + 24:,} tokens."],
        {"ratio": ratio, "first_ms": percentile(firsts, 50) * 1e3, "cached": min(cached)},
    )


def loop(chat: Chat, roofs: Roofs, many: int = 32, tokens: int = 2000, answer: int = 200, seconds: float = 32.0) -> Row:
    answers, rate = chat.in_a_loop(many, tokens, answer, seconds)
    firsts = [given.first for given in answers]
    p95 = percentile(firsts, 95)
    return Row(
        f"{chat.batching.name}: {many} askers in a loop, {tokens:,} in {answer} out, first token p95",
        "<= 400 ms",
        f"{p95 * 1e3:,.0f} ms",
        f"{request_seconds(chat, roofs, tokens, answer, many) * 1e3:,.0f} ms of the chip a request",
        None,
        p95 <= 0.4,
        [
            f"p50 {percentile(firsts, 50) * 1e3:,.0f} ms, n={len(firsts)}; {rate * 60:,.0f} requests a minute; an answer takes "
            f"p50 {percentile([given.whole for given in answers], 50):.1f} s."
        ],
        {"p50_ms": percentile(firsts, 50) * 1e3, "p95_ms": p95 * 1e3, "requests_a_minute": rate * 60},
    )


def command(chat: Chat, roofs: Roofs, tokens: int = 2000, answer: int = 200, seconds: float = 32.0) -> list[Row]:
    answers, rate = chat.in_a_loop(32, tokens, answer, seconds)
    bound = 60 / request_seconds(chat, roofs, tokens, answer, 32)
    few, _ = chat.in_a_loop(8, tokens, answer, seconds / 2)
    p50 = percentile([given.whole for given in few], 50)
    return [
        Row(
            f"{chat.batching.name}: 32 at once, {tokens:,} in {answer} out, requests a minute",
            f">= {2 * HOSTED}",
            f"{rate * 60:,.0f}",
            f"{bound:,.0f} (both roofs)",
            rate * 60 / bound,
            rate * 60 >= 2 * HOSTED,
            [
                f"First token p50 {percentile([given.first for given in answers], 50) * 1e3:,.0f}, "
                f"p95 {percentile([given.first for given in answers], 95) * 1e3:,.0f} ms; an answer takes "
                f"p50 {percentile([given.whole for given in answers], 50):.1f} s."
            ],
            {"requests_a_minute": rate * 60},
        ),
        Row(
            f"{chat.batching.name}: 8 at once, {tokens:,} in {answer} out, an answer p50",
            "<= 2.5 s",
            f"{p50:.2f} s",
            f"{request_seconds(chat, roofs, tokens, answer, 8) * 8:.2f} s (both roofs)",
            request_seconds(chat, roofs, tokens, answer, 8) * 8 / p50,
            p50 <= 2.5,
            [],
            {"p50_seconds": p50},
        ),
    ]


def request_seconds(chat: Chat, roofs: Roofs, tokens: int, answer: int, many: int) -> float:
    """Of the chip, for one of `many` requests that share each step: the prompt at its peak, each token of the answer at its bandwidth."""
    config, size = chat.config, 2 * sum(weight.numel() for weight in chat.loaded.parameters())
    pages = (tokens + answer / 2) * 4 * config.num_hidden_layers * config.num_key_value_heads * config.head_dim
    return tokens * 2 * models.parameters(chat.loaded) / roofs.flops + answer * (size / many + pages) / DATASHEET_BANDWIDTH
