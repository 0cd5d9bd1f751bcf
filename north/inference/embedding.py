"""Encoders in ONNX, on processors. Knows nothing of texts: `encoding.py` does."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi import onnxruntime_pybind11_state as failures

from north.inference import catalogue
from north.inference.catalogue import Model
from north.inference.encoding import Embedder, Row, Scorer, padded
from north.inference.errors import ModelBroken, ModelMissing, ModelUnavailable, OutOfMemory
from north.inference.installed import where

BUDGET = 256
"""Tokens in one run. Longer texts run one by one, which costs no more on a CPU, and no neighbour changes their activations' scale."""
INPUTS = {"input_ids", "attention_mask", "token_type_ids"}
BROKEN = (failures.InvalidProtobuf, failures.InvalidGraph, failures.Fail, failures.InvalidArgument, failures.NotImplemented)
FAILED = (*BROKEN, failures.RuntimeException, failures.EPFail)


class OnnxBackend:
    """`folder` holds model.onnx; `spec` says what it is. Its first output is the last hidden states, or a cross-encoder's one logit.

    Raises ModelMissing, ModelBroken.
    """

    def __init__(self, spec: Model, folder: Path, threads: int = 1) -> None:
        self.spec = spec
        path = folder / "model.onnx"
        if not path.is_file():
            raise ModelMissing(spec.name)
        self._session = _session(path, spec, threads)
        self._inputs = {tensor.name for tensor in self._session.get_inputs()}
        if not self._inputs <= INPUTS or (spec.role == "embed" and len(self._session.get_outputs()[0].shape) != 3):
            raise ModelBroken(spec.name, str(path))

    def __call__(self, rows: Sequence[Row], /) -> np.ndarray:
        batch = padded(rows)
        feeds = {"input_ids": batch.ids, "attention_mask": batch.mask, "token_type_ids": batch.types}
        try:
            found = self._session.run(None, {name: feeds[name] for name in self._inputs})[0]
        except FAILED as error:
            if "alloc" in str(error):
                raise OutOfMemory(self.spec.name) from error
            raise ModelUnavailable(f"The model {self.spec.name} failed: {error}") from error
        if self.spec.role == "score":
            return found.reshape(len(batch.ids)) if found.size == len(batch.ids) else found
        if self.spec.pooling == "cls":
            return found[:, 0]
        return np.einsum("rth,rt->rh", found, batch.mask.astype(np.float32))


def load(model: str, models_dir: Path, threads: int = 1) -> Embedder:
    """For settings: an embedding model of the catalogue, checked, loaded and ready."""
    folder, spec = where(model, Path(models_dir)), catalogue.model(model, Path(models_dir))
    return Embedder(spec, folder, OnnxBackend(spec, folder, threads), budget=BUDGET)


def load_scorer(model: str, models_dir: Path, threads: int = 1) -> Scorer:
    """The same for a cross-encoder."""
    folder, spec = where(model, Path(models_dir)), catalogue.model(model, Path(models_dir))
    return Scorer(spec, folder, OnnxBackend(spec, folder, threads), budget=BUDGET)


def _session(path: Path, spec: Model, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
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
