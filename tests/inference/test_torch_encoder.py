"""The GPU's encoder on the CPU: the same packing and pooling, another attention kernel, float32; against transformers' plain forward."""

from __future__ import annotations

import importlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from north.inference.bringing import bring
from north.inference.encoding import Embedder, Row, Scorer
from north.inference.errors import ModelBroken, ModelMissing, ModelUnavailable, OutOfMemory
from north.inference.pulling import pull
from north.inference.sources import SourceSettings
from tests.inference import tiny

torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install -e '.[gpu]'")
transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install -e '.[gpu]'")
torch_encoder = importlib.import_module("north.inference.torch_encoder")

SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "vocab_size": 30}
CONFIGS = {
    "bert": lambda: transformers.BertConfig(**SIZES, max_position_embeddings=48, num_labels=1),
    "xlm-roberta": lambda: transformers.XLMRobertaConfig(
        **SIZES, max_position_embeddings=52, type_vocab_size=1, pad_token_id=1, num_labels=1
    ),
}


def made(kind: str, folder: Path, *, score: bool) -> object:
    """A random model, saved as a real one is; larger weights than usual, so that differences show."""
    torch.manual_seed(5)
    auto = transformers.AutoModelForSequenceClassification if score else transformers.AutoModel
    model = auto.from_config(CONFIGS[kind]()).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(torch.randn_like(weight) * 0.3)
    model.save_pretrained(folder, safe_serialization=True)
    tiny.tokenizer("xlm-r" if kind == "xlm-roberta" else "bert").save(str(folder / "tokenizer.json"))
    return model


def rows(lengths: list[int], *, pairs: bool = False) -> list[Row]:
    rng = np.random.default_rng(3)
    return [Row(rng.integers(4, 22, length), (np.arange(length) >= 2).astype(np.int32) if pairs else None) for length in lengths]


def plain(model: object, given: list[Row]) -> list[np.ndarray]:
    """Each row alone, nothing padded, by transformers' own forward pass: the states, or the logit."""
    found = []
    for row in given:
        types = np.zeros_like(row.ids) if row.types is None else row.types
        with torch.no_grad():
            out = model(torch.tensor(row.ids[None]), token_type_ids=torch.tensor(types[None]))  # type: ignore[operator]
        found.append((out.logits[0, 0] if "logits" in out else out.last_hidden_state[0]).numpy())
    return found


@pytest.mark.parametrize("kind", CONFIGS)
@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_rows_of_any_length_are_pooled_as_transformers_alone_would(kind: str, pooling: str, tmp_path: Path) -> None:
    model, given = made(kind, tmp_path, score=False), rows([7, 1, 12, 12, 3])
    spec = tiny.spec("embed", pooling=pooling)
    found = torch_encoder.TorchBackend(spec, torch_encoder.read(spec, tmp_path, "cpu"))(given)
    wanted = [states.sum(axis=0) if pooling == "mean" else states[0] for states in plain(model, given)]
    assert found.dtype == np.float32 and np.allclose(found, wanted, atol=1e-4)


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_cross_encoder_gives_the_logit_that_transformers_gives(kind: str, tmp_path: Path) -> None:
    model, given = made(kind, tmp_path, score=True), rows([9, 4, 11], pairs=kind == "bert")
    found = torch_encoder.TorchBackend(tiny.spec(), torch_encoder.read(tiny.spec(), tmp_path, "cpu"))(given)
    assert found.shape == (3,) and np.allclose(found, plain(model, given), atol=1e-4)
    assert np.ptp(found) > 0.001


def test_a_text_longer_than_the_context_counts_to_its_end(tmp_path: Path) -> None:
    made("bert", tmp_path, score=False)
    spec = tiny.spec("embed")
    embedder = Embedder(spec, tmp_path, torch_encoder.TorchBackend(spec, torch_encoder.read(spec, tmp_path, "cpu")), budget=64)
    long = " ".join(["how many days"] * 30)
    vectors = embedder.embed_passages([long, long + " noon canteen" * 30])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3


