"""A chat model on a GPU in this process: any causal language model that transformers knows (Cohere, Cohere2, Llama, Qwen, Mistral), from
safetensors, in bf16, behind the same manners as `chat.py: OpenAIChatModel`. Needs the extra "gpu" (pip install 'north[gpu]').

What the library's batching cannot do is an error, never passed over: an answer held to a JSON schema, top_p, a seed where chance decides.
For these run vLLM and set NORTH_CHAT_URL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage, convert_to_openai_messages
from langchain_core.messages.ai import InputTokenDetails, UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr
from tokenizers.decoders import DecodeStream
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from north.inference.chat import PASSED_ON
from north.inference.continuous import Batching, Request
from north.inference.errors import ContextTooLong, ModelBroken, Unsupported
from north.inference.installed import where
from north.inference.torch_loading import GIVEN, reading, weights
from north.inference.vitals import watched


class TransformersChatModel(BaseChatModel):
    """Streams always, also for `invoke`. Each message carries `usage_metadata` (input, of these cached, output tokens) and
    `response_metadata["finish_reason"]` ("length": it was cut at `max_tokens` or at the model's context).

    Raises Overloaded, ContextTooLong and Unsupported before anything is generated; ModelUnavailable, OutOfMemory.
    """

    model: str
    temperature: float = 0.0
    max_tokens: int = 512
    _batching: Batching = PrivateAttr()
    _tokenizer: PreTrainedTokenizerFast = PrivateAttr()

    def __init__(self, *, batching: Batching, tokenizer: PreTrainedTokenizerFast, **fields: Any) -> None:
        super().__init__(**{"model": batching.name, **fields})
        self._batching, self._tokenizer = batching, tokenizer

    @property
    def _llm_type(self) -> str:
        return "transformers-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model}

    @property
    def alive(self) -> bool:
        """Whether the model's thread still runs; if not, the process must be started again."""
        return self._batching.alive

    def _generate(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **bound: Any
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **bound))

    def _stream(
        self, messages: list[BaseMessage], stop: list[str] | None = None, run_manager: CallbackManagerForLLMRun | None = None, **bound: Any
    ) -> Iterator[ChatGenerationChunk]:
        temperature = self._temperature(bound)
        prompt = self._prompt(messages)
        most = min(bound.get("max_tokens") or self.max_tokens, self._batching.context - len(prompt))
        with self._batching.request(prompt, most, temperature) as (asked, outputs):
            stream = DecodeStream(skip_special_tokens=True)
            held, reason, written = Held(stop or []), "", 0
            for output in watched(iter(outputs), "chat", "device"):
                new = output.generated_tokens[written:]
                text = "".join(stream.step(self._tokenizer.backend_tokenizer, token) or "" for token in new)
                written += len(new)
                ready = held.add(text)
                if output.is_finished() or held.stopped:
                    ended = held.stopped or bool(new and new[-1] in self._batching.ends)
                    ready, reason = ready + held.rest(), "stop" if ended else "length"
                if ready:
                    chunk = ChatGenerationChunk(message=AIMessageChunk(content=ready))
                    if run_manager:
                        run_manager.on_llm_new_token(ready, chunk=chunk)
                    yield chunk
                if held.stopped:
                    break
            yield ChatGenerationChunk(message=_last(asked, written, reason))

    def _temperature(self, bound: Mapping[str, Any]) -> float:
        """The temperature of an answer, if all else that is asked for can be done."""
        if unknown := bound.keys() - PASSED_ON:
            raise ValueError(f"not passed on to a model: {', '.join(sorted(unknown))}")
        temperature = bound.get("temperature")
        temperature = self.temperature if temperature is None else float(temperature)
        if (bound.get("response_format") or {}).get("type", "text") != "text":
            raise Unsupported(f"The model {self.model} runs in transformers, which cannot hold an answer to a JSON schema. {MEND}")
        if bound.get("tools"):
            raise Unsupported(f"The model {self.model} runs in transformers, which offers it no tools. {MEND}")
        if bound.get("top_p") not in (None, 1, 1.0):
            raise Unsupported(f"The model {self.model} runs in transformers, which cannot sample by top_p for each answer. {MEND}")
        if bound.get("seed") is not None and temperature > 0:
            raise Unsupported(f"The model {self.model} runs in transformers, which has no seed for each answer. Use temperature 0. {MEND}")
        return temperature

    def _prompt(self, messages: list[BaseMessage]) -> list[int]:
        """The tokens of the messages in the model's own chat template. Raises ContextTooLong where no room is left for an answer."""
        said = convert_to_openai_messages(messages)
        text = self._tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        if len(ids) >= self._batching.context:
            raise ContextTooLong("This is more text than the model can read at once. Ask more briefly, or start a new thread.")
        return ids


MEND = "Run it in vLLM and set NORTH_CHAT_URL."


class Held:
    """Text on its way out, of which the end is held back while it may become one of the `stops`."""

    def __init__(self, stops: list[str]) -> None:
        self._stops, self._text, self.stopped = [stop for stop in stops if stop], "", False

    def add(self, text: str) -> str:
        """What may go out now. Nothing more once a stop was seen (`stopped`), of which nothing goes out."""
        self._text += text
        found = [at for stop in self._stops if (at := self._text.find(stop)) >= 0]
        if found:
            self.stopped, ready, self._text = True, self._text[: min(found)], ""
            return ready
        kept = max((n for stop in self._stops for n in range(1, len(stop)) if self._text.endswith(stop[:n])), default=0)
        ready, self._text = self._text[: len(self._text) - kept], self._text[len(self._text) - kept :]
        return ready

    def rest(self) -> str:
        text, self._text = self._text, ""
        return text


def local(model: str, models_dir: Path, device: str = "cuda", **limits: Any) -> TransformersChatModel:
    """For settings: a chat model of the catalogue, or a folder with one as its makers give it, loaded and ready.

    `limits`: context, parallel, waiting, memory, compile; see `continuous.Batching`.
    """
    folder = Path(model) if "/" in model else where(model, Path(models_dir))
    loaded, tokenizer = read(folder, device)
    longest = loaded.config.max_position_embeddings
    limits["context"] = min(int(limits.get("context") or 16_384), longest)
    return TransformersChatModel(batching=Batching(loaded, folder.name, **limits), tokenizer=tokenizer)


def read(folder: Path, device: str) -> tuple[PreTrainedModel, PreTrainedTokenizerFast]:
    """The model on the device, and its tokenizer with its chat template.

    Raises ModelMissing, ModelBroken, ModelUnavailable, OutOfMemory.
    """
    with reading(folder.name, folder, device):
        tokenizer = AutoTokenizer.from_pretrained(folder, **GIVEN)
        if not tokenizer.chat_template or not tokenizer.is_fast:
            raise ModelBroken(folder.name, str(folder / "tokenizer_config.json"))
        return weights(AutoModelForCausalLM, folder.name, folder, device), tokenizer


def _last(asked: Request, written: int, reason: str) -> AIMessageChunk:
    usage = UsageMetadata(
        input_tokens=asked.prompt, output_tokens=written, total_tokens=asked.prompt + written,
        input_token_details=InputTokenDetails(cache_read=asked.cached),
    )  # fmt: skip
    return AIMessageChunk(content="", usage_metadata=usage, response_metadata={"finish_reason": reason})
