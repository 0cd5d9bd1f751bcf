"""One real vector service for all tests here, in a temporary folder; with NORTH_TEST_QDRANT_URL (and _KEY) a Qdrant server beside it."""

from __future__ import annotations

import os
import uuid
import zlib
from collections.abc import Iterator, Sequence

import numpy as np
import pytest
from qdrant_client import QdrantClient

from retrieval import tokens
from retrieval.fusion import Weights
from retrieval.index import Index, connect
from tests.edge_process import Edge, start_edge, stop_edge

DIMENSIONS = 48
WEIGHTS = Weights(cosine=4.0, words=0.5, offset=-2.0)
"""For `embed`, whose cosines reach from -1 to 1."""
SERVER = os.environ.get("NORTH_TEST_QDRANT_URL", "")


def embed(texts: Sequence[str]) -> np.ndarray:
    """A plain but real embedding: each term has a direction of its own, a text is the sum of its terms', of length 1."""
    vectors = np.zeros((len(texts), DIMENSIONS), np.float32)
    for row, text in enumerate(texts):
        for term in {*tokens.terms(text), "\n"}:
            vectors[row] += np.random.default_rng(zlib.crc32(term.encode())).standard_normal(DIMENSIONS).astype(np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


@pytest.fixture(scope="session")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    running = start_edge(tmp_path_factory.mktemp("edge"))
    yield running
    assert stop_edge(running) == 0


@pytest.fixture(scope="session", params=["edge", *(["server"] if SERVER else [])])
def client(request: pytest.FixtureRequest) -> QdrantClient:
    if request.param == "server":
        return connect(SERVER, os.environ.get("NORTH_TEST_QDRANT_KEY", ""))
    running = request.getfixturevalue("edge")
    return connect(running.url, running.api_key)


@pytest.fixture(scope="session")
def index(client: QdrantClient) -> Iterator[Index]:
    name = f"test-{uuid.uuid4().hex}"
    yield Index(client, name, DIMENSIONS, "terms", weights=WEIGHTS)
    client.delete_collection(name)


@pytest.fixture
def workspace() -> str:
    return str(uuid.uuid4())
