from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from retrieval.index import connect
from tests.edge_process import Edge, launch, start_edge, stop_edge

POINTS = "/collections/things/points"


@pytest.fixture(scope="module")
def http(edge: Edge) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=edge.url, headers={"api-key": edge.api_key}, trust_env=False) as client:
        made = client.put("/collections/things", json={
            "vectors": {"dense": {"size": 4, "distance": "Cosine"}}, "sparse_vectors": {"sparse": {"modifier": "idf"}},
        })  # fmt: skip
        assert made.json()["result"] is True
        yield client
        client.delete("/collections/things")


def make(client: QdrantClient, name: str = "things") -> None:
    client.create_collection(name, vectors_config={"dense": models.VectorParams(size=4, distance=models.Distance.COSINE)})


def a_point(number: str | None = None) -> models.PointStruct:
    return models.PointStruct(id=number or str(uuid.uuid4()), vector={"dense": np.random.rand(4).tolist()}, payload={"a": "b"})


def test_it_says_what_it_is_and_that_it_is_ready(edge: Edge) -> None:
    assert httpx.get(edge.url, trust_env=False).json()["version"] == "1.20.0"
    assert httpx.get(f"{edge.url}/readyz", trust_env=False).status_code == 200
    assert httpx.get(f"{edge.url}/healthz", trust_env=False).status_code == 200


@pytest.mark.parametrize("headers", [{}, {"api-key": ""}, {"api-key": "wrong"}, {"authorization": "Bearer wrong"}])
@pytest.mark.parametrize("path", ["/collections/things", "/collections/none/exists", "/anything"])
def test_nothing_else_is_answered_without_the_key(edge: Edge, headers: dict[str, str], path: str) -> None:
    assert httpx.get(edge.url + path, headers=headers, trust_env=False).status_code == 401


def test_a_bearer_token_is_a_key_too(edge: Edge) -> None:
    headers = {"authorization": f"Bearer {edge.api_key}"}
    assert httpx.get(f"{edge.url}/collections/none/exists", headers=headers, trust_env=False).json()["result"] == {"exists": False}


def test_it_does_not_start_without_a_key(tmp_path: Path) -> None:
    process = launch(tmp_path, "")
    assert "NORTH_EDGE_API_KEY" in process.communicate(timeout=30)[1]
    assert process.returncode != 0


def test_a_folder_has_one_owner_and_the_second_is_told_so(tmp_path: Path) -> None:
    first = start_edge(tmp_path)
    second = launch(tmp_path, "key")
    assert f"already served by process {first.process.pid}" in second.communicate(timeout=30)[1]
    assert second.returncode != 0
    assert stop_edge(first) == 0


def test_a_port_in_use_is_said_in_words(edge: Edge, tmp_path: Path) -> None:
    process = launch(tmp_path, "key", int(edge.url.rpartition(":")[2]))
    assert "Stop what uses that port" in process.communicate(timeout=30)[1]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/points/count", {"filter": {"must": [{"key": "a", "range": {"gt": 1}}]}}),
        ("POST", "/points/count", {"filter": {"min_should": {"conditions": [], "min_count": 1}}}),
        ("POST", "/points/count", {"filter": {"must": [{"is_empty": {"key": "a"}}]}}),
        ("POST", "/points/count", {"filter": {"must": [{"key": "a", "match": {"value": "x", "any": ["y"]}}]}}),
        ("POST", "/points/count", {"filter": {"must": [{"key": "a", "match": {"value": {}}}]}}),
        ("POST", "/points/count", {"filter": {"must": [{"key": "a", "match": {"any": ["x"]}, "has_id": [1]}]}}),
        ("POST", "/points/count", {"filter": [1]}),
        ("POST", "/points/count", [1]),
        ("POST", "/points/delete", {"filter": {}}),
        ("POST", "/points/delete", {"filter": {"must": []}}),
        ("POST", "/points/delete", {"filter": None}),
        ("POST", "/points/delete", {}),
        ("POST", "/points/payload", {"payload": {"a": 1}}),
        ("PUT", "/points", {"points": [{"id": "no uuid", "vector": {"dense": [1, 1, 1, 1]}}]}),
        ("PUT", "/points", {"points": [{"id": 1, "vector": {"dense": [1, 1, 1]}}]}),
        ("PUT", "/points", {"points": [{"id": 1, "vector": {"other": [1, 1, 1, 1]}}]}),
        ("PUT", "/points", {"points": [{"id": 1, "vector": {"dense": ["a", 1, 1, 1]}}]}),
        ("PUT", "/points", {"points": [{"id": 1, "vector": {"sparse": {"indices": [1, 1], "values": [1, 1]}}}]}),
        ("PUT", "/points", {"points": [{"id": 1, "vector": {"sparse": {"indices": [-1], "values": [1]}}}]}),
        ("PUT", "/points", {"points": [{"id": -1, "vector": {}}]}),
        ("PUT", "/points", {}),
        ("PUT", "/points", {"batch": {}}),
        ("PUT", "/index", {"field_name": "a", "field_schema": "integer"}),
        ("PUT", "/index", {"field_name": "a", "field_schema": {"type": "datetime", "is_principal": True}}),
        ("POST", "/points/count", {"filter": {"must": [{"key": "a", "range": {}}]}}),
        ("POST", "/points/count", {"filter": {"must": [{"key": "a", "range": {"gte": 5}}]}}),
        ("POST", "/points/count", {"filter": {"must": [{"key": "a", "range": {"gte": "soon"}}]}}),
        ("POST", "/points/count", {"filter": {"must": [{"key": "a", "range": {"from": "2024-01-01T00:00:00Z"}}]}}),
        ("POST", "/points/count", {"filter": {"must": [{"key": "a", "range": {"lt": "2024-01-01T00:00:00Z"}, "match": {"value": "b"}}]}}),
        ("POST", "/points/query", {"query": {"fusion": "dbsf"}}),
        ("POST", "/points/query", {"query": {"nearest": [1, 1, 1]}, "using": "dense"}),
        ("POST", "/points/query", {"query": [1, 1, 1, 1]}),
        ("POST", "/points/query", {"query": [1, 1, 1, 1], "using": "dense", "limit": -1}),
        ("POST", "/points/query", {"query": [1, 1, 1, 1], "using": "dense", "score_threshold": 0.5}),
        ("POST", "/points/scroll", {"limit": "many"}),
    ],
)
def test_what_is_wrong_or_not_supported_is_refused_in_qdrants_shape(http: httpx.Client, method: str, path: str, body: object) -> None:
    answer = http.request(method, f"/collections/things{path}", json=body)
    assert answer.status_code == 400
    assert answer.json()["status"]["error"]