def test_pairs_are_scored_alike_alone_and_together(tmp_path: Path) -> None:
    made("bert", tmp_path, score=True)
    scorer = Scorer(
        tiny.spec(), tmp_path, torch_encoder.TorchBackend(tiny.spec(), torch_encoder.read(tiny.spec(), tmp_path, "cpu")), budget=64
    )
    passages = ["employees have thirty days of leave .", "the canteen opens at noon .", "leave"]
    together = scorer("how many days of leave do i get ?", passages)
    alone = [scorer("how many days of leave do i get ?", [passage])[0] for passage in passages]
    assert np.allclose(together, alone, atol=1e-4)


def test_threads_share_one_backend_and_what_fails_for_one_fails_for_no_other(tmp_path: Path) -> None:
    model = made("bert", tmp_path, score=False)
    spec = tiny.spec("embed")
    backend = torch_encoder.TorchBackend(spec, torch_encoder.read(spec, tmp_path, "cpu"))
    given = [rows([60 if number == 5 else 2 + number, 3, 1 + number % 4]) for number in range(12)]  # the sixth is too long
    with ThreadPoolExecutor(6) as threads:
        found = [threads.submit(backend, several) for several in given]
    for number, (several, result) in enumerate(zip(given, found, strict=True)):
        if number == 5:
            assert isinstance(result.exception(), ModelUnavailable)
        else:
            assert np.allclose(result.result(), [states.sum(axis=0) for states in plain(model, several)], atol=1e-4)


def test_out_of_memory_and_other_failures_are_told_apart(tmp_path: Path) -> None:
    made("bert", tmp_path, score=False)
    spec = tiny.spec("embed")
    backend = torch_encoder.TorchBackend(spec, torch_encoder.read(spec, tmp_path, "cpu"))
    with pytest.raises(ModelUnavailable, match="failed on the GPU"):
        backend(rows([60]))  # more places than the model has

    def full(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    removed = backend._body.encoder.layer[0].register_forward_pre_hook(full)
    with pytest.raises(OutOfMemory, match="tiny ran out of memory"):
        backend(rows([3]))
    removed.remove()
    assert backend(rows([3])).shape == (1, 16)


@pytest.mark.parametrize("broken", ["no weights", "other family", "two logits", "weights of another size", "pickle", "nonsense"])
def test_a_folder_that_does_not_hold_what_it_should_is_refused(broken: str, tmp_path: Path) -> None:
    made("bert", tmp_path, score=True)
    config = (tmp_path / "config.json").read_text()
    if broken in ("no weights", "pickle"):
        (tmp_path / "model.safetensors").rename(tmp_path / ("pytorch_model.bin" if broken == "pickle" else "gone"))
    elif broken == "other family":
        transformers.GPT2Config().save_pretrained(tmp_path)
    elif broken == "nonsense":
        (tmp_path / "model.safetensors").write_bytes(b"no weights")
    elif broken == "two logits":
        transformers.BertConfig(**SIZES, num_labels=2).save_pretrained(tmp_path)
    else:
        (tmp_path / "config.json").write_text(
            config.replace('"hidden_size": 16', '"hidden_size": 24').replace('"num_attention_heads": 2', '"num_attention_heads": 3')
        )
    wanted = ModelMissing if broken in ("no weights", "pickle") else ModelBroken
    with pytest.raises(wanted):
        torch_encoder.read(tiny.spec(), tmp_path, "cpu")


@pytest.mark.parametrize("kind", CONFIGS)
def test_a_folder_that_an_operator_brought_embeds_and_judges(kind: str, tmp_path: Path) -> None:
    for role, load in (("embed", torch_encoder.load), ("score", torch_encoder.load_scorer)):
        folder = tmp_path / "brought" / f"own-{role}"
        made(kind, folder, score=role == "score")
        (folder / "pytorch_model.bin").write_bytes(b"a pickle")
        said = {"context": 48, "pooling": "cls"} if role == "embed" else {}
        pull(bring(folder, role, said), tmp_path / "models", ["folder"], settings=SourceSettings(folder=folder.parent))
        engine = load(folder.name, tmp_path / "models", device="cpu")
        found = engine.embed_passages(["leave", "noon ?"]) if role == "embed" else engine("leave ?", ["days of leave", "noon"])
        assert found.shape == ((2, 16) if role == "embed" else (2,)) and np.abs(found[0] - found[1]).max() > 1e-4


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_said(tmp_path: Path) -> None:
    made("bert", tmp_path, score=True)
    with pytest.raises(ModelUnavailable, match="finds no GPU"):
        torch_encoder.read(tiny.spec(), tmp_path, "cuda")
