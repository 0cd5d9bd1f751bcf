"""One causal language model and its queue of requests: transformers' own continuous batching (paged KV cache, blocks shared between prompts
that begin alike, CUDA graphs), made safe to use by many threads. Knows nothing of messages: `transformers_chat.py` does.

https://huggingface.co/docs/transformers/continuous_batching describes the library's part. What is added here: a bound, a way to leave, a
pace, and what a request found in the cache. What the library has no hook for is put where it looks for it: `Temperatures`, `_Outputs`,
`_Cache`.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import ContinuousBatchingConfig, GenerationConfig, PreTrainedModel
from transformers.generation.continuous_batching.cb_logits_processors import ContinuousBatchingTemperatureLogitsWarper
from transformers.generation.continuous_batching.continuous_api import OutputRouter
from transformers.generation.continuous_batching.requests import GenerationOutput, RequestStatus

from north.inference.errors import ModelUnavailable, OutOfMemory, Overloaded

LOOK_SECONDS = 1.0
"""How often one who waits looks whether the model's thread still lives."""
STEP = 2048
"""Tokens in one forward pass: who waits for a first token holds up the others for less than a tenth of a second on an H100."""
PACE_SECONDS = 0.04
"""Between two outputs of a request: faster than anybody reads. Each costs a turn of the interpreter, which the model's thread needs too."""


class Temperatures(ContinuousBatchingTemperatureLogitsWarper):
    """Each request's own temperature; 0 takes the likeliest token, which the library can do for all requests or for none."""

    def __init__(self) -> None:
        self.temperature = 0.0

    def __call__(self, scores: torch.Tensor, tensor_arg: torch.Tensor) -> torch.Tensor:
        given = tensor_arg[: scores.size(0)].view(dtype=torch.float32)[:, None]
        likeliest = torch.full_like(scores, float("-inf")).scatter_(1, scores.argmax(dim=1, keepdim=True), 0.0)
        return torch.where(given == 0, likeliest, scores / torch.where(given == 0, 1.0, given))


@dataclass(slots=True)
class Request:
    """`prompt`: its tokens; `cached`: how many of these were in the cache, known with the first output."""

    name: str
    prompt: int
    cached: int = 0
    latest: GenerationOutput | None = None
    came: threading.Event = field(default_factory=threading.Event)


