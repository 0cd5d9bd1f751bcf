"""`/mcp` with the official clients of both eras, and what it says to everything else."""

from __future__ import annotations

import json
import uuid
from typing import Any

import httpx
import pytest
from django.conf import settings as django_settings
from django.http import HttpResponse
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from north.documents.models import Document
from north.documents.quoting import digest
from north.threads.models import Run, Thread
from north.workspaces.models import ApiKey, Group, Membership, Workspace
from tests.api.clients.installing import driven
from tests.installation import wait_until
from tests.threads.conftest import Actor

ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25", "handshake": "2025-11-25"}


def key_of(membership: Membership) -> str:
    return ApiKey.issue(workspace=membership.workspace, user=membership.user)[1]


# --- the official clients -------------------------------------------------------------------------------------------------------------
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("version", "eras"), [("2.3.0", ("auto", "legacy")), ("1.30.0", ("handshake",))])
def test_the_official_clients_search_read_ask_and_go_away(
    server: str, worker: Actor, notice: Document, reader: Membership, version: str, eras: tuple[str, ...]
) -> None:
    worker.asked = lambda call: setattr(worker, "delay", 0.3 if "Slowly" in call.messages[-1].text else 0.0)
    seen = json.loads(driven("mcp", version, "drives_mcp.py", ",".join(eras), f"{server}/mcp", key_of(reader)))
    assert seen["client"] == version and seen["eras"].keys() == set(eras)
    for era, told in seen["eras"].items():
        assert (told["protocol"], told["tools"]) == (ERAS[era], ["search", "fetch", "ask"])
        found_and_read(told, notice)
        answered(told, notice)
        assert told["left"] and told["refused"], "it went away at the first sign of progress, and a wrong key was refused"
    slow = Run.objects.filter(question__startswith="Slowly")
    assert slow.count() == len(eras)
    wait_until(lambda: {run.status for run in slow.all()} == {Run.Status.CANCELLED}, 20)


def found_and_read(told: dict[str, Any], notice: Document) -> None:
    best = told["search"]["data"]["results"][0]
    assert (best["id"], best["title"]) == (str(notice.pk), "handbook.txt") and best["text"] in notice.text
    assert best["url"].endswith(f"/w/acme/documents/{notice.pk}?start=0&end={len(notice.text)}&of={digest(notice.text)}")
    assert told["fetch"]["data"]["text"] == notice.text and told["fetch"]["data"]["metadata"]["next"] is None
    assert told["missing"]["error"] and "not yours to see" in told["missing"]["text"]
    assert told["wrong"]["error"] and "query: Field required" in told["wrong"]["text"]


def answered(told: dict[str, Any], notice: Document) -> None:
    said = told["ask"]["data"]
    assert said["answer"] == "The notice period is thirty days for all staff." and not said["refused"]
    citation = said["citations"][0]
    assert said["answer"][citation["start"] : citation["end"]] == citation["text"]
    source = citation["sources"][0]
    assert source["id"] == str(notice.pk) and notice.text[source["start"] : source["end"]] == source["text"]
    assert [done for done, _words in told["progress"]] == list(range(1, len(told["progress"]) + 1)) and len(told["progress"]) > 2
    assert Run.objects.get(pk=said["run"]).key is not None and said["url"].endswith(f"#run-{said['run']}")


# --- on the wire ----------------------------------------------------------------------------------------------------------------------
class Wire:
    def __init__(self, membership: Membership) -> None:
        self.headers = {"Authorization": f"Bearer {key_of(membership)}"}

    def send(self, body: Any, **headers: str) -> HttpResponse:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Client().post("/mcp", raw, content_type="application/json", headers={**self.headers, **headers})

    def call(self, method: str, params: Any = None, **headers: str) -> HttpResponse:
        said = {} if params is None else {"params": params}
        return self.send({"jsonrpc": "2.0", "id": 1, "method": method, **said}, **headers)

    def tool(self, name: str, **arguments: Any) -> dict[str, Any]:
        answer = self.call("tools/call", {"name": name, "arguments": arguments})
        assert answer.status_code == 200
        return answer.json()["result"]


