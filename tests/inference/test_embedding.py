from __future__ import annotations

import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from north.inference.catalogue import model
from north.inference.embedding import OnnxBackend, load
from north.inference.encoding import Embedder
from north.inference.errors import ModelBroken, ModelMissing, UnknownModel
from tests.inference.conftest import fetched
from tests.installation import ROOT

MINILM = "all-minilm-l6-v2-int8"
REFERENCE = [
    ("query", "how much protein should a female eat"),
    ("passage", "Die Kündigungsfrist beträgt drei Monate zum Monatsende."),
    ("passage", "有給休暇は年間二十日です。"),
    ("passage", "Les frais de déplacement sont remboursés sous trente jours."),
    ("passage", "छुट्टी के लिए प्रबंधक की अनुमति आवश्यक है।"),
]
WORDS = ["the", "notice", "period", "for", "employees", "is", "three", "months", "and", "must", "be", "given", "in", "writing", "to", "us"]


def test_vectors_are_float32_of_length_one(minilm: Embedder) -> None:
    for vectors in (minilm.embed_queries(["a", "b b"]), minilm.embed_passages(["", "c", " ".join(WORDS * 20)])):
        assert vectors.dtype == np.float32 and vectors.shape[1] == minilm.dimensions == 384
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_no_texts_give_no_vectors(minilm: Embedder) -> None:
    assert minilm.embed_queries([]).shape == minilm.embed_passages([]).shape == (0, 384)


def test_what_means_the_same_lies_near(minilm: Embedder) -> None:
    query = minilm.embed_queries(["How many days of holiday do I get?"])
    leave, canteen, invoices = "Employees have 25 days of paid leave a year.", "The canteen opens at noon.", "Invoices are due in 30 days."
    passages = minilm.embed_passages([leave, canteen, invoices])
    assert int(np.argmax(query @ passages.T)) == 0


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(some.lists(some.integers(1, 60), min_size=1, max_size=12))
def test_rows_come_in_the_order_of_the_texts_however_they_are_batched(minilm: Embedder, lengths: list[int]) -> None:
    texts = [" ".join(WORDS[i % len(WORDS)] for i in range(start, start + length)) for start, length in enumerate(lengths)]
    together = minilm.embed_passages(texts)
    alone = np.concatenate([minilm.embed_passages([text]) for text in texts])
    assert (together * alone).sum(axis=1).min() > 0.99


def test_the_end_of_a_long_text_counts_too(minilm: Embedder) -> None:
    plain = " ".join(WORDS * 32)
    ended = plain + " volcano lava eruption magma" * 150
    lava = minilm.embed_queries(["volcanic eruptions"])[0]
    plain_vector, ended_vector = minilm.embed_passages([plain, ended])
    assert ended_vector @ lava > plain_vector @ lava + 0.1


def test_odd_characters_are_only_text(minilm: Embedder) -> None:
    vectors = minilm.embed_passages(["\x00\x01", "🦆" * 50, "\u202eabc", "a" * 5000, "\n\t "])
    assert np.isfinite(vectors).all() and np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)


def test_a_query_does_not_wait_for_the_passages_of_others(minilm: Embedder) -> None:
    texts = [" ".join(WORDS * 12) + str(number) for number in range(16)]
    done: dict[str, float] = {}
    bulk = threading.Thread(target=lambda: (minilm.embed_passages(texts), done.setdefault("bulk", time.monotonic())))
    bulk.start()
    time.sleep(0.1)
    minilm.embed_queries(["notice period"])
    done.setdefault("query", time.monotonic())
    bulk.join(60)
    assert done["query"] < done["bulk"]


def test_threads_share_one_engine(minilm: Embedder) -> None:
    texts = [f"{word} number {number}" for number, word in enumerate(WORDS)]
    wanted, found = minilm.embed_passages(texts), {}
    threads = [threading.Thread(target=lambda n=n: found.setdefault(n, minilm.embed_passages(texts))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 4 and all(np.allclose(vectors, wanted, atol=1e-6) for vectors in found.values())


def test_e5_is_what_its_weights_say_in_many_languages(e5: Embedder) -> None:
    """Against a float32 forward pass in numpy over the same weights."""
    wanted = np.load(Path(__file__).parent / "e5_reference.npy").astype(np.float32)
    for (kind, text), reference in zip(REFERENCE, wanted, strict=False):
        found = (e5.embed_queries if kind == "query" else e5.embed_passages)([text])[0]
        assert found @ reference / np.linalg.norm(reference) > 0.99, text


def test_e5_finds_a_passage_in_another_language(e5: Embedder) -> None:
    passages = e5.embed_passages([text for kind, text in REFERENCE if kind == "passage"])
    asked = [
        "termination notice three months",
        "how many days of paid leave a year",
        "When are travel costs paid back?",
        "who approves my leave",
    ]
    queries = e5.embed_queries(asked)
    assert np.argmax(queries @ passages.T, axis=1).tolist() == [0, 1, 2, 3]


def test_a_missing_model_says_how_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(ModelMissing, match=f"python manage.py models pull {MINILM}"):
        load(MINILM, tmp_path)
    with pytest.raises(UnknownModel):
        load("word2vec", tmp_path)


def test_a_model_file_with_a_wrong_checksum_is_never_loaded(tmp_path: Path, models_dir: Path) -> None:
    shutil.copytree(fetched(MINILM, models_dir), tmp_path / MINILM)
    weights = tmp_path / MINILM / "model.onnx"
    with weights.open("r+b") as file:
        file.seek(weights.stat().st_size // 2)
        file.write(b"\x00\x01\x02\x03")
    with pytest.raises(ModelBroken, match=r"model\.onnx of the model .* is damaged"):
        load(MINILM, tmp_path)


def test_a_file_that_is_no_onnx_is_named(tmp_path: Path, models_dir: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no model")
    shutil.copy(fetched(MINILM, models_dir) / "tokenizer.json", tmp_path)
    with pytest.raises(ModelBroken, match=r"model\.onnx"):
        OnnxBackend(model(MINILM), tmp_path)


SHORT_OF_MEMORY = """
import resource, sys
from pathlib import Path
import numpy as np
from north.inference.catalogue import model
from north.inference.embedding import OnnxBackend
from north.inference.encoding import Embedder
from north.inference.errors import OutOfMemory
spec, folder = model(sys.argv[1]), Path(sys.argv[2])
engine = Embedder(spec, folder, OnnxBackend(spec, folder), budget=64 * 256)
texts = ["word " * 250] * 64
wanted = engine.embed_passages(texts[:2])
size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + 120_000_000,) * 2)
found = engine.embed_passages(texts)
assert np.allclose(found[:2] @ wanted[0], 1, atol=0.02) and len(found) == 64
assert engine.batcher.stats().halved >= 1, engine.batcher.stats()
print("halved", engine.batcher.stats().halved)
"""


def test_a_machine_short_of_memory_gets_smaller_batches_and_every_vector(models_dir: Path) -> None:
    """A process of its own, whose address space is limited: the library itself runs out."""
    command = [sys.executable, "-c", SHORT_OF_MEMORY, MINILM, str(fetched(MINILM, models_dir))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and "halved" in done.stdout, done.stderr[-2000:]
