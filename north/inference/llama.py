"""A chat model in this process: llama.cpp's own HTTP server (xllamacpp) on a loopback port that only this process has the key to.

It keeps the prefixes of earlier prompts, and answers several at once by continuous batching; how fast, `threads` decides. Knows nothing
of what is asked.
"""

from __future__ import annotations

import secrets
import threading
from pathlib import Path

import xllamacpp
from pydantic import SecretStr

from north.inference.chat import OpenAIChatModel
from north.inference.errors import ModelBroken, ModelMissing
from north.inference.installed import where

PREFIXES_MIB = 256
"""Memory for prompts that gave up their slot."""
TURN = 384
"""Tokens of a prompt that are read before the other answers go on: who waits for a first token holds up the others for seconds at most. A
question with its passages, some 300, is read at once: 40 of them apart would take as long as 80 more."""


class LlamaServer:
    """Serves one GGUF file. `parallel` answers at a time, each with up to `context` tokens of prompt and answer. Starts at the first
    `chat_model()`, which returns when it is ready; there is one server to an instance, however many threads ask.
    """

    def __init__(self, weights: Path, *, name: str = "", threads: int = 1, parallel: int = 4, context: int = 4096) -> None:
        self.weights, self.name = weights, name or weights.stem
        self.threads, self.parallel, self.context = threads, parallel, context
        self._key = secrets.token_urlsafe(32)
        self._server: xllamacpp.Server | None = None
        self._starting = threading.Lock()

    def chat_model(self) -> OpenAIChatModel:
        """The model behind this server. Raises ModelMissing, ModelBroken."""
        with self._starting:
            if self._server is None:
                self._server = self._start()
        address, key = self._server.listening_address + "/v1", SecretStr(self._key)
        return OpenAIChatModel(base_url=address, model=self.name, api_key=key, where="processor")

    def stop(self) -> None:
        with self._starting:
            self._server = None

    def _start(self) -> xllamacpp.Server:
        if not self.weights.is_file():
            raise ModelMissing(self.name)
        try:
            return xllamacpp.Server(self._params())
        except RuntimeError as error:
            raise ModelBroken(self.name, str(self.weights)) from error

    def _params(self) -> xllamacpp.CommonParams:
        params = xllamacpp.CommonParams()
        params.model.path = str(self.weights)
        params.model_alias = {self.name}
        params.hostnames = ["127.0.0.1"]
        params.port = 0
        params.api_keys = [self._key]
        params.ui = params.endpoint_slots = False
        params.n_batch = params.n_ubatch = TURN
        params.fit_params = False  # a dry run that makes a model smaller until it fits: it takes a second, and changes what was asked for
        params.n_parallel, params.n_ctx = self.parallel, self.parallel * self.context
        params.cache_ram_mib = PREFIXES_MIB
        params.verbosity = 0
        for cpu in (params.cpuparams, params.cpuparams_batch):
            cpu.n_threads, cpu.poll = self.threads, 0
        return params


SERVING: list[LlamaServer] = []
"""A server ends with its object: these last as long as the process."""


def local(model: str, models_dir: Path, threads: int = 1, **limits: int) -> OpenAIChatModel:
    """For settings: a chat model of the catalogue, or the path of a GGUF file, loaded and ready. `limits`: parallel, context."""
    weights = Path(model) if model.endswith(".gguf") else _weights(where(model, Path(models_dir)), model)
    server = LlamaServer(weights, name=weights.stem if model.endswith(".gguf") else model, threads=threads, **limits)
    SERVING.append(server)
    return server.chat_model()


def _weights(folder: Path, model: str) -> Path:
    """The GGUF file, or the first of several that belong together."""
    found = sorted(folder.glob("*.gguf"))
    if not found:
        raise ModelMissing(model)
    return found[0]