@pytest.mark.parametrize("content", [b"{", b"\xff", b'{"points": NaN}', b"[" * 100_000, b'{"a":' * 100_000, b"1"])
def test_what_is_no_json_is_refused(http: httpx.Client, content: bytes) -> None:
    assert http.put(POINTS, content=content).status_code == 400


@pytest.mark.parametrize(
    "path", ["/collections/none", "/collections/..%2f..%2fetc", "/collections/a b", "/metrics", f"{POINTS}/search", "/collections"]
)
def test_what_is_not_there_is_not_found(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code == 404


@pytest.mark.parametrize("name", ["..", "..%2fescaped", "a%2fb", "%00", "x" * 101])
def test_a_collections_name_names_no_other_folder(http: httpx.Client, name: str) -> None:
    assert http.put(f"/collections/{name}", json={"vectors": {}}).status_code == 404


def test_a_collection_is_made_once(http: httpx.Client) -> None:
    again = http.put("/collections/things", json={"vectors": {"dense": {"size": 4, "distance": "Cosine"}}})
    assert again.status_code == 409
    assert "already exists" in again.json()["status"]["error"]


def test_a_body_over_the_limit_is_refused(http: httpx.Client) -> None:
    assert http.put(POINTS, content=b" " * (65 * 1024 * 1024)).status_code == 413


def test_points_are_read_back_page_by_page(http: httpx.Client) -> None:
    points = [{"id": number, "vector": {"dense": [1, 0, 0, number]}, "payload": {"kind": "page"}} for number in range(1, 8)]
    assert http.put(POINTS, json={"points": points}).json()["result"]["status"] == "completed"
    where, offset, seen = {"must": {"key": "kind", "match": {"value": "page"}}}, None, []
    while True:
        page = http.post(f"{POINTS}/scroll", json={"filter": where, "limit": 3, "offset": offset, "with_vector": True}).json()["result"]
        seen += [point["id"] for point in page["points"]]
        offset = page["next_page_offset"]
        if offset is None:
            break
    assert seen == list(range(1, 8))
    http.post(f"{POINTS}/delete", json={"points": [1, 2]})
    assert http.post(f"{POINTS}/count", json={"filter": where}).json()["result"] == {"count": 5}


def test_searches_in_one_request_find_what_each_finds_alone(http: httpx.Client) -> None:
    """Their IDF, too: each is counted over its own corpus, and over everything where none is named."""
    vector = {"dense": [1, 2, 3, 4], "sparse": {"indices": [1, 2], "values": [1.0, 2.0]}}
    alone = {"dense": [4, 3, 2, 1], "sparse": {"indices": [2], "values": [1.0]}}
    ids = list(range(100, 140))
    points = [{"id": one, "vector": alone if one % 3 else vector, "payload": {"kind": f"k{one % 4}"}} for one in ids]
    http.put(POINTS, json={"points": points})
    corpora = [{"must": {"key": "kind", "match": {"any": kinds}}} for kinds in (["k0"], ["k1", "k2"], ["none"])]
    words = {"query": {"indices": [1, 2], "values": [1.0, 1.0]}, "using": "sparse", "limit": 5}
    searches = [
        *({**words, "params": {"idf": {"corpus": corpus}}, "filter": where} for corpus in corpora for where in (None, corpora[0])),
        words,
        {"query": [1.0, 0.0, 0.0, 0.0], "using": "dense", "limit": 7, "filter": corpora[1], "with_payload": ["kind"]},
        {"prefetch": [words, words | {"params": {"idf": {"corpus": corpora[0]}}}], "query": {"rrf": {}}, "limit": 3},
    ]
    found = [http.post(f"{POINTS}/query", json=search).json()["result"] for search in searches]
    assert http.post(f"{POINTS}/query/batch", json={"searches": searches}).json()["result"] == found
    assert len({found[number]["points"][0]["score"] for number in (0, 2, 4, 6)}) == 4, "each corpus weighs otherwise"
    assert http.post(f"{POINTS}/query/batch", json={"searches": []}).json()["result"] == []
    http.post(f"{POINTS}/delete", json={"points": ids})


def test_what_is_half_made_is_swept_away_and_nothing_else_is_touched(tmp_path: Path) -> None:
    (tmp_path / ".unfinished-things" / "shard").mkdir(parents=True)
    (tmp_path / "holiday pictures").mkdir()
    running = start_edge(tmp_path)
    client = connect(running.url, running.api_key)
    assert not client.collection_exists("things")
    make(client)
    assert stop_edge(running) == 0
    assert {path.name for path in tmp_path.iterdir()} == {"things", "holiday pictures", "owner"}


def test_a_deleted_collection_leaves_nothing_on_the_disk(tmp_path: Path) -> None:
    running = start_edge(tmp_path)
    client = connect(running.url, running.api_key)
    make(client)
    client.delete_collection("things")
    assert [path.name for path in tmp_path.iterdir()] == ["owner"]
    assert stop_edge(running) == 0


def test_an_acknowledged_update_outlives_kill_9(tmp_path: Path) -> None:
    running = start_edge(tmp_path)
    make(connect(running.url, running.api_key))
    kept: set[str] = set()
    gone: set[str] = set()
    for moment in (0.3, 0.7, 1.1):
        client = connect(running.url, running.api_key)
        threading.Timer(moment, running.process.kill).start()
        with pytest.raises(Exception):  # noqa: B017 - the connection breaks, however the client tells it
            while True:
                points = [a_point() for _ in range(20)]
                client.upsert("things", points)
                kept |= {str(point.id) for point in points}
                leaving = [str(point.id) for point in points[:5]]
                kept -= set(leaving)
                client.delete("things", models.PointIdsList(points=list(leaving)))
                gone |= set(leaving)
        running.process.wait(20)
        running = start_edge(tmp_path)
        held = {str(point.id) for point in connect(running.url, running.api_key).scroll("things", limit=1_000_000)[0]}
        assert len(kept) > 20
        assert kept <= held
        assert not gone & held
    assert stop_edge(running) == 0


def test_it_ends_in_peace_and_begins_where_it_was(tmp_path: Path) -> None:
    running = start_edge(tmp_path)
    client = connect(running.url, running.api_key)
    make(client)
    client.upsert("things", [a_point() for _ in range(100)])
    client.create_payload_index("things", "a", models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD))
    assert stop_edge(running) == 0
    running = start_edge(tmp_path)
    info = connect(running.url, running.api_key).get_collection("things")
    assert info.points_count == 100
    assert set(info.payload_schema) == {"a"}
    assert stop_edge(running) == 0


def test_a_client_goes_on_after_the_service_was_started_again(tmp_path: Path) -> None:
    running = start_edge(tmp_path)
    client = connect(running.url, running.api_key)
    make(client)
    assert stop_edge(running) == 0
    running = start_edge(tmp_path, running.api_key, int(running.url.rpartition(":")[2]))
    client.upsert("things", [a_point()])
    assert client.count("things").count == 1
    assert stop_edge(running) == 0


def test_a_search_does_not_wait_for_a_large_update(edge: Edge) -> None:
    client, name = connect(edge.url, edge.api_key), f"large-{uuid.uuid4().hex}"
    make(client, name)
    points = [a_point() for _ in range(6000)]
    writer = threading.Thread(target=client.upsert, args=(name, points))
    writer.start()
    waits = []
    while writer.is_alive():
        began = time.monotonic()
        client.query_points(name, query=[1.0, 0.0, 0.0, 0.0], using="dense", limit=3)
        waits.append(time.monotonic() - began)
    assert max(waits) < 2
    client.delete_collection(name)


def test_the_stock_client_reads_its_errors(edge: Edge) -> None:
    with pytest.raises(UnexpectedResponse, match="Collection `none`"):
        connect(edge.url, edge.api_key).count("none")