@pytest.fixture
def wire(reader: Membership) -> Wire:
    return Wire(reader)


@pytest.mark.django_db
@pytest.mark.parametrize(("wanted", "given"), [
    ("2025-11-25", "2025-11-25"), ("2024-11-05", "2024-11-05"), ("1999-01-01", "2025-11-25"), (None, "2025-11-25"), (7, "2025-11-25"),
])  # fmt: skip
def test_a_handshake_agrees_on_a_protocol_that_both_speak(wire: Wire, wanted: Any, given: str) -> None:
    answer = wire.call("initialize", {"protocolVersion": wanted, "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}})
    assert answer.json()["result"]["protocolVersion"] == given and "Mcp-Session-Id" not in answer


@pytest.mark.django_db
def test_notifications_get_no_answer_and_other_methods_of_http_are_refused(wire: Wire) -> None:
    said = wire.send({"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert said.status_code == 202 and said.content == b""
    for method in ("get", "delete", "put"):
        answer = getattr(Client(), method)("/mcp", headers=wire.headers)
        assert answer.status_code == 405 and answer["Allow"] == "POST"
    assert wire.call("ping").json() == {"jsonrpc": "2.0", "id": 1, "result": {}}
    assert Client().post("/mcp/", "{}", content_type="application/json", headers=wire.headers).status_code == 400


@pytest.mark.django_db
def test_strangers_and_pages_of_other_origins_are_refused(wire: Wire) -> None:
    unknown = Client().post("/mcp", "{}", content_type="application/json")
    assert unknown.status_code == 401 and unknown["WWW-Authenticate"].startswith("Bearer") and unknown.json()["error"]
    assert wire.call("ping", Origin="https://evil.example").status_code == 403
    assert wire.call("ping", Origin="null").status_code == 403
    assert wire.call("ping", Origin=django_settings.PUBLIC_URL).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize(("body", "status", "code"), [
    (b"{", 400, -32700), (b"\xff\xfe", 400, -32700), (b"[" * 100_000, 400, -32700), (b"", 400, -32700), ([], 400, -32600),
    ("text", 400, -32600), (None, 400, -32600), ({"id": 1, "method": "ping"}, 400, -32600), (b"x" * 10_000_000, 413, -32600),
    ({"jsonrpc": "2.0", "id": True, "method": "ping"}, 400, -32600), ({"jsonrpc": "2.0", "id": None, "method": "ping"}, 400, -32600),
    ({"jsonrpc": "2.0", "id": 1, "method": 5}, 400, -32600), ({"jsonrpc": "2.0", "id": 1, "method": "ping", "params": []}, 400, -32602),
    ({"jsonrpc": "2.0", "id": 1, "method": "resources/list"}, 200, -32601),
    ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": "drop"}}, 400, -32602),
    ({"jsonrpc": "2.0", "id": 1, "method": "tools/call"}, 400, -32602),
    ({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": ["search"], "arguments": 4, "_meta": 3}}, 400, -32602),
])  # fmt: skip
def test_messages_that_make_no_sense_are_errors_of_json_rpc(wire: Wire, body: Any, status: int, code: int) -> None:
    answer = wire.send(body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)
    assert answer.json()["jsonrpc"] == "2.0" and answer.json()["error"]["message"]


@pytest.mark.django_db
def test_a_protocol_that_north_does_not_speak_is_named(wire: Wire) -> None:
    answer = wire.call("tools/list", **{"MCP-Protocol-Version": "2030-01-01"})
    assert answer.status_code == 400 and answer.json()["error"]["code"] == -32022
    assert "2026-07-28" in answer.json()["error"]["data"]["supported"]
    modern = {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call"}
    assert wire.call("tools/list", **modern).json()["error"]["code"] == -32020
    assert wire.call("nothing", **{"MCP-Protocol-Version": "2026-07-28"}).status_code == 404


@pytest.mark.django_db
@pytest.mark.parametrize("arguments", [
    {}, {"query": None}, {"query": 5}, {"query": "x", "top_k": 0}, {"query": "x", "top_k": "many"}, {"query": "x", "sort": "by"},
    {"query": "x", "filters": []}, {"query": "x", "filters": {"type": ["nothing"]}}, {"query": ""},
])  # fmt: skip
def test_arguments_that_do_not_fit_are_told_to_the_model(wire: Wire, arguments: dict[str, Any]) -> None:
    result = wire.tool("search", **arguments)
    assert result["isError"] and result["content"][0]["text"].rstrip(".") and "structuredContent" not in result


@pytest.mark.django_db
def test_what_is_not_the_callers_looks_like_what_does_not_exist(
    wire: Wire, workspace: Workspace, other_workspace: Workspace, hr: Group, owner: Membership
) -> None:
    foreign = Document.objects.create(workspace=other_workspace, name="theirs.txt", sha256="0" * 64, text="Secret.")
    foreign.principals.create(value=other_workspace.everyone)
    hidden = Document.objects.create(workspace=workspace, name="hidden.txt", sha256="0" * 64, text="Secret.")
    thread = Thread.objects.create(workspace=workspace, user=owner.user)
    told = [wire.tool("fetch", id=str(id)) for id in (foreign.pk, hidden.pk, uuid.uuid4(), "no id")]
    told += [wire.tool("ask", question="Why?", thread=str(id)) for id in (thread.pk, uuid.uuid4())]
    assert all(one == told[0] and one["isError"] for one in told) and not Run.objects.exists()
    assert not Thread.objects.exclude(pk=thread.pk).exists()


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.sampled_from(["search", "fetch", "tools/call", "2.0"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "jsonrpc", "method", "params", "name", "arguments", "_meta", "query", "start", "progressToken"]), inner
        )
    ),
    max_leaves=12,
)


@pytest.mark.django_db
@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(message=JSON, arguments=JSON, tool=st.sampled_from(["search", "fetch", "ask"]))
def test_no_json_makes_it_fail(wire: Wire, message: Any, arguments: Any, tool: str) -> None:
    """Neither as a message nor as a tool's arguments; what would ask a real question is left out."""
    assert wire.send(message).status_code < 500
    if not (isinstance(arguments, dict) and arguments.get("query")):
        said = wire.call("tools/call", {"name": tool, "arguments": arguments})
        assert said.status_code == 200 and said.json()["result"]["isError"]


@pytest.mark.django_db
def test_a_long_document_is_read_in_pieces(wire: Wire, workspace: Workspace) -> None:
    text = "".join(f"{number:09d} " for number in range(25_000))
    long = Document.objects.create(workspace=workspace, name="long.txt", sha256="0" * 64, text=text)
    long.principals.create(value=workspace.everyone)
    first = wire.tool("fetch", id=str(long.pk))["structuredContent"]
    following = wire.tool("fetch", id=str(long.pk), start=first["metadata"]["next"])["structuredContent"]
    assert first["text"] + following["text"] == text[:200_000] and following["metadata"]["next"] == 200_000


@pytest.mark.django_db(transaction=True)
def test_ask_says_in_its_stream_that_a_question_cannot_be_answered_now(
    server: str, worker: Actor, notice: Document, reader: Membership
) -> None:
    """Without a token for progress there is nothing in the stream but the answer."""

    def broken(_call: Any) -> None:
        raise ValueError("The model is broken.")

    worker.asked = broken
    call = {
        "jsonrpc": "2.0",
        "id": "a",
        "method": "tools/call",
        "params": {"name": "ask", "arguments": {"question": "How long is the notice period?"}},
    }
    headers = {"Authorization": f"Bearer {key_of(reader)}"}
    said = httpx.post(f"{server}/mcp", json=call, headers=headers, timeout=60, trust_env=False)
    lines = [line for line in said.text.splitlines() if line.startswith("data: ")]
    assert said.headers["Content-Type"].startswith("text/event-stream") and len(lines) == 1
    told = json.loads(lines[0].removeprefix("data: "))
    assert told["id"] == "a" and told["result"]["isError"] and told["result"]["content"][0]["text"]
