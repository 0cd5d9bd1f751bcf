"""The bare loop over the same model and chunks: what embedding costs without North, in processor seconds of this process. And beside it
the parts of North's own path that can be run alone.

The loop is the one that one would write with tokenizers and onnxruntime: a batch is padded to its longest text, run, averaged over its
tokens and brought to length 1. Of several batch sizes the cheapest is taken, which is the hardest to compare with.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from django.conf import settings
from tokenizers import Tokenizer

from north import wiring
from north.indexes.models import Generation
from retrieval import reading, tokens
from retrieval.chunking import chunk
from retrieval.retriever import shown
from retrieval.types import Chunk

BATCHES = (1, 4, 8, 32)
SAMPLE = 32


class Bare:
    def __init__(self, folder: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(str(folder / "model.onnx"), options, providers=["CPUExecutionProvider"])
        self.inputs = {tensor.name for tensor in self.session.get_inputs()}
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.enable_truncation(512)
        self.tokenizer.enable_padding()

    def embed(self, texts: Sequence[str], batch: int) -> np.ndarray:
        vectors = []
        for start in range(0, len(texts), batch):
            found = self.tokenizer.encode_batch(list(texts[start : start + batch]))
            ids, mask = (np.array([getattr(one, name) for one in found], np.int64) for name in ("ids", "attention_mask"))
            feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
            states = self.session.run(None, {name: feeds[name] for name in self.inputs})[0]
            sums = (states * mask[:, :, None]).sum(axis=1)
            vectors.append(sums / np.linalg.norm(sums, axis=1, keepdims=True))
        return np.concatenate(vectors)


def cost(call: Callable[[], Any]) -> tuple[float, Any]:
    """Processor seconds of this process, and what came out."""
    began = time.process_time()
    found = call()
    return time.process_time() - began, found


def chunks_of(folder: str) -> list[Chunk]:
    """The chunks of all files in a folder, as North cuts them."""
    return [one for path in sorted(Path(folder).iterdir()) for one in chunk(reading.read(path.name, path))]


def main(folder: str, part: int, parts: int, batch: int) -> dict[str, Any]:
    """Over each `parts`-th chunk from this one on, in batches of this size; 0: of the cheapest."""
    chunks = chunks_of(folder)[part::parts]
    texts = [one.text for one in chunks]
    config = settings.MODELS["embed"]
    bare = Bare(Path(str(config["models_dir"])) / str(config["model"]), int(str(config["threads"])))
    bare.embed(texts[:4], 1)
    tried = {} if batch else {size: cost(lambda size=size: bare.embed(texts[:SAMPLE], size))[0] for size in BATCHES}
    batch = batch or min(tried, key=lambda size: tried[size])
    loop, vectors = cost(lambda: bare.embed(texts, batch))
    embedder = wiring.embedder(Generation.of_settings())
    embedder.embed_passages(texts[:4])
    north, own = cost(lambda: embedder.embed_passages(texts))
    headed, _ = cost(lambda: embedder.embed_passages([shown(one) for one in chunks]))
    sparse, _ = cost(lambda: tokens.documents(texts))
    return {
        "chunks": len(chunks), "characters": sum(map(len, texts)), "batch": batch, "tried": tried,
        "loop": loop, "north_embed": north,
        "north_embed_with_headings": headed, "sparse": sparse, "cosine": float(np.einsum("nd,nd->n", vectors, own).min()),
    }  # fmt: skip
