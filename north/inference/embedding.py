"""Texts to vectors with an encoder in ONNX. Knows nothing of documents or questions.

A vector is the mean of the last hidden states of a text's tokens, at length 1 (mean pooling, https://arxiv.org/abs/1908.10084; the
prefixes are E5's, https://arxiv.org/abs/2402.05672). A text longer than the model's context is read in windows whose tokens are averaged
together, so that none is dropped.
"""

from __future__ import annotations

import platform
import re
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as failures
from tokenizers import Encoding, Tokenizer

from north.inference import catalogue, metering, vitals
from north.inference.batching import Lanes, batches
from north.inference.catalogue import Model
from north.inference.errors import ModelBroken, ModelMissing
from north.inference.installed import where

BUDGET = 256
"""Tokens in one run. Longer texts run one by one, which costs no more on a CPU, and no neighbour changes their activations' scale."""
BROKEN = (failures.InvalidProtobuf, failures.InvalidGraph, failures.Fail, failures.InvalidArgument, failures.NotImplemented)


class OnnxEmbedder:
    """`folder` holds model.onnx and tokenizer.json; `spec` says what they are. Threads may share one: queries go before passages.

    Raises ModelMissing, ModelBroken.
    """

    def __init__(self, folder: Path, spec: Model, threads: int = 1) -> None:
        self.spec, self.dimensions = spec, spec.dimensions
        paths = [folder / "model.onnx", folder / "tokenizer.json"]
        if not all(path.is_file() for path in paths):
            raise ModelMissing(spec.name)
        self._session = _session(paths[0], spec, threads)
        self._inputs = {tensor.name for tensor in self._session.get_inputs()}
        self._tokenizer = Tokenizer.from_file(str(paths[1]))
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(spec.context)
        self._lanes = Lanes()

    def embed_queries(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (len(texts), dimensions), rows of length 1. Goes before passages that wait."""
        return self._embed([self.spec.query + text for text in texts], hurry=True)

    def embed_passages(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (len(texts), dimensions), rows of length 1. In small batches, between which queries go first."""
        return self._embed([self.spec.passage + text for text in texts], hurry=False)

    def _embed(self, texts: Sequence[str], *, hurry: bool) -> np.ndarray:
        owners, windows = self._windows(texts)
        sums = np.zeros((len(texts), self.dimensions), np.float32)
        for batch in batches([len(window.ids) for window in windows], BUDGET):
            with self._lanes.turn(hurry=hurry):
                began = time.monotonic()
                with vitals.working("embed", "processor"):
                    pooled = self._run([windows[index].ids for index in batch])
                metering.note(sum(len(windows[index].ids) for index in batch), time.monotonic() - began)
            np.add.at(sums, [owners[index] for index in batch], pooled)
        return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-12)

    def _windows(self, texts: Sequence[str]) -> tuple[list[int], list[Encoding]]:
        """Each text's pieces of at most `context` tokens, and to which text each belongs."""
        owners, windows = [], []
        for owner, encoding in enumerate(self._tokenizer.encode_batch_fast(list(texts))):
            pieces = [encoding, *encoding.overflowing]
            owners += [owner] * len(pieces)
            windows += pieces
        return owners, windows

    def _run(self, rows: Sequence[Sequence[int]]) -> np.ndarray:
        """The sum of the hidden states of each row's tokens, float32 (rows, dimensions)."""
        ids = np.zeros((len(rows), max(map(len, rows))), np.int64)
        mask = np.zeros_like(ids)
        for number, row in enumerate(rows):
            ids[number, : len(row)], mask[number, : len(row)] = row, 1
        feeds = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros_like(ids)}
        states = self._session.run(None, {name: feeds[name] for name in self._inputs})[0]
        return np.einsum("rth,rt->rh", states, mask.astype(np.float32))


def load(model: str, models_dir: Path, threads: int = 1) -> OnnxEmbedder:
    """For settings: an embedding model of the catalogue, checked, loaded and ready."""
    return OnnxEmbedder(where(model, Path(models_dir)), catalogue.model(model), threads)


def _session(path: Path, spec: Model, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.enable_cpu_mem_arena = False  # an arena keeps its largest batch for ever
    options.log_severity_level = 3
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # spinning starves the neighbours on a small machine
    if _saturates():
        options.add_session_config_entry("session.x64quantprecision", "1")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except BROKEN as error:
        raise ModelBroken(spec.name, str(path)) from error


def _saturates() -> bool:
    """On x86 without VNNI instructions, sums of products of signed and unsigned bytes overflow; onnxruntime's precision mode, at half the
    speed, avoids it (https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html)."""
    if platform.machine() not in ("x86_64", "AMD64"):
        return False
    processor = Path("/proc/cpuinfo")
    return not (processor.exists() and re.search(r"\bavx(512)?_?vnni\b", processor.read_text()))
