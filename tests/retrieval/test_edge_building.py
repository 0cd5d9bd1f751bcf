"""An index over many vectors is made by another process while the collection is searched and written to; whatever dies meanwhile."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from qdrant_client import QdrantClient, models

from retrieval.edge_building import BuildFailed, duplicate
from retrieval.index import connect
from tests.edge_process import Edge, launch, start_edge, stop_edge

SIZE, POINTS = 32, 1500
INT8 = models.ScalarQuantization(scalar=models.ScalarQuantizationConfig(type=models.ScalarType.INT8, always_ram=True))
FLAT = models.HnswConfigDiff(m=0)
KILOBYTES = POINTS * SIZE * 4 // 1024 // 2


def make(client: QdrantClient, hnsw: models.HnswConfigDiff = FLAT, threshold: int = KILOBYTES) -> None:
    """`threshold`: in KB of vectors, from which an index is made; half of POINTS."""
    params = models.VectorParams(size=SIZE, distance=models.Distance.COSINE, hnsw_config=hnsw, quantization_config=INT8)
    optimizers = models.OptimizersConfigDiff(indexing_threshold=threshold)
    client.create_collection("things", vectors_config={"dense": params}, optimizers_config=optimizers)
    client.create_payload_index("things", "kind", models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD))


def points(count: int, draw: np.random.Generator, kind: str = "a") -> list[models.PointStruct]:
    vectors = draw.standard_normal((count, SIZE))
    return [models.PointStruct(id=str(uuid.uuid4()), vector={"dense": one.tolist()}, payload={"kind": kind}) for one in vectors]


def held(client: QdrantClient) -> dict[str, str]:
    return {str(one.id): one.payload["kind"] for one in client.scroll("things", limit=1_000_000)[0]}


def builder(running: Edge, seconds: float = 60) -> psutil.Process:
    """The process that makes the index, once it runs."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if children := psutil.Process(running.process.pid).children():
            return children[0]
        time.sleep(0.02)
    raise AssertionError("no process makes an index")


def wait_for_index(running: Edge) -> None:
    assert "Index of things: made" in running.process.stdout.readline()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Edge]:
    one = start_edge(tmp_path)
    yield one
    assert stop_edge(one) == 0


def nearest(client: QdrantClient, vector: np.ndarray, *, exact: bool) -> list[str]:
    params = models.SearchParams(exact=exact, quantization=models.QuantizationSearchParams(rescore=True, oversampling=2.0))
    return [str(one.id) for one in client.query_points("things", vector.tolist(), using="dense", limit=10, search_params=params).points]


@pytest.mark.parametrize("hnsw", [FLAT, models.HnswConfigDiff(m=16, ef_construct=100, full_scan_threshold=10)])
def test_a_collection_that_has_grown_gets_its_index_and_finds_the_same(running: Edge, tmp_path: Path, hnsw: models.HnswConfigDiff) -> None:
    client, draw = connect(running.url, running.api_key), np.random.default_rng(1)
    make(client, hnsw)
    given = points(POINTS, draw)
    client.upsert("things", given[:100])
    assert client.get_collection("things").indexed_vectors_count == 0
    client.upsert("things", given[100:])
    wait_for_index(running)
    info = client.get_collection("things")
    assert info.points_count == POINTS and info.indexed_vectors_count >= POINTS // 2 and set(info.payload_schema) == {"kind"}
    questions = draw.standard_normal((20, SIZE))
    shared = [len({*nearest(client, one, exact=True)} & {*nearest(client, one, exact=False)}) for one in questions]
    assert sum(shared) >= 0.99 * 200
    assert len([path for path in (tmp_path / "things").iterdir() if path.name != "collection.json"]) == 1


def test_what_is_written_meanwhile_is_all_there_and_nothing_else(running: Edge) -> None:
    client, draw, choose = connect(running.url, running.api_key), np.random.default_rng(2), random.Random(2)
    make(client)
    oracle = {str(one.id): "a" for one in points_put(client, points(POINTS, draw))}
    child = builder(running)
    rounds = 0
    while child.is_running() or rounds < 5:
        rounds += 1
        oracle |= {str(one.id): f"k{rounds}" for one in points_put(client, points(30, draw, f"k{rounds}"))}
        leaving = choose.sample(sorted(oracle), 5)
        client.delete("things", models.PointIdsList(points=list(leaving)))
        oracle = {key: kind for key, kind in oracle.items() if key not in leaving}
        client.set_payload("things", {"kind": f"m{rounds}"}, points=where(f"k{rounds - 1}"))
        oracle = {key: f"m{rounds}" if kind == f"k{rounds - 1}" else kind for key, kind in oracle.items()}
        client.delete("things", models.FilterSelector(filter=where(f"m{rounds - 1}")))
        oracle = {key: kind for key, kind in oracle.items() if kind != f"m{rounds - 1}"}
    wait_for_index(running)
    assert held(client) == oracle
    assert client.count("things", where(f"m{rounds}")).count == sum(kind == f"m{rounds}" for kind in oracle.values())


def where(kind: str) -> models.Filter:
    return models.Filter(must=[models.FieldCondition(key="kind", match=models.MatchValue(value=kind))])


