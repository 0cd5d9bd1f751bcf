"""Encoders of the BERT and XLM-RoBERTa families in PyTorch, on a GPU: bf16, from safetensors. Knows nothing of texts: `encoding.py` does.

The rows of a batch are packed one after the other without their padding, so that no time goes into it; attention reads each row alone
(FlashAttention over cumulative lengths, https://arxiv.org/abs/2307.08691, as PyTorch carries it). The layers themselves are
transformers' own. Needs the extra "gpu" (pip install 'north[gpu]').
"""

from __future__ import annotations

from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from north.inference import catalogue
from north.inference.catalogue import Model
from north.inference.encoding import Batch, Embedder, Scorer
from north.inference.errors import ModelBroken, ModelMissing, ModelUnavailable, OutOfMemory
from north.inference.installed import where

BUDGET = 131_072
"""Tokens in one forward pass: 512 passages of 256. An H100 is busy from some 60,000 on."""
GRAPHS = 128
"""Shapes that are remembered; they share their memory."""
PACKED = "north_packed"
FAMILIES = {"bert": 0, "xlm-roberta": 1, "roberta": 1}
"""By `model_type`: whether positions are counted from the padding's number on (RoBERTa) or from 0."""


def _packed_attention(
    module: torch.nn.Module, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, mask: None, *, bounds: torch.Tensor, longest: int,
    scaling: float | None = None, **_: Any,
) -> tuple[torch.Tensor, None]:  # fmt: skip
    """Each of (1, heads, tokens, size); row r is the tokens from bounds[r] to bounds[r + 1]. Returns (1, tokens, heads, size)."""
    if not query.is_cuda:
        cut = [part.tensor_split(bounds[1:-1].tolist(), dim=2) for part in (query, key, value)]
        rows = [scaled_dot_product_attention(*row, scale=scaling) for row in zip(*cut, strict=True)]
        return torch.cat(rows, dim=2).transpose(1, 2), None
    flat = [part[0].transpose(0, 1) for part in (query, key, value)]
    return varlen_attn(*flat, bounds, bounds, longest, longest, scale=scaling)[None], None


ALL_ATTENTION_FUNCTIONS.register(PACKED, _packed_attention)
ALL_MASK_ATTENTION_FUNCTIONS.register(PACKED, ALL_MASK_ATTENTION_FUNCTIONS["flash_attention_2"])


class Graph(NamedTuple):
    graph: torch.cuda.CUDAGraph
    packed: torch.Tensor
    found: torch.Tensor


@dataclass(frozen=True, slots=True)
class Shape:
    """Of a packed batch: its tokens, its rows, and its longest row."""

    tokens: int
    rows: int
    longest: int

    def rounded(self) -> Shape:
        """Not smaller, and one of few: a shape that comes again is replayed as a CUDA graph."""
        return Shape(_up(self.tokens, 16), _up(self.rows, 4), _up(self.longest, 1))


