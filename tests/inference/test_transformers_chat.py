"""The GPU's chat engine on the CPU: tiny random models in the real architectures, transformers' real continuous batching."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from north.inference.bringing import bring
from north.inference.errors import ContextTooLong, ModelBroken, ModelMissing, ModelUnavailable, Overloaded, Unsupported
from north.inference.pulling import pull
from north.inference.sources import SourceSettings

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[gpu]'")
transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install -e '.[gpu]'")
chat = importlib.import_module("north.inference.transformers_chat")

BYTES = sorted(pre_tokenizers.ByteLevel.alphabet())
ENDS = len(BYTES)
SIZES = {
    "vocab_size": ENDS + 1, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 4,
    "num_key_value_heads": 2, "max_position_embeddings": 2048, "eos_token_id": ENDS, "bos_token_id": ENDS, "pad_token_id": ENDS,
}  # fmt: skip
FAMILIES = {"Llama": {}, "Qwen2": {}, "Mistral": {}, "Cohere": {}, "Cohere2": {"sliding_window": 64}}
TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"


def saved(family: str, folder: Path, **more: Any) -> Path:
    torch.manual_seed(11)
    config = getattr(transformers, f"{family}Config")(**{**SIZES, **FAMILIES[family], **more})
    model = transformers.AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn_like(weight) * 0.3)
    model.save_pretrained(folder)
    bytewise = Tokenizer(models.BPE({letter: number for number, letter in enumerate(BYTES)}, []))
    bytewise.pre_tokenizer, bytewise.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    bytewise.add_special_tokens(["<end>"])
    transformers.PreTrainedTokenizerFast(tokenizer_object=bytewise, eos_token="<end>", chat_template=TEMPLATE).save_pretrained(folder)
    return folder


LIMITS: dict[str, Any] = {"context": 1024, "num_blocks": 64, "block_size": 16, "step": 128, "parallel": 8, "waiting": 4}


def loaded(folder: Path, **limits: Any) -> Any:
    return chat.local(str(folder), folder, device="cpu", **{**LIMITS, **limits})


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    made = loaded(saved("Llama", tmp_path_factory.mktemp("llama")))
    yield made
    made._batching.stop()


def alone(folder: Path, text: str, tokens: int) -> str:
    """What transformers' plain `generate` writes: the likeliest tokens."""
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    plain = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    ids = tokenizer(text, return_tensors="pt", add_special_tokens=False)["input_ids"]
    return tokenizer.decode(plain.generate(ids, max_new_tokens=tokens, do_sample=False)[0, ids.shape[1] :], skip_special_tokens=True)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_writes_what_plain_generation_writes(family: str, tmp_path: Path) -> None:
    made = loaded(saved(family, tmp_path))
    answer = made.invoke([SystemMessage("Be brief."), HumanMessage("How long?" * 12)], max_tokens=12)
    wanted = alone(tmp_path, f"system: Be brief.\nuser: {'How long?' * 12}\nassistant:", 12)
    made._batching.stop()
    assert answer.content.rstrip("\ufffd") == wanted.rstrip("\ufffd")[: len(answer.content)] and answer.content


def test_it_streams_and_says_what_it_used(model: Any) -> None:
    chunks = list(model.bind(max_tokens=200).stream("Tell me."))
    whole = sum(chunks[1:], chunks[0])
    assert len([chunk for chunk in chunks if chunk.content]) > 3
    assert whole.usage_metadata["output_tokens"] <= 200 and whole.usage_metadata["input_tokens"] == len("user: Tell me.\nassistant:")
    assert whole.response_metadata["finish_reason"] in ("length", "stop")
    assert (whole.response_metadata["finish_reason"] == "length") == (whole.usage_metadata["output_tokens"] == 200)


def test_a_prompt_that_begins_like_an_earlier_one_is_read_from_the_cache(model: Any) -> None:
    context = "The notice period is three months. " * 8
    first = model.invoke(context + "How long?", max_tokens=2).usage_metadata
    second = model.invoke(context + "Who says so?", max_tokens=2).usage_metadata
    assert first["input_token_details"]["cache_read"] == 0
    assert second["input_token_details"]["cache_read"] >= len(context) - 16


