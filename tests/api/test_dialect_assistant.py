"""The workspace's assistant as a model: a program gets North's retrieval, refusals and citations by naming it."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from north.documents.models import Document
from north.threads.models import Agent, Run, Thread
from north.workspaces.models import Membership, User, Workspace
from tests.api.test_dialect_chat import sse
from tests.api.test_dialect_models import until
from tests.threads.conftest import Actor, Shelve

QUESTION = "How long is the notice period?"
FIRST = "The notice period is thirty days for all staff."


def asked(*texts: str, **more: Any) -> dict[str, Any]:
    roles = ("user", "assistant")
    return {"model": "north", "messages": [{"role": roles[place % 2], "content": text} for place, text in enumerate(texts)], **more}


@pytest.fixture
def handbook(whole_lane: Actor, library: None, notice: Document) -> Document:
    return notice


def test_it_answers_from_the_workspace_with_citations(handbook: Document, program: httpx.Client) -> None:
    found = program.post("/v2/chat", json=asked(QUESTION)).json()
    assert found["message"]["content"][0]["text"] == FIRST and found["usage"]["tokens"]["input_tokens"] > 0
    (citation,) = found["message"]["citations"]
    (source,) = citation["sources"]
    assert FIRST[citation["start"] : citation["end"]] == citation["text"]
    assert (
        source["id"] == str(handbook.pk)
        and source["document"]["title"] == "handbook.txt"
        and source["document"]["snippet"] in handbook.text
    )
    assert f"/w/acme/documents/{handbook.pk}?start=0&end=" in source["document"]["url"]
    until(lambda: not Thread.objects.filter(deleted_at=None).exists())


def test_it_streams_in_each_dialect(handbook: Document, program: httpx.Client) -> None:
    Agent.objects.create(workspace=handbook.workspace, name="Personnel desk")
    assert "Personnel desk" in [one["id"] for one in program.get("/v1/models").json()["data"]]
    events = list(sse(program.post("/v2/chat", json=asked(QUESTION, stream=True) | {"model": "personnel desk"})))
    assert "".join(event["delta"]["message"]["content"]["text"] for event in events if event["type"] == "content-delta") == FIRST
    assert [event["type"] for event in events][-4:] == ["citation-start", "citation-end", "content-end", "message-end"]
    lines = program.post("/v1/chat", json={"message": QUESTION, "model": "north", "stream": True}).text.splitlines()
    end = json.loads(lines[-1])["response"]
    assert end["text"] == FIRST and end["citations"][0]["document_ids"] == [str(handbook.pk)] == [one["id"] for one in end["documents"]]
    message = program.post("/v1/chat/completions", json=asked(QUESTION)).json()["choices"][0]["message"]
    assert message["annotations"][0]["url_citation"]["url"].startswith("http") and message["content"] == FIRST


def test_what_came_before_is_known_to_it(handbook: Document, whole_lane: Actor, program: httpx.Client) -> None:
    assert program.post("/v2/chat", json=asked(QUESTION, "Thirty days.", "And for managers?")).status_code == 200
    assert any("Answer: Thirty days." in message.text for call in whole_lane.calls for message in call.messages)


def test_it_finds_nothing_that_the_keys_user_may_not_read(
    whole_lane: Actor,
    program: httpx.Client,
    shelve: Shelve,
    workspace: Workspace,
    alice: User,
) -> None:
    shelve("secret.txt", "The notice period of the director is three days.", [f"u:{alice.pk}"])
    found = program.post("/v2/chat", json=asked("What is the notice period of the director?")).json()
    assert "citations" not in found["message"] and "three days" not in found["message"]["content"][0]["text"]


def test_a_system_message_is_refused_in_words(whole_lane: Actor, program: httpx.Client, reader: Membership) -> None:
    body = {"model": "north", "messages": [{"role": "system", "content": "x"}, {"role": "user", "content": "y"}]}
    answer = program.post("/v2/chat", json=body)
    assert answer.status_code == 400 and "instructions of its own" in answer.json()["message"]


def test_who_leaves_stops_its_run(handbook: Document, whole_lane: Actor, program: httpx.Client) -> None:
    whole_lane.says, whole_lane.delay = "word " * 500, 0.05
    with program.stream("POST", "/v2/chat", json=asked(QUESTION, stream=True)) as answer:
        for line in answer.iter_lines():
            if "content-delta" in line:
                break
    until(lambda: Run.objects.filter(status="cancelled").exists() or not Run.objects.exists())
    assert whole_lane.sent < 400