class Batching:
    """Answers up to `parallel` requests at a time and lets as many wait as `waiting`. `context`: tokens of prompt and answer together.

    Starts at once, which on a GPU takes up to a minute: graphs are captured and, with `compile`, kernels fused.
    Raises ModelUnavailable.
    """

    def __init__(
        self, model: PreTrainedModel, name: str, *, context: int, parallel: int = 64, waiting: int = 256, step: int = STEP,
        memory: float = 0.85, compile: bool = True, **more: Any,
    ) -> None:  # fmt: skip
        self.name, self.context, self._most = name, context, parallel + waiting
        self._requests: dict[str, Request] = {}
        self._lock = threading.Lock()
        self._names = itertools.count()
        gpu = model.device.type == "cuda"
        config = ContinuousBatchingConfig(**{
            "max_requests_per_batch": parallel, "max_batch_tokens": step, "max_memory_percent": memory, "per_request_processors": True,
            "max_blocks_per_request": -(-context // 256) if gpu else None, "use_cuda_graph": (False, True) if gpu else None,
            "default_compile_level": 1 if compile and gpu else 0, **more,
        })  # fmt: skip
        ends = model.generation_config.eos_token_id if model.generation_config.eos_token_id is not None else model.config.eos_token_id
        self.ends = frozenset([] if ends is None else [ends] if isinstance(ends, int) else ends)
        made = GenerationConfig(do_sample=True, temperature=0.5, top_k=0, top_p=1.0, max_new_tokens=1, eos_token_id=sorted(self.ends) or -1)
        if gpu:
            _keep_whole_pages(model)
        self._manager = model.init_continuous_batching(generation_config=made, continuous_batching_config=config)
        if gpu and "flash" not in model.config._attn_implementation:
            raise ModelUnavailable(f"The model {name} needs FlashAttention on a GPU: pip install flash-attn. Or set NORTH_CHAT_URL.")
        self._manager.logit_processor.logits_processor[0] = Temperatures()
        self._manager.output_router = _Outputs(self._requests)
        self._manager.warmup()
        _Cache(self._manager.batch_processor, self._requests)
        self._manager.start()

    @property
    def alive(self) -> bool:
        return self._manager.is_running()

    @property
    def running(self) -> int:
        """Requests that run or wait."""
        return len(self._requests)

    @contextmanager
    def request(self, prompt: list[int], most: int, temperature: float = 0.0) -> Iterator[tuple[Request, Iterator[GenerationOutput]]]:
        """An answer of at most `most` tokens, and its outputs, some 25 a second, each with all tokens so far; the last is finished. Leaving
        ends it at once.

        Raises Overloaded before anything is done; ModelUnavailable or OutOfMemory in the outputs.
        """
        asked = Request(f"{self.name}-{next(self._names)}", len(prompt))
        with self._lock:
            if len(self._requests) >= self._most:
                raise Overloaded
            self._requests[asked.name] = asked
        try:
            given = {"max_new_tokens": most, "eos_token_id": sorted(self.ends), "temperature": float(temperature)}
            if self._manager.add_request(prompt, request_id=asked.name, streaming=True, **given) is None:
                raise self._dead()
            yield asked, self._outputs(asked)
        finally:
            if not (asked.latest and asked.latest.is_finished()):
                self._manager.cancel_request(asked.name)
            with self._lock:
                del self._requests[asked.name]

    def stop(self) -> None:
        self._manager.stop(block=True, timeout=10, hard_stop=True)

    def _outputs(self, asked: Request) -> Iterator[GenerationOutput]:
        finished = False
        while not finished:
            if not asked.came.wait(LOOK_SECONDS):
                if not self.alive:
                    raise self._dead()
                continue
            asked.came.clear()
            output = asked.latest
            assert output
            if output.error:
                raise OutOfMemory(self.name) if "out of memory" in output.error else self._dead(output.error)
            yield output
            finished = output.is_finished()
            if not finished:
                time.sleep(PACE_SECONDS)

    def _dead(self, said: str = "") -> ModelUnavailable:
        said = said or str(self._manager.background_thread_status.fatal_error or "")
        return ModelUnavailable(f"The model {self.name} failed on the GPU and must be started again. {said}".strip())


class _Outputs(OutputRouter):
    """Lays each output where its request looks, in place of one queue for all; an older one that nobody took is passed over."""

    def __init__(self, requests: dict[str, Request]) -> None:
        super().__init__()
        self._requests = requests

    def deliver(self, output: GenerationOutput) -> None:
        if asked := self._requests.get(output.request_id):
            asked.latest = output
            asked.came.set()

    def deliver_batch(self, outputs: list[GenerationOutput]) -> None:
        for output in outputs:
            self.deliver(output)


class _Cache:
    """Notes what each request found in the cache, which the library counts only for all together; and marks the blocks of a prompt that
    was read in more than one step as complete, which the library forgets while it prepares one step during another (5.17)."""

    def __init__(self, processor: Any, requests: dict[str, Request]) -> None:
        self._cache, self._requests = processor.cache, requests
        self._search: Callable[[str, list[int]], int] = processor.cache.search_prefix_match
        self._update = processor.inputs_and_outputs.prepare_batch_update
        processor.cache.search_prefix_match = self.search
        if processor.use_async_batching:
            processor.inputs_and_outputs.prepare_batch_update = self.update

    def search(self, request_id: str, prompt_ids: list[int]) -> int:
        found = self._search(request_id, prompt_ids)
        if asked := self._requests.get(request_id):
            asked.cached = min(found, asked.prompt - 1)
        return found

    def update(self) -> Any:
        done = self._update()
        for part in done[0]:
            if not part.has_new_token and part.state.status == RequestStatus.DECODING:
                self._cache.mark_shareable_blocks_as_complete(part.state, part.complete_blocks)
        return done


def _keep_whole_pages(model: PreTrainedModel) -> None:
    """Layers with a sliding window (Cohere2, Mistral) keep their window, which FlashAttention applies, but their pages are kept as if they
    had none: the library shares prefixes and decodes by graph only where all layers page alike. Costs memory beyond the window."""
    config = model.config
    kinds = getattr(config, "layer_types", None) or (["sliding_attention"] if getattr(config, "sliding_window", None) else [])
    if "sliding_attention" in kinds:
        config.layer_types = ["full_attention"] * config.num_hidden_layers
