"""What stands between a text and a backend: windows, padding, pooling. The backend here is a real tiny encoder, or numpy."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from north.inference.batching import patience
from north.inference.embedding import BUDGET, OnnxBackend
from north.inference.encoding import Embedder, Row, padded
from north.inference.errors import Gone, ModelBroken, ModelUnavailable, OutOfMemory
from tests.inference import tiny

TEXTS = ["how many days?", "", "the canteen opens at noon. " * 40, "leave", "employees have thirty days of leave ."]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("encoder")
    tiny.save(made, head=False)
    return made


def embedder(folder: Path, **more: str) -> Embedder:
    spec = tiny.spec("embed", **more)
    return Embedder(spec, folder, OnnxBackend(spec, folder), budget=BUDGET)


def windows(text: str) -> list[list[int]]:
    tokens = tiny.tokenizer()
    tokens.enable_truncation(tiny.CONTEXT)
    found = tokens.encode(text)
    return [found.ids, *(one.ids for one in found.overflowing)]


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_a_vector_is_what_the_paper_says(folder: Path, pooling: str) -> None:
    found = embedder(folder, pooling=pooling).embed_passages(TEXTS)
    for text, vector in zip(TEXTS, found, strict=True):
        states = [reference_of(ids) for ids in windows(text)]
        wanted = sum(one.sum(axis=0) if pooling == "mean" else one[0] for one in states)
        assert np.allclose(vector, wanted / np.linalg.norm(wanted), atol=1e-4), text


def reference_of(ids: list[int]) -> np.ndarray:
    return tiny.reference(tiny.weights(), ids, [0] * len(ids))


def test_questions_and_passages_have_the_models_own_prefixes(folder: Path) -> None:
    plain, prefixed = embedder(folder), embedder(folder, query="how ", passage="the ")
    assert np.allclose(prefixed.embed_queries(["leave"]), plain.embed_queries(["how leave"]), atol=1e-6)
    assert np.allclose(prefixed.embed_passages(["leave"]), plain.embed_passages(["the leave"]), atol=1e-6)


@given(some.lists(some.lists(some.integers(1, 9), min_size=1, max_size=9), min_size=1, max_size=9), some.booleans())
def test_padding_keeps_every_token_and_masks_the_rest(lists: list[list[int]], typed: bool) -> None:
    rows = [Row(np.array(ids), np.array(ids) % 2 if typed else None) for ids in lists]
    batch = padded(rows)
    assert batch.ids.shape == batch.mask.shape == batch.types.shape == (len(lists), max(map(len, lists)))
    assert {batch.ids.dtype, batch.mask.dtype, batch.types.dtype} == {np.dtype(np.int64)}
    for number, ids in enumerate(lists):
        assert batch.ids[number, : len(ids)].tolist() == ids and not batch.ids[number, len(ids) :].any()
        assert batch.mask[number].tolist() == [1] * len(ids) + [0] * (batch.mask.shape[1] - len(ids))
        assert batch.types[number, : len(ids)].tolist() == ([token % 2 for token in ids] if typed else [0] * len(ids))


@settings(max_examples=20, deadline=None)
@given(some.lists(some.lists(some.lists(some.sampled_from(tiny.WORDS), max_size=80), min_size=1, max_size=8), min_size=2, max_size=6))
def test_callers_at_once_get_what_each_would_get_alone(folder: Path, callers: list[list[list[str]]]) -> None:
    shared, texts = embedder(folder), [[" ".join(words) for words in each] for each in callers]
    alone = [shared.embed_passages(each) for each in texts]
    found: dict[int, np.ndarray] = {}

    def ask(number: int) -> None:
        call = shared.embed_queries if number % 2 else shared.embed_passages
        found[number] = call(texts[number])

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(len(texts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert all(np.allclose(found[number], alone[number], atol=1e-5) for number in range(len(texts)))


def test_a_backend_short_of_memory_is_given_less_at_a_time(folder: Path) -> None:
    spec, seen = tiny.spec("embed"), []
    real = OnnxBackend(spec, folder)

    def small(rows: Sequence[Row]) -> np.ndarray:
        seen.append(len(rows))
        if padded(rows).ids.size > 30:
            raise OutOfMemory(spec.name)
        return real(rows)

    poor = Embedder(spec, folder, small, budget=200)
    texts = ["leave " * 6] * 20
    assert np.allclose(poor.embed_passages(texts), embedder(folder).embed_passages(texts), atol=1e-5)
    assert max(seen) == 20 and seen[-1] <= 3
    with pytest.raises(OutOfMemory, match="tiny ran out of memory"):
        poor.embed_passages(["leave " * 40])


def test_a_failure_of_the_backend_reaches_who_asked(folder: Path) -> None:
    spec, real = tiny.spec("embed"), OnnxBackend(tiny.spec("embed"), folder)

    def breaks(rows: Sequence[Row]) -> np.ndarray:
        return real([Row(row.ids + (1000 if len(rows) > 1 else 0)) for row in rows])

    with pytest.raises(ModelUnavailable, match="tiny failed"):
        Embedder(spec, folder, breaks, budget=256).embed_passages(["leave", "leave"])


def test_an_encoder_of_other_dimensions_is_refused(folder: Path) -> None:
    with pytest.raises(ModelBroken):
        Embedder(tiny.spec("embed"), folder, lambda rows: np.zeros((len(rows), 8), np.float32), budget=256)


def test_who_does_not_wait_any_more_costs_no_pass(folder: Path) -> None:
    engine = embedder(folder)
    with patience(0.0), pytest.raises(Gone):
        engine.embed_queries(["leave"])
    assert engine.batcher.stats().batches == 0


def test_a_query_waits_for_one_batch_of_the_passages_of_others(folder: Path) -> None:
    spec, real, ran = tiny.spec("embed"), OnnxBackend(tiny.spec("embed"), folder), []

    def slow(rows: Sequence[Row]) -> np.ndarray:
        time.sleep(0.02)
        ran.append(len(rows))
        return real(rows)

    engine = Embedder(spec, folder, slow, budget=40)
    bulk = threading.Thread(target=engine.embed_passages, args=(["leave " * 30] * 40,))
    bulk.start()
    while len(ran) < 3:
        time.sleep(0.001)
    before = len(ran)
    engine.embed_queries(["noon"])
    after = len(ran)
    bulk.join(20)
    assert after - before <= 3 and len(ran) > 30