def test_many_at_once_get_what_each_would_get_alone(model: Any) -> None:
    questions = [f"Question {number}?" * (number + 1) for number in range(6)]
    wanted = [model.invoke(question, max_tokens=10).content for question in questions]
    found: dict[int, str] = {}
    threads = [
        threading.Thread(target=lambda n=n: found.setdefault(n, model.invoke(questions[n], max_tokens=10).content)) for n in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert [found[number] for number in range(6)] == wanted


def test_temperature_is_each_requests_own(model: Any) -> None:
    cold = {model.invoke("Say.", max_tokens=12, temperature=0).content for _ in range(3)}
    warm = {model.invoke("Say.", max_tokens=12, temperature=5.0).content for _ in range(3)}
    assert len(cold) == 1 and len(warm) == 3


def test_a_stop_ends_the_answer_before_itself(model: Any) -> None:
    whole = model.invoke("Say.", max_tokens=30).content
    stop = whole[8:11]
    answer = model.invoke("Say.", max_tokens=30, stop=[stop])
    assert answer.content == whole[: whole.index(stop)] and answer.response_metadata["finish_reason"] == "stop"


def test_text_is_held_back_only_while_it_may_become_a_stop() -> None:
    held = chat.Held(["\n\nuser", "END"])
    assert [held.add(piece) for piece in ("a\n", "\nus", "a", "E", "N", "x")] == ["a", "", "\n\nusa", "", "", "ENx"]
    assert (held.add("bEND of"), held.stopped, held.rest()) == ("b", True, "")


def test_a_prompt_longer_than_the_context_is_refused_before_anything_is_written(model: Any) -> None:
    with pytest.raises(ContextTooLong, match="more text than the model can read"):
        model.invoke("x" * 1100)
    answer = model.invoke("x" * 990, max_tokens=500)
    assert answer.usage_metadata["total_tokens"] <= 1024


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"response_format": {"type": "json_schema", "json_schema": {"name": "plan", "schema": {"type": "object"}}}}, "JSON schema"),
        ({"tools": [{"type": "function", "function": {"name": "search"}}]}, "no tools"),
        ({"top_p": 0.5}, "top_p"),
        ({"seed": 3, "temperature": 1.0}, "no seed"),
    ],
)
def test_what_it_cannot_do_is_said_and_not_passed_over(model: Any, asked: dict[str, Any], words: str) -> None:
    with pytest.raises(Unsupported, match=f"{words}.*NORTH_CHAT_URL") as raised:
        model.invoke("x", **asked)
    assert raised.value.permanent
    with pytest.raises(ValueError, match="logit_bias"):
        model.invoke("x", logit_bias={"1": 100})
    assert model.invoke("x", seed=3, max_tokens=2).content is not None


def test_who_stops_reading_frees_the_place(model: Any) -> None:
    stream = model.stream([AIMessage("a"), HumanMessage("Talk for ever.")], max_tokens=900)
    next(stream)
    assert model._batching.running == 1
    stream.close()
    assert model._batching.running == 0
    deadline = time.monotonic() + 20
    scheduler = model._batching._manager.batch_processor.scheduler
    while scheduler.active_requests and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not scheduler.active_requests


def test_beyond_its_bound_it_is_overloaded_at_once(tmp_path: Path) -> None:
    made = loaded(saved("Llama", tmp_path), parallel=1, waiting=1)
    streams = [made.stream("Talk.", max_tokens=900) for _ in range(2)]
    first = next(streams[0])
    waiting = threading.Thread(target=lambda: next(streams[1], None))
    waiting.start()
    while made._batching.running < 2:
        time.sleep(0.01)
    with pytest.raises(Overloaded):
        made.invoke("x")
    streams[0].close()
    waiting.join(30)
    made._batching.stop()
    assert first is not None and not waiting.is_alive()


def test_a_model_that_dies_is_told_to_all_who_wait(tmp_path: Path) -> None:
    made = loaded(saved("Llama", tmp_path))
    stream = made.stream("Talk.", max_tokens=900)
    next(stream)

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("device-side assert")

    made._batching._manager.model.forward = broken
    with pytest.raises(ModelUnavailable, match="must be started again"):
        list(stream)
    with pytest.raises(ModelUnavailable):
        made.invoke("x")
    assert not made.alive


def test_a_folder_that_an_operator_brought_writes(tmp_path: Path) -> None:
    folder = saved("Qwen2", tmp_path / "brought" / "own-chat")
    model = bring(folder, "chat", {})
    assert model.context == SIZES["max_position_embeddings"]
    pull(model, tmp_path / "models", ["folder"], settings=SourceSettings(folder=folder.parent))
    made = chat.local("own-chat", tmp_path / "models", device="cpu", **LIMITS)
    assert made.model == "own-chat" and made.invoke("Say.", max_tokens=4).usage_metadata["output_tokens"] <= 4
    made._batching.stop()


def test_folders_that_are_no_chat_model_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing):
        chat.read(tmp_path, "cpu")
    folder = saved("Llama", tmp_path)
    (folder / "chat_template.jinja").unlink()
    with pytest.raises(ModelBroken, match="tokenizer_config"):
        chat.read(folder, "cpu")
    saved("Llama", folder)
    (folder / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(ModelBroken):
        chat.read(folder, "cpu")
