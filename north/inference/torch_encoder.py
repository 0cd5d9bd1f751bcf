"""Encoders of the BERT and XLM-RoBERTa families in PyTorch, on a GPU: bf16, from safetensors. Knows nothing of texts: `encoding.py` does.

The rows of a batch are packed one after the other without their padding, so that no time goes into it; attention reads each row alone
(FlashAttention over cumulative lengths, https://arxiv.org/abs/2307.08691, as PyTorch carries it). The layers themselves are
transformers' own. Needs the extra "gpu" (pip install 'north[gpu]').
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.nn.attention.varlen import varlen_attn
from torch.nn.functional import scaled_dot_product_attention
from transformers import AutoConfig, AutoModel, AutoModelForSequenceClassification, PreTrainedModel
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from north.inference import catalogue
from north.inference.catalogue import Model
from north.inference.encoding import Embedder, Row, Scorer
from north.inference.errors import ModelBroken, ModelUnavailable, OutOfMemory
from north.inference.installed import where
from north.inference.tokenizer_processes import default_count
from north.inference.torch_loading import GIVEN, reading, weights

BUDGET, AT_ONCE = 131_072, 2
"""Tokens on the way: 512 passages of 256, in two passes. An H100 is busy from some 60,000 on; while it reads one, the other is packed."""
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


class Launched(NamedTuple):
    """A pass that the device has been given: its result, which is there when `done` is (None: already)."""

    found: torch.Tensor
    done: torch.cuda.Event | None

    def awaited(self) -> np.ndarray:
        if self.done:
            self.done.synchronize()
        return self.found.numpy()


class TorchBackend:
    """`model` is an encoder, or one with a head of one logit where `spec.role` is "score". Raises OutOfMemory, ModelUnavailable.

    On a GPU a shape that comes a second time is captured as a graph: a pass is then one call instead of some hundred, each of which would
    wait for the interpreter while other threads tokenise. Passes are given to the device by a thread of its own, because a thread's first
    call to cuBLAS makes what may not be made during a capture. It does not wait for their results, whoever called does: so the device has
    the next pass before it ends the last.
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
        here = partial(torch.cuda.set_device, self._device) if self._pool else None
        self._thread = ThreadPoolExecutor(1, f"encoder {spec.name}", here)

    def __call__(self, rows: Sequence[Row], /) -> np.ndarray:
        lengths = np.array([len(row.ids) for row in rows])
        shape = Shape(int(lengths.sum()), len(rows), int(lengths.max()))
        shape = shape.rounded() if self._pool else shape
        packed = self._packed(rows, lengths, shape)
        try:
            return self._thread.submit(self._launch, packed, shape).result().awaited()[: len(rows)]
        except torch.OutOfMemoryError as error:
            self._thread.submit(self._forget).result()
            raise OutOfMemory(self.spec.name) from error
        except (RuntimeError, IndexError) as error:
            raise ModelUnavailable(f"The model {self.spec.name} failed on the GPU: {error}") from error

    def _forget(self) -> None:
        """All that is remembered of shapes, and the memory that is held for more."""
        self._graphs.clear()
        torch.cuda.empty_cache()

    @torch.inference_mode()
    def _launch(self, packed: torch.Tensor, shape: Shape) -> Launched:
        found = self._found(packed, shape)
        if not self._pool:
            return Launched(found, None)
        there, done = torch.empty(found.shape, dtype=found.dtype, pin_memory=True), torch.cuda.Event()
        there.copy_(found, non_blocking=True)
        done.record()
        return Launched(there, done)

    def _found(self, packed: torch.Tensor, shape: Shape) -> torch.Tensor:
        """On the device, in the order of its work: what the next pass may write over."""
        if not self._pool:
            return self._forward(packed, shape)
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

    def _packed(self, rows: Sequence[Row], lengths: np.ndarray, shape: Shape) -> torch.Tensor:
        """int32: the tokens of all rows one after the other, their places, their types, and where each row begins; each part filled up to
        its shape, rows with empty ones. In memory that the device reads by itself."""
        tokens, ends = int(lengths.sum()), lengths.cumsum()
        made = torch.zeros(3 * shape.tokens + shape.rows + 1, dtype=torch.int32, pin_memory=self._pool is not None)
        packed = made.numpy()
        ids, places, types, bounds = np.split(packed, [shape.tokens, 2 * shape.tokens, 3 * shape.tokens])
        ids[:tokens] = np.concatenate([row.ids for row in rows])
        places[:tokens] = np.arange(tokens) - np.repeat(ends - lengths, lengths) + self._first_place
        if self._types and any(row.types is not None for row in rows):
            types[:tokens] = np.concatenate([np.zeros_like(row.ids) if row.types is None else row.types for row in rows])
        bounds[1 : len(rows) + 1], bounds[len(rows) + 1 :] = ends, tokens
        return made

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


def load(model: str, models_dir: Path, device: str = "cuda", budget: int = BUDGET, processes: int | None = None) -> Embedder:
    """For settings: an embedding model of the catalogue, checked, loaded and ready. `processes` tokenise for it."""
    folder, spec = where(model, Path(models_dir)), catalogue.model(model, Path(models_dir))
    backend, count = TorchBackend(spec, read(spec, folder, device)), default_count() if processes is None else processes
    return Embedder(spec, folder, backend, budget=budget, at_once=AT_ONCE, where="device", processes=count)


def load_scorer(model: str, models_dir: Path, device: str = "cuda", budget: int = BUDGET, processes: int | None = None) -> Scorer:
    """The same for a cross-encoder."""
    folder, spec = where(model, Path(models_dir)), catalogue.model(model, Path(models_dir))
    backend, count = TorchBackend(spec, read(spec, folder, device)), default_count() if processes is None else processes
    return Scorer(spec, folder, backend, budget=budget, at_once=AT_ONCE, where="device", processes=count)


def read(spec: Model, folder: Path, device: str) -> PreTrainedModel:
    """The model of this folder on the device. Raises ModelMissing, ModelBroken (also of a family that this file does not know),
    ModelUnavailable (no such device), OutOfMemory."""
    with reading(spec.name, folder, device):
        config = AutoConfig.from_pretrained(folder, **GIVEN)
        if config.model_type not in FAMILIES or (spec.role == "score" and config.num_labels != 1):
            raise ModelBroken(spec.name, str(folder / "config.json"))
        if spec.role == "score":
            return weights(AutoModelForSequenceClassification, spec.name, folder, device, config=config)
        return weights(AutoModel, spec.name, folder, device, config=config, add_pooling_layer=False)
