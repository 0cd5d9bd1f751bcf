"""Odd questions, on the page and in the API: none is an error of the server's, and what cannot be searched for is said."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from celery.contrib.testing.worker import start_worker
from django.test import Client

from north import wiring
from north.celery import app
from north.workspaces.models import ApiKey, Membership, Workspace
from retrieval.index import Index
from tests.documents.conftest import ready

PAGE, CALL = "/w/acme/search", "/api/v1/search"
NOTHING = "There is no word in the question that could be searched for"
WORDLESS = ["?!", "...", "🚀", "👩‍🚀🏳️‍🌈", "\u200b\u202e", "\0", "\0\x01\x7f", " ", "\u3000", "—", "\ud800", "\udfff\ud83d", "“”", "\u0301"]
WORDS = [
    "the of and",
    "der die das",
    "\0leave\0",
    "leave\ud800",
    "\ud83dleave \ude80",
    "leave 🚀",
    "休暇 leave отпуск إجازة अवकाश",
    "LEAVE" * 50,
    "leave\nof\tthe\rboard",
    "' OR 1=1; --",
    '{"must": []}',
    "<script>alert(1)</script>",
    "%00%FF leave",
    "*leave* AND (x OR",
    "\u202eevael",
    "a" * 2000,
    "à" * 700,
    "ﬁle ＬＥＡＶＥ",
]
LONG = ("leave of absence " * 4000)[:60_000].strip()


@pytest.fixture
def worker(broker: Any, vectors: str, transactional_db: None) -> Iterator[None]:
    with start_worker(app, pool="solo", queues=["search"], perform_ping_check=False, loglevel="ERROR"):
        yield


def call(workspace: Workspace, reader: Membership, body: object) -> Any:
    headers = {"Authorization": f"Bearer {ApiKey.issue(workspace=workspace, user=reader.user)[1]}"}
    return Client().post(CALL, json.dumps(body), content_type="application/json", headers=headers)


def address(query: str) -> str:
    """As a browser would never write it: lone surrogates go as their three bytes."""
    return f"{PAGE}?{urlencode({'q': query.encode('utf-8', 'surrogatepass')})}"


@pytest.mark.django_db
@pytest.mark.parametrize("query", WORDLESS, ids=ascii)
def test_what_holds_no_word_is_said_without_asking_the_worker(
    query: str, workspace: Workspace, reader: Membership, as_rita: Client
) -> None:
    page = as_rita.get(address(query))
    assert page.status_code == 200
    assert not query.strip("\0 \u3000\x01\x7f") or NOTHING in page.content.decode()
    answer = call(workspace, reader, {"query": query})
    said = answer.json()
    if answer.status_code == 422:
        assert any("\ud800" <= letter <= "\udfff" for letter in query) and said["code"] == "invalid" and said["detail"]
    else:
        assert answer.status_code == 200 and said["results"] == [] and NOTHING in said["notice"]


def test_odd_words_are_searched_for(worker: None, workspace: Workspace, reader: Membership, as_rita: Client) -> None:
    ready(workspace, "Parental leave lasts sixteen weeks.", name="leave.txt")
    ready(workspace, "The board of the company.", name="board.txt")
    for query in WORDS:
        page = as_rita.get(address(query))
        html = page.content.decode()
        assert page.status_code == 200 and NOTHING not in html and "<script>alert" not in html, ascii(query)
        answer = call(workspace, reader, {"query": query})
        surrogate = any("\ud800" <= letter <= "\udfff" for letter in query)
        assert answer.status_code == (422 if surrogate else 200), (ascii(query), answer.content)
        assert surrogate or answer.json()["notice"] == "", ascii(query)


def test_stop_words_alone_find_what_holds_them(worker: None, workspace: Workspace, reader: Membership) -> None:
    ready(workspace, "The board of the company.", name="board.txt")
    ready(workspace, "Sixteen weeks.", name="weeks.txt")
    assert call(workspace, reader, {"query": "the of"}).json()["results"][0]["name"] == "board.txt"


def test_a_very_long_question_is_cut_and_that_is_said(worker: None, workspace: Workspace, reader: Membership, as_rita: Client) -> None:
    ready(workspace, "Leave of absence.", name="leave.txt")
    assert len(LONG.split()) > 10_000
    answer = call(workspace, reader, {"query": LONG})
    assert answer.json()["results"][0]["name"] == "leave.txt"
    assert "Only the first 2000 characters of the question are read" in answer.json()["notice"]
    html = as_rita.get(PAGE, {"q": LONG}).content.decode()
    assert "leave.txt" in html and "Only the first 500 characters of the question are read" in html
    assert call(workspace, reader, {"query": "x" * 100_001}).status_code == 422


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "query"),
        ({"query": None}, "query"),
        ({"query": 7}, "query"),
        ({"query": ["leave"]}, "query"),
        ({"query": "a", "top_k": 0}, "top_k"),
        ({"query": "a", "top_k": "many"}, "top_k"),
        ({"query": "a", "top_k": 10**30}, "top_k"),
        ([], ""),
        ("leave", ""),
        (None, ""),
    ],
)
def test_what_is_no_search_is_refused_by_name(body: object, said: str, workspace: Workspace, reader: Membership) -> None:
    answer = call(workspace, reader, body)
    assert answer.status_code in {400, 422} and answer.json()["code"] in {"invalid", "bad_request"}
    assert said in answer.json()["detail"]


def test_an_index_of_another_model_is_never_mixed_and_the_mending_step_is_said(
    broker: Any, vectors: str, transactional_db: None, workspace: Workspace, as_rita: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(workspace, "Parental leave lasts sixteen weeks.", name="leave.txt")
    made = wiring.index()
    other = Index(made._client, made._collection, made.dimensions, "another-model")
    monkeypatch.setattr(wiring, "index", lambda of=None: other)
    wiring.retriever.cache_clear()
    try:
        with start_worker(app, pool="solo", queues=["search"], perform_ping_check=False, loglevel="ERROR"):
            page = as_rita.get(PAGE, {"q": "parental leave"})
    finally:
        wiring.retriever.cache_clear()
    html = page.content.decode()
    assert page.status_code == 503 and "manage.py reindex" in html and "another-model" in html and "leave.txt" not in html