def points_put(client: QdrantClient, given: list[models.PointStruct]) -> list[models.PointStruct]:
    client.upsert("things", given)
    return given


def test_a_builder_that_is_killed_is_said_and_leaves_the_collection_as_it_was(tmp_path: Path) -> None:
    running = start_edge(tmp_path)
    client = connect(running.url, running.api_key)
    make(client)
    given = {str(one.id) for one in points_put(client, points(POINTS, np.random.default_rng(3)))}
    builder(running).kill()
    assert "could not be made" in running.process.stderr.readline()
    assert set(held(client)) == given
    assert stop_edge(running) == 0
    assert {path.name for path in (tmp_path / "things").iterdir()} == {"collection.json", "shard"}


def test_kill_9_at_any_moment_of_the_making_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    draw, kept, gone = np.random.default_rng(4), set[str](), set[str]()
    running = start_edge(tmp_path)
    make(connect(running.url, running.api_key))
    kept |= {str(one.id) for one in points_put(connect(running.url, running.api_key), points(POINTS, draw))}
    for moment in ("copying", "building", "ending", "swapping"):
        killer = threading.Thread(target=kill_at, args=(running, moment))
        killer.start()
        with pytest.raises(Exception):  # noqa: B017 - the connection breaks, however the client tells it
            write_on(connect(running.url, running.api_key), draw, kept, gone)
        killer.join()
        running.process.wait(20)
        running = start_edge(tmp_path)
        found = set(held(connect(running.url, running.api_key)))
        assert kept <= found and not gone & found, moment
    wait_for_index(running)
    found = set(held(connect(running.url, running.api_key)))
    assert kept <= found and not gone & found
    assert stop_edge(running) == 0


def kill_at(running: Edge, moment: str) -> None:
    """copying: about when the copy is made; building: while the other process works; ending: as soon as that has ended; swapping: a little
    later."""
    if moment == "copying":
        time.sleep(1.0)
    else:
        child = builder(running)
        while moment != "building" and child.is_running() and child.status() != psutil.STATUS_ZOMBIE:
            time.sleep(0.002)
        time.sleep({"building": 0.3, "ending": 0, "swapping": 0.05}[moment])
    running.process.kill()


def write_on(client: QdrantClient, draw: np.random.Generator, kept: set[str], gone: set[str]) -> None:
    while True:
        given = points(20, draw)
        client.upsert("things", given)
        kept |= {str(one.id) for one in given}
        leaving = [str(one.id) for one in given[:5]]
        kept -= set(leaving)
        client.delete("things", models.PointIdsList(points=list(leaving)))
        gone |= set(leaving)


def test_a_disk_too_full_for_a_copy_is_not_filled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shard").mkdir()
    (tmp_path / "shard" / "file").write_bytes(b"1" * 10_000)
    monkeypatch.setattr("retrieval.edge_building.ROOM", 10**12)
    with pytest.raises(BuildFailed, match="GB are needed"):
        duplicate(tmp_path / "shard", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_new_setting_makes_a_new_index(running: Edge) -> None:
    client = connect(running.url, running.api_key)
    make(client)
    points_put(client, points(POINTS, np.random.default_rng(5)))
    wait_for_index(running)
    binary = models.BinaryQuantization(binary=models.BinaryQuantizationConfig(always_ram=True))
    client.update_collection("things", vectors_config={"dense": models.VectorParamsDiff(quantization_config=binary)})
    assert client.get_collection("things").config.params.vectors["dense"].quantization_config == binary
    wait_for_index(running)
    client.update_collection("things", vectors_config={"dense": models.VectorParamsDiff(quantization_config=models.Disabled.DISABLED)})
    assert client.get_collection("things").config.params.vectors["dense"].quantization_config is None


def test_a_collection_deleted_meanwhile_stays_deleted(tmp_path: Path) -> None:
    running = start_edge(tmp_path)
    client = connect(running.url, running.api_key)
    make(client)
    points_put(client, points(POINTS, np.random.default_rng(6)))
    builder(running)
    client.delete_collection("things")
    make(client)
    assert "could not be made" in running.process.stderr.readline()
    assert held(client) == {}
    assert stop_edge(running) == 0
    assert {path.name for path in (tmp_path / "things").iterdir()} == {"collection.json", "shard"}


@pytest.mark.parametrize("damaged", ["collection.json", "shard/segments/*/segment.json", "shard/wal/first-index"])
def test_a_damaged_collection_is_put_aside_and_said_and_the_service_goes_on(tmp_path: Path, damaged: str) -> None:
    running = start_edge(tmp_path)
    make(connect(running.url, running.api_key))
    assert stop_edge(running) == 0
    next((tmp_path / "things").glob(damaged)).write_text("{")
    process = launch(tmp_path, "key")
    assert "of things are damaged" in process.stderr.readline()
    url = process.stdout.readline().split()[-1]
    client = connect(url, "key")
    assert not client.collection_exists("things")
    make(client)
    assert stop_edge(Edge(process, url, "key")) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"owner", "things", ".damaged-things"}
