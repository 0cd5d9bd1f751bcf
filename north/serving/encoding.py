"""In the model worker: vectors, verdicts and tokens for a program."""

from __future__ import annotations

import base64
from itertools import pairwise
from typing import Any

import numpy as np

from north import wiring
from north.inference.chat import OpenAIChatModel
from north.inference.errors import Unsupported
from north.inference.metering import METER
from north.serving.job import Job


def embed(job: Job) -> dict[str, Any]:
    """`texts`, `search` (they are questions), `hurry`, `truncate` (START, END or NONE), `most` tokens of each or None. Gives `vectors`:
    float32, little-endian, base64; `dimensions`; `tokens` read."""
    vectors = wiring.embedder().embed_cut(
        job.asked["texts"], question=job.asked["search"], hurry=job.asked["hurry"], drop=job.asked["truncate"], most=job.asked["most"]
    )
    packed = base64.b64encode(vectors.astype("<f4").tobytes()).decode()
    return {"vectors": packed, "dimensions": vectors.shape[1], "tokens": tokens_read()}


def rerank(job: Job) -> dict[str, Any]:
    """`query`, `documents`, `most` tokens of each. Gives `scores`, 0 to 1, in their order."""
    logits = wiring.scorer()(job.asked["query"], job.asked["documents"], most=job.asked["most"])
    return {"scores": [round(float(score), 8) for score in 1 / (1 + np.exp(-logits.astype(np.float64)))], "tokens": tokens_read()}


def tokenize(job: Job) -> dict[str, Any]:
    """`text` and the model's `role`. Gives `tokens` (no special ones) and `strings`, which are together the text."""
    text = job.asked["text"]
    if job.asked["role"] == "chat":
        pairs = speaking().tokenize(text)
        return {"tokens": [id for id, _ in pairs], "strings": [piece for _, piece in pairs]}
    found = encoder(job.asked["role"]).tokenizer.encode(text, add_special_tokens=False)
    ends = [0, *(end for _, end in found.offsets)]
    return {"tokens": found.ids, "strings": [text[start:end] for start, end in pairwise(ends)]}


def detokenize(job: Job) -> dict[str, Any]:
    """`tokens` and the model's `role`. Gives `text`."""
    if job.asked["role"] == "chat":
        return {"text": speaking().detokenize(job.asked["tokens"])}
    tokenizer = encoder(job.asked["role"]).tokenizer
    most = tokenizer.get_vocab_size(with_added_tokens=True)
    if unknown := [id for id in job.asked["tokens"] if not 0 <= id < most]:
        raise Unsupported(f"invalid request: the model has no token {unknown[0]}; its tokens are 0 to {most - 1}")
    return {"text": tokenizer.decode(job.asked["tokens"], skip_special_tokens=False)}


def encoder(role: str) -> Any:
    return wiring.embedder() if role == "embed" else wiring.scorer()


def speaking() -> OpenAIChatModel:
    """The chat model, where it stands in this process: another server's tokens are not known here. Raises Unsupported."""
    model = wiring.chat_model()
    if not isinstance(model, OpenAIChatModel) or model.where == "remote":
        raise Unsupported("The tokens of this chat model are known to its own server only. Name an embedding model, or ask that server.")
    return model


def tokens_read() -> int:
    meter = METER.get()
    return meter.tokens_in if meter else 0
