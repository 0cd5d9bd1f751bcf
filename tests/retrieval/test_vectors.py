"""However vectors are kept: whoever asks finds what an exact search over what they may read finds. (But with a bit for a number: 32 bits
say too little, and what hundreds say is measured on real vectors by `tests/bench/quantised.py`.)"""

from __future__ import annotations

import time
import uuid

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from qdrant_client import QdrantClient, models

from retrieval.index import Index
from retrieval.types import Chunk, Entry, Scope
from retrieval.vectors import Vectors

SIZE, DOCUMENTS, EACH = 32, 100, 30
SHARES = {"all": 100, "half": 50, "tenth": 10, "hundredth": 1}
"""Of DOCUMENTS: the first ones of an order drawn at random."""


@pytest.mark.parametrize(("kind", "exact"), [("int4", 1), ("", 1), ("full", 0), ("INT8", 1)])
def test_vectors_are_kept_in_known_ways_only(kind: str, exact: int) -> None:
    with pytest.raises(ValueError, match="Vectors are one of full, int8"):
        Vectors(kind, exact)


def test_thresholds_are_qdrants_kilobytes_of_whole_vectors() -> None:
    assert Vectors("int8", 100_000).optimizers(384).indexing_threshold == 150_000
    assert Vectors("hnsw", 1, 100_000).params(384).hnsw_config.full_scan_threshold == 150_000
    assert Vectors("full", 1).optimizers(2).indexing_threshold == 1


@pytest.fixture(scope="module")
def world() -> np.ndarray:
    """(DOCUMENTS, EACH, SIZE): around a few centres, as meanings are."""
    draw = np.random.default_rng(11)
    centres = draw.standard_normal((20, SIZE))
    found = centres[draw.integers(0, 20, (DOCUMENTS, EACH))] + 0.7 * draw.standard_normal((DOCUMENTS, EACH, SIZE))
    return (found / np.linalg.norm(found, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module", params=["int8", "hnsw-int8"])
def filled(request: pytest.FixtureRequest, client: QdrantClient, world: np.ndarray) -> Index:
    """An index whose vectors are kept in this way from a fifth of them on; a graph is followed where more than an eighth are allowed."""
    name = f"test-{uuid.uuid4().hex}"
    vectors = Vectors(request.param, DOCUMENTS * EACH // 5, DOCUMENTS * EACH // 8)
    index = Index(client, name, SIZE, "drawn", vectors=vectors)
    order = np.random.default_rng(12).permutation(DOCUMENTS)
    for number, dense in enumerate(world):
        readers = frozenset(name for name, first in SHARES.items() if order[number] < first)
        entry = Entry("w", f"d{number}", "", "1", "", readers)
        index.replace(entry, [Chunk(one, 0, 1, "") for one in range(EACH)], dense, [([], [])] * EACH)
    settle(client, name)
    yield index
    client.delete_collection(name)


def settle(client: QdrantClient, name: str) -> None:
    """Until an index was made, and none is being made."""
    quiet = time.monotonic()
    while time.monotonic() - quiet < 2.5 or not client.get_collection(name).indexed_vectors_count:
        quiet = time.monotonic() if client.get_collection(name).status == models.CollectionStatus.YELLOW else quiet
        time.sleep(0.05)


def nearest(world: np.ndarray, index: Index, share: str, question: np.ndarray) -> tuple[set[tuple[str, int]], set[tuple[str, int]]]:
    """What is found, and what an exact search over what the share may read finds."""
    found = index.query(Scope("w", frozenset({share})), question, ([], []), limit=10)
    order = np.random.default_rng(12).permutation(DOCUMENTS)
    scores = np.where((order < SHARES[share])[:, None], world @ question, -2.0)
    best = [np.unravel_index(one, scores.shape) for one in np.argsort(-scores, axis=None)[:10]]
    for one in found:
        assert one.why["dense"] == pytest.approx(float(scores[int(one.document[1:]), one.ordinal]), abs=1e-4)
    return {(one.document, one.ordinal) for one in found}, {(f"d{document}", int(ordinal)) for document, ordinal in best}


@pytest.mark.parametrize("share", SHARES)
def test_who_asks_finds_what_exact_search_over_what_they_may_read_finds(filled: Index, world: np.ndarray, share: str) -> None:
    draw, shared = np.random.default_rng(13), []

    @settings(max_examples=25, deadline=None)
    @given(st.integers(0, DOCUMENTS - 1), st.integers(0, EACH - 1), st.floats(0, 1))
    def ask(document: int, ordinal: int, away: float) -> None:
        question = world[document, ordinal] + away * draw.standard_normal(SIZE) / np.sqrt(SIZE)
        found, right = nearest(world, filled, share, (question / np.linalg.norm(question)).astype(np.float32))
        shared.append(len(found & right) / 10)

    ask()
    assert np.mean(shared) >= 0.99


def test_another_setting_of_the_same_collection_is_taken_on(client: QdrantClient) -> None:
    name = f"test-{uuid.uuid4().hex}"
    for kind in ("full", "int8", "hnsw", "full"):
        Index(client, name, SIZE, "drawn", vectors=Vectors(kind, 50)).ensure()
        held = client.get_collection(name).config.params.vectors["dense"]
        assert (held.quantization_config is not None) is (kind == "int8")
        assert held.hnsw_config.m == (16 if kind == "hnsw" else 0)
    client.delete_collection(name)
