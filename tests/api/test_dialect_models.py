"""Embeddings, reranking, tokens and lists of models, as a program asks for them; what is wrong is said with the right status."""

from __future__ import annotations

import base64
import struct
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest

from north import wiring
from north.usage.models import Usage
from tests.api.conftest import EMBEDDER
from tests.threads.conftest import Actor

TEXTS = ["Employees have thirty days of leave.", "The canteen opens at noon.", "Le préavis est de trente jours."]


def until(true: Callable[[], bool]) -> None:
    """What is used is counted after the answer."""
    for _ in range(200):
        if true():
            return
        time.sleep(0.05)
    raise AssertionError("It did not happen within ten seconds.")


def cosine(a: Any, b: Any) -> float:
    return float(np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b))


def embedded(program: httpx.Client, **more: Any) -> dict[str, Any]:
    asked = {"model": "embed", "input_type": "search_document", "texts": TEXTS, **more}
    answer = program.post("/v2/embed", json=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_every_type_of_embedding_says_the_same(lane: Actor, program: httpx.Client) -> None:
    kinds = ["float", "int8", "uint8", "binary", "ubinary", "base64"]
    found = embedded(program, embedding_types=kinds)["embeddings"]
    assert set(found) == set(kinds)
    expected = wiring.embedder().embed_passages(TEXTS)
    for place in range(len(TEXTS)):
        floats = np.array(found["float"][place])
        assert np.allclose(floats, expected[place], atol=1e-5) and np.isclose(np.linalg.norm(floats), 1, atol=1e-5)
        assert cosine(floats, found["int8"][place]) >= 0.98 and max(map(abs, found["int8"][place])) == 127
        assert cosine(floats, np.array(found["uint8"][place]) - 128) >= 0.98
        bits = np.unpackbits(np.array(found["ubinary"][place], np.uint8))
        assert (bits == (floats > 0)).all()
        assert [value + 128 for value in found["binary"][place]] == found["ubinary"][place]
        assert np.allclose(struct.unpack(f"<{len(floats)}f", base64.b64decode(found["base64"][place])), floats, atol=1e-6)


def test_fewer_dimensions_are_the_first_ones_at_length_1(lane: Actor, program: httpx.Client) -> None:
    whole = np.array(embedded(program)["embeddings"]["float"])
    cut = np.array(embedded(program, output_dimension=128)["embeddings"]["float"])
    assert cut.shape == (3, 128) and np.allclose(np.linalg.norm(cut, axis=1), 1, atol=1e-5)
    assert all(cosine(one, other[:128]) > 0.9999 for one, other in zip(cut, whole, strict=True))


def test_what_is_too_long_is_cut_where_the_caller_says(lane: Actor, program: httpx.Client) -> None:
    long, most = "leave " * 400 + "canteen", {"max_tokens": 4}

    def vector(text: str, **more: Any) -> Any:
        return embedded(program, texts=[text], **more)["embeddings"]["float"][0]

    assert cosine(vector(long, truncate="END", **most), vector("leave leave leave leave")) > 0.999
    assert cosine(vector(long, truncate="START", **most), vector("leave leave leave canteen")) > 0.98
    refused = program.post("/v2/embed", json={"model": "embed", "input_type": "search_query", "texts": [long], "truncate": "NONE", **most})
    assert refused.status_code == 400 and "too many tokens" in refused.json()["message"]


def test_version_1_says_of_what_kind_its_answer_is(lane: Actor, program: httpx.Client) -> None:
    plain = program.post("/v1/embed", json={"texts": TEXTS}).json()
    assert plain["response_type"] == "embeddings_floats" and len(plain["embeddings"][0]) == 384 and plain["id"]
    typed = program.post("/v1/embed", json={"texts": TEXTS, "model": EMBEDDER, "embedding_types": ["int8"]}).json()
    assert typed["response_type"] == "embeddings_by_type" and set(typed["embeddings"]) == {"int8"}


def test_openai_gets_the_same_vectors(lane: Actor, program: httpx.Client) -> None:
    asked = {"model": "embed", "input": TEXTS, "encoding_format": "base64", "dimensions": 64}
    found = program.post("/v1/embeddings", json=asked).json()
    floats = np.frombuffer(base64.b64decode(found["data"][1]["embedding"]), "<f4")
    assert floats.shape == (64,) and found["data"][1]["index"] == 1 and found["usage"]["prompt_tokens"] > 10
    assert cosine(floats, np.array(embedded(program)["embeddings"]["float"][1])[:64]) > 0.9999
    many = program.post("/compatibility/v1/embeddings", json={"model": "embed", "input": ["leave"] * 100}).json()
    assert len(many["data"]) == 100


def test_documents_come_ranked_by_the_cross_encoder(lane: Actor, program: httpx.Client) -> None:
    asked = {"model": "rerank", "query": "how many days of leave", "documents": ["noon", "leave days", {"n": 1, "title": "thirty days"}]}
    found = program.post("/v2/rerank", json={**asked, "top_n": 10}).json()
    logits = wiring.scorer()(asked["query"], ["noon", "leave days", "n: 1\ntitle: thirty days\n"])
    expected = sorted(range(3), key=lambda place: -logits[place])
    assert [one["index"] for one in found["results"]] == expected and "document" not in found["results"][0]
    assert [one["relevance_score"] for one in found["results"]] == pytest.approx(
        sorted((1 / (1 + np.exp(-logits.astype(float)))).tolist(), reverse=True), abs=1e-6
    )
    assert found["meta"]["billed_units"]["search_units"] == 1
    assert len(program.post("/v2/rerank", json={**asked, "top_n": 2}).json()["results"]) == 2


def test_a_long_document_counts_by_its_best_window(lane: Actor, program: httpx.Client) -> None:
    query, window = "how many days of leave", 48 - 3 - 5
    parts = [" ".join([word] * window) for word in ("noon", "thirty", "canteen")]
    best, first = wiring.scorer()(query, [" ".join(parts), parts[0]])
    assert best > first, "windows overlap, and the best of all counts"
    asked = {"model": "rerank", "query": query, "documents": [" ".join(parts)]}
    score = program.post("/v2/rerank", json=asked).json()["results"][0]["relevance_score"]
    assert score == pytest.approx(float(1 / (1 + np.exp(-best))), abs=1e-5)
    cut = program.post("/v2/rerank", json={**asked, "max_tokens_per_doc": window}).json()["results"][0]["relevance_score"]
    assert cut == pytest.approx(float(1 / (1 + np.exp(-wiring.scorer()(query, parts[:1])[0]))), abs=1e-5)


def test_version_1_ranks_by_the_fields_that_are_named(lane: Actor, program: httpx.Client) -> None:
    documents = [{"title": "noon", "text": "leave"}, {"title": "leave", "text": "noon"}, "days"]
    asked = {"query": "leave", "documents": documents, "return_documents": True}
    found = program.post("/v1/rerank", json={**asked, "rank_fields": ["title"]}).json()["results"]
    assert {one["index"]: one["document"] for one in found} == {0: documents[0], 1: documents[1], 2: {"text": "days"}}
    logits = wiring.scorer()("leave", ["title: noon\n", "title: leave\n", "days"])
    assert [one["index"] for one in found] == sorted(range(3), key=lambda place: -logits[place])


def test_a_thousand_documents_are_ranked_and_more_refused(lane: Actor, program: httpx.Client) -> None:
    asked = {"model": "rerank", "query": "leave", "documents": ["thirty days of leave " * 150] * 1000, "max_tokens_per_doc": 8}
    found = program.post("/v2/rerank", json=asked)
    assert len(found.request.content) > 3_000_000 and len(found.json()["results"]) == 1000
    refused = program.post("/v2/rerank", json={**asked, "documents": ["x"] * 1001})
    assert refused.status_code == 400 and "at most 1000 - received 1001" in refused.json()["message"]


def test_tokens_and_back(lane: Actor, program: httpx.Client) -> None:
    found = program.post("/v1/tokenize", json={"model": "embed", "text": "tokenize me! :D"}).json()
    assert "".join(found["token_strings"]) == "tokenize me! :D" and len(found["tokens"]) == len(found["token_strings"])
    back = program.post("/v1/detokenize", json={"model": "embed", "tokens": found["tokens"]}).json()
    assert "tokenize me" in back["text"]
    assert program.post("/v1/detokenize", json={"model": "embed", "tokens": [10**6]}).status_code == 400
    refused = program.post("/v1/tokenize", json={"model": "chat", "text": "x"})
    assert refused.status_code == 400 and "own server only" in refused.json()["message"]


def test_one_list_of_models_for_both_dialects(lane: Actor, program: httpx.Client, settings: Any) -> None:
    settings.MODEL_ALIASES = {"embed-v4.0": "embed"}
    found = program.get("/v1/models").json()
    assert [one["id"] for one in found["data"]] == [one["name"] for one in found["models"]] == ["scripted", EMBEDDER, "tiny", "north"]
    page = program.get("/v1/models", params={"page_size": 1}).json()
    assert len(page["models"]) == 1 and program.get("/v1/models", params={"page_token": page["next_page_token"]}).json()["models"]
    only = program.get("/v1/models", params={"endpoint": "rerank", "default_only": "true"}).json()["models"]
    assert [one["name"] for one in only] == ["tiny"]
    assert program.get("/v1/models/embed-v4.0").json()["endpoints"] == ["embed"]
    assert program.get("/compatibility/v1/models/org%2Fnone").json()["error"]["code"] == "model_not_found"
    assert len(embedded(program, model="embed-v4.0")["embeddings"]["float"]) == 3


def test_what_was_used_counts_for_the_key(lane: Actor, program: httpx.Client) -> None:
    tokens = embedded(program)["meta"]["billed_units"]["input_tokens"]
    program.post("/v2/rerank", json={"model": "rerank", "query": "leave", "documents": ["noon"]})
    until(lambda: Usage.objects.filter(kind="rerank").exists())
    rows = {row.kind: row for row in Usage.objects.exclude(key=None)}
    assert rows["embed"].tokens_in == tokens > 0 and rows["embed"].model == EMBEDDER and rows["rerank"].count == 1


WRONG: list[tuple[str, dict[str, Any], int, str]] = [
    ("/v2/embed", {"texts": TEXTS, "input_type": "search_query"}, 400, "a model parameter is required"),
    ("/v2/embed", {"model": "embed", "texts": TEXTS}, 400, "input_type is required"),
    ("/v2/embed", {"model": "nobody", "texts": TEXTS, "input_type": "search_query"}, 404, "model 'nobody' not found"),
    ("/v2/embed", {"model": "embed", "texts": ["x"] * 97, "input_type": "search_query"}, 400, "at most 96 - received 97"),
    ("/v2/embed", {"model": "embed", "texts": [""], "input_type": "search_query"}, 400, "must not be empty"),
    ("/v2/embed", {"model": "embed", "texts": "x", "input_type": "search_query"}, 400, "texts must be a list"),
    ("/v2/embed", {"model": "embed", "texts": [None], "input_type": "search_query"}, 400, "texts[0] must be a string"),
    ("/v2/embed", {"model": "embed", "images": ["data:image/png;base64,eA=="], "input_type": "image"}, 400, "image"),
    ("/v2/embed", {"model": "embed", "texts": TEXTS, "input_type": "search_query", "embedding_types": ["int4"]}, 400, "int4"),
    ("/v2/embed", {"model": "embed", "texts": TEXTS, "input_type": "search_query", "output_dimension": 4096}, 400, "at most 384"),
    ("/v2/rerank", {"model": "rerank", "query": " ", "documents": ["x"]}, 400, "query must not be empty or be only whitespace"),
    ("/v2/rerank", {"model": "rerank", "query": "x", "documents": []}, 400, "list of documents must not be empty"),
    ("/v2/rerank", {"model": "rerank", "query": "x", "documents": [1]}, 400, "documents[0]"),
    ("/v2/rerank", {"model": "rerank", "query": "x", "documents": ["x"], "top_n": 0}, 400, "top_n must be at least 1"),
    ("/v2/rerank", {"model": "embed", "query": "x", "documents": ["x"]}, 404, "model 'embed' not found"),
    ("/v1/rerank", {"query": "x", "documents": [{"title": "x"}]}, 400, "does not have a 'snippet' or a 'text' field"),
    ("/v1/embeddings", {"model": "embed", "input": [[1, 2]]}, 400, "Send strings"),
    ("/v1/embeddings", {"model": "embed", "input": []}, 400, "input must be"),
    ("/v1/tokenize", {"text": "x"}, 400, "a model parameter is required for this endpoint."),
    ("/v1/responses", {}, 404, "Use chat completions"),
    ("/v1/v1/chat", {}, 404, "base URL without /v1"),
    ("/v2/batches", {}, 404, "North serves"),
]  # fmt: skip


def test_what_is_wrong_is_said_in_a_shape_that_both_clients_read(lane: Actor, program: httpx.Client) -> None:
    for path, body, status, words in WRONG:
        answer = program.post(path, json=body)
        said = answer.json()
        assert answer.status_code == status and words in said["message"] == said["error"]["message"], (path, body, answer.text)
        assert said["id"] and said["error"]["type"] == "invalid_request_error"


RAW = {
    "no json": b"{",
    "bad utf-8": b'{"text": "\xff"}',
    "a lone surrogate": b'{"text": "\\ud800"}',
    "a list": b"[]",
    "deep": b'{"a":' * 5000 + b"1" + b"}" * 5000,
    "not a number": b'{"text": NaN}',
}


def test_a_body_that_is_none_is_a_400(models: Actor, program: httpx.Client) -> None:
    for name, content in RAW.items():
        answer = program.post("/v1/tokenize", content=content, headers={"content-type": "application/json"})
        assert answer.status_code == 400 and answer.json()["message"].startswith("invalid request"), name


def test_more_calls_than_workers_wait_their_turn(lane: Actor, program: httpx.Client) -> None:
    """As version 1 of Cohere's client sends them: all batches at once."""
    with ThreadPoolExecutor(24) as threads:
        found = list(threads.map(lambda number: embedded(program, texts=[f"text {number}"])["texts"], range(24)))
    assert found == [[f"text {number}"] for number in range(24)]


def test_an_address_that_is_not_norths_is_a_400_as_json(server: str, models: Actor) -> None:
    answer = httpx.post(f"{server}/v2/chat", json={}, headers={"Host": "elsewhere.example"})
    assert answer.status_code == 400 and "DisallowedHost" in answer.json()["message"]


def test_without_a_key_nothing_is_said_of_models(server: str, models: Actor, key: str) -> None:
    for headers, words in (({}, "no api key supplied"), ({"Authorization": f"Bearer {key}x"}, "invalid api token")):
        answer = httpx.post(f"{server}/v2/embed", json={"model": "nobody"}, headers=headers)
        assert answer.status_code == 401 and words in answer.json()["message"] and answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert httpx.get(f"{server}/v2/embed", headers={"Authorization": f"Bearer {key}"}).status_code == 405


def test_too_much_at_once_is_refused_as_json(models: Actor, program: httpx.Client, settings: Any) -> None:
    settings.API_MEGABYTES = 1
    answer = program.post("/v1/tokenize", json={"model": "embed", "text": "x" * 1_200_000})
    assert answer.status_code == 413 and "megabytes" in answer.json()["message"]


def test_without_a_model_that_ranks_the_remedy_is_said(models: Actor, program: httpx.Client, settings: Any) -> None:
    settings.MODELS = {role: model for role, model in settings.MODELS.items() if role != "score"}
    answer = program.post("/v2/rerank", json={"model": "rerank-v3.5", "query": "x", "documents": ["x"]})
    assert answer.status_code == 404 and "NORTH_SCORE_MODEL" in answer.json()["message"]


def test_a_worker_that_does_not_come_is_a_503_with_the_time_to_come_again(
    models: Actor, broker: Any, program: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("north.serving.calls.TAKEN_SECONDS", 0.3)
    answer = program.post("/v1/tokenize", json={"model": "embed", "text": "x"})
    assert answer.status_code == 503 and answer.headers["Retry-After"] == "5" and answer.json()["error"]["type"] == "server_error"