class TorchBackend:
    """`model` is an encoder, or one with a head of one logit where `spec.role` is "score". Raises OutOfMemory, ModelUnavailable.

    On a GPU a shape that comes a second time is captured as a graph: a pass is then one call instead of some hundred, each of which would
    wait for the interpreter while other threads tokenise. It runs in a thread of its own, because a thread's first call to cuBLAS makes
    what may not be made during a capture.
    """

    def __init__(self, spec: Model, model: PreTrainedModel) -> None:
        self.spec, self._device = spec, model.device
        self._body, self._head = model.base_model, getattr(model, "classifier", None)
        model.eval().set_attn_implementation(PACKED)
        kind = model.config.model_type
        self._first_place = model.config.pad_token_id + 1 if FAMILIES[kind] else 0
        self._types = model.config.type_vocab_size > 1
        self._graphs: OrderedDict[Shape, Graph | None] = OrderedDict()
        self._pool = torch.cuda.graph_pool_handle() if self._device.type == "cuda" else None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"encoder {spec.name}")

    def __call__(self, batch: Batch, /) -> np.ndarray:
        try:
            return self._thread.submit(self._run, batch).result()
        except torch.OutOfMemoryError as error:
            self._graphs.clear()
            torch.cuda.empty_cache()
            raise OutOfMemory(self.spec.name) from error
        except (RuntimeError, IndexError) as error:
            raise ModelUnavailable(f"The model {self.spec.name} failed on the GPU: {error}") from error

    @torch.inference_mode()
    def _run(self, batch: Batch) -> np.ndarray:
        lengths = batch.mask.sum(axis=1)
        shape = Shape(int(lengths.sum()), len(lengths), int(lengths.max()))
        shape = shape.rounded() if self._pool else shape
        packed = torch.from_numpy(self._packed(batch, lengths, shape))
        return self._found(packed, shape)[: len(lengths)].cpu().numpy()

    def _found(self, packed: torch.Tensor, shape: Shape) -> torch.Tensor:
        if not self._pool:
            return self._forward(packed, shape)
        packed = packed.pin_memory()
        if shape not in self._graphs:
            self._graphs[shape] = None
            if len(self._graphs) > GRAPHS:
                self._graphs.popitem(last=False)
            return self._forward(packed.to(self._device, non_blocking=True), shape)
        self._graphs.move_to_end(shape)
        graph = self._graphs[shape] = self._graphs[shape] or self._captured(packed, shape)
        graph.packed.copy_(packed, non_blocking=True)
        graph.graph.replay()
        return graph.found

    def _captured(self, packed: torch.Tensor, shape: Shape) -> Graph:
        there, graph = packed.to(self._device), torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            found = self._forward(there, shape)
        return Graph(graph, there, found)

    def _packed(self, batch: Batch, lengths: np.ndarray, shape: Shape) -> np.ndarray:
        """int32: the tokens of all rows one after the other, their places, their types, and where each row begins; each part filled up to
        its shape, rows with empty ones."""
        kept, tokens = batch.mask.astype(bool), int(lengths.sum())
        packed = np.zeros(3 * shape.tokens + shape.rows + 1, np.int32)
        ids, places, types, bounds = np.split(packed, [shape.tokens, 2 * shape.tokens, 3 * shape.tokens])
        ids[:tokens], types[:tokens] = batch.ids[kept], batch.types[kept] if self._types else 0
        places[:tokens] = np.broadcast_to(np.arange(batch.ids.shape[1]) + self._first_place, kept.shape)[kept]
        bounds[1 : len(lengths) + 1], bounds[len(lengths) + 1 :] = lengths.cumsum(), tokens
        return packed

    def _forward(self, packed: torch.Tensor, shape: Shape) -> torch.Tensor:
        """float32 (rows, dimensions) or (rows,), on the device."""
        *parts, bounds = packed.split([shape.tokens] * 3 + [shape.rows + 1])
        ids, places, types = (part[None] for part in parts)
        states = self._body(ids, position_ids=places, token_type_ids=types, bounds=bounds, longest=shape.longest).last_hidden_state[0]
        if self.spec.role == "embed" and self.spec.pooling == "mean":
            return torch.segment_reduce(states.float(), "sum", offsets=bounds.long(), axis=0, unsafe=True)
        first = states[bounds[:-1].clamp(max=shape.tokens - 1)]
        return (self._logits(first[:, None]) if self.spec.role == "score" else first).float()

    def _logits(self, first: torch.Tensor) -> torch.Tensor:
        """(rows,) from the first tokens' states (rows, 1, size). BERT has a pooler before its classifier, RoBERTa has it inside."""
        pooler = getattr(self._body, "pooler", None)
        return self._head(pooler(first) if pooler else first)[:, 0]  # type: ignore[misc]


def _up(number: int, parts: int) -> int:
    """The next number that is a power of two, or lies at one of so many equal parts between two of them."""
    step = max(1, (1 << max(0, (number - 1).bit_length() - 1)) // parts)
    return -(-number // step) * step


def load(model: str, models_dir: Path, device: str = "cuda", budget: int = BUDGET) -> Embedder:
    """For settings: an embedding model of the catalogue, checked, loaded and ready."""
    folder, spec = where(model, Path(models_dir)), catalogue.model(model)
    return Embedder(spec, folder, TorchBackend(spec, read(spec, folder, device)), budget=budget, where="device")


def load_scorer(model: str, models_dir: Path, device: str = "cuda", budget: int = BUDGET) -> Scorer:
    """The same for a cross-encoder."""
    folder, spec = where(model, Path(models_dir)), catalogue.model(model)
    return Scorer(spec, folder, TorchBackend(spec, read(spec, folder, device)), budget=budget, where="device")


def read(spec: Model, folder: Path, device: str) -> PreTrainedModel:
    """The model of a folder with config.json and model.safetensors, on the device; bf16 on a GPU, float32 elsewhere.

    Raises ModelMissing, ModelBroken (a family that this file does not know, or weights that do not fit), ModelUnavailable (no such device).
    """
    if not (folder / "config.json").is_file() or not any(folder.glob("*.safetensors")):
        raise ModelMissing(spec.name)
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ModelUnavailable(f"The model {spec.name} is set to run on {device}, and PyTorch finds no GPU. Install its driver, or set an"
                               " engine for the CPU.")  # fmt: skip
    given = {"trust_remote_code": False, "local_files_only": True}
    try:
        config = AutoConfig.from_pretrained(folder, **given)
        if config.model_type not in FAMILIES or (spec.role == "score" and config.num_labels != 1):
            raise ModelBroken(spec.name, str(folder / "config.json"))
        kind = AutoModelForSequenceClassification if spec.role == "score" else AutoModel
        pooler = {} if spec.role == "score" else {"add_pooling_layer": False}
        model, said = kind.from_pretrained(
            folder, config=config, use_safetensors=True, output_loading_info=True, attn_implementation="sdpa",
            dtype=torch.bfloat16 if device.startswith("cuda") else torch.float32, **pooler, **given,
        )  # fmt: skip
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise ModelBroken(spec.name, str(folder)) from error
    if said["missing_keys"] or said["mismatched_keys"]:
        raise ModelBroken(spec.name, str(folder / "model.safetensors"))
    try:
        return model.to(device)
    except torch.OutOfMemoryError as error:
        raise OutOfMemory(spec.name) from error
